/* relay.c - see relay.h and relay-internal.h */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"
#include "src/presence.h"

void
mm_host_init(MmHost *host, MilterLoop *loop, const MmSettings *settings, MmStats *stats)
{
    *host = (MmHost){ .loop = loop, .settings = settings, .stats = stats };
    host->budget.memory_limit = settings->spool_memory_limit;
    host->budget.message_limit = settings->spool_limit;
    host->budget.directory = settings->spool_directory;
    host->started_at = milter_loop_now(loop);
    host->memories = g_new0(MmChildMemory, settings->children->len);
    for (guint mta = 0; mta < MM_N_MTAS; mta++)
        for (guint stage = 0; stage < MILTER_N_STAGES; stage++)
            host->default_macros[mta][stage] = mm_negotiation_host_macros(settings, mta, stage);
}

guint
mm_host_n_all_sessions(const MmHost *host)
{
    guint others = host->tally ? mm_tally_sum(host->tally) : 0;

    return host->tally_entry ? others : others + host->n_sessions;
}

static void
set_n_sessions(MmHost *host, guint n)
{
    host->n_sessions = n;
    if (host->tally_entry)
        mm_tally_set(host->tally_entry, n);
}

void
mm_host_clear(MmHost *host)
{
    for (guint i = 0; host->memories && i < host->settings->children->len; i++)
        milter_option_clear(&host->memories[i].option);
    g_clear_pointer(&host->memories, g_free);
    for (guint mta = 0; mta < MM_N_MTAS; mta++)
        for (guint stage = 0; stage < MILTER_N_STAGES; stage++)
            g_clear_pointer(&host->default_macros[mta][stage], g_free);
}

/* --- ends --- */

/* Those of a MAIL that has just come belong to the next transaction. */
static void
forget_macros(MmRelay *relay)
{
    static const guint8 later[] = { SMFIC_RCPT, SMFIC_DATA, SMFIC_HEADER,
                                    SMFIC_EOH,  SMFIC_BODY, SMFIC_BODYEOB };

    if (!(relay->fresh & (1u << (SMFIC_MAIL - 'A')))) {
        milter_macros_end_transaction(relay->macros);
        return;
    }
    for (guint i = 0; i < G_N_ELEMENTS(later); i++)
        milter_macros_forget(relay->macros, later[i]);
}

void
mm_relay_end_transaction(MmRelay *relay, gboolean abort)
{
    MmTransaction *transaction = relay->transaction;

    if (transaction && transaction->is_paused && relay->session)
        milter_session_resume(relay->session);
    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        if (abort && member->in_transaction) {
            mm_member_abort(member);
            member->was_aborted = TRUE;
        }
        member->in_transaction = FALSE;
        mm_condition_forget(member, MM_STOPPED_MESSAGE);
        /* A child that only evaluates may still be reading an earlier message. */
        if (member->shadow) {
            mm_shadow_forget(member);
            continue;
        }
        mm_member_forget_message(member);
        /* What it still answers to a header of that message is of no use. */
        if (member->peer)
            milter_peer_forget(member->peer);
    }
    mm_condition_end_transaction(relay);
    mm_transaction_free(&relay->transaction);
    mm_verdict_clear(&relay->data_refusal);
    forget_macros(relay);
}

static void
release(MmRelay *relay)
{
    mm_relay_end_transaction(relay, FALSE);
    for (guint i = 0; i < relay->n_members; i++)
        mm_member_clear(&relay->members[i]);
    mm_condition_close(relay);
    set_n_sessions(relay->host, relay->host->n_sessions - 1);
    g_clear_pointer(&relay->members, g_free);
    relay->n_members = 0;
    milter_timer_clear(&relay->progress);
    milter_timer_clear(&relay->negotiating);
    milter_session_free(&relay->session);
    milter_macros_free(&relay->macros);
    milter_option_clear(&relay->offer);
    mm_verdict_clear(&relay->connection_refusal);
    g_clear_pointer(&relay->copy, g_free);
    milter_loop_free_later(relay->host->loop, g_free, relay);
}

void
mm_relay_check_end(MmRelay *relay)
{
    if (!relay->is_over)
        return;
    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].shadow && mm_shadow_is_busy(&relay->members[i]))
            return;
    relay->is_over = FALSE;
    relay->ended(relay, relay->ended_data);
    release(relay);
}

/* The MTA is through with us: the children are told, shadows finish their work. */
static void
end_session(MmRelay *relay, const char *why)
{
    if (relay->transaction) {
        mm_relay_count(relay, MM_STAT_ABORTED);
        milter_info("session=%u message=%u verdict=none reason=\"the session ended: %s\"",
                    relay->tag, relay->n_messages, why);
    }
    mm_relay_end_step(relay);
    mm_relay_stop_wait(relay);
    milter_timer_stop(&relay->negotiating);
    milter_session_free(&relay->session);
    mm_relay_end_transaction(relay, TRUE);
    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        if (member->shadow) {
            mm_shadow_quit(member, FALSE);
        } else if (member->peer) {
            milter_peer_quit(member->peer, FALSE);
            milter_peer_free(&member->peer);
        }
    }
    milter_info("session=%u mta=%s messages=%u end=\"%s\"", relay->tag,
                relay->mta == MM_MTA_POSTFIX ? "postfix" : "sendmail", relay->n_messages, why);
    relay->is_over = TRUE;
    mm_relay_advance(relay);
}

/* The MTA must take the last flush within the time it would have waited for it. */
static void
check_delivery(MmRelay *relay)
{
    if (milter_loop_now(relay->host->loop) < relay->deadline) {
        milter_timer_start(&relay->progress, MM_PROGRESS_INTERVAL);
        return;
    }
    milter_warning("session=%u message=%u mta=\"does not take the changed message\" "
                   "action=\"connection closed\"", relay->tag, relay->n_messages);
    end_session(relay, "the MTA does not take the changed message");
}

static void
on_progress_due(MilterTimer *timer, gpointer data)
{
    MmRelay *relay = data;

    if (!relay->session || milter_session_owed(relay->session) == MILTER_STEP_NONE)
        return;
    /* Between two packets of a replaced body it would end the replacement in Postfix. */
    if (relay->transaction && relay->transaction->is_delivering) {
        check_delivery(relay);
        return;
    }
    milter_session_progress(relay->session);
    milter_timer_start(timer, MM_PROGRESS_INTERVAL);
}

/* --- what the MTA sends --- */

static void
on_negotiate(MilterSession *session, const MilterOption *offer, gpointer data)
{
    mm_negotiation_start(data, offer);
}

/* The macros of a step that nobody asked for come without it, and are for all. */
static void
pass_macros_of_declined(MmRelay *relay, guint8 command)
{
    MilterStep step = milter_step_of_command(command);
    const MilterOption *option = milter_session_option(relay->session);

    if (step == MILTER_STEP_NONE || milter_step_is_content(step) ||
        !(option->steps & milter_step_no_bit(step)))
        return;
    for (guint i = 0; i < relay->n_members; i++)
        if (!relay->members[i].shadow && mm_member_takes_part(&relay->members[i], step))
            mm_member_send_macros(&relay->members[i], step);
}

static void
on_macros(MilterSession *session, const MilterFrame *frame, gpointer data)
{
    MmRelay *relay = data;
    guint8 command = frame->payload[0];

    mm_condition_note(relay, frame);
    mm_presence_note(relay, frame);
    if (milter_macros_set(relay->macros, frame))
        for (guint i = 0; i < relay->n_members; i++) {
            relay->members[i].sent_field_macros &= command != SMFIC_HEADER;
            relay->members[i].sent_chunk_macros &= command != SMFIC_BODY;
        }
    if (command >= 'A' && command <= 'Z')
        relay->fresh |= 1u << (command - 'A');
    pass_macros_of_declined(relay, command);
}

static void
learn_mta(MmRelay *relay)
{
    const char *v = milter_macros_get(relay->macros, "v");

    if (v)
        relay->mta = strncmp(v, "Postfix", 7) == 0 ? MM_MTA_POSTFIX : MM_MTA_SENDMAIL;
    /* Sendmail does not send v unless told to; what it sends, Postfix does not know. */
    else if (milter_macros_get(relay->macros, "{if_name}") ||
             milter_macros_get(relay->macros, "{if_addr}"))
        relay->mta = MM_MTA_SENDMAIL;
    else if (milter_macros_get(relay->macros, "{daemon_addr}"))
        relay->mta = MM_MTA_POSTFIX;
    milter_debug("session=%u mta=%s", relay->tag, mm_mta_name(relay->mta));
    mm_dialect_init(&relay->dialect, relay->mta);
    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].peer)
            milter_peer_set_lenient(relay->members[i].peer, relay->mta == MM_MTA_SENDMAIL);
}

static void
begin_transaction(MmRelay *relay)
{
    if (relay->transaction)
        mm_relay_end_transaction(relay, FALSE);
    mm_verdict_clear(&relay->data_refusal);
    relay->transaction = mm_transaction_new(relay);
    relay->n_messages++;
    mm_relay_count(relay, MM_STAT_MESSAGES);
    for (guint i = 0; i < relay->n_members; i++)
        mm_member_begin_transaction(&relay->members[i]);
}

/* A refusal that an earlier answer has settled; NULL when children are to be asked. */
static const MmVerdict *
settled(MmRelay *relay, MilterStep step)
{
    if (mm_verdict_is_set(&relay->connection_refusal))
        return &relay->connection_refusal;
    if ((step == MILTER_STEP_RCPT || step == MILTER_STEP_DATA) &&
        mm_verdict_is_set(&relay->data_refusal))
        return &relay->data_refusal;
    return NULL;
}

static void
prepare_step(MmRelay *relay, MilterStep step)
{
    switch (step) {
    case MILTER_STEP_HELO:
        /* Ends a transaction; children get the HELO itself, as from the MTA. */
        mm_relay_end_transaction(relay, FALSE);
        for (guint i = 0; i < relay->n_members && relay->mta == MM_MTA_SENDMAIL; i++)
            relay->members[i].was_aborted = FALSE;
        break;
    case MILTER_STEP_MAIL:
        begin_transaction(relay);
        break;
    default:
        break;
    }
}

/* Postfix gives sendmail(1)'s mail to non_smtpd_milters as of a client with port 0; a local
 * program that talks SMTP to Sendmail has no internet address. */
static gboolean
is_without_smtp(const MilterFrame *frame)
{
    MilterConnect connect;

    if (!milter_command_parse_connect(frame, &connect, NULL))
        return FALSE;
    return connect.family == SMFIA_UNIX || (connect.family != SMFIA_UNKNOWN && connect.port == 0);
}

static void
on_command(MilterSession *session, MilterStep step, const MilterFrame *frame, gboolean wants_reply,
           gpointer data)
{
    MmRelay *relay = data;
    const MmVerdict *refusal;

    /* Its patience and whether it takes progress depend on which MTA it is. */
    if (step == MILTER_STEP_CONNECT) {
        learn_mta(relay);
        relay->is_local = is_without_smtp(frame);
        mm_presence_note(relay, frame);
    }
    if (wants_reply)
        mm_relay_start_wait(relay, step);
    refusal = settled(relay, step);
    if (refusal) {
        if (wants_reply)
            mm_relay_answer(relay, refusal);
        return;
    }
    prepare_step(relay, step);
    if (step <= MILTER_STEP_DATA)
        mm_condition_note(relay, frame);
    switch (step) {
    case MILTER_STEP_HEADER:
    case MILTER_STEP_EOH:
    case MILTER_STEP_BODY:
    case MILTER_STEP_EOM:
        mm_content_take(relay, step, frame);
        break;
    default:
        mm_chain_start(relay, step, frame);
    }
}

void
mm_relay_take_abort(MmRelay *relay)
{
    if (relay->transaction) {
        mm_relay_count(relay, MM_STAT_ABORTED);
        milter_info("session=%u message=%u verdict=none reason=\"aborted by the MTA\"", relay->tag,
                    relay->n_messages);
    }
    mm_relay_end_step(relay);
    mm_relay_stop_wait(relay);
    relay->fresh = 0;
    /* Postfix sends ABORT also outside a transaction; what a child makes of it is its own. */
    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        if (!member->was_aborted && member->stopped == MM_STOPPED_NOT)
            mm_member_abort(member);
        member->was_aborted = FALSE;
    }
    mm_relay_end_transaction(relay, FALSE);
    mm_relay_advance(relay);
}

static void
on_abort(MilterSession *session, gpointer data)
{
    MmRelay *relay = data;

    /* It is about a message: CONNECT and HELO, at which the MTA did not wait, come first. */
    if (relay->holds_mta &&
        (relay->step == MILTER_STEP_CONNECT || relay->step == MILTER_STEP_HELO))
        relay->aborts_later = TRUE;
    else
        mm_relay_take_abort(relay);
}

/* Another SMTP session on the same connection: everybody starts anew. */
static void
restart(MmRelay *relay)
{
    mm_relay_end_step(relay);
    mm_relay_stop_wait(relay);
    mm_relay_end_transaction(relay, TRUE);
    mm_verdict_clear(&relay->connection_refusal);
    milter_macros_clear(relay->macros);
    mm_condition_close(relay);
    relay->fresh = 0;
    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        member->was_aborted = FALSE;
        member->last_reply = 0;
        mm_condition_forget(member, MM_STOPPED_SESSION);
        if (member->shadow) {
            mm_shadow_quit(member, TRUE);
        } else if (member->state != MM_MEMBER_FAILED) {
            /* One that has gone meanwhile is found out when it is asked. */
            if (member->peer)
                milter_peer_quit(member->peer, TRUE);
            member->state = MM_MEMBER_ACTIVE;
            member->skipped = 0;
        }
    }
    mm_relay_advance(relay);
}

static void
on_quit(MilterSession *session, gboolean is_reused, gpointer data)
{
    if (is_reused)
        restart(data);
    else
        end_session(data, "quit");
}

static void
on_close(MilterSession *session, const char *why, gpointer data)
{
    MmRelay *relay = data;

    /* An MTA that goes without QUIT is usual (Postfix' smtpd ends); a broken protocol is not. */
    if (strncmp(why, "broke", 5) == 0 || strncmp(why, "sent", 4) == 0)
        milter_warning("session=%u mta=\"%s\" action=\"connection closed\"", relay->tag, why);
    end_session(relay, why);
}

static void
on_drained(MilterSession *session, gpointer data)
{
    MmRelay *relay = data;

    if (relay->transaction && relay->transaction->is_delivering)
        mm_delivery_continue(relay);
}

static const MilterSessionHandler session_handler = {
    .on_negotiate = on_negotiate,
    .on_macros = on_macros,
    .on_command = on_command,
    .on_abort = on_abort,
    .on_quit = on_quit,
    .on_close = on_close,
    .on_drained = on_drained,
};

/* --- going on --- */

static void
advance_once(MmRelay *relay)
{
    if (relay->session && !relay->is_negotiated)
        mm_negotiation_advance(relay);
    else if (relay->session && relay->step != MILTER_STEP_NONE)
        mm_chain_advance(relay);
    else if (relay->session && relay->transaction)
        mm_content_advance(relay);
    /* After the others, which may have given them something to do. */
    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].shadow)
            mm_shadow_advance(&relay->members[i]);
    if (!relay->session)
        mm_relay_check_end(relay);
}

void
mm_relay_advance(MmRelay *relay)
{
    if (relay->is_advancing) {
        relay->advance_again = TRUE;
        return;
    }
    relay->is_advancing = TRUE;
    do {
        relay->advance_again = FALSE;
        advance_once(relay);
    } while (relay->advance_again);
    relay->is_advancing = FALSE;
}

static void
on_negotiation_due(MilterTimer *timer, gpointer data)
{
    MmRelay *relay = data;

    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].state == MM_MEMBER_CONNECTING && !relay->members[i].shadow)
            mm_member_fail(&relay->members[i], MILTER_PEER_TIMEOUT,
                           "not ready before the MTA's own timeout at the option negotiation");
    mm_relay_advance(relay);
}

MmRelay *
mm_relay_new(MmHost *host, int fd, MmRelayEnded ended, gpointer data)
{
    MmRelay *relay = g_new0(MmRelay, 1);
    const GPtrArray *children = host->settings->children;

    relay->host = host;
    relay->ended = ended;
    relay->ended_data = data;
    relay->tag = ++host->next_tag;
    relay->mta = host->settings->mta;
    relay->step = MILTER_STEP_NONE;
    relay->transaction_fact = -1;
    relay->next_fact = -1;
    set_n_sessions(host, host->n_sessions + 1);
    relay->macros = milter_macros_new();
    mm_dialect_init(&relay->dialect, relay->mta);
    milter_timer_init(&relay->progress, host->loop, on_progress_due, relay);
    milter_timer_init(&relay->negotiating, host->loop, on_negotiation_due, relay);
    relay->members = g_new0(MmMember, children->len);
    for (guint i = 0; i < children->len; i++) {
        const MmChild *child = g_ptr_array_index(children, i);

        if (child->enabled)
            mm_member_init(&relay->members[relay->n_members++], relay, child);
    }
    relay->session = milter_session_new(host->loop, fd, &session_handler, relay);
    mm_relay_count(relay, MM_STAT_SESSIONS);
    return relay;
}

void
mm_relay_free(MmRelay **relay_p)
{
    MmRelay *relay = g_steal_pointer(relay_p);

    if (relay)
        release(relay);
}
