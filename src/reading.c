/* reading.c - a member reads a version of the message
 *
 * Header fields, end of header, body and end of message, each when it is there, when the
 * child has room for it and when its conditions have been asked.  Whose turn it is, is
 * content.c's. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#define FIELDS_TRIMMED 256 /* fields that were read and are then forgotten together */

/* A field for a child that did not ask for leading spaces: MTAs eat one (not a tab). */
static void
send_stripped(MmMember *member, const MilterField *field, double timeout)
{
    gsize size = milter_field_wire_size(field) - 1;
    g_autofree char *payload = g_malloc(size);

    memcpy(payload, field->wire, field->name_size + 1);
    memcpy(payload + field->name_size + 1, milter_field_value(field) + 1, field->value_size);
    (void)mm_member_send(member, MILTER_STEP_HEADER, payload, size, timeout);
}

gboolean
mm_reading_strips(const MmMember *member, const MilterMessage *message, const char *value)
{
    return message->has_leading_space && value[0] == ' ' &&
           !(milter_peer_option(member->peer)->steps & SMFIP_HDR_LEADSPC);
}

double
mm_reading_timeout(MmMember *member, MilterStep step)
{
    return mm_relay_time_for(member->relay, member, mm_member_timeout(member, step));
}

/* What it has read is of no use any more when nobody else will read it. */
static void
trim_fields(MmMember *member)
{
    const MmTransaction *transaction = member->relay->transaction;

    if (member->shadow || transaction->keeps_fields || member->next_place < FIELDS_TRIMMED)
        return;
    milter_message_forget_fields(member->message, member->next_place);
    member->next_place = 0;
}

/* A field as conditions are to see it, for the next question. */
static void
note_field(MmMember *member, const MilterField *field)
{
    gsize name_size = field->name_size + 1, value_size = field->value_size + 1;
    const char *value = milter_field_value(field);
    g_autofree char *payload = NULL;

    if (!member->unasked)
        member->unasked = g_byte_array_new();
    if (!member->message->has_leading_space || value[0] != ' ') {
        mm_condition_append(member->unasked, SMFIC_HEADER, field->wire, name_size + value_size);
        return;
    }
    payload = g_malloc(name_size + value_size - 1);
    memcpy(payload, field->wire, name_size);
    memcpy(payload + name_size, value + 1, value_size - 1);
    mm_condition_append(member->unasked, SMFIC_HEADER, payload, name_size + value_size - 1);
}

/* Ask about all fields that have come, at once. */
static void
ask_fields(MmMember *member, guint place)
{
    const MilterMessage *message = member->message;

    for (; place < message->places->len; place = milter_message_next_field(message, place + 1)) {
        note_field(member, milter_message_place(message, place)->field);
        member->n_approved++;
    }
    mm_condition_ask_content(member, MILTER_STEP_HEADER, NULL, 0);
}

/* Whether the conditions have let the next item pass; asks them where they have not. */
static gboolean
is_allowed(MmMember *member, MilterStep step, const void *payload, gsize size)
{
    if (member->is_approved) {
        member->is_approved = FALSE;
        return TRUE;
    }
    if (!mm_condition_asks(member, step))
        return TRUE;
    mm_condition_ask_content(member, step, payload, size);
    return FALSE;
}

/* The next field; FALSE when there is none (yet). */
static gboolean
read_field(MmMember *member)
{
    MilterMessage *message = member->message;
    guint place = milter_message_next_field(message, member->next_place);
    const MilterField *field;

    if (place >= message->places->len) {
        member->next_place = place;
        return FALSE;
    }
    if (mm_condition_asks(member, MILTER_STEP_HEADER)) {
        if (member->n_approved == 0) {
            ask_fields(member, place);
            return TRUE;
        }
        member->n_approved--;
        member->is_approved = FALSE;
    } else if (mm_condition_asks_content(member)) {
        note_field(member, milter_message_place(message, place)->field);
    }
    field = milter_message_place(message, place)->field;
    member->next_place = place + 1;
    member->unread -= MIN(member->unread, milter_field_wire_size(field));
    if (mm_reading_strips(member, message, milter_field_value(field)))
        send_stripped(member, field, mm_reading_timeout(member, MILTER_STEP_HEADER));
    else
        (void)mm_member_send(member, MILTER_STEP_HEADER, field->wire,
                             milter_field_wire_size(field),
                             mm_reading_timeout(member, MILTER_STEP_HEADER));
    /* It may have failed by that. */
    if (member->message)
        trim_fields(member);
    return TRUE;
}

gsize
mm_reading_chunk_limit(const MmMember *member)
{
    guint setting = member->relay->host->settings->chunk_size;
    gsize limit = milter_peer_data_size(member->peer);

    return setting ? MIN(setting, limit) : limit;
}

gboolean
mm_reading_wants_body(const MmMember *member)
{
    return !member->skips_body && member->peer &&
           milter_peer_wants(member->peer, MILTER_STEP_BODY);
}

gboolean
mm_reading_needs_body(const MmMember *member)
{
    return mm_reading_wants_body(member) || mm_condition_asks(member, MILTER_STEP_BODY);
}

/* What has come of the body is none of its business. */
static void
pass_body(MmMember *member)
{
    guint64 left = milter_spool_size(member->message->body) - member->body_offset;

    member->unread -= MIN(member->unread, left);
    member->body_offset += left;
}

/* The next piece of the body; FALSE when there is none (yet), or it failed. */
static gboolean
read_chunk(MmMember *member)
{
    g_autoptr(GError) error = NULL;
    MilterSpool *body = member->message->body;
    gboolean asks = mm_condition_asks(member, MILTER_STEP_BODY);
    gboolean wants = mm_reading_wants_body(member);
    gsize limit = mm_reading_chunk_limit(member);
    const guint8 *bytes;
    gsize size;

    if (!body)
        return FALSE;
    if (!wants && !asks) {
        pass_body(member);
        return FALSE;
    }
    if (asks && member->is_approved)
        limit = MIN(limit, member->approved_bytes);
    bytes = milter_spool_read(body, member->body_offset, limit, &size, &error);
    if (!bytes) {
        mm_member_fail(member, MILTER_PEER_LIMIT, error->message);
        return FALSE;
    }
    if (size == 0)
        return FALSE;
    if (!is_allowed(member, MILTER_STEP_BODY, bytes, size)) {
        member->approved_bytes = size;
        return TRUE;
    }
    member->body_offset += size;
    member->unread -= MIN(member->unread, size);
    if (!wants)
        return TRUE;
    (void)mm_member_send(member, MILTER_STEP_BODY, bytes, size,
                         mm_reading_timeout(member, MILTER_STEP_BODY));
    return TRUE;
}

/* Do the next thing of the message; FALSE when that has not come yet. */
static gboolean
read_on(MmMember *member)
{
    MilterMessage *message = member->message;

    switch (member->phase) {
    case MM_READ_HEADERS:
        if (read_field(member))
            return TRUE;
        if (!message->headers_over)
            return FALSE;
        member->phase = MM_READ_EOH;
        return TRUE;
    case MM_READ_EOH:
        if (message->has_eoh && !is_allowed(member, MILTER_STEP_EOH, NULL, 0))
            return TRUE;
        member->phase = MM_READ_BODY;
        if (message->has_eoh)
            (void)mm_member_send(member, MILTER_STEP_EOH, NULL, 0,
                                 mm_reading_timeout(member, MILTER_STEP_EOH));
        return TRUE;
    case MM_READ_BODY:
        if (read_chunk(member))
            return TRUE;
        /* It failed, and the message may be gone with it. */
        if (member->state != MM_MEMBER_ACTIVE)
            return TRUE;
        if (!message->is_complete)
            return FALSE;
        member->phase = MM_READ_EOM;
        return TRUE;
    case MM_READ_EOM:
        if (!is_allowed(member, MILTER_STEP_EOM, NULL, 0))
            return TRUE;
        member->phase = MM_READ_DONE;
        (void)mm_member_send(member, MILTER_STEP_EOM, NULL, 0,
                             mm_reading_timeout(member, MILTER_STEP_EOM));
        return TRUE;
    default:
        return FALSE;
    }
}

gboolean
mm_reading_pump(MmMember *member)
{
    while (member->state == MM_MEMBER_ACTIVE && member->peer) {
        if (milter_peer_owes(member->peer) != MILTER_STEP_NONE ||
            milter_peer_is_full(member->peer) || member->question)
            return FALSE;
        if (member->decision == MM_DECISION_TEMPFAIL)
            return TRUE;
        if (member->phase == MM_READ_DONE)
            return TRUE;
        if (!read_on(member))
            return FALSE;
    }
    return TRUE;
}

static gsize
journal_size(const MmMember *member, const MilterMessage *message)
{
    gsize size = message->body && mm_reading_needs_body(member) ? milter_spool_size(message->body) : 0;

    for (guint i = 0; i < message->places->len; i++)
        size += milter_field_wire_size(milter_message_place(message, i)->field);
    return size;
}

void
mm_reading_begin(MmMember *member, MilterMessage *message)
{
    mm_member_forget_message(member);
    member->message = milter_message_ref(message);
    member->phase = MM_READ_HEADERS;
    member->next_place = 0;
    member->body_offset = 0;
    member->unread = journal_size(member, message);
}
