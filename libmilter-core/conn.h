/* conn.h - one socket with packets on it
 *
 * The only place that reads and writes sockets.  Incoming bytes are cut into packets
 * and handed to the owner as views; outgoing packets are collected and written once
 * at the end of the loop's turn.  A conn knows no protocol beyond the frame.
 *
 * Ownership: the owner creates, closes and frees it.  After on_close nothing more is
 * called.  All callbacks come from the loop, never from inside a call of the owner's. */
#ifndef MILTER_CONN_H
#define MILTER_CONN_H

#include "libmilter-core/buffer.h"
#include "libmilter-core/endpoint.h"
#include "libmilter-core/frame.h"
#include "libmilter-core/loop.h"

G_BEGIN_DECLS

typedef struct _MilterConn MilterConn;

typedef enum {
    MILTER_CLOSE_NONE,    /* it is open */
    MILTER_CLOSE_EOF,     /* the other side closed */
    MILTER_CLOSE_ERROR,   /* a system call failed; milter_conn_errno() */
    MILTER_CLOSE_CONNECT, /* the connection could not be made; milter_conn_errno() */
    MILTER_CLOSE_FRAME,   /* a packet of length 0 or above the ceiling */
    MILTER_CLOSE_LOCAL,   /* closed by its owner */
} MilterCloseReason;

typedef enum {
    MILTER_CONN_TAKEN, /* the packet is done with */
    MILTER_CONN_HOLD,  /* not now: give it again after milter_conn_resume() */
} MilterConnVerdict;

typedef struct {
    /* The connection was made (only after milter_conn_new_connect). */
    void (*on_connect)(MilterConn *conn, gpointer data);
    /* A packet came.  FRAME is valid during the call. */
    MilterConnVerdict (*on_frame)(MilterConn *conn, const MilterFrame *frame, gpointer data);
    /* The connection is over, by the other side or by an error; once.  Packets that had
     * come before were given first, except held ones. */
    void (*on_close)(MilterConn *conn, MilterCloseReason reason, gpointer data);
    /* Everything queued was written, where that had been more than 64 KiB or more than the
     * socket took at once; may be NULL. */
    void (*on_drained)(MilterConn *conn, gpointer data);
} MilterConnHandler;

/* Over a connected (or accepted) socket, which it takes over. */
MilterConn *milter_conn_new(MilterLoop *loop, int fd, const MilterConnHandler *handler,
                            gpointer data);
/* Connects to ENDPOINT; on_connect or on_close follow from the loop. */
MilterConn *milter_conn_new_connect(MilterLoop *loop, const MilterEndpoint *endpoint,
                                    const MilterConnHandler *handler, gpointer data);
/* Closes at once; safe inside its own callbacks, on NULL, and clears the pointer. What
 * is still queued is given to the kernel as far as it takes it without waiting. */
void milter_conn_free(MilterConn **conn_p);

/* Queue bytes (copied) or one packet.  Never blocks, never calls back. Ignored after close. */
void milter_conn_send(MilterConn *conn, const void *bytes, gsize size);
void milter_conn_send_packet(MilterConn *conn, guint8 command, const void *payload, gsize size);
/* The buffer of outgoing bytes, for builders; call milter_conn_queue_flush() after use. */
MilterBuffer *milter_conn_out(MilterConn *conn);
void milter_conn_queue_flush(MilterConn *conn);
/* Queue a large packet without copying it where the socket takes it at once: writes what
 * is queued, the head and the payload in one writev and copies only the rest. */
void milter_conn_send_large(MilterConn *conn, guint8 command, const void *payload, gsize size);

/* Bytes queued and not yet taken by the kernel. */
gsize milter_conn_unsent(const MilterConn *conn);

/* Give the held packet, and those after it, again; from the loop, before it waits. */
void milter_conn_resume(MilterConn *conn);

/* Ask the kernel to acknowledge at once what has come (TCP_QUICKACK); nothing on
 * unix sockets.  For a peer that writes its answer in pieces with Nagle on. */
void milter_conn_ack_now(MilterConn *conn);

/* After a CLOSE_ERROR or CLOSE_CONNECT. */
int milter_conn_errno(const MilterConn *conn);
/* "closed the connection", "connection reset by peer", …; static or thread-local string. */
const char *milter_conn_close_text(const MilterConn *conn, MilterCloseReason reason);

G_END_DECLS
#endif
