/* nudge.h - gets Ruby's lock from threads that compute
 *
 * A thread of Ruby that computes gives the lock away only every 100 ms.  While the worker's Ruby
 * thread waits for it longer than it should, a thread of ours asks the one that has it to step
 * aside.  Nothing is done, and no thread started, as long as nobody computes. */
#pragma once

#include <glib.h>

/* In the worker's Ruby thread, when it takes up its work. */
void mm_nudge_open(void);

/* When it stops. */
void mm_nudge_close(void);

/* It has something to do and is about to wait for Ruby's lock. */
void mm_nudge_begin(void);

/* It has the lock. */
void mm_nudge_end(void);

/* Whether others computed lately. */
gboolean mm_nudge_is_watching(void);
