/* generation.h - one loaded configuration and its workers, as a process
 *
 * Starts Ruby, evaluates the configuration, reports the settings up, receives log and
 * listening socket, drops privileges, forks workers, reaps and replaces them.  Runs no
 * session itself.  Leaves when the supervisor says so or is gone. */
#ifndef MM_GENERATION_H
#define MM_GENERATION_H

#include <glib.h>
#include <sys/types.h>

#include "src/options.h"
#include "src/rules.h"
#include "src/tally.h"

G_BEGIN_DECLS

/* A generation, as its parent sees it. */
typedef struct {
    pid_t pid;
    int pidfd;     /* readable when it has ended; owned */
    int channel;   /* see channel.h; owned */
    guint64 *beat; /* goes up while it lives; mapped, see mm_generation_unmap_beat() */
} MmGenerationProcess;

/* Fork one.  SETTINGS: those of the generation before, by which it logs while it loads, or
 * NULL.  TALLY: where its workers count, NULL when it will have none.  Returns in the parent only. */
gboolean mm_generation_launch(const MmOptions *options, const MmRules *rules,
                              const MmSettings *settings, MmTally *tally,
                              MmGenerationProcess *process, GError **error);
void mm_generation_unmap_beat(guint64 **beat_p);

G_END_DECLS
#endif
