/* peer.h - the MTA's side of one connection to a child milter
 *
 * Connects, negotiates, sends commands and takes replies; keeps what the child
 * negotiated and the reply it owes.  A reply is checked before it is handed on: one
 * that an MTA would not take is the child's failure.  Knows nothing of other children,
 * of what a reply means for the message, or of fallbacks. */
#ifndef MILTER_PEER_H
#define MILTER_PEER_H

#include "libmilter-core/conn.h"
#include "libmilter-core/macros.h"
#include "libmilter-core/option.h"
#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

typedef struct _MilterPeer MilterPeer;

/* Why a peer is over. */
typedef enum {
    MILTER_PEER_CONNECT,  /* the connection could not be made */
    MILTER_PEER_TIMEOUT,  /* it did not answer, or did not take what was sent, in time */
    MILTER_PEER_PROTOCOL, /* it sent what an MTA would not take */
    MILTER_PEER_REPLY,    /* the same: a well-formed packet that is no reply to this step */
    MILTER_PEER_VALUE,    /* the same, and Postfix blames it on the configuration */
    MILTER_PEER_CLOSED,   /* it closed, or the connection broke */
    MILTER_PEER_LIMIT,    /* it cannot be served: one of our own limits was met */
} MilterPeerFailure;

/* All callbacks come from the loop; the peer may be freed in any of them. FRAME is
 * valid during the call. */
typedef struct {
    /* The child has answered the offer; milter_peer_option() is set. */
    void (*on_negotiated)(MilterPeer *peer, gpointer data);
    /* The final reply to the command it was sent, checked.  It owes no reply any more. */
    void (*on_reply)(MilterPeer *peer, MilterStep step, const MilterFrame *frame, gpointer data);
    /* A modification request at EOM, checked. */
    void (*on_edit)(MilterPeer *peer, const MilterFrame *frame, gpointer data);
    /* SMFIR_PROGRESS. */
    void (*on_progress)(MilterPeer *peer, gpointer data);
    /* Nobody listens at the endpoint, or its socket file is not there; at every attempt.  May be
     * NULL. */
    void (*on_refused)(MilterPeer *peer, gpointer data);
    /* What was queued has gone out, after milter_peer_is_full() was TRUE. */
    void (*on_drained)(MilterPeer *peer, gpointer data);
    /* The peer is over; once.  CAUSE is for a log line. */
    void (*on_failed)(MilterPeer *peer, MilterPeerFailure failure, const char *cause,
                      gpointer data);
} MilterPeerHandler;

/* Connect to ENDPOINT and make the OFFER (copied).  CONNECT_TIMEOUT and REPLY_TIMEOUT
 * (for the answer to the offer) in seconds. A connection that is refused is tried again
 * for RETRY_FOR seconds. */
MilterPeer *milter_peer_new(MilterLoop *loop, const MilterEndpoint *endpoint,
                            const MilterOption *offer, double connect_timeout,
                            double reply_timeout, double retry_for,
                            const MilterPeerHandler *handler, gpointer data);
/* Go on trying to connect for SECONDS from now. */
void milter_peer_retry(MilterPeer *peer, double seconds);
/* Closes at once what is not sent; NULL is fine; clears the pointer. */
void milter_peer_free(MilterPeer **peer_p);

/* What is in force; version 0 before the negotiation. */
const MilterOption *milter_peer_option(const MilterPeer *peer);

/* Whether the child wants the step, and whether it will answer it. */
gboolean milter_peer_wants(const MilterPeer *peer, MilterStep step);
gboolean milter_peer_answers(const MilterPeer *peer, MilterStep step);

/* The step whose reply the child owes, or MILTER_STEP_NONE. */
MilterStep milter_peer_owes(const MilterPeer *peer);

/* Seconds in which it must take what it does not answer; without limit unless set. */
void milter_peer_set_write_timeout(MilterPeer *peer, double seconds);

/* Hand on replies whose values only Postfix objects to (a malformed reply code). */
void milter_peer_set_lenient(MilterPeer *peer, gboolean is_lenient);

/* Largest body chunk it takes. */
gsize milter_peer_data_size(const MilterPeer *peer);

/* The buffer for packets that precede a command (macros): build there.  They go with the
 * next command that is answered, with ABORT, QUIT or the end. */
MilterBuffer *milter_peer_out(MilterPeer *peer);

/* Send the command of STEP with a payload; a small one that is not answered waits for the
 * next that is.  Returns whether it will be answered; then
 * TIMEOUT seconds run, and nothing but ABORT and QUIT may be sent before the reply. */
gboolean milter_peer_send(MilterPeer *peer, MilterStep step, const void *payload, gsize size,
                          double timeout);

/* The running wait for a reply ends in SECONDS, counted from now. */
void milter_peer_extend(MilterPeer *peer, double seconds);

/* The running wait ends in SECONDS at the latest. */
void milter_peer_limit(MilterPeer *peer, double seconds);

/* A reply that is owed is thrown away when it comes; others may be asked for before. */
void milter_peer_forget(MilterPeer *peer);

/* ABORT; a reply that is owed is still awaited and thrown away.  QUIT and QUIT_NC: the
 * session is over for the child. */
void milter_peer_abort(MilterPeer *peer);
void milter_peer_quit(MilterPeer *peer, gboolean is_reused);

/* Whether so much is queued that the sender should wait for on_drained. */
gboolean milter_peer_is_full(const MilterPeer *peer);

G_END_DECLS
#endif
