/* member.c - a child's part in a session: its state, and what a failure means */
#include "config.h"
#include "src/relay-internal.h"

#include "libmilter-core/log.h"

#define WARN_INTERVAL 3600.0 /* s between warnings about a fallback to accept */

/* --- failing --- */

/* A child that falls back to accept lets mail pass unfiltered: worth a warning, but not one a
 * mail. */
static MilterLogLevel
failure_level(MmMember *member)
{
    MmHost *host = member->relay->host;
    MmChildMemory *memory = &host->memories[member->child->index];
    double now = milter_loop_now(host->loop);

    if (member->child->fallback != MILTER_FALLBACK_ACCEPT && !member->child->evaluation_mode)
        return MILTER_LOG_WARNING;
    if (memory->warned_at && now - memory->warned_at < WARN_INTERVAL) {
        memory->n_silent++;
        return MILTER_LOG_DEBUG;
    }
    memory->warned_at = now;
    return MILTER_LOG_WARNING;
}

static const char *
failure_name(MilterPeerFailure failure)
{
    switch (failure) {
    case MILTER_PEER_CONNECT:
        return "connect";
    case MILTER_PEER_TIMEOUT:
        return "timeout";
    case MILTER_PEER_PROTOCOL:
    case MILTER_PEER_REPLY:
    case MILTER_PEER_VALUE:
        return "protocol";
    case MILTER_PEER_LIMIT:
        return "limit";
    default:
        return "closed";
    }
}

static void
log_failure(MmMember *member, MilterPeerFailure failure, const char *step, const char *cause)
{
    MilterLogLevel level = failure_level(member);
    MmChildMemory *memory = &member->relay->host->memories[member->child->index];
    g_autofree char *safe = NULL;

    if (!MILTER_LOG_ENABLED(level))
        return;
    safe = g_strescape(cause, NULL);
    milter_log_write(level,
                     "session=%u child=%s step=%s failure=%s cause=\"%s\" fallback=%s spec=%s%s",
                     member->relay->tag, member->child->name, step, failure_name(failure), safe,
                     member->child->evaluation_mode
                         ? "none(evaluation)"
                         : milter_fallback_name(member->child->fallback),
                     member->child->spec,
                     level == MILTER_LOG_WARNING &&
                             member->child->fallback == MILTER_FALLBACK_ACCEPT
                         ? " note=\"further ones within the hour are not logged\"" : "");
    if (level == MILTER_LOG_WARNING && memory->n_silent) {
        milter_warning("child=%s failures_not_logged=%u", member->child->name, memory->n_silent);
        memory->n_silent = 0;
    }
}

static const char *
step_of_failure(const MmMember *member)
{
    MilterStep owed = mm_member_owes(member);

    if (member->state == MM_MEMBER_CONNECTING)
        return "negotiation";
    if (owed != MILTER_STEP_NONE)
        return milter_step_name(owed);
    return member->relay->step != MILTER_STEP_NONE ? milter_step_name(member->relay->step) : "idle";
}

void
mm_member_fail(MmMember *member, MilterPeerFailure failure, const char *cause)
{
    if (member->state == MM_MEMBER_FAILED)
        return;
    log_failure(member, failure, step_of_failure(member), cause);
    mm_member_count(member, MM_CHILD_STAT_FAILURES);
    if (failure == MILTER_PEER_TIMEOUT)
        mm_member_count(member, MM_CHILD_STAT_TIMEOUTS);
    member->state = MM_MEMBER_FAILED;
    member->has_bad_reply = failure == MILTER_PEER_VALUE;
    member->failed_in_content = mm_member_is_reading(member);
    /* milter_send_command() looks at the error only before the next command. */
    member->fails_later = failure == MILTER_PEER_REPLY && !member->failed_in_content &&
                          member->relay->mta == MM_MTA_SENDMAIL;
    member->has_gone = FALSE;
    mm_member_forget_message(member);
    milter_peer_free(&member->peer);
}

/* --- life --- */

void
mm_member_init(MmMember *member, MmRelay *relay, const MmChild *child)
{
    member->relay = relay;
    member->child = child;
    member->state = MM_MEMBER_CONNECTING;
    if (child->evaluation_mode)
        mm_shadow_new(member);
}

void
mm_member_forget_message(MmMember *member)
{
    milter_message_unref(&member->message);
    milter_buffer_clear(&member->edits);
    member->relay->host->budget.memory_used -= member->edits_charged;
    member->edits_charged = 0;
    milter_spool_unref(&member->new_body);
    milter_spool_unref(&member->shown_body);
    mm_condition_forget_reading(member);
    member->phase = MM_READ_NOT;
    member->skips_body = FALSE;
    member->body_closed = FALSE;
    member->n_header_edits = 0;
    member->unread = 0;
}

void
mm_member_clear(MmMember *member)
{
    mm_member_forget_message(member);
    mm_shadow_free(&member->shadow);
    milter_peer_free(&member->peer);
    g_clear_pointer(&member->gone_cause, g_free);
    g_clear_pointer(&member->set_macros, g_array_unref);
}

/* --- state --- */

double
mm_member_timeout(const MmMember *member, MilterStep step)
{
    return milter_step_is_content(step) ? member->child->end_of_message_timeout
                                        : member->child->reading_timeout;
}

gboolean
mm_member_takes_part(MmMember *member, MilterStep step)
{
    if (member->stopped == MM_STOPPED_SESSION ||
        (member->stopped == MM_STOPPED_MESSAGE && step != MILTER_STEP_HELO &&
         step != MILTER_STEP_UNKNOWN))
        return FALSE;
    if (member->shadow)
        return member->peer && member->state != MM_MEMBER_LEFT;
    switch (member->state) {
    case MM_MEMBER_ACTIVE:
        /* Sendmail's SMFS_DONE: only a MAIL or HELO wakes a filter that got an ABORT. */
        if (step == MILTER_STEP_UNKNOWN && member->was_aborted &&
            member->relay->mta == MM_MTA_SENDMAIL)
            return FALSE;
        break;
    case MM_MEMBER_ACCEPTED_MESSAGE:
        /* Postfix' HELO in a transaction comes before the ABORT that ends it. */
        if (step != MILTER_STEP_HELO && step != MILTER_STEP_CONNECT)
            return FALSE;
        break;
    case MM_MEMBER_REFUSED_MESSAGE:
        if (step != MILTER_STEP_UNKNOWN && step != MILTER_STEP_HELO)
            return FALSE;
        break;
    default:
        return FALSE;
    }
    if (member->has_gone) {
        mm_member_fail(member, MILTER_PEER_CLOSED, member->gone_cause);
        return FALSE;
    }
    return TRUE;
}

const char *
mm_member_state_name(const MmMember *member)
{
    if (member->stopped != MM_STOPPED_NOT)
        return "stopped";
    if (member->shadow)
        return "evaluation";
    switch (member->state) {
    case MM_MEMBER_CONNECTING:
        return "connecting";
    case MM_MEMBER_ACTIVE:
        return "continue";
    case MM_MEMBER_ACCEPTED_MESSAGE:
        return "accept";
    case MM_MEMBER_REFUSED_MESSAGE:
        return member->last_reply == SMFIR_DISCARD ? "discard" : "refuse";
    case MM_MEMBER_LEFT:
        return "left";
    default:
        return "failed";
    }
}

MilterStep
mm_member_owes(const MmMember *member)
{
    return member->peer ? milter_peer_owes(member->peer) : MILTER_STEP_NONE;
}

gboolean
mm_member_is_reading(const MmMember *member)
{
    return member->phase != MM_READ_NOT;
}

void
mm_member_abort(MmMember *member)
{
    gboolean concerns = member->shadow || member->in_transaction ||
                        member->relay->mta == MM_MTA_POSTFIX ||
                        mm_member_owes(member) != MILTER_STEP_NONE;

    member->in_transaction = FALSE;
    if (member->shadow) {
        mm_shadow_abort(member);
        return;
    }
    if (member->state == MM_MEMBER_ACCEPTED_MESSAGE || member->state == MM_MEMBER_REFUSED_MESSAGE) {
        gboolean was_accepted = member->state == MM_MEMBER_ACCEPTED_MESSAGE;

        member->state = MM_MEMBER_ACTIVE;
        /* Sendmail is through with a filter that accepted the message; Postfix is not. */
        if (was_accepted && member->relay->mta == MM_MTA_SENDMAIL)
            return;
    }
    if (concerns && member->state == MM_MEMBER_ACTIVE && member->peer)
        milter_peer_abort(member->peer);
}

void
mm_member_begin_transaction(MmMember *member)
{
    if (member->state != MM_MEMBER_LEFT)
        member->last_reply = 0;
    member->refused_recipient = FALSE;
    /* A child that only evaluates may still be at an earlier message. */
    if (member->shadow)
        return;
    if (member->state == MM_MEMBER_ACCEPTED_MESSAGE || member->state == MM_MEMBER_REFUSED_MESSAGE)
        member->state = MM_MEMBER_ACTIVE;
    member->in_transaction = FALSE;
    if (member->failed_in_content)
        member->has_bad_reply = FALSE;
    member->was_aborted = FALSE;
    member->n_edits = 0;
    member->sent_field_macros = FALSE;
    member->sent_chunk_macros = FALSE;
}

/* Sendmail's SMFS_INMSG: from MAIL's continue to the end of the filter's part. */
static void
note_in_transaction(MmMember *member, MilterStep step, guint8 reply)
{
    if (member->relay->mta != MM_MTA_SENDMAIL)
        return;
    if (step == MILTER_STEP_MAIL)
        member->in_transaction = reply == SMFIR_CONTINUE;
    else if (milter_step_is_content(step) && mm_verdict_ends_step(reply, step, MM_MTA_SENDMAIL))
        member->in_transaction = FALSE;
}

/* What conditions learn of it. A refused recipient ends nothing: it counts until the next answer. */
static void
note_last_reply(MmMember *member, MilterStep step, guint8 reply)
{
    if (step == MILTER_STEP_UNKNOWN || (member->shadow && !mm_shadow_is_at_message(member, step)))
        return;
    if (member->refused_recipient)
        member->last_reply = 0;
    member->refused_recipient =
        step == MILTER_STEP_RCPT && mm_verdict_is_refusal(reply) && reply != SMFIR_SHUTDOWN;
    if (reply != SMFIR_CONTINUE && reply != SMFIR_SKIP)
        member->last_reply = reply;
}

void
mm_member_note_reply(MmMember *member, MilterStep step, guint8 reply)
{
    note_last_reply(member, step, reply);
    switch (reply) {
    case SMFIR_ACCEPT:
        mm_member_count(member, MM_CHILD_STAT_ACCEPTED);
        break;
    case SMFIR_REJECT:
    case SMFIR_REPLYCODE:
        mm_member_count(member, MM_CHILD_STAT_REJECTED);
        break;
    case SMFIR_TEMPFAIL:
        mm_member_count(member, MM_CHILD_STAT_TEMPFAILED);
        break;
    case SMFIR_DISCARD:
        mm_member_count(member, MM_CHILD_STAT_DISCARDED);
        break;
    default:
        break;
    }
    note_in_transaction(member, step, reply);
    switch (mm_verdict_scope(reply, step)) {
    case MM_SCOPE_CONNECTION:
        member->state = MM_MEMBER_LEFT;
        break;
    case MM_SCOPE_MESSAGE:
        member->state = reply == SMFIR_ACCEPT ? MM_MEMBER_ACCEPTED_MESSAGE
                                              : MM_MEMBER_REFUSED_MESSAGE;
        break;
    default:
        break;
    }
}
