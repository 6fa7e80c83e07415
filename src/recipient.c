/* recipient.c - which of a message's recipients are shown to which child
 *
 * Conditions may hide recipients from a child (condition-effect.c).  While any child has such
 * conditions, the accepted recipients are kept with whom they are hidden from, for what
 * follows from it: a child without any sits the message out, its discard is one of the
 * recipients that it was shown, it cannot remove others, and what counts recipients in its
 * macros counts those.  With manager.split_recipients a message has only recipients that are
 * shown to the same children. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"
#include "libmilter-core/reply.h"

#define RECIPIENTS_MAX (4 * 1024 * 1024) /* bytes that the recipients of one message may take */
#define LOGGED_MAX 200               /* bytes of addresses in a log line */

typedef struct {
    char *address;          /* as the client gave it; owned */
    gboolean is_discarded;  /* by a child that was shown it */
    guint8 *hidden_from;    /* by member: whether conditions hide it; owned */
} Recipient;

static void
free_recipient(gpointer data)
{
    Recipient *recipient = data;

    g_free(recipient->address);
    g_free(recipient->hidden_from);
    g_free(recipient);
}

/* Whether conditions may hide recipients from the child. */
static gboolean
may_hide(const MmMember *member)
{
    return member->relay->host->conditions &&
           (member->child->stopper_steps & (1u << MILTER_STEP_RCPT));
}

static guint
index_of(const MmMember *member)
{
    return (guint)(member - member->relay->members);
}

static gboolean
is_shown(const Recipient *recipient, const MmMember *member)
{
    return !recipient->hidden_from[index_of(member)];
}

/* What keeping the recipient at hand takes. */
static gsize
recipient_bytes(const MmRelay *relay)
{
    return sizeof(Recipient) + relay->payload_size + relay->n_members;
}

/* --- a recipient comes --- */

/* SMFIP_RCPT_REJ: the MTA tells us of those that it has refused, too. */
static gboolean
was_rejected_by_mta(const MmRelay *relay)
{
    const char *mailer;

    if (!(milter_session_option(relay->session)->steps & SMFIP_RCPT_REJ))
        return FALSE;
    mailer = milter_macros_get_at(relay->macros, SMFIC_RCPT, "{rcpt_mailer}");
    return mailer && strcmp(mailer, "error") == 0;
}

void
mm_recipient_begin(MmRelay *relay)
{
    relay->recipient_rejected = was_rejected_by_mta(relay);
    relay->recipient_deferred = FALSE;
    if (relay->recipient_rejected)
        mm_condition_note_fact(relay, MM_FACT_RECIPIENT_REFUSED);
}

gboolean
mm_recipient_is_for(const MmMember *member)
{
    if (member->decision == MM_DECISION_STOP)
        return FALSE;
    return !member->relay->recipient_rejected ||
           (member->peer && (milter_peer_option(member->peer)->steps & SMFIP_RCPT_REJ));
}

/* Whether it matters that a recipient is shown to the member: one that only evaluates, or
 * that has had its say, makes no difference to anybody's mail. */
static gboolean
counts(const MmMember *member)
{
    if (member->shadow || member->stopped != MM_STOPPED_NOT)
        return FALSE;
    switch (member->state) {
    case MM_MEMBER_ACTIVE:
    case MM_MEMBER_REFUSED_MESSAGE: /* a discard of its recipients */
        return TRUE;
    case MM_MEMBER_FAILED:
        return member->child->fallback != MILTER_FALLBACK_ACCEPT;
    default:
        return FALSE;
    }
}

/* Whether the children that are shown the recipient at hand are others than the first
 * recipient's. */
static gboolean
is_other_set(const MmRelay *relay, const Recipient *first)
{
    gboolean is_other = FALSE;

    for (guint i = 0; i < relay->n_members; i++) {
        const MmMember *member = &relay->members[i];

        /* It is refused anyhow. */
        if (member->decision == MM_DECISION_TEMPFAIL && !member->shadow)
            return FALSE;
        is_other |= counts(member) &&
                    is_shown(first, member) != (member->decision != MM_DECISION_STOP);
    }
    return is_other;
}

gboolean
mm_recipient_must_wait(MmRelay *relay)
{
    const GPtrArray *all = relay->transaction ? relay->transaction->recipients : NULL;
    g_autofree char *address = NULL;
    const char *why = NULL;

    if (!all || !all->len || relay->recipient_rejected || relay->recipient_deferred)
        return FALSE;
    if (relay->transaction->recipient_bytes + recipient_bytes(relay) > RECIPIENTS_MAX)
        why = "more recipients than are kept of one message";
    else if (relay->host->settings->split_recipients && !relay->is_local &&
             is_other_set(relay, g_ptr_array_index(all, 0)))
        why = "its children are others than those of the first recipient";
    if (!why)
        return FALSE;
    relay->recipient_deferred = TRUE;
    address = milter_log_escape((const char *)relay->payload,
                                strlen((const char *)relay->payload), LOGGED_MAX);
    milter_info("session=%u message=%u step=rcpt recipient=%s verdict=452 reason=\"%s\"",
                relay->tag, relay->n_messages, address, why);
    return TRUE;
}

/* It was accepted by everybody. */
static void
add(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;
    Recipient *recipient = g_new0(Recipient, 1);

    if (!transaction->recipients)
        transaction->recipients = g_ptr_array_new_with_free_func(free_recipient);
    recipient->address = g_strdup((const char *)relay->payload);
    recipient->hidden_from = g_new0(guint8, relay->n_members);
    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        recipient->hidden_from[i] = member->decision == MM_DECISION_STOP;
        if (recipient->hidden_from[i])
            member->n_hidden++;
        else
            member->n_recipients++;
    }
    transaction->recipient_bytes += recipient_bytes(relay);
    g_ptr_array_add(transaction->recipients, recipient);
}

void
mm_recipient_settle(MmRelay *relay, const MmVerdict *verdict)
{
    if (relay->recipient_rejected)
        return;
    if (relay->recipient_deferred)
        mm_condition_note_fact(relay, MM_FACT_RECIPIENT_DEFERRED);
    else if (mm_verdict_is_refusal(verdict->reply))
        mm_condition_note_fact(relay, MM_FACT_RECIPIENT_REFUSED);
    else if (relay->transaction && mm_condition_any(relay, MILTER_STEP_RCPT))
        add(relay);
}

/* --- the envelope is complete --- */

/* Put those out to whom no recipient is left, from one on: no MTA goes on to DATA with a
 * filter that has seen no recipient, and libmilter would not take it. */
static void
sit_out(MmRelay *relay, guint from)
{
    for (guint i = from; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        if (member->n_hidden && !member->n_recipients && member->stopped == MM_STOPPED_NOT)
            mm_condition_stop(member, MM_STOPPED_MESSAGE);
    }
}

/* Addresses in <> or without, as MTAs take both. */
static gboolean
is_same_address(const char *a, gsize a_size, const char *b)
{
    gsize b_size = strlen(b);

    if (a_size > 1 && a[0] == '<' && a[a_size - 1] == '>') {
        a++;
        a_size -= 2;
    }
    if (b_size > 1 && b[0] == '<' && b[b_size - 1] == '>') {
        b++;
        b_size -= 2;
    }
    return a_size == b_size && g_ascii_strncasecmp(a, b, a_size) == 0;
}

/* Whether anybody would still get the message without the member's recipients. */
static gboolean
others_remain(const MmMember *member)
{
    const MmTransaction *transaction = member->relay->transaction;

    for (guint i = 0; i < transaction->recipients->len; i++) {
        const Recipient *recipient = g_ptr_array_index(transaction->recipients, i);

        if (!recipient->is_discarded && !is_shown(recipient, member))
            return TRUE;
    }
    return transaction->adds_recipients;
}

static void
log_discard(MmMember *member, const char *addresses)
{
    g_autofree char *text = milter_log_escape(addresses, strlen(addresses), LOGGED_MAX);

    milter_info("session=%u message=%u child=%s verdict=discard removes=%s reason=\"other "
                "recipients are hidden from it\"", member->relay->tag, member->relay->n_messages,
                member->child->name, text);
}

/* Its recipients do not get the message, the others do.  FALSE: there are no others. */
static gboolean
discard_own(MmMember *member, guint later)
{
    MmRelay *relay = member->relay;
    MmTransaction *transaction = relay->transaction;
    g_autoptr(GString) removed = g_string_new(NULL);

    if (!member->n_hidden || !(relay->offer.actions & SMFIF_DELRCPT) || !others_remain(member))
        return FALSE;
    for (guint i = 0; i < transaction->recipients->len; i++) {
        Recipient *recipient = g_ptr_array_index(transaction->recipients, i);

        if (recipient->is_discarded || !is_shown(recipient, member))
            continue;
        recipient->is_discarded = TRUE;
        milter_reply_build_address(&transaction->edits, SMFIR_DELRCPT, recipient->address, NULL);
        g_string_append_printf(removed, "%s%s", removed->len ? " " : "", recipient->address);
        for (guint j = 0; j < relay->n_members; j++)
            if (!recipient->hidden_from[j])
                relay->members[j].n_recipients--;
    }
    log_discard(member, removed->str);
    /* What it wanted changed was for these. */
    mm_member_forget_message(member);
    sit_out(relay, later);
    return TRUE;
}

gboolean
mm_recipient_take_discard(MmMember *member, MilterStep step)
{
    MmRelay *relay = member->relay;

    if (!relay->transaction || !may_hide(member))
        return FALSE;
    if (step == MILTER_STEP_MAIL || step == MILTER_STEP_RCPT) {
        member->discards = TRUE;
        return TRUE;
    }
    return discard_own(member, index_of(member) + 1);
}

gboolean
mm_recipient_close_envelope(MmRelay *relay)
{
    sit_out(relay, 0);
    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        if (!member->discards || member->stopped != MM_STOPPED_NOT)
            continue;
        member->discards = FALSE;
        if (!discard_own(member, i + 1))
            return FALSE;
    }
    return TRUE;
}

/* --- what a child may see and do --- */

gboolean
mm_recipient_may_remove(MmMember *member, const MilterFrame *edit)
{
    const GPtrArray *all = member->relay->transaction->recipients;
    const char *address = (const char *)edit->payload;
    g_autofree char *text = NULL;
    gboolean is_hidden = FALSE;

    if (!member->n_hidden || !edit->size)
        return TRUE;
    for (guint i = 0; i < all->len; i++) {
        const Recipient *recipient = g_ptr_array_index(all, i);

        if (!is_same_address(address, strnlen(address, edit->size), recipient->address))
            continue;
        if (is_shown(recipient, member))
            return TRUE;
        is_hidden = TRUE;
    }
    if (!is_hidden)
        return TRUE;
    text = milter_log_escape(address, strnlen(address, edit->size), LOGGED_MAX);
    milter_info("session=%u message=%u child=%s removes=%s dropped=yes reason=\"this recipient "
                "is hidden from it\"", member->relay->tag, member->relay->n_messages,
                member->child->name, text);
    return FALSE;
}

static gboolean
is_macro(const char *name, const char *of)
{
    gsize size = strlen(of);

    if (name[0] == '{')
        return strncmp(name + 1, of, size) == 0 && strcmp(name + 1 + size, "}") == 0;
    return strcmp(name, of) == 0;
}

/* Sendmail's {rcpt_…} at later steps are those of the last recipient. */
static gboolean
is_of_last_recipient(const char *name)
{
    return is_macro(name, "rcpt_addr") || is_macro(name, "rcpt_host") ||
           is_macro(name, "rcpt_mailer");
}

void
mm_recipient_rewrite_macros(const MmMember *member, MilterBuffer *packet)
{
    g_autoptr(GByteArray) payload = NULL;
    const char *at, *end;
    char count[16];

    if (!member->n_hidden || !milter_buffer_size(packet))
        return;
    payload = g_byte_array_new();
    at = (const char *)milter_buffer_bytes(packet);
    end = at + milter_buffer_size(packet);
    at += 5; /* length and 'D' */
    g_byte_array_append(payload, (const guint8 *)at, 1);
    g_snprintf(count, sizeof(count), "%u", member->n_recipients);
    for (gboolean is_rcpt = *at++ == SMFIC_RCPT; at < end;) {
        const char *name = at, *value = name + strlen(name) + 1;

        at = value + strlen(value) + 1;
        if (!is_rcpt && is_of_last_recipient(name))
            continue;
        if (is_macro(name, "nrcpts"))
            value = count;
        g_byte_array_append(payload, (const guint8 *)name, strlen(name) + 1);
        g_byte_array_append(payload, (const guint8 *)value, strlen(value) + 1);
    }
    milter_buffer_clear(packet);
    milter_buffer_append_packet(packet, SMFIC_MACRO, payload->data, payload->len);
}
