/* launcher.h - the supervisor starts children, by name
 *
 * What runs is milter.command with milter.command_options of the loaded configuration, as an
 * argument vector, without a shell, as milter.user_name.  A worker, which handles what
 * strangers send, can only say which child.  What was started is nobody's: it stays when the
 * manager leaves. */
#ifndef MM_LAUNCHER_H
#define MM_LAUNCHER_H

#include <glib.h>
#include <sys/types.h>

#include "src/settings.h"

G_BEGIN_DECLS

typedef struct _MmLauncher MmLauncher;

MmLauncher *mm_launcher_new(void);
void mm_launcher_free(MmLauncher **launcher_p);

/* Start the child of that name; logs what it does, or why not: not while what was started
 * last still runs in the foreground, nor before a pause that grows. */
void mm_launcher_start(MmLauncher *launcher, const MmSettings *settings, const char *name);

/* Reap a child process of ours that has ended, if the launcher started it. */
gboolean mm_launcher_reap(MmLauncher *launcher, pid_t pid);

/* Seconds between the N-th start in a row and the next. */
double mm_launcher_pause(guint n_starts);

G_END_DECLS
#endif
