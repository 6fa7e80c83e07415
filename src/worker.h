/* worker.h - one worker process: a relay thread in C, and Ruby beside it
 *
 * The process's first thread belongs to Ruby; a second one runs the loop with all
 * sessions and never waits for Ruby.  Leaves when told to, or when the generation is
 * gone, after the last session has ended. */
#ifndef MM_WORKER_H
#define MM_WORKER_H

#include <glib.h>

#include "src/rules.h"
#include "src/settings.h"
#include "src/tally.h"

G_BEGIN_DECLS

typedef struct {
    const MmRules *rules;
    const MmSettings *settings;
    guint number;   /* from 1 */
    int channel;    /* to the generation; taken over */
    int supervisor; /* channel to the supervisor, or -1 when it is gone; taken over */
    int listen_fd;  /* taken over */
    MmTally *tally; /* of all workers; borrowed */
} MmWorkerStart;

/* Run to the end; the exit status. */
int mm_worker_run(const MmWorkerStart *start);

G_END_DECLS
#endif
