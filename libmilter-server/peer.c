/* peer.c - see peer.h */
#include "config.h"
#include "libmilter-server/peer.h"

#include <errno.h>

#include "libmilter-core/command.h"
#include "libmilter-core/log.h"
#include "libmilter-core/reply.h"

#define FULL_SIZE (256 * 1024) /* unsent bytes above which a sender should wait */
#define RETRY_INTERVAL 0.25    /* s between attempts to connect */

typedef enum {
    PEER_CONNECTING,
    PEER_NEGOTIATING,
    PEER_OPEN,
    PEER_OVER,
} PeerState;

struct _MilterPeer {
    MilterLoop *loop;               /* borrowed */
    const MilterEndpoint *endpoint; /* borrowed */
    const MilterPeerHandler *handler;
    gpointer data;       /* borrowed, for the handler */
    MilterConn *conn;    /* owned */
    MilterOption option; /* the offer, later what is in force */
    guint32 offered;     /* actions; MTAs honour an edit the filter did not announce */
    MilterTimer timer;   /* for the connection, or the reply that is owed */
    MilterTimer retry;   /* for the next attempt to connect */
    double connect_until, retry_until, reply_timeout, write_timeout;
    MilterStep owes;     /* whose reply is owed */
    guint stale;         /* replies owed to commands that an ABORT took back */
    guint16 n_retries;
    guint8 state;        /* PeerState */
    guint8 is_lenient;   /* values are the MTA's to judge */
    guint8 is_full;      /* on_drained is expected */
};

static void start_connecting(MilterPeer *peer);

static void
free_now(gpointer object)
{
    MilterPeer *peer = object;

    milter_option_clear(&peer->option);
    g_free(peer);
}

static void
stop(MilterPeer *peer)
{
    peer->state = PEER_OVER;
    milter_timer_clear(&peer->timer);
    milter_timer_clear(&peer->retry);
    milter_conn_free(&peer->conn);
}

static void
fail(MilterPeer *peer, MilterPeerFailure failure, const char *cause)
{
    if (peer->state == PEER_OVER)
        return;
    stop(peer);
    peer->handler->on_failed(peer, failure, cause, peer->data);
}

/* "SMFIR_x to header: what is wrong", with the start of the packet. */
static void
fail_with(MilterPeer *peer, MilterPeerFailure failure, const MilterFrame *frame, const char *what)
{
    g_autofree char *bytes = milter_log_escape(frame->payload, frame->size, 64);
    g_autofree char *cause =
        g_strdup_printf("%s (0x%02x) to %s: %s; data %s", milter_reply_name(frame->command),
                        frame->command, milter_step_name(peer->owes), what, bytes);

    fail(peer, failure, cause);
}

static void
on_timeout(MilterTimer *timer, gpointer data)
{
    MilterPeer *peer = data;
    g_autofree char *cause = NULL;

    switch (peer->state) {
    case PEER_CONNECTING:
        fail(peer, MILTER_PEER_CONNECT, "the connection was not accepted in time");
        return;
    case PEER_NEGOTIATING:
        fail(peer, MILTER_PEER_TIMEOUT, "no answer to the option negotiation in time");
        return;
    default:
        cause = peer->owes == MILTER_STEP_NONE
                    ? g_strdup("did not take what was sent in time")
                    : g_strdup_printf("no reply to %s in time", milter_step_name(peer->owes));
        fail(peer, MILTER_PEER_TIMEOUT, cause);
    }
}

static void
on_answer(MilterPeer *peer, const MilterFrame *frame)
{
    MilterOption answer = { 0 };
    g_autoptr(GError) error = NULL;

    if (frame->command != SMFIC_OPTNEG) {
        fail(peer, MILTER_PEER_PROTOCOL,
             "did not answer the option negotiation with SMFIC_OPTNEG: not a milter?");
        return;
    }
    if (!milter_option_parse(frame, &answer, &error) ||
        !milter_option_check_answer(&peer->option, &answer, &error)) {
        g_autofree char *cause = g_strdup_printf("option negotiation: %s", error->message);

        milter_option_clear(&answer);
        fail(peer, MILTER_PEER_PROTOCOL, cause);
        return;
    }
    milter_option_clear(&peer->option);
    peer->option = answer;
    peer->state = PEER_OPEN;
    milter_timer_stop(&peer->timer);
    peer->handler->on_negotiated(peer, peer->data);
}

/* A reply to a command that was taken back by ABORT. */
static void
drop_stale(MilterPeer *peer, const MilterFrame *frame)
{
    if (milter_reply_is_final(frame->command))
        peer->stale--;
}

static gboolean
is_postfix_only(const GError *error)
{
    return g_error_matches(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE) ||
           g_error_matches(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_EXTRA);
}

static void
on_reply(MilterPeer *peer, const MilterFrame *frame)
{
    g_autoptr(GError) error = NULL;
    MilterStep step = peer->owes;

    if (peer->stale) {
        drop_stale(peer, frame);
        return;
    }
    if (step == MILTER_STEP_NONE) {
        fail_with(peer, MILTER_PEER_PROTOCOL, frame, "no reply was expected");
        return;
    }
    if (!milter_reply_check(frame, step, peer->offered, &error) &&
        !(peer->is_lenient && is_postfix_only(error))) {
        fail_with(peer,
                  g_error_matches(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE)
                      ? MILTER_PEER_VALUE
                      : MILTER_PEER_REPLY,
                  frame, error->message);
        return;
    }
    if (frame->command == SMFIR_PROGRESS) {
        peer->handler->on_progress(peer, peer->data);
        return;
    }
    if (milter_reply_is_edit(frame->command)) {
        /* libmilter writes its edits and the final reply in pieces. */
        milter_conn_ack_now(peer->conn);
        peer->handler->on_edit(peer, frame, peer->data);
        return;
    }
    peer->owes = MILTER_STEP_NONE;
    milter_timer_stop(&peer->timer);
    peer->handler->on_reply(peer, step, frame, peer->data);
}

static MilterConnVerdict
on_frame(MilterConn *conn, const MilterFrame *frame, gpointer data)
{
    MilterPeer *peer = data;

    if (peer->state == PEER_NEGOTIATING)
        on_answer(peer, frame);
    else
        on_reply(peer, frame);
    return MILTER_CONN_TAKEN;
}

static void
on_connect(MilterConn *conn, gpointer data)
{
    MilterPeer *peer = data;

    peer->state = PEER_NEGOTIATING;
    milter_timer_start(&peer->timer, peer->reply_timeout);
    milter_option_build(milter_conn_out(peer->conn), &peer->option);
    milter_conn_queue_flush(peer->conn);
}

static gboolean
is_refused(int error)
{
    return error == ECONNREFUSED || error == ENOENT;
}

static gboolean
may_retry(MilterPeer *peer, int error)
{
    double next = milter_loop_now(peer->loop) + RETRY_INTERVAL;

    /* A unix socket whose queue is full: a busy child, not one that is down. */
    if (error == EAGAIN)
        return next < peer->connect_until;
    return is_refused(error) && next < MIN(peer->retry_until, peer->connect_until);
}

static void
on_retry(MilterTimer *timer, gpointer data)
{
    start_connecting(data);
}

static void
on_close(MilterConn *conn, MilterCloseReason reason, gpointer data)
{
    MilterPeer *peer = data;
    g_autofree char *text = NULL;

    if (reason == MILTER_CLOSE_CONNECT && is_refused(milter_conn_errno(conn)) &&
        peer->handler->on_refused)
        peer->handler->on_refused(peer, peer->data);
    if (reason == MILTER_CLOSE_CONNECT && may_retry(peer, milter_conn_errno(conn))) {
        milter_conn_free(&peer->conn);
        milter_timer_start(&peer->retry, RETRY_INTERVAL);
        return;
    }
    text = g_strdup(milter_conn_close_text(conn, reason));
    if (reason == MILTER_CLOSE_CONNECT)
        fail(peer, MILTER_PEER_CONNECT, text);
    else if (reason == MILTER_CLOSE_FRAME)
        fail(peer, MILTER_PEER_PROTOCOL, text);
    else
        fail(peer, MILTER_PEER_CLOSED, text);
}

static void
on_drained(MilterConn *conn, gpointer data)
{
    MilterPeer *peer = data;

    if (peer->is_full && peer->owes == MILTER_STEP_NONE)
        milter_timer_stop(&peer->timer);
    peer->is_full = FALSE;
    peer->handler->on_drained(peer, peer->data);
}

static const MilterConnHandler conn_handler = {
    .on_connect = on_connect,
    .on_frame = on_frame,
    .on_close = on_close,
    .on_drained = on_drained,
};

static void
start_connecting(MilterPeer *peer)
{
    peer->conn = milter_conn_new_connect(peer->loop, peer->endpoint, &conn_handler, peer);
}

MilterPeer *
milter_peer_new(MilterLoop *loop, const MilterEndpoint *endpoint, const MilterOption *offer,
                double connect_timeout, double reply_timeout, double retry_for,
                const MilterPeerHandler *handler, gpointer data)
{
    MilterPeer *peer = g_new0(MilterPeer, 1);

    peer->loop = loop;
    peer->endpoint = endpoint;
    peer->handler = handler;
    peer->data = data;
    peer->owes = MILTER_STEP_NONE;
    peer->connect_until = milter_loop_now(loop) + connect_timeout;
    peer->retry_until = milter_loop_now(loop) + retry_for;
    peer->reply_timeout = reply_timeout;
    peer->write_timeout = G_MAXDOUBLE;
    milter_option_copy(&peer->option, offer);
    peer->offered = offer->actions;
    milter_timer_init(&peer->timer, loop, on_timeout, peer);
    milter_timer_init(&peer->retry, loop, on_retry, peer);
    milter_timer_start(&peer->timer, connect_timeout);
    start_connecting(peer);
    return peer;
}

void
milter_peer_retry(MilterPeer *peer, double seconds)
{
    peer->retry_until = milter_loop_now(peer->loop) + seconds;
}

void
milter_peer_free(MilterPeer **peer_p)
{
    MilterPeer *peer = g_steal_pointer(peer_p);

    if (!peer)
        return;
    stop(peer);
    milter_loop_free_later(peer->loop, free_now, peer);
}

const MilterOption *
milter_peer_option(const MilterPeer *peer)
{
    static const MilterOption none;

    return peer->state == PEER_OPEN ? &peer->option : &none;
}

gboolean
milter_peer_wants(const MilterPeer *peer, MilterStep step)
{
    return peer->state == PEER_OPEN && milter_option_wants(&peer->option, step);
}

gboolean
milter_peer_answers(const MilterPeer *peer, MilterStep step)
{
    return (peer->option.steps & milter_step_nr_bit(step)) == 0;
}

MilterStep
milter_peer_owes(const MilterPeer *peer)
{
    return peer->owes;
}

void
milter_peer_set_write_timeout(MilterPeer *peer, double seconds)
{
    peer->write_timeout = seconds;
}

void
milter_peer_set_lenient(MilterPeer *peer, gboolean is_lenient)
{
    peer->is_lenient = is_lenient;
}

gsize
milter_peer_data_size(const MilterPeer *peer)
{
    return milter_data_size(peer->option.steps);
}

MilterBuffer *
milter_peer_out(MilterPeer *peer)
{
    return milter_conn_out(peer->conn);
}

#define LARGE_PAYLOAD (16 * 1024) /* from here on copying costs more than a second system call */

gboolean
milter_peer_send(MilterPeer *peer, MilterStep step, const void *payload, gsize size, double timeout)
{
    gboolean answers = milter_peer_answers(peer, step);

    g_return_val_if_fail(peer->state == PEER_OPEN && peer->owes == MILTER_STEP_NONE, FALSE);
    /* As Postfix does: what is not answered goes with the next command that is. */
    if (!answers && size < LARGE_PAYLOAD)
        milter_buffer_append_packet(milter_conn_out(peer->conn), milter_step_command(step), payload,
                                    size);
    else if (size >= LARGE_PAYLOAD)
        milter_conn_send_large(peer->conn, milter_step_command(step), payload, size);
    else
        milter_conn_send_packet(peer->conn, milter_step_command(step), payload, size);
    if (answers) {
        peer->owes = step;
        milter_timer_start(&peer->timer, MAX(0, timeout));
    } else if (milter_peer_is_full(peer) && !peer->is_full) {
        milter_conn_queue_flush(peer->conn);
        peer->is_full = TRUE;
        milter_timer_start(&peer->timer, MAX(0, MIN(timeout, peer->write_timeout)));
    }
    return answers;
}

void
milter_peer_extend(MilterPeer *peer, double seconds)
{
    if (milter_timer_is_running(&peer->timer))
        milter_timer_start(&peer->timer, MAX(0, seconds));
}

void
milter_peer_limit(MilterPeer *peer, double seconds)
{
    double at = milter_loop_now(peer->loop) + MAX(0, seconds);

    if (milter_timer_is_running(&peer->timer) && peer->timer.at > at)
        milter_timer_start(&peer->timer, MAX(0, seconds));
}

void
milter_peer_forget(MilterPeer *peer)
{
    if (peer->owes == MILTER_STEP_NONE)
        return;
    peer->owes = MILTER_STEP_NONE;
    peer->stale++;
    milter_timer_stop(&peer->timer);
}

void
milter_peer_abort(MilterPeer *peer)
{
    if (peer->state != PEER_OPEN)
        return;
    milter_peer_forget(peer);
    milter_conn_send_packet(peer->conn, SMFIC_ABORT, NULL, 0);
}

void
milter_peer_quit(MilterPeer *peer, gboolean is_reused)
{
    if (peer->state != PEER_OPEN)
        return;
    milter_peer_forget(peer);
    milter_conn_send_packet(peer->conn, is_reused ? SMFIC_QUIT_NC : SMFIC_QUIT, NULL, 0);
}

gboolean
milter_peer_is_full(const MilterPeer *peer)
{
    return peer->conn && milter_conn_unsent(peer->conn) > FULL_SIZE;
}
