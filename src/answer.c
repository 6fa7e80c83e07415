/* answer.c - how long the MTA waits, and what it is told
 *
 * One deadline for each wait of the MTA, shared by all members; the reply to the step that is
 * owed, and what it ends. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"
#include "src/presence.h"

#define MTA_SHARE 0.9          /* of the MTA's patience that is used */
#define RESERVE_MAX 1.0        /* s of the wait that are kept for each member after the one asked */

void
mm_relay_count(MmRelay *relay, MmStat which)
{
    if (relay->host->stats)
        mm_stats_count(relay->host->stats, which);
}

/* --- the MTA's wait --- */

static double
mta_patience(MmRelay *relay, MilterStep step)
{
    const MmMtaTimeouts *timeouts = &relay->host->settings->timeouts[relay->mta];

    switch (step) {
    case MILTER_STEP_EOM:
        return timeouts->eom;
    case MILTER_STEP_HEADER:
    case MILTER_STEP_EOH:
    case MILTER_STEP_BODY:
        return timeouts->content;
    default:
        return timeouts->command;
    }
}

/* Postfix takes progress at every step but the negotiation, Sendmail only at EOM: it
 * puts a filter that sends it elsewhere in the error state. */
static gboolean
may_send_progress(MmRelay *relay, MilterStep step)
{
    return step == MILTER_STEP_EOM || relay->mta == MM_MTA_POSTFIX;
}

void
mm_relay_start_wait(MmRelay *relay, MilterStep step)
{
    relay->wait = MTA_SHARE * mta_patience(relay, step);
    relay->deadline = milter_loop_now(relay->host->loop) + relay->wait;
    if (may_send_progress(relay, step))
        milter_timer_start(&relay->progress, MM_PROGRESS_INTERVAL);
}

void
mm_relay_hold_mta(MmRelay *relay)
{
    double command = mta_patience(relay, MILTER_STEP_MAIL);
    double content = mta_patience(relay, MILTER_STEP_BODY);

    relay->holds_mta = TRUE;
    milter_session_pause(relay->session);
    /* It may wait already, for the reply to a command that we have not read. */
    relay->wait = MTA_SHARE * MIN(command, content);
    relay->deadline = milter_loop_now(relay->host->loop) + relay->wait;
}

void
mm_relay_stop_wait(MmRelay *relay)
{
    relay->deadline = 0;
    milter_timer_stop(&relay->progress);
}

double
mm_relay_time_for(MmRelay *relay, const MmMember *member, double timeout)
{
    double left, reserve;
    guint later = 0;

    if (!relay->deadline || member->shadow)
        return timeout;
    for (const MmMember *m = member + 1; m < relay->members + relay->n_members; m++)
        if (!m->shadow && m->state == MM_MEMBER_ACTIVE)
            later++;
    left = relay->deadline - milter_loop_now(relay->host->loop);
    reserve = MIN(RESERVE_MAX, relay->wait / (2 * relay->n_members)) * later;
    return CLAMP(left - reserve, 0, timeout);
}

/* --- answers --- */

/* Whether no child will be asked anything more in SCOPE. */
static gboolean
nobody_listens(MmRelay *relay, MmScope scope)
{
    for (guint i = 0; i < relay->n_members; i++) {
        const MmMember *member = &relay->members[i];

        if (member->stopped == MM_STOPPED_SESSION ||
            (member->stopped == MM_STOPPED_MESSAGE && scope == MM_SCOPE_MESSAGE))
            continue;
        if (member->shadow && member->peer && member->state != MM_MEMBER_LEFT)
            return FALSE;
        switch (member->state) {
        case MM_MEMBER_LEFT:
            continue;
        case MM_MEMBER_FAILED:
            if (member->shadow || member->child->fallback == MILTER_FALLBACK_ACCEPT)
                continue;
            return FALSE;
        case MM_MEMBER_ACCEPTED_MESSAGE:
            if (scope == MM_SCOPE_MESSAGE)
                continue;
            return FALSE;
        default:
            return FALSE;
        }
    }
    return TRUE;
}

/* "Continue", or "accept" where that spares the MTA the rest. */
guint8
mm_relay_friendly_reply(MmRelay *relay, MilterStep step)
{
    switch (step) {
    case MILTER_STEP_CONNECT:
    case MILTER_STEP_HELO:
        return nobody_listens(relay, MM_SCOPE_CONNECTION) ? SMFIR_ACCEPT : SMFIR_CONTINUE;
    case MILTER_STEP_MAIL:
    case MILTER_STEP_RCPT:
    case MILTER_STEP_DATA:
    case MILTER_STEP_HEADER:
    case MILTER_STEP_EOH:
    case MILTER_STEP_BODY:
        return nobody_listens(relay, MM_SCOPE_MESSAGE) ? SMFIR_ACCEPT : SMFIR_CONTINUE;
    default:
        return SMFIR_CONTINUE;
    }
}

static MmStat
stat_of(const MmRelay *relay, const MmVerdict *verdict)
{
    switch (verdict->reply) {
    case SMFIR_REJECT:
        return MM_STAT_REJECTED;
    case SMFIR_TEMPFAIL:
    case SMFIR_SHUTDOWN:
        return MM_STAT_TEMPFAILED;
    case SMFIR_REPLYCODE:
        return verdict->text[0] == '4' ? MM_STAT_TEMPFAILED : MM_STAT_REJECTED;
    case SMFIR_DISCARD:
        return MM_STAT_DISCARDED;
    default:
        return relay->transaction && relay->transaction->quarantined ? MM_STAT_QUARANTINED
                                                                     : MM_STAT_ACCEPTED;
    }
}

/* The message is decided at STEP: count and log it, and let go of it. */
static void
end_message(MmRelay *relay, MilterStep step, const MmVerdict *verdict)
{
    if (!relay->transaction)
        return;
    mm_relay_count(relay, stat_of(relay, verdict));
    if (MILTER_LOG_ENABLED(MILTER_LOG_INFO))
        mm_summary_log(relay, step, verdict);
    mm_relay_end_transaction(relay, step != MILTER_STEP_EOM ||
                                        mm_verdict_ends_step(verdict->reply, step, relay->mta));
}

void
mm_relay_end_step(MmRelay *relay)
{
    if (relay->step == MILTER_STEP_NONE)
        return;
    mm_condition_cancel(relay, &relay->question);
    relay->fresh &= ~(1u << (milter_step_command(relay->step) - 'A'));
    relay->step = MILTER_STEP_NONE;
    relay->payload = NULL;
    g_clear_pointer(&relay->copy, g_free);
    if (relay->aborts_later) {
        relay->aborts_later = FALSE;
        mm_relay_take_abort(relay);
    }
    if (relay->holds_mta) {
        relay->deadline = 0;
        if (relay->session)
            milter_session_resume(relay->session);
    }
    relay->holds_mta = FALSE;
}

/* What the answer to a step means for what comes next. */
static void
note_answer(MmRelay *relay, MilterStep step, const MmVerdict *verdict)
{
    gboolean is_end = mm_verdict_ends_step(verdict->reply, step, relay->mta);

    switch (step) {
    case MILTER_STEP_CONNECT:
    case MILTER_STEP_HELO:
        if (mm_verdict_is_refusal(verdict->reply))
            mm_verdict_copy(&relay->connection_refusal, verdict);
        break;
    case MILTER_STEP_MAIL:
        if (is_end || verdict->reply == SMFIR_ACCEPT)
            end_message(relay, step, verdict);
        break;
    case MILTER_STEP_DATA:
        if (is_end && verdict->reply != SMFIR_DISCARD) {
            /* The client may go on with RCPT; libmilter would not answer that. */
            mm_verdict_copy(&relay->data_refusal, verdict);
            break;
        }
        /* fall through */
    case MILTER_STEP_RCPT:
        if (verdict->reply == SMFIR_DISCARD || verdict->reply == SMFIR_ACCEPT ||
            verdict->reply == SMFIR_SHUTDOWN)
            end_message(relay, step, verdict);
        break;
    case MILTER_STEP_HEADER:
    case MILTER_STEP_EOH:
    case MILTER_STEP_BODY:
        if (is_end || verdict->reply == SMFIR_ACCEPT)
            end_message(relay, step, verdict);
        break;
    case MILTER_STEP_EOM:
        end_message(relay, step, verdict);
        break;
    default:
        break;
    }
}

/* A step the MTA does not wait at is through: only a fallback can refuse there, and holds
 * for what follows, as an MTA's own default action after a failed filter. */
static void
pass_unanswered(MmRelay *relay, const MmVerdict *verdict)
{
    MilterStep step = relay->step;

    if (mm_verdict_is_set(verdict) && mm_verdict_ends_step(verdict->reply, step, relay->mta)) {
        if (step == MILTER_STEP_CONNECT || step == MILTER_STEP_HELO) {
            mm_verdict_copy(&relay->connection_refusal, verdict);
        } else if (relay->transaction) {
            mm_verdict_copy(&relay->data_refusal, verdict);
            mm_verdict_copy(&relay->transaction->refusal, verdict);
        }
    }
    mm_relay_end_step(relay);
}

void
mm_relay_answer(MmRelay *relay, const MmVerdict *verdict)
{
    MilterStep step = milter_session_owed(relay->session);
    MmVerdict answer = { 0 };

    if (relay->step == MILTER_STEP_RCPT)
        mm_recipient_settle(relay, verdict);
    if (step == MILTER_STEP_NONE) {
        pass_unanswered(relay, verdict);
        return;
    }
    mm_verdict_copy(&answer, verdict);
    mm_relay_end_step(relay);
    mm_relay_stop_wait(relay);
    if (!mm_verdict_is_set(&answer))
        answer.reply = mm_relay_friendly_reply(relay, step);
    milter_debug("session=%u step=%s answer=%c", relay->tag, milter_step_name(step), answer.reply);
    milter_session_reply(relay->session, answer.reply, answer.text,
                         answer.text ? strlen(answer.text) + 1 : 0);
    note_answer(relay, step, &answer);
    mm_verdict_clear(&answer);
}
