/* session.h - Milter::Manager::Session: what the MTA has said of a session so far
 *
 * It learns from packets and makes Ruby's objects of them when somebody asks.  All text is
 * bytes.  For files in binding/ruby/ only; functions may raise. */
#ifndef MM_SESSION_H
#define MM_SESSION_H

#include <glib.h>
#include <ruby.h>

#include "binding/ruby/packets.h"

typedef struct _MmSession MmSession;

/* What comes with each question. */
typedef struct {
    GBytes *statuses; /* MmQuestion */
    guint n_sessions;
    guint64 seen;
} MmSessionNews;

/* Add the class to MANAGER; once. */
void mm_session_define(VALUE manager);

VALUE mm_session_new(guint64 id);

/* The struct of one, which lives as long as it does. */
MmSession *mm_session_of(VALUE session);

/* Learn from PACKETS, which may be NULL. */
void mm_session_take(MmSession *session, const GByteArray *packets);
void mm_session_set_news(MmSession *session, const MmSessionNews *news);

/* Changes with every message. */
guint mm_session_transaction(const MmSession *session);

guint64 mm_session_id(const MmSession *session);
guint mm_session_n_sessions(const MmSession *session);
guint64 mm_session_seen(const MmSession *session);

/* Of the child of an index, as in MmQuestion. */
guint8 mm_session_status(const MmSession *session, guint child);

/* A String, or nil. */
VALUE mm_session_macro(const MmSession *session, MmView name);
VALUE mm_session_host(MmSession *session);
VALUE mm_session_helo(MmSession *session);
VALUE mm_session_sender(MmSession *session);
VALUE mm_session_recipient(MmSession *session); /* the last, whatever became of it */

/* A Milter::SocketAddress; nil before connect. */
VALUE mm_session_address(MmSession *session);

/* Arrays, of which the first two are the session's own. */
VALUE mm_session_recipients(MmSession *session);
VALUE mm_session_rejected_recipients(MmSession *session);
VALUE mm_session_sender_parameters(MmSession *session);

/* Hashes. */
VALUE mm_session_recipient_parameters(MmSession *session);
VALUE mm_session_shelf(MmSession *session);

/* The contexts that were made for it, by child: context.h. */
VALUE mm_session_contexts(MmSession *session);

#endif
