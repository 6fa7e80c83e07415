/* environment.h - what variables of the environment say
 *
 *   MILTER_LOG_LEVEL, MILTER_LOG_PATH, MILTER_LOG_SYSLOG_FACILITY  defaults of log.*
 *   MILTER_LOG_ITEM      what a line begins with: time, name, pid, domain, level, joined by "|"
 *   MILTER_LOG_COLORIZE  colours in the log: yes, no, or auto for terminals only
 *   MILTER_LOG_SYSLOG_LEVEL  levels that go to syslog, of those that are logged
 *   MILTER_DEBUG         fatal-warnings, fatal-criticals: abort when one was logged
 *
 * MILTER_MANAGER_CONFIG_DIR is options.c's. */
#ifndef MM_ENVIRONMENT_H
#define MM_ENVIRONMENT_H

#include <glib.h>

#include "src/settings.h"

G_BEGIN_DECLS

/* Prepare the log of this process and of those it forks. */
gboolean mm_environment_init(GError **error);

/* Put the variables in the place of defaults; what the configuration sets comes after. */
gboolean mm_environment_apply(MmSettings *settings, GError **error);

G_END_DECLS
#endif
