/* content.c - headers and body on their way to the children: turns, arrival, answers
 *
 * The member whose turn it is reads the message (reading.c), the first while it comes from
 * the MTA ("live"), the others when those before them have answered end of message.  What
 * nobody else will read goes to the live member from the receive buffer and is not kept. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"

#define LIVE_QUEUE_MAX (256 * 1024) /* bytes the live member may lag before the MTA waits */

MmTransaction *
mm_transaction_new(MmRelay *relay)
{
    MmTransaction *transaction = g_new0(MmTransaction, 1);
    gboolean has_leading_space =
        (milter_session_option(relay->session)->steps & SMFIP_HDR_LEADSPC) != 0;

    transaction->budget = &relay->host->budget;
    transaction->message = milter_message_new(has_leading_space);
    transaction->started_at = milter_loop_now(relay->host->loop);
    return transaction;
}

void
mm_transaction_free(MmTransaction **transaction_p)
{
    MmTransaction *transaction = g_steal_pointer(transaction_p);

    if (!transaction)
        return;
    milter_message_unref(&transaction->message);
    mm_verdict_clear(&transaction->refusal);
    milter_buffer_clear(&transaction->edits);
    transaction->budget->memory_used -= transaction->edits_charged;
    milter_spool_unref(&transaction->new_body);
    g_clear_pointer(&transaction->recipients, g_ptr_array_unref);
    g_free(transaction);
}

/* --- whose turn it is --- */

static MmMember *
live_member(const MmRelay *relay)
{
    const MmTransaction *transaction = relay->transaction;

    return transaction->turn < relay->n_members ? &relay->members[transaction->turn] : NULL;
}

static void
fall_back(MmRelay *relay, MmMember *member)
{
    MmTransaction *transaction = relay->transaction;

    mm_verdict_of_fallback(&transaction->refusal, member->child->fallback, relay->mta,
                           MILTER_STEP_EOM, member->has_bad_reply);
    if (member->child->fallback == MILTER_FALLBACK_QUARANTINE &&
        (relay->offer.actions & SMFIF_QUARANTINE)) {
        g_autofree char *reason = g_strdup_printf("%s failed", member->child->name);

        milter_reply_build_quarantine(&transaction->edits, reason);
        transaction->quarantined = TRUE;
    }
}

static void
pass_shadow(MmRelay *relay, MmMember *member)
{
    MmTransaction *transaction = relay->transaction;

    if (!mm_member_takes_part(member, MILTER_STEP_HEADER) || !member->in_transaction)
        return;
    if (transaction->message->is_complete)
        mm_shadow_message(member, transaction->message);
    else if (!mm_shadow_is_waiting(member))
        mm_shadow_wait(member, transaction->message);
}

/* A condition of the member failed, and the operator wants no mail to pass then. */
static gboolean
is_refused_by_condition(MmRelay *relay, MmMember *member)
{
    if (member->decision != MM_DECISION_TEMPFAIL || member->shadow)
        return FALSE;
    mm_condition_verdict(member, MILTER_STEP_EOM, &relay->transaction->refusal);
    mm_member_forget_message(member);
    return TRUE;
}

/* Let the member go on; TRUE when it is through with this message. */
static gboolean
go_through(MmRelay *relay, MmMember *member)
{
    if (is_refused_by_condition(relay, member))
        return TRUE;
    if (member->shadow) {
        pass_shadow(relay, member);
        return TRUE;
    }
    if (!mm_member_is_reading(member) && mm_member_takes_part(member, MILTER_STEP_HEADER)) {
        if (relay->transaction->keeps_fields &&
            milter_peer_wants(member->peer, MILTER_STEP_HEADER))
            mm_dialect_renumber(&relay->dialect, relay->transaction->message);
        mm_reading_begin(member, relay->transaction->message);
        member->in_transaction = TRUE;
    }
    if (mm_member_is_reading(member)) {
        if (!mm_reading_pump(member))
            return FALSE;
        if (is_refused_by_condition(relay, member))
            return TRUE;
        if (member->phase == MM_READ_DONE && !mm_verdict_is_set(&relay->transaction->refusal))
            mm_delivery_take_edits(relay, member);
        if (member->state == MM_MEMBER_ACTIVE)
            member->in_transaction = FALSE;
        mm_member_forget_message(member);
    }
    if (member->state == MM_MEMBER_FAILED && member->stopped == MM_STOPPED_NOT)
        fall_back(relay, member);
    return TRUE;
}

/* --- what the MTA is told --- */

static gboolean
is_caught_up(const MmMember *member)
{
    const MilterMessage *message = member->message;

    return milter_message_next_field(message, member->next_place) >= message->places->len &&
           (!message->body || member->body_offset >= milter_spool_size(message->body));
}

/* Whether the step that is owed can be answered with continue now.  While the live member
 * works on this very step, its answer is awaited; when it lags behind, what came is kept
 * and its refusal, if any, comes later. */
static gboolean
may_continue(const MmMember *live)
{
    if (!live || live->shadow || !mm_member_is_reading(live))
        return TRUE;
    if (live->unread > LIVE_QUEUE_MAX || (live->peer && milter_peer_is_full(live->peer)))
        return FALSE;
    return mm_member_owes(live) == MILTER_STEP_NONE || !is_caught_up(live);
}

/* The MTA may stop sending the body when the only reader has had enough of it. */
static gboolean
may_skip(const MmRelay *relay, const MmMember *live, MilterStep step)
{
    return step == MILTER_STEP_BODY && live && live->skips_body &&
           !relay->transaction->keeps_body &&
           (milter_session_option(relay->session)->steps & SMFIP_SKIP);
}

/* What the live member was asked while the MTA did not wait, the MTA waits for now. */
static void
limit_wait(MmMember *live)
{
    if (live->peer && !live->shadow)
        milter_peer_limit(live->peer, mm_relay_time_for(live->relay, live, G_MAXDOUBLE));
}

static void
answer_content(MmRelay *relay, MilterStep step)
{
    MmMember *live = live_member(relay);
    MmVerdict verdict = { 0 };

    if (!may_continue(live)) {
        limit_wait(live);
        return;
    }
    verdict.reply = may_skip(relay, live, step) ? SMFIR_SKIP : mm_relay_friendly_reply(relay, step);
    mm_relay_answer(relay, &verdict);
}

/* One rule of back-pressure: a full queue towards the live member stops the MTA. */
static void
adjust_pause(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;
    const MmMember *live = live_member(relay);
    gboolean reads = live && !live->shadow && mm_member_is_reading(live) &&
                     !mm_verdict_is_set(&transaction->refusal);

    if (!transaction->is_paused && reads &&
        (live->unread > LIVE_QUEUE_MAX || (live->peer && milter_peer_is_full(live->peer)))) {
        transaction->is_paused = TRUE;
        milter_session_pause(relay->session);
    } else if (transaction->is_paused &&
               (!reads || (live->unread < LIVE_QUEUE_MAX / 2 &&
                           !(live->peer && milter_peer_is_full(live->peer))))) {
        transaction->is_paused = FALSE;
        milter_session_resume(relay->session);
    }
}

static void
settle(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;
    MilterStep owed = milter_session_owed(relay->session);

    adjust_pause(relay);
    if (mm_verdict_is_set(&transaction->refusal)) {
        /* Sendmail's reply to the client begins with the sender, as changed so far. */
        if (owed == MILTER_STEP_EOM && relay->mta == MM_MTA_SENDMAIL &&
            milter_buffer_size(&transaction->edits))
            milter_session_edit(relay->session, milter_buffer_bytes(&transaction->edits),
                                milter_buffer_size(&transaction->edits));
        if (owed != MILTER_STEP_NONE)
            mm_relay_answer(relay, &transaction->refusal);
        return;
    }
    if (owed == MILTER_STEP_EOM) {
        if (transaction->turn >= relay->n_members)
            mm_delivery_start(relay);
        else
            limit_wait(live_member(relay));
    } else if (owed != MILTER_STEP_NONE) {
        answer_content(relay, owed);
    }
}

/* Let the members read as far as they can, one after another. */
static void
let_read(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;

    if (!transaction->envelope_asked) {
        if (mm_condition_waits(relay, MILTER_STEP_DATA))
            return;
        transaction->envelope_asked = TRUE;
    }
    while (!mm_verdict_is_set(&transaction->refusal) && transaction->turn < relay->n_members) {
        if (!go_through(relay, &relay->members[transaction->turn]))
            break;
        transaction->turn++;
    }
}

void
mm_content_advance(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;

    if (!transaction->has_begun || transaction->is_delivering)
        return;
    let_read(relay);
    settle(relay);
}

void
mm_content_on_reply(MmMember *member, MilterStep step, const MilterFrame *reply)
{
    MmTransaction *transaction = member->relay->transaction;

    if (!transaction || live_member(member->relay) != member)
        return;
    if (!mm_verdict_ends_step(reply->command, step, member->relay->mta))
        return;
    if (reply->command == SMFIR_DISCARD && mm_recipient_take_discard(member, step))
        return;
    /* Sendmail has made the changes when the refusal comes: its reply shows the new sender. */
    if (step == MILTER_STEP_EOM && member->relay->mta == MM_MTA_SENDMAIL)
        mm_delivery_take_edits(member->relay, member);
    mm_verdict_set(&transaction->refusal, reply);
}

/* --- what comes from the MTA --- */

/* Whether anybody but the member that reads while it comes wants the step's content. */
static gboolean
has_later_reader(MmRelay *relay, MilterStep step)
{
    gboolean is_first = TRUE;

    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];
        gboolean is_live = is_first && !member->shadow;

        if (!mm_member_takes_part(member, step))
            continue;
        if (is_live)
            is_first = FALSE;
        else if (member->state == MM_MEMBER_CONNECTING || milter_peer_wants(member->peer, step) ||
                 mm_condition_asks(member, step) ||
                 (step == MILTER_STEP_HEADER && mm_condition_asks_content(member)))
            return TRUE;
    }
    return FALSE;
}

static void
begin_content(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;

    transaction->has_begun = TRUE;
    if (!transaction->envelope_asked) {
        mm_condition_begin_step(relay);
        if (!mm_recipient_close_envelope(relay))
            mm_verdict_set_plain(&transaction->refusal, SMFIR_DISCARD);
    }
    transaction->keeps_fields = has_later_reader(relay, MILTER_STEP_HEADER);
    transaction->keeps_body = has_later_reader(relay, MILTER_STEP_BODY);
    if (transaction->keeps_fields)
        mm_dialect_begin(&relay->dialect, transaction->message);
    /* Only that: the step that has come is not yet taken, so it cannot be answered. */
    let_read(relay);
}

void
mm_content_fail_later(MmRelay *relay, const char *why)
{
    for (guint i = relay->transaction->turn + 1; i < relay->n_members; i++)
        if (mm_member_takes_part(&relay->members[i], MILTER_STEP_HEADER))
            mm_member_fail(&relay->members[i], MILTER_PEER_LIMIT, why);
}

/* A limit was met: the members that have not begun cannot be served any more. */
static void
break_journal(MmRelay *relay, const char *why)
{
    MmTransaction *transaction = relay->transaction;

    if (transaction->journal_broken)
        return;
    transaction->journal_broken = TRUE;
    transaction->keeps_fields = FALSE;
    transaction->keeps_body = FALSE;
    mm_content_fail_later(relay, why);
    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].shadow && mm_shadow_is_waiting(&relay->members[i]))
            mm_member_fail(&relay->members[i], MILTER_PEER_LIMIT, why);
}

/* Whether the live member can take the next item from the receive buffer. */
static MmMember *
ready_reader(MmRelay *relay, MmReadPhase phase)
{
    MmMember *live = live_member(relay);

    if (!live || live->shadow || live->phase != phase || live->state != MM_MEMBER_ACTIVE ||
        !live->peer || milter_peer_owes(live->peer) != MILTER_STEP_NONE ||
        milter_peer_is_full(live->peer) || !is_caught_up(live) || live->question ||
        (phase == MM_READ_HEADERS ? mm_condition_asks_content(live)
                                  : mm_condition_asks(live, MILTER_STEP_BODY)))
        return NULL;
    return live;
}

static void
take_header(MmRelay *relay, const MilterFrame *frame)
{
    MmTransaction *transaction = relay->transaction;
    MilterMessage *message = transaction->message;
    MmMember *reader = ready_reader(relay, MM_READ_HEADERS);
    const char *wire = (const char *)frame->payload;
    gsize name_size = strlen(wire);

    transaction->n_headers++;
    transaction->header_bytes += frame->size;
    if (reader && mm_reading_strips(reader, message, wire + name_size + 1))
        reader = NULL;
    if (!reader || transaction->keeps_fields) {
        MilterField *field =
            milter_field_new(&relay->host->budget, wire, name_size, wire + name_size + 1,
                             frame->size - name_size - 2);

        if (!transaction->keeps_fields && reader == NULL && live_member(relay) &&
            !live_member(relay)->shadow && mm_member_is_reading(live_member(relay)) &&
            is_caught_up(live_member(relay))) {
            milter_message_forget_fields(message, G_MAXUINT);
            live_member(relay)->next_place = 0;
        }
        mm_dialect_append(&relay->dialect, message, field);
        if (relay->host->budget.memory_used > relay->host->budget.memory_limit)
            break_journal(relay, "the headers of the messages in work are above "
                                 "manager.spool_memory_limit");
    }
    if (reader) {
        reader->next_place = message->places->len;
        (void)mm_member_send(reader, MILTER_STEP_HEADER, frame->payload, frame->size,
                             mm_reading_timeout(reader, MILTER_STEP_HEADER));
    } else if (live_member(relay)) {
        live_member(relay)->unread += frame->size;
    }
}

static void
keep_chunk(MmRelay *relay, const MilterFrame *frame)
{
    MilterMessage *message = relay->transaction->message;
    g_autoptr(GError) error = NULL;

    if (!message->body)
        message->body = milter_spool_new(&relay->host->budget);
    if (milter_spool_append(message->body, frame->payload, frame->size, &error))
        return;
    break_journal(relay, error->message);
}

/* A member that reads from the journal goes on there: what it has read is of no use any
 * more when nobody else wants it. */
static void
trim_body(MmRelay *relay)
{
    MmTransaction *transaction = relay->transaction;
    MmMember *live = live_member(relay);

    if (!transaction->keeps_body && transaction->message->body && live && live->message)
        milter_spool_discard(transaction->message->body, live->body_offset);
}

static void
take_body(MmRelay *relay, const MilterFrame *frame)
{
    MmTransaction *transaction = relay->transaction;
    MilterMessage *message = transaction->message;
    MmMember *reader = ready_reader(relay, MM_READ_BODY);
    MmMember *live;

    message->headers_over = TRUE;
    transaction->body_bytes += frame->size;
    if (reader && frame->size > mm_reading_chunk_limit(reader))
        reader = NULL;
    if (reader ? transaction->keeps_body : live_member(relay) != NULL || transaction->keeps_body)
        keep_chunk(relay, frame);
    if (reader) {
        /* Also a part of it that was kept before a limit was met. */
        if (message->body)
            reader->body_offset = milter_spool_size(message->body);
        if (mm_reading_wants_body(reader))
            (void)mm_member_send(reader, MILTER_STEP_BODY, frame->payload, frame->size,
                                 mm_reading_timeout(reader, MILTER_STEP_BODY));
        return;
    }
    live = live_member(relay);
    if (!live || live->shadow)
        return;
    if (message->body && milter_spool_is_broken(message->body))
        mm_member_fail(live, MILTER_PEER_LIMIT, "it lags behind and the message cannot be held");
    else if (mm_reading_needs_body(live))
        live->unread += frame->size;
    trim_body(relay);
}

/* Reads as far as it can, so that the next item finds it ready. */
static void
take_end_of_message(MmRelay *relay, const MilterFrame *frame)
{
    MmTransaction *transaction = relay->transaction;

    if (frame->size)
        take_body(relay, frame);
    transaction->message->headers_over = TRUE;
    transaction->message->is_complete = TRUE;
    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].shadow && mm_shadow_is_waiting(&relay->members[i]))
            mm_shadow_message(&relay->members[i], NULL);
}

void
mm_content_take(MmRelay *relay, MilterStep step, const MilterFrame *frame)
{
    MmTransaction *transaction = relay->transaction;

    /* The answer was given, and the MTA had sent more before it read it. */
    if (!transaction) {
        static const MmVerdict none;

        if (milter_session_owed(relay->session) != MILTER_STEP_NONE)
            mm_relay_answer(relay, &none);
        return;
    }
    /* The live member may have failed or left at a step in between (UNKNOWN). */
    if (transaction->has_begun)
        let_read(relay);
    else
        begin_content(relay);
    if (!mm_verdict_is_set(&transaction->refusal)) {
        switch (step) {
        case MILTER_STEP_HEADER:
            take_header(relay, frame);
            break;
        case MILTER_STEP_EOH:
            transaction->message->headers_over = TRUE;
            transaction->message->has_eoh = TRUE;
            break;
        case MILTER_STEP_BODY:
            take_body(relay, frame);
            break;
        default:
            take_end_of_message(relay, frame);
        }
    }
    mm_relay_advance(relay);
}
