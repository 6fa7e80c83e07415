/* tally.h - how many sessions there are in all workers
 *
 * One piece of memory that the supervisor maps before it starts anybody, and that all its
 * processes share: an entry for each worker, of whatever generation, which only that worker
 * writes.  A worker that is killed cannot take its number back; whoever learns of its end does.
 * The numbers are for conditions; nothing that must be safe depends on them. */
#ifndef MM_TALLY_H
#define MM_TALLY_H

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct _MmTally MmTally;

MmTally *mm_tally_new(void);
void mm_tally_free(MmTally **tally_p);

/* The number of the worker PID, 0 so far; NULL when there are more workers than entries. */
guint32 *mm_tally_enter(MmTally *tally, pid_t pid);

/* The worker PID has ended. */
void mm_tally_leave(MmTally *tally, pid_t pid);

static inline void
mm_tally_set(guint32 *entry, guint32 n_sessions)
{
    __atomic_store_n(entry, n_sessions, __ATOMIC_RELAXED);
}

/* The sum of all. */
guint mm_tally_sum(const MmTally *tally);

G_END_DECLS
#endif
