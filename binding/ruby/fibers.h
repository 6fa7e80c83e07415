/* fibers.h - the fibers of the Ruby thread in which tasks are worked on, and who computes now
 *
 * A task is what scheduler.rb knows as one: a Decision, or a Scheduler::Task.  Its work is done in
 * a fiber until that waits; what waits is scheduler.rb's.  For files in binding/ruby/ only;
 * functions may raise. */
#ifndef MM_FIBERS_H
#define MM_FIBERS_H

#include <glib.h>
#include <ruby.h>

/* Add to NATIVE what scheduler.rb needs; once. */
void mm_fibers_define(VALUE native);

/* Call WORK, a Proc, or TASK's method "work" where it is nil, in a fiber, until that waits or
 * ends. */
void mm_fibers_start(VALUE task, VALUE work);

/* Suspend the current fiber until it is unblocked, which BLOCKER is the reason for; let FIBER go
 * on. */
void mm_fibers_block(VALUE blocker);
void mm_fibers_unblock(VALUE fiber);

/* The time that tasks are measured in: s of the monotonic clock. */
double mm_fibers_now(void);

/* Whether code of users computes now: what the watchdog may end, and only that. */
void mm_fibers_set_exposed(gboolean is_exposed);

/* Whether this process was forked off the one that called mm_fibers_open(). */
void mm_fibers_open(void);
gboolean mm_fibers_are_forked(void);

#endif
