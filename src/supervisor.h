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

G_END_DECLS
#endif
