/* member-peer.c - a member's connection to its child, and what the child sends */
#include "config.h"
#include "src/relay-internal.h"

#include "libmilter-core/log.h"
#include "libmilter-core/reply.h"

#define EDITS_MAX_BYTES (4 * 1024 * 1024) /* of one child's modification requests */
#define EDITS_MAX 4096 /* of header edits: each looks through the list of headers */

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
    mm_member_count(member, MM_CHILD_STAT_SESSIONS);
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
    mm_member_count(member, MM_CHILD_STAT_EDITS);
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
