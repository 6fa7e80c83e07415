/* chain.c - envelope steps: connect, helo, mail, rcpt, data, unknown
 *
 * The children are asked in order; the first result in chain order that is not continue
 * or accept is the step's answer, and later children are not asked: as both MTAs do. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

/* RFC 3463: X.5.3, too many recipients. */
#define DEFERRED_TEXT "452 4.5.3 Recipients with different filters: send this one in a message of its own"

static void
finish(MmRelay *relay, const MmVerdict *verdict)
{
    static const MmVerdict none;

    mm_relay_answer(relay, verdict ? verdict : &none);
}

/* Ask one member.  TRUE when its answer is awaited. */
static gboolean
ask(MmMember *member, MilterStep step)
{
    MmRelay *relay = member->relay;
    double timeout;

    if (step == MILTER_STEP_RCPT && !mm_recipient_is_for(member))
        return FALSE;
    /* Sendmail counts a filter in only when it has answered. */
    if (step == MILTER_STEP_MAIL && (relay->mta == MM_MTA_POSTFIX || member->shadow))
        member->in_transaction = TRUE;
    if (member->shadow) {
        mm_shadow_command(member, step, relay->payload, relay->payload_size);
        return FALSE;
    }
    timeout = mm_relay_time_for(relay, member, mm_member_timeout(member, step));
    return mm_member_send(member, step, relay->payload, relay->payload_size, timeout);
}

/* The answer of a member that failed; TRUE when it ends the step. */
static gboolean
falls_back(MmMember *member, MilterStep step)
{
    MmRelay *relay = member->relay;
    MmVerdict verdict = { 0 };
    gboolean is_set;

    if (member->state != MM_MEMBER_FAILED || member->shadow ||
        member->stopped != MM_STOPPED_NOT ||
        (step == MILTER_STEP_RCPT && !mm_recipient_is_for(member)))
        return FALSE;
    if (member->fails_later) {
        member->fails_later = FALSE;
        return FALSE;
    }
    mm_verdict_of_fallback(&verdict, member->child->fallback, relay->mta, step,
                           member->has_bad_reply);
    is_set = mm_verdict_is_set(&verdict);
    if (is_set)
        finish(relay, &verdict);
    mm_verdict_clear(&verdict);
    return is_set;
}

/* A condition of the member failed, and the operator wants no mail to pass then. */
static gboolean
is_refused_by_condition(MmMember *member, MilterStep step)
{
    MmVerdict verdict = { 0 };

    if (member->decision != MM_DECISION_TEMPFAIL || member->shadow)
        return FALSE;
    mm_condition_verdict(member, step, &verdict);
    finish(member->relay, &verdict);
    mm_verdict_clear(&verdict);
    return TRUE;
}

/* To be sent again in a message of its own. */
static void
defer_recipient(MmRelay *relay)
{
    MmVerdict verdict = { 0 };

    verdict.reply = SMFIR_REPLYCODE;
    verdict.text = g_strdup(DEFERRED_TEXT);
    finish(relay, &verdict);
    mm_verdict_clear(&verdict);
}

void
mm_chain_advance(MmRelay *relay)
{
    MilterStep step = relay->step;

    if (mm_condition_waits(relay, step))
        return;
    if (step == MILTER_STEP_RCPT && relay->turn == 0 && mm_recipient_must_wait(relay)) {
        defer_recipient(relay);
        return;
    }
    while (relay->turn < relay->n_members) {
        MmMember *member = &relay->members[relay->turn];

        /* What came of the message before this command goes first. */
        if (mm_member_is_reading(member) && !member->shadow)
            (void)mm_reading_pump(member);
        if (mm_member_owes(member) != MILTER_STEP_NONE && !member->shadow) {
            /* For this step, or for content that nobody waited for until now. */
            milter_peer_limit(member->peer, mm_relay_time_for(relay, member, G_MAXDOUBLE));
            return;
        }
        /* It does not answer, and has not taken what it was sent. */
        if (member->peer && !member->shadow && milter_peer_is_full(member->peer))
            return;
        relay->turn++;
        if (is_refused_by_condition(member, step))
            return;
        if (mm_member_takes_part(member, step)) {
            if (ask(member, step)) {
                relay->turn--;
                return;
            }
        } else if (falls_back(member, step)) {
            return;
        }
    }
    finish(relay, NULL);
}

void
mm_chain_on_reply(MmMember *member, MilterStep step, const MilterFrame *reply)
{
    MmRelay *relay = member->relay;

    if (relay->step != step || &relay->members[relay->turn] != member)
        return;
    relay->turn++;
    if (reply->command == SMFIR_DISCARD && mm_recipient_take_discard(member, step))
        return;
    if (mm_verdict_ends_step(reply->command, step, relay->mta)) {
        MmVerdict verdict = { 0 };

        mm_verdict_set(&verdict, reply);
        finish(relay, &verdict);
        mm_verdict_clear(&verdict);
    }
}

/* Those that said so at MAIL or RCPT meant everybody who is left. */
static void
discard(MmRelay *relay)
{
    MmVerdict verdict = { .reply = SMFIR_DISCARD };

    finish(relay, &verdict);
}

void
mm_chain_start(MmRelay *relay, MilterStep step, const MilterFrame *frame)
{
    relay->step = step;
    relay->turn = 0;
    relay->payload = frame->payload;
    relay->payload_size = frame->size;
    mm_condition_begin_step(relay);
    if (step == MILTER_STEP_RCPT)
        mm_recipient_begin(relay);
    if (step == MILTER_STEP_DATA && relay->transaction) {
        relay->transaction->envelope_asked = TRUE;
        if (!mm_recipient_close_envelope(relay)) {
            discard(relay);
            return;
        }
    }
    mm_relay_advance(relay);
    /* The receive buffer is gone when a later member has its turn. */
    if (relay->step != MILTER_STEP_NONE &&
        (relay->turn + 1 < relay->n_members || relay->decision == MM_ASKED_WAITING ||
         (step == MILTER_STEP_RCPT && mm_condition_any(relay, step)) || /* it is kept, later */
         mm_member_owes(&relay->members[relay->turn]) != relay->step)) {
        relay->copy = g_memdup2(frame->payload, frame->size);
        relay->payload = relay->copy;
    }
    /* The MTA does not wait for it: what it sends next has to. */
    if (relay->step != MILTER_STEP_NONE &&
        milter_session_owed(relay->session) == MILTER_STEP_NONE) {
        mm_relay_hold_mta(relay);
        mm_relay_advance(relay); /* which now knows how long it may take */
    }
}
