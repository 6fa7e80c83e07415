/* member.c - a child's part in a session: state, sending, replies, failure */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"
#include "libmilter-core/reply.h"

#define EDITS_MAX_BYTES (4 * 1024 * 1024) /* of one child's modification requests */
#define EDITS_MAX 4096 /* of header edits: each looks through the list of headers */
#define WARN_INTERVAL 3600.0         /* s between warnings about a fallback to accept */

static void
count(MmMember *member, MmChildStat which)
{
    MmStats *stats = member->relay->host->stats;

    if (stats)
        mm_stats_count_child(stats, member->child->index, which);
}

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
    count(member, MM_CHILD_STAT_FAILURES);
    if (failure == MILTER_PEER_TIMEOUT)
        count(member, MM_CHILD_STAT_TIMEOUTS);
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

/* --- what the child sends --- */

static void
on_negotiated(MilterPeer *peer, gpointer data)
{
    MmMember *member = data;
    MmRelay *relay = member->relay;
    MmChildMemory *memory = &relay->host->memories[member->child->index];

    member->state = MM_MEMBER_ACTIVE;
    mm_startup_note_answer(member);
    if (member->shadow) {
        milter_option_clear(&memory->option);
        milter_option_copy(&memory->option, milter_peer_option(peer));
        memory->has_option = TRUE;
    }
    count(member, MM_CHILD_STAT_SESSIONS);
    mm_relay_advance(relay);
}

/* Postfix sends no more of the same step until another came; Sendmail sends no more of
 * the body, and after a skip elsewhere nothing more at all. */
static void
note_skip(MmMember *member, MilterStep step)
{
    if (step == MILTER_STEP_BODY)
        member->skips_body = TRUE;
    else if (member->relay->mta == MM_MTA_POSTFIX)
        member->skipped = milter_step_command(step);
    else
        member->state = MM_MEMBER_LEFT;
}

/* Sendmail's "bogus response".  To Postfix SMFIR_SHUTDOWN hangs up on the client. */
static gboolean
is_bogus_to_sendmail(MilterStep step, guint8 reply)
{
    return reply == SMFIR_SHUTDOWN || (reply == SMFIR_SKIP && step == MILTER_STEP_EOM);
}

static void
log_verdict(const MmMember *member, MilterStep step, const MilterFrame *frame)
{
    MmVerdict verdict = { 0 };
    g_autofree char *text = NULL;

    if (!MILTER_LOG_ENABLED(MILTER_LOG_INFO))
        return;
    mm_verdict_set(&verdict, frame);
    text = mm_verdict_text(&verdict);
    milter_log_write(MILTER_LOG_INFO, "session=%u child=%s step=%s verdict=%s", member->relay->tag,
                     member->child->name, milter_step_name(step), text);
    mm_verdict_clear(&verdict);
}

static void
on_reply(MilterPeer *peer, MilterStep step, const MilterFrame *frame, gpointer data)
{
    MmMember *member = data;
    MmRelay *relay = member->relay;

    if (relay->mta == MM_MTA_SENDMAIL && is_bogus_to_sendmail(step, frame->command)) {
        mm_member_fail(member, MILTER_PEER_REPLY, "a reply that Sendmail does not take here");
        mm_relay_advance(relay);
        return;
    }
    milter_debug("session=%u child=%s step=%s reply=%c", relay->tag, member->child->name,
                 milter_step_name(step), frame->command);
    if (!member->shadow && mm_verdict_ends_step(frame->command, step, relay->mta))
        log_verdict(member, step, frame);
    mm_member_note_reply(member, step, frame->command);
    if (member->last_reply == SMFIR_REPLYCODE)
        member->last_reply = frame->payload[0] == '4' ? SMFIR_TEMPFAIL : SMFIR_REJECT;
    if (frame->command == SMFIR_SKIP)
        note_skip(member, step);
    if (member->shadow)
        mm_shadow_on_reply(member, step, frame);
    else if (milter_step_is_content(step))
        mm_content_on_reply(member, step, frame);
    else
        mm_chain_on_reply(member, step, frame);
    mm_relay_advance(relay);
}

static void
collect_body(MmMember *member, const MilterFrame *frame)
{
    g_autoptr(GError) error = NULL;

    /* Postfix keeps only the first unbroken run and treats a second as the filter's error. */
    if (member->body_closed && member->relay->mta == MM_MTA_POSTFIX) {
        mm_member_fail(member, MILTER_PEER_VALUE,
                       "the body was replaced in two runs with other changes between them");
        return;
    }
    if (!member->new_body)
        mm_delivery_begin_body(member->relay, member);
    if (!mm_delivery_add_body(member, frame->payload, frame->size, &error))
        mm_member_fail(member, MILTER_PEER_LIMIT, error->message);
}

static gboolean
is_header_edit(guint8 reply)
{
    return reply == SMFIR_ADDHEADER || reply == SMFIR_INSHEADER || reply == SMFIR_CHGHEADER;
}

static void
collect_edit(MmMember *member, const MilterFrame *frame)
{
    MilterSpoolBudget *budget = &member->relay->host->budget;

    member->body_closed = member->new_body != NULL;
    if (milter_buffer_size(&member->edits) + frame->wire_size > EDITS_MAX_BYTES ||
        (is_header_edit(frame->command) && ++member->n_header_edits > EDITS_MAX)) {
        mm_member_fail(member, MILTER_PEER_LIMIT, "too many changes to one message");
        return;
    }
    if (budget->memory_used + frame->wire_size > budget->memory_limit) {
        mm_member_fail(member, MILTER_PEER_LIMIT,
                       "its changes do not fit into manager.spool_memory_limit");
        return;
    }
    milter_buffer_append(&member->edits, frame->wire, frame->wire_size);
    budget->memory_used += frame->wire_size;
    member->edits_charged += frame->wire_size;
}

/* A header edit without a name: Sendmail passes over it, Postfix adds a line that is none
 * and does not change one. */
static gboolean
is_nameless(const MilterFrame *frame)
{
    MilterHeaderEdit edit;

    return is_header_edit(frame->command) && milter_reply_parse_header(frame, &edit, NULL) &&
           edit.name_size == 0;
}

static void
on_edit(MilterPeer *peer, const MilterFrame *frame, gpointer data)
{
    MmMember *member = data;
    MmRelay *relay = member->relay;

    if (member->shadow) {
        milter_info("session=%u child=%s evaluation=yes would=%s", relay->tag, member->child->name,
                    milter_reply_name(frame->command));
        return;
    }
    if (is_nameless(frame) && relay->mta == MM_MTA_SENDMAIL)
        return;
    if (is_nameless(frame) && frame->command == SMFIR_CHGHEADER) {
        mm_member_fail(member, MILTER_PEER_VALUE, "a header to change without a name");
        mm_relay_advance(relay);
        return;
    }
    count(member, MM_CHILD_STAT_EDITS);
    member->n_edits++;
    if (frame->command == SMFIR_REPLBODY)
        collect_body(member, frame);
    else
        collect_edit(member, frame);
    if (member->state == MM_MEMBER_FAILED)
        mm_relay_advance(relay);
}

/* As both MTAs restart their timer, so does the child's own; the MTA's wait stays. */
static void
on_progress(MilterPeer *peer, gpointer data)
{
    MmMember *member = data;
    MilterStep step = milter_peer_owes(peer);

    member->body_closed = member->new_body != NULL;
    milter_peer_extend(peer, mm_relay_time_for(member->relay, member,
                                               mm_member_timeout(member, step)));
}

static void
on_refused(MilterPeer *peer, gpointer data)
{
    mm_startup_on_refused(data);
}

static void
on_drained(MilterPeer *peer, gpointer data)
{
    mm_relay_advance(((MmMember *)data)->relay);
}

static void
on_failed(MilterPeer *peer, MilterPeerFailure failure, const char *cause, gpointer data)
{
    MmMember *member = data;

    /* An MTA notices only when it has something to send: until then nothing has failed. */
    if (failure == MILTER_PEER_CLOSED && member->state != MM_MEMBER_CONNECTING &&
        milter_peer_owes(peer) == MILTER_STEP_NONE && !mm_member_is_reading(member)) {
        member->has_gone = TRUE;
        g_free(member->gone_cause);
        member->gone_cause = g_strdup(cause);
        milter_peer_free(&member->peer);
        if (!member->shadow)
            return;
        mm_member_fail(member, failure, member->gone_cause);
        mm_relay_advance(member->relay);
        return;
    }
    mm_member_fail(member, failure, cause);
    mm_relay_advance(member->relay);
}

static const MilterPeerHandler peer_handler = {
    .on_negotiated = on_negotiated,
    .on_reply = on_reply,
    .on_edit = on_edit,
    .on_progress = on_progress,
    .on_refused = on_refused,
    .on_drained = on_drained,
    .on_failed = on_failed,
};

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
mm_member_connect(MmMember *member, double time_left)
{
    MmHost *host = member->relay->host;

    member->peer = milter_peer_new(host->loop, member->child->endpoint, &member->relay->offer,
                                   MIN(member->child->connection_timeout, time_left),
                                   MIN(member->child->reading_timeout, time_left),
                                   mm_startup_retry_for(member), &peer_handler, member);
    milter_peer_set_write_timeout(member->peer, member->child->writing_timeout);
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

/* --- sending --- */

double
mm_member_timeout(const MmMember *member, MilterStep step)
{
    return milter_step_is_content(step) ? member->child->end_of_message_timeout
                                        : member->child->reading_timeout;
}

static const MilterMacros *
macros_for(const MmMember *member)
{
    return member->shadow ? mm_shadow_macros(member) : member->relay->macros;
}

/* The names the child gets at a stage from this MTA; NULL for whatever comes.  FALSE when
 * it gets no macros there at all. */
static gboolean
names_at(const MmMember *member, MilterStage stage, const char **names)
{
    char *const *lists = milter_peer_option(member->peer)->macros;
    const char *list = stage == MILTER_STAGE_NONE ? NULL : lists[stage];

    *names = NULL;
    if (stage == MILTER_STAGE_NONE)
        return TRUE;
    if (member->relay->mta == MM_MTA_SENDMAIL) {
        /* It looks at EOM whether a list for EOH was named. */
        if (stage == MILTER_STAGE_EOM && lists[MILTER_STAGE_EOH] && !list)
            return FALSE;
        if (stage == MILTER_STAGE_EOM && !lists[MILTER_STAGE_EOH])
            list = NULL;
        /* An empty list asks for nothing; to Postfix it is none. */
        if (list && !*list)
            return FALSE;
    }
    *names = list && *list ? list : mm_negotiation_default_macros(member->relay, stage);
    return TRUE;
}

/* The macros of a command, as this child would get them from the MTA itself. */
static void
send_macros(MmMember *member, guint8 command)
{
    const char *names;
    MilterBuffer packet = { 0 };
    gboolean has_own = member->set_macros && member->set_macros->len > 0;
    gboolean is_rewritten = member->n_hidden > 0 && !member->shadow;
    MilterBuffer *out = has_own || is_rewritten ? &packet : milter_peer_out(member->peer);

    if (names_at(member, milter_stage_of_command(command), &names))
        (void)milter_macros_append_packet(macros_for(member), command, names, out);
    if (is_rewritten)
        mm_recipient_rewrite_macros(member, &packet);
    if (is_rewritten && !has_own)
        milter_buffer_append(milter_peer_out(member->peer), milter_buffer_bytes(&packet),
                             milter_buffer_size(&packet));
    if (!has_own) {
        milter_buffer_clear(&packet);
        return;
    }
    if (milter_buffer_size(&packet) || mm_condition_has_macros(member, command))
        mm_condition_merge_macros(member, command, &packet, milter_peer_out(member->peer));
    milter_buffer_clear(&packet);
}

void
mm_member_send_macros(MmMember *member, MilterStep step)
{
    if (milter_peer_option(member->peer)->version < milter_step_version(step))
        return;
    send_macros(member, milter_step_command(step));
}

/* Those that conditions set for a step whose command does not bring them to it. */
static void
send_late_macros(MmMember *member)
{
    if (!member->has_late_macros)
        return;
    member->has_late_macros = FALSE;
    send_macros(member, mm_condition_late_command(member));
}

static gboolean
has_macros_for(MmMember *member, MilterStep step, guint8 command)
{
    MmRelay *relay = member->relay;

    if (!milter_macros_has(macros_for(member), command) &&
        !mm_condition_has_macros(member, command))
        return FALSE;
    switch (step) {
    case MILTER_STEP_HEADER:
        return !member->sent_field_macros;
    case MILTER_STEP_BODY:
        return !member->sent_chunk_macros;
    case MILTER_STEP_EOH:
    case MILTER_STEP_EOM:
        return TRUE;
    default:
        return member->shadow || (relay->fresh & (1u << (command - 'A'))) ||
               mm_condition_has_macros(member, command);
    }
}

gboolean
mm_member_send(MmMember *member, MilterStep step, const void *payload, gsize size, double timeout)
{
    guint8 command = milter_step_command(step);

    if (milter_peer_option(member->peer)->version < milter_step_version(step))
        return FALSE;
    /* Of the content both MTAs send nothing at all where it was declined. */
    if (member->skipped == command ||
        (milter_step_is_content(step) && !milter_peer_wants(member->peer, step)))
        return FALSE;
    member->skipped = 0;
    if (milter_step_is_content(step))
        send_late_macros(member);
    if (has_macros_for(member, step, command)) {
        send_macros(member, command);
        member->sent_field_macros |= step == MILTER_STEP_HEADER;
        member->sent_chunk_macros |= step == MILTER_STEP_BODY;
    }
    /* The macros of a declined envelope step are sent: a later callback may look at them. */
    if (!milter_peer_wants(member->peer, step))
        return FALSE;
    count(member, MM_CHILD_STAT_COMMANDS);
    return milter_peer_send(member->peer, step, payload, size, timeout);
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
    /* A child that only evaluates may still be at an earlier message. */
    if (member->shadow)
        return;
    if (member->state == MM_MEMBER_ACCEPTED_MESSAGE || member->state == MM_MEMBER_REFUSED_MESSAGE)
        member->state = MM_MEMBER_ACTIVE;
    member->in_transaction = FALSE;
    if (member->failed_in_content)
        member->has_bad_reply = FALSE;
    member->was_aborted = FALSE;
    if (member->state == MM_MEMBER_ACTIVE)
        member->last_reply = 0;
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

void
mm_member_note_reply(MmMember *member, MilterStep step, guint8 reply)
{
    gboolean is_of_one_command = step == MILTER_STEP_RCPT || step == MILTER_STEP_UNKNOWN;

    if (reply != SMFIR_CONTINUE && reply != SMFIR_SKIP && !is_of_one_command)
        member->last_reply = reply;
    switch (reply) {
    case SMFIR_ACCEPT:
        count(member, MM_CHILD_STAT_ACCEPTED);
        break;
    case SMFIR_REJECT:
    case SMFIR_REPLYCODE:
        count(member, MM_CHILD_STAT_REJECTED);
        break;
    case SMFIR_TEMPFAIL:
        count(member, MM_CHILD_STAT_TEMPFAILED);
        break;
    case SMFIR_DISCARD:
        count(member, MM_CHILD_STAT_DISCARDED);
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
