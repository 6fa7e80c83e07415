/* decide.h - the Ruby thread of a worker: questions, answers, and one place to wait
 *
 * Questions come from the relay's thread through a queue; the fibers that work on them
 * wait for descriptors and times on a libev loop of the Ruby thread's own, without
 * Ruby's lock.  Adds to Milter::Manager::Native what lib/milter/manager/scheduler.rb and
 * decider.rb need.  For files in binding/ruby/ only. */
#ifndef MM_DECIDE_H
#define MM_DECIDE_H

#include <ruby.h>

#include "src/rules.h"

/* Add the functions to Native; the caller protects. */
void mm_decide_define(VALUE native);

/* The loop, for the worker's life; readable WAKE_FD ends it. */
void mm_decide_open(int wake_fd);
void mm_decide_close(void);

/* rules.h: from any thread. */
void mm_decide_set_answered(MmAnswered answered, gpointer data);
void mm_decide_ask(MmQuestion *question);
void mm_decide_cancel(guint64 question);
void mm_decide_close_session(guint64 session);
void mm_decide_set_checked(MmChecked checked, gpointer data);
void mm_decide_check_clients(MmClientCheck *check);
void mm_decide_maintain(void);

#endif
