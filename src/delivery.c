/* delivery.c - what the children changed, on its way to the MTA
 *
 * Edits are collected in chain order as the children finish; when the last is through
 * they go out in one flush: the edits, the last replacement of the body in one unbroken
 * run, and the final reply. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"

#define FLUSH_MAX (256 * 1024) /* bytes queued towards the MTA before the flush waits */
#define CR '\r'
#define LF '\n'

/* Copy BYTES to OUT with CRLF for bare LF; LAST is the byte before them. */
static void
end_lines(GByteArray *out, const guint8 *bytes, gsize size, guint8 last)
{
    const guint8 *end = bytes + size;

    while (bytes < end) {
        const guint8 *newline = memchr(bytes, LF, end - bytes);
        const guint8 *stop = newline ? newline : end;

        g_byte_array_append(out, bytes, stop - bytes);
        if (newline) {
            if ((newline > bytes ? newline[-1] : last) != CR)
                g_byte_array_append(out, (const guint8 *)"\r", 1);
            g_byte_array_append(out, newline, 1);
            stop++;
        }
        last = stop[-1];
        bytes = stop;
    }
}

static gboolean
has_later_reader(MmRelay *relay, const MmMember *member)
{
    for (const MmMember *m = member + 1; m < relay->members + relay->n_members; m++)
        if (m->peer && (m->state == MM_MEMBER_ACTIVE || m->shadow))
            return TRUE;
    return FALSE;
}

void
mm_delivery_begin_body(MmRelay *relay, MmMember *member)
{
    member->new_body = milter_spool_new(&relay->host->budget);
    member->last_byte = LF;
    if (has_later_reader(relay, member))
        member->shown_body = milter_spool_new(&relay->host->budget);
}

/* What the MTA would show to the next filter is made piece by piece: bare LF becomes CRLF. */
gboolean
mm_delivery_add_body(MmMember *member, const void *bytes, gsize size, GError **error)
{
    g_autoptr(GByteArray) lines = NULL;

    if (!milter_spool_append(member->new_body, bytes, size, error))
        return FALSE;
    if (!member->shown_body || size == 0)
        return TRUE;
    lines = g_byte_array_sized_new((guint)size + size / 16);
    end_lines(lines, bytes, size, member->last_byte);
    member->last_byte = ((const guint8 *)bytes)[size - 1];
    /* When it cannot be held that is no failure of this child: see end_body. */
    (void)milter_spool_append(member->shown_body, lines->data, lines->len, NULL);
    return TRUE;
}

/* What later children see: the last line ended where the MTA does, none of an empty body. */
static gboolean
end_body(MmRelay *relay, MmMember *member, GError **error)
{
    gboolean ends_line = mm_dialect_ends_last_line(&relay->dialect) && member->last_byte != LF;

    if (!milter_spool_append(member->shown_body, "\r\n", ends_line ? 2 : 0, error))
        return FALSE;
    if (milter_spool_size(member->shown_body) == 0)
        milter_spool_unref(&member->shown_body);
    return TRUE;
}

static void
take_body(MmRelay *relay, MmMember *member)
{
    MmTransaction *transaction = relay->transaction;
    g_autoptr(GError) error = NULL;

    if (!member->new_body)
        return;
    milter_spool_unref(&transaction->new_body);
    transaction->new_body = g_steal_pointer(&member->new_body);
    transaction->body_replaced = TRUE;
    if (!member->shown_body)
        return;
    if (end_body(relay, member, &error))
        milter_message_set_body(milter_message_edit(&transaction->message),
                                g_steal_pointer(&member->shown_body));
    else
        mm_content_fail_later(relay, error->message);
}

static void
take_header_edit(MmRelay *relay, MmMember *member, const MilterFrame *frame)
{
    MmTransaction *transaction = relay->transaction;
    gboolean child_space =
        (milter_peer_option(member->peer)->steps & SMFIP_HDR_LEADSPC) != 0;
    MilterHeaderEdit edit;

    /* It was checked when it came. */
    if (!milter_reply_parse_header(frame, &edit, NULL))
        return;
    if (transaction->keeps_fields && edit.name_size)
        mm_dialect_edit(&relay->dialect, &relay->host->budget,
                        milter_message_edit(&transaction->message), frame->command, &edit,
                        child_space, &transaction->edits);
    else
        mm_dialect_pass(frame->command, &edit, child_space,
                        transaction->message->has_leading_space, &transaction->edits);
}

static void
keep_edit(MmRelay *relay, const MilterFrame *frame)
{
    milter_buffer_append(&relay->transaction->edits, frame->wire, frame->wire_size);
}

void
mm_delivery_take_edits(MmRelay *relay, MmMember *member)
{
    const guint8 *bytes = milter_buffer_bytes(&member->edits);
    gsize left = milter_buffer_size(&member->edits);
    MilterFrame frame;

    /* Its reading is over: what only it held need not be copied for editing. */
    milter_message_unref(&member->message);
    while (left && milter_frame_peek(bytes, left, MILTER_PACKET_MAX, &frame) == MILTER_FRAME_OK) {
        switch (frame.command) {
        case SMFIR_ADDHEADER:
        case SMFIR_INSHEADER:
        case SMFIR_CHGHEADER:
            take_header_edit(relay, member, &frame);
            break;
        case SMFIR_ADDRCPT:
        case SMFIR_ADDRCPT_PAR:
            relay->transaction->adds_recipients = TRUE;
            keep_edit(relay, &frame);
            break;
        case SMFIR_DELRCPT:
            if (mm_recipient_may_remove(member, &frame))
                keep_edit(relay, &frame);
            break;
        case SMFIR_QUARANTINE:
            relay->transaction->quarantined = TRUE;
            /* fall through */
        default:
            keep_edit(relay, &frame);
        }
        bytes += frame.wire_size;
        left -= frame.wire_size;
    }
    relay->transaction->edits_charged += member->edits_charged;
    member->edits_charged = 0;
    milter_buffer_clear(&member->edits);
    take_body(relay, member);
}

/* The new body cannot be read: manager.fallback_status decides.  Half of a body is worse than
 * no mail now: once a part of it has gone out, only "try again" is left. */
static void
fail(MmRelay *relay, const char *why)
{
    MmVerdict verdict = { 0 };

    if (relay->transaction->delivered)
        verdict.reply = SMFIR_TEMPFAIL;
    else
        mm_verdict_of_fallback(&verdict, relay->host->settings->fallback, relay->mta,
                               MILTER_STEP_EOM, FALSE);
    milter_error("session=%u message=%u step=eom error=\"%s\" lost=\"the replaced body\"",
                 relay->tag, relay->n_messages, why);
    mm_relay_answer(relay, &verdict);
    mm_verdict_clear(&verdict);
}

void
mm_delivery_continue(MmRelay *relay)
{
    static const MmVerdict none;
    MmTransaction *transaction = relay->transaction;
    guint64 size = transaction->new_body ? milter_spool_size(transaction->new_body) : 0;

    while (transaction->delivered < size) {
        gsize got;
        g_autoptr(GError) error = NULL;
        const guint8 *bytes;

        if (milter_session_unsent(relay->session) > FLUSH_MAX)
            return;
        bytes = milter_spool_read(transaction->new_body, transaction->delivered,
                                  MILTER_CHUNK_SIZE, &got, &error);
        if (!bytes) {
            fail(relay, error->message);
            return;
        }
        milter_session_replace_body(relay->session, bytes, got);
        transaction->delivered += got;
    }
    mm_relay_answer(relay, &none);
}

void
mm_delivery_start(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;

    transaction->is_delivering = TRUE;
    if (milter_buffer_size(&transaction->edits))
        milter_session_edit(relay->session, milter_buffer_bytes(&transaction->edits),
                            milter_buffer_size(&transaction->edits));
    /* Replaced by nothing is not the same as not replaced. */
    if (transaction->body_replaced && milter_spool_size(transaction->new_body) == 0)
        milter_session_replace_body(relay->session, NULL, 0);
    mm_delivery_continue(relay);
}
