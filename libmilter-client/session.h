/* session.h - the milter's side of one connection of an MTA
 *
 * Keeps where the MTA is in the protocol and what was negotiated with it, checks every
 * packet, and makes sure of the first rule of the protocol: at most one reply for each
 * command that expects one, and only after that command came.  While a reply is owed,
 * only ABORT, QUIT and QUIT_NC get through; other packets wait in the connection.
 * Knows nothing of children. */
#ifndef MILTER_SESSION_H
#define MILTER_SESSION_H

#include "libmilter-core/conn.h"
#include "libmilter-core/option.h"
#include "libmilter-core/protocol.h"
#include "libmilter-core/state.h"

G_BEGIN_DECLS

typedef struct _MilterSession MilterSession;

/* All callbacks come from the loop; the session may be freed in any of them.  FRAME is
 * valid during the call. */
typedef struct {
    /* OPTNEG came; answer with milter_session_negotiate(), now or later. */
    void (*on_negotiate)(MilterSession *session, const MilterOption *offer, gpointer data);
    /* Macros came, checked. */
    void (*on_macros)(MilterSession *session, const MilterFrame *frame, gpointer data);
    /* A step's command came, checked.  When WANTS_REPLY, milter_session_reply() is owed. */
    void (*on_command)(MilterSession *session, MilterStep step, const MilterFrame *frame,
                       gboolean wants_reply, gpointer data);
    /* ABORT: the message ended; a reply that was owed no longer is. */
    void (*on_abort)(MilterSession *session, gpointer data);
    /* QUIT, or QUIT_NC when IS_REUSED: the session ended, another follows on this connection. */
    void (*on_quit)(MilterSession *session, gboolean is_reused, gpointer data);
    /* The connection is over without QUIT: the MTA went away or broke the protocol.  WHY is
     * for a log line. */
    void (*on_close)(MilterSession *session, const char *why, gpointer data);
    /* What was queued has gone out, after more was queued than the socket took; may be NULL. */
    void (*on_drained)(MilterSession *session, gpointer data);
} MilterSessionHandler;

/* Over an accepted socket, which it takes over. */
MilterSession *milter_session_new(MilterLoop *loop, int fd, const MilterSessionHandler *handler,
                                  gpointer data);
/* Closes the connection after what was queued; NULL is fine; clears the pointer. */
void milter_session_free(MilterSession **session_p);

/* Answer the offer.  OPTION must ask only for what was offered. */
void milter_session_negotiate(MilterSession *session, const MilterOption *option);

/* The step whose reply is owed, or MILTER_STEP_NONE. */
MilterStep milter_session_owed(const MilterSession *session);

/* The final reply for the owed step; a programming error when none is owed. */
void milter_session_reply(MilterSession *session, guint8 reply, const void *payload, gsize size);

/* While EOM's reply is owed: packets of edits, complete, as they go on the wire. */
void milter_session_edit(MilterSession *session, const void *wire, gsize size);
/* One packet of the replacement body. */
void milter_session_replace_body(MilterSession *session, const void *chunk, gsize size);

/* Tell the MTA that it takes longer; only while a reply is owed. */
void milter_session_progress(MilterSession *session);

/* Take no more packets until resumed (back-pressure).  Counts: two pauses need two resumes. */
void milter_session_pause(MilterSession *session);
void milter_session_resume(MilterSession *session);

/* What is in force on this connection; version 0 before the negotiation. */
const MilterOption *milter_session_option(const MilterSession *session);

/* Where the MTA is in the protocol. */
MilterState milter_session_state(const MilterSession *session);

/* Bytes queued towards the MTA. */
gsize milter_session_unsent(const MilterSession *session);

G_END_DECLS
#endif
