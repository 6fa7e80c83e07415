/* crew.h - the workers of a generation
 *
 * Forks them, replaces those that end, waiting longer each time one ends at once, and
 * passes on what the supervisor says. */
#ifndef MM_CREW_H
#define MM_CREW_H

#include <glib.h>

#include "src/rules.h"
#include "src/settings.h"
#include "src/tally.h"

G_BEGIN_DECLS

/* Run until the last worker has left, or forever.  CHANNEL leads to the supervisor; BEAT goes
 * up once a second; workers count in TALLY.  LISTEN_FD is taken over.  The exit status of the generation; does not
 * return in a worker. */
int mm_crew_run(const MmRules *rules, MmSettings *settings, int channel, int listen_fd,
                guint64 *beat, MmTally *tally);

/* Seconds to wait before a worker is started when the last N in a row ended at once. */
double mm_crew_delay(guint n_quick_ends);

G_END_DECLS
#endif
