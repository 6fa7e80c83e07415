/* conn.c - see conn.h */
#include "config.h"
#include "libmilter-core/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "libmilter-core/protocol.h"
#include "libmilter-core/sys.h"

#define READ_STEP (64 * 1024)                 /* least room for a read into the own buffer */
#define DRAIN_SIZE (64 * 1024)                /* queued bytes somebody may wait to see gone */
#define HOLD_MAX (128 * 1024) /* bytes kept behind a held packet before reading stops */

struct _MilterConn {
    MilterLoop *loop; /* borrowed */
    const MilterConnHandler *handler;
    gpointer data;    /* borrowed, for the handler */
    ev_io read_watch;
    ev_io write_watch; /* active only while connecting and after a short write */
    MilterTask flush;
    MilterTask resume;
    MilterBuffer rx; /* part of a packet, or packets that are held */
    MilterBuffer tx; /* not yet written */
    int fd;
    int error; /* errno of the failure */
    guint8 last_command; /* of the last packet that the owner took */
    guint is_connecting : 1;
    guint is_tcp : 1;
    guint is_held : 1;    /* the owner said MILTER_CONN_HOLD */
    guint is_closed : 1;  /* on_close was called, or the owner freed it */
    guint is_deaf : 1;    /* takes no bytes any more: closed when all it said is read */
};

/* The receive buffer lives to the end of the turn: a callback that frees its own
 * conn may still be looking at the packet it was given. */
static void
free_now(gpointer object)
{
    MilterConn *conn = object;

    milter_buffer_clear(&conn->rx);
    g_free(conn);
}

static void
stop(MilterConn *conn)
{
    struct ev_loop *ev = milter_loop_ev(conn->loop);

    ev_io_stop(ev, &conn->read_watch);
    ev_io_stop(ev, &conn->write_watch);
    milter_loop_unqueue(conn->loop, &conn->flush);
    milter_loop_unqueue(conn->loop, &conn->resume);
    if (conn->fd >= 0) {
        (void)close(conn->fd);
        conn->fd = -1;
    }
    milter_buffer_clear(&conn->tx);
    conn->is_closed = TRUE;
}

static void
fail(MilterConn *conn, MilterCloseReason reason)
{
    if (conn->is_closed)
        return;
    stop(conn);
    conn->handler->on_close(conn, reason, conn->data);
}

static gboolean
is_transient(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/* Write what is queued.  FALSE when the connection is gone. */
static gboolean
write_out(MilterConn *conn)
{
    while (milter_buffer_size(&conn->tx)) {
        struct iovec iov = { (void *)milter_buffer_bytes(&conn->tx),
                             milter_buffer_size(&conn->tx) };
        ssize_t n = milter_sys.writev(conn->fd, &iov, 1);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && is_transient(errno))
            break;
        if (n < 0) {
            conn->error = errno;
            return FALSE;
        }
        milter_buffer_consume(&conn->tx, n);
    }
    return TRUE;
}

/* What the other side said before it stopped to take bytes may still be unread. */
static void
read_to_the_end(MilterConn *conn)
{
    struct ev_loop *ev = milter_loop_ev(conn->loop);

    conn->is_deaf = TRUE;
    milter_buffer_clear(&conn->tx);
    ev_io_stop(ev, &conn->write_watch);
    ev_feed_event(ev, &conn->read_watch, EV_READ);
}

static void
fail_to_write(MilterConn *conn)
{
    if (conn->error == EPIPE || conn->error == ECONNRESET)
        read_to_the_end(conn);
    else
        fail(conn, MILTER_CLOSE_ERROR);
}

static void
on_flush(gpointer data)
{
    MilterConn *conn = data;
    struct ev_loop *ev = milter_loop_ev(conn->loop);
    gsize queued = milter_buffer_size(&conn->tx);

    if (conn->is_deaf)
        milter_buffer_clear(&conn->tx);
    if (conn->is_connecting || ev_is_active(&conn->write_watch))
        return;
    if (!write_out(conn)) {
        fail_to_write(conn);
        return;
    }
    if (milter_buffer_size(&conn->tx))
        ev_io_start(ev, &conn->write_watch);
    else if (queued > DRAIN_SIZE && conn->handler->on_drained)
        conn->handler->on_drained(conn, conn->data);
}

/* Give packets from DATA; the number of bytes taken.  Stops when the owner holds,
 * closes, or a packet is not complete or bad (*is_bad). */
static gsize
give(MilterConn *conn, const guint8 *data, gsize size, gboolean *is_bad)
{
    gsize used = 0;

    *is_bad = FALSE;
    while (!conn->is_closed && !conn->is_held) {
        MilterFrame frame;
        MilterFrameResult result =
            milter_frame_peek(data + used, size - used, MILTER_PACKET_MAX, &frame);

        if (result == MILTER_FRAME_BAD)
            *is_bad = TRUE;
        if (result != MILTER_FRAME_OK)
            break;
        if (conn->handler->on_frame(conn, &frame, conn->data) == MILTER_CONN_HOLD)
            conn->is_held = TRUE;
        else
            used += frame.wire_size;
        conn->last_command = frame.command;
    }
    return used;
}

/* Sendmail writes each packet by itself, with Nagle on: after one that gets no reply the next comes
 * only when this one was acknowledged, which without asking takes 40 ms. */
static void
acknowledge(MilterConn *conn)
{
    switch (conn->last_command) {
    case SMFIC_MACRO:
    case SMFIC_HEADER:
    case SMFIC_EOH:
        if (!conn->is_closed && !conn->is_held && milter_buffer_size(&conn->tx) == 0)
            milter_conn_ack_now(conn);
        break;
    default:
        break;
    }
}

/* Give what is in the own buffer. */
static void
give_buffered(MilterConn *conn)
{
    gboolean is_bad = FALSE;
    /* The buffer must not move under the owner's views; nothing appends to it meanwhile. */
    gsize used = give(conn, milter_buffer_bytes(&conn->rx), milter_buffer_size(&conn->rx), &is_bad);

    if (conn->is_closed)
        return;
    milter_buffer_consume(&conn->rx, used);
    if (is_bad)
        fail(conn, MILTER_CLOSE_FRAME);
}

/* Room for the next read into the own buffer: the rest of the packet, in steps that
 * grow with what has really come. */
static gsize
wanted_room(const MilterConn *conn)
{
    gsize have = milter_buffer_size(&conn->rx);
    gsize packet = milter_frame_wanted(milter_buffer_bytes(&conn->rx), have, MILTER_PACKET_MAX);
    gsize missing = packet > have ? packet - have : 0;

    return CLAMP(missing, READ_STEP / 4, MAX(have, READ_STEP));
}

static void
read_error(MilterConn *conn, ssize_t n)
{
    /* A held packet no longer has anybody to answer: the owner is told at once. */
    if (n == 0) {
        fail(conn, MILTER_CLOSE_EOF);
        return;
    }
    conn->error = errno;
    fail(conn, conn->error == ECONNRESET ? MILTER_CLOSE_EOF : MILTER_CLOSE_ERROR);
}

static void
on_readable(struct ev_loop *ev, ev_io *watch, int events)
{
    MilterConn *conn = watch->data;
    guint8 *place;
    gsize room;
    ssize_t n;

    if (milter_buffer_size(&conn->rx)) {
        if (conn->is_held && milter_buffer_size(&conn->rx) >= HOLD_MAX) {
            ev_io_stop(ev, &conn->read_watch);
            return;
        }
        room = wanted_room(conn);
        place = milter_buffer_reserve(&conn->rx, room);
        room = milter_buffer_room(&conn->rx);
    } else {
        place = milter_loop_scratch(conn->loop);
        room = MILTER_LOOP_SCRATCH;
    }
    n = milter_sys.read(conn->fd, place, room);
    if (n <= 0) {
        if (n == 0 || !is_transient(errno) || (conn->is_deaf && errno != EINTR))
            read_error(conn, conn->is_deaf ? 0 : n);
        else if (conn->is_deaf)
            ev_feed_event(ev, watch, EV_READ);
        return;
    }
    if (conn->is_deaf)
        ev_feed_event(ev, watch, EV_READ);
    if (milter_buffer_size(&conn->rx)) {
        milter_buffer_commit(&conn->rx, n);
        if (!conn->is_held)
            give_buffered(conn);
        acknowledge(conn);
        return;
    }

    gboolean is_bad = FALSE;
    gsize used = give(conn, place, n, &is_bad);

    if (conn->is_closed)
        return;
    if (is_bad)
        fail(conn, MILTER_CLOSE_FRAME);
    else if (used < (gsize)n)
        milter_buffer_append(&conn->rx, place + used, n - used);
    acknowledge(conn);
}

static void
on_resume(gpointer data)
{
    MilterConn *conn = data;

    if (conn->is_closed)
        return;
    conn->is_held = FALSE;
    give_buffered(conn);
    if (conn->is_closed)
        return;
    ev_io_start(milter_loop_ev(conn->loop), &conn->read_watch);
    if (conn->is_deaf)
        read_to_the_end(conn);
}

static void
connected(MilterConn *conn)
{
    struct ev_loop *ev = milter_loop_ev(conn->loop);
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
        error = errno;
    if (error) {
        conn->error = error;
        fail(conn, MILTER_CLOSE_CONNECT);
        return;
    }
    conn->is_connecting = FALSE;
    ev_io_stop(ev, &conn->write_watch);
    ev_io_start(ev, &conn->read_watch);
    if (milter_buffer_size(&conn->tx))
        milter_loop_queue(conn->loop, &conn->flush);
    conn->handler->on_connect(conn, conn->data);
}

static void
on_writable(struct ev_loop *ev, ev_io *watch, int events)
{
    MilterConn *conn = watch->data;

    if (conn->is_connecting) {
        connected(conn);
        return;
    }
    if (!write_out(conn)) {
        fail_to_write(conn);
        return;
    }
    if (milter_buffer_size(&conn->tx))
        return;
    ev_io_stop(ev, watch);
    if (conn->handler->on_drained)
        conn->handler->on_drained(conn, conn->data);
}

/* A connection that failed at once is reported from the loop, like all others. */
static void
on_failed_early(gpointer data)
{
    fail(data, MILTER_CLOSE_CONNECT);
}

static void
on_connected_at_once(gpointer data)
{
    MilterConn *conn = data;

    conn->resume.func = on_resume;
    connected(conn);
}

static MilterConn *
conn_new(MilterLoop *loop, int fd, const MilterConnHandler *handler, gpointer data)
{
    MilterConn *conn = g_new0(MilterConn, 1);
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);

    conn->loop = loop;
    conn->handler = handler;
    conn->data = data;
    conn->fd = fd;
    conn->is_tcp = fd >= 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
                   (address.ss_family == AF_INET || address.ss_family == AF_INET6);
    ev_io_init(&conn->read_watch, on_readable, fd, EV_READ);
    ev_io_init(&conn->write_watch, on_writable, fd, EV_WRITE);
    conn->read_watch.data = conn;
    conn->write_watch.data = conn;
    conn->flush = (MilterTask){ .func = on_flush, .data = conn };
    conn->resume = (MilterTask){ .func = on_resume, .data = conn };
    return conn;
}

MilterConn *
milter_conn_new(MilterLoop *loop, int fd, const MilterConnHandler *handler, gpointer data)
{
    MilterConn *conn = conn_new(loop, fd, handler, data);

    if (conn->is_tcp) {
        int on = 1;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    ev_io_start(milter_loop_ev(loop), &conn->read_watch);
    return conn;
}

MilterConn *
milter_conn_new_connect(MilterLoop *loop, const MilterEndpoint *endpoint,
                        const MilterConnHandler *handler, gpointer data)
{
    gboolean in_progress = FALSE;
    int fd = milter_endpoint_connect(endpoint, &in_progress);
    int error = errno;
    MilterConn *conn = conn_new(loop, fd, handler, data);

    conn->is_connecting = TRUE;
    /* Answers before questions: a child that has answered takes the MTA's next chunk from the
     * receive buffer, else the chunk must be kept. */
    ev_set_priority(&conn->read_watch, 1);
    if (fd < 0) {
        conn->error = error;
        conn->resume.func = on_failed_early;
        milter_loop_queue(loop, &conn->resume);
        return conn;
    }
    /* A unix socket is through at once: told from the loop all the same, but without the poll. */
    if (in_progress) {
        ev_io_start(milter_loop_ev(loop), &conn->write_watch);
    } else {
        conn->resume.func = on_connected_at_once;
        milter_loop_queue(loop, &conn->resume);
    }
    return conn;
}

void
milter_conn_free(MilterConn **conn_p)
{
    MilterConn *conn = g_steal_pointer(conn_p);

    if (!conn)
        return;
    if (!conn->is_closed) {
        if (!conn->is_connecting)
            (void)write_out(conn);
        stop(conn);
    }
    milter_loop_free_later(conn->loop, free_now, conn);
}

MilterBuffer *
milter_conn_out(MilterConn *conn)
{
    return &conn->tx;
}

void
milter_conn_queue_flush(MilterConn *conn)
{
    if (conn->is_closed)
        milter_buffer_clear(&conn->tx);
    else
        milter_loop_queue(conn->loop, &conn->flush);
}

void
milter_conn_send(MilterConn *conn, const void *bytes, gsize size)
{
    if (conn->is_closed)
        return;
    milter_buffer_append(&conn->tx, bytes, size);
    milter_loop_queue(conn->loop, &conn->flush);
}

void
milter_conn_send_packet(MilterConn *conn, guint8 command, const void *payload, gsize size)
{
    if (conn->is_closed)
        return;
    milter_buffer_append_packet(&conn->tx, command, payload, size);
    milter_loop_queue(conn->loop, &conn->flush);
}

void
milter_conn_send_large(MilterConn *conn, guint8 command, const void *payload, gsize size)
{
    guint8 head[MILTER_FRAME_HEAD];
    gsize queued = milter_buffer_size(&conn->tx);
    struct iovec iov[3];
    ssize_t n;

    if (conn->is_closed)
        return;
    if (conn->is_connecting || ev_is_active(&conn->write_watch)) {
        milter_conn_send_packet(conn, command, payload, size);
        return;
    }
    milter_frame_head(head, command, size);
    iov[0] = (struct iovec){ (void *)milter_buffer_bytes(&conn->tx), queued };
    iov[1] = (struct iovec){ head, sizeof(head) };
    iov[2] = (struct iovec){ (void *)payload, size };
    do
        n = milter_sys.writev(conn->fd, queued ? iov : iov + 1, queued ? 3 : 2);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        /* The flush meets the same error, from the loop. */
        milter_conn_send_packet(conn, command, payload, size);
        return;
    }

    gsize done = n;

    if (done < queued) {
        milter_buffer_consume(&conn->tx, done);
        milter_conn_send_packet(conn, command, payload, size);
        return;
    }
    milter_buffer_consume(&conn->tx, queued);
    done -= queued;
    if (done < sizeof(head)) {
        milter_buffer_append(&conn->tx, head + done, sizeof(head) - done);
        done = sizeof(head);
    }
    done -= sizeof(head);
    if (done < size || milter_buffer_size(&conn->tx))
        milter_conn_send(conn, (const guint8 *)payload + done, size - done);
}

gsize
milter_conn_unsent(const MilterConn *conn)
{
    return milter_buffer_size(&conn->tx);
}

void
milter_conn_resume(MilterConn *conn)
{
    if (!conn->is_closed && conn->is_held)
        milter_loop_queue(conn->loop, &conn->resume);
}

void
milter_conn_ack_now(MilterConn *conn)
{
#ifdef TCP_QUICKACK
    int on = 1;

    if (conn->is_tcp && conn->fd >= 0)
        (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
#endif
}

int
milter_conn_errno(const MilterConn *conn)
{
    return conn->error;
}

const char *
milter_conn_close_text(const MilterConn *conn, MilterCloseReason reason)
{
    switch (reason) {
    case MILTER_CLOSE_EOF:
        return "closed the connection";
    case MILTER_CLOSE_FRAME:
        return "sent a packet with an impossible length";
    case MILTER_CLOSE_LOCAL:
        return "was closed here";
    case MILTER_CLOSE_ERROR:
    case MILTER_CLOSE_CONNECT:
        return g_strerror(conn->error);
    default:
        return "is open";
    }
}
