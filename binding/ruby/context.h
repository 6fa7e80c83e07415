/* context.h - Milter::Manager::ChildContext: a session as one child's conditions see it
 *
 * The first argument of stoppers; what is not hot of it is in context.rb.  It notes what a
 * block asks for: an answer for which only facts of the session were looked at holds for every
 * child, and is computed once.  For files in binding/ruby/ only; functions may raise. */
#ifndef MM_CONTEXT_H
#define MM_CONTEXT_H

#include <glib.h>
#include <ruby.h>

#include "binding/ruby/packets.h"
#include "libmilter-core/protocol.h"

typedef struct _MmContext MmContext;

/* Add the class to MANAGER; once. */
void mm_context_define(VALUE manager);

/* Where the children's names come from: an Array. */
void mm_context_open(VALUE names);

/* That of a child of SESSION, made when it is first asked for. */
VALUE mm_context_get(VALUE session, guint child);

/* The same; NULL where none was made. */
MmContext *mm_context_find(VALUE session, guint child);

/* The struct of one, which lives as long as it does. */
MmContext *mm_context_of(VALUE context);

/* It is asked for DECISION, which is at STEP. */
void mm_context_set_decision(MmContext *context, VALUE decision, MilterStep step);
VALUE mm_context_decision(const MmContext *context);

/* Note anew what is asked for. */
void mm_context_watch(MmContext *context);
gboolean mm_context_is_shareable(MmContext *context); /* what was computed since */
gboolean mm_context_has_read_macros(const MmContext *context);

/* Whether conditions have set macros of its own. */
gboolean mm_context_has_macros(MmContext *context);

/* Those set since the last call, { name => value }, or nil. */
VALUE mm_context_take_macros(MmContext *context);

/* 1 while a combination asks, whose own answer is never shared. */
guint mm_context_depth(const MmContext *context);
void mm_context_enter_combination(MmContext *context);
void mm_context_leave_combination(MmContext *context);

/* The child was shown a header field; it is not shown the recipient that came last. */
void mm_context_take_header(MmContext *context, VALUE name, VALUE value);
void mm_context_hide_recipient(MmContext *context);

#endif
