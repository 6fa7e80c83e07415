/* supervisor.h - the first process: owns what outlives a configuration
 *
 * Sockets, pid file, log file and statistics are its own; generations come and go below
 * it.  No Ruby runs in it, and it never waits for anybody. */
#ifndef MM_SUPERVISOR_H
#define MM_SUPERVISOR_H

#include <glib.h>

#include "src/options.h"
#include "src/rules.h"

G_BEGIN_DECLS

/* Run until told to stop; the exit status. */
int mm_supervisor_run(const MmOptions *options, const MmRules *rules);

/* --check, --detect and --show-config: load the configuration in a process of its own and print what
 * came of it; the exit status. */
int mm_supervisor_check(const MmOptions *options, const MmRules *rules);

/* For --control: controller.connection_spec of the configuration, NULL when it has none; the
 * caller's.  FALSE when it does not load, which has been reported. */
gboolean mm_supervisor_find_control(const MmOptions *options, const MmRules *rules, char **spec);

G_END_DECLS
#endif
