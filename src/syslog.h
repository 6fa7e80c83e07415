/* syslog.h - lines to the system's log, without ever waiting for it
 *
 * The C library's syslog() blocks while the log daemon is slow; a relay must not. */
#ifndef MM_SYSLOG_H
#define MM_SYSLOG_H

#include <glib.h>

#include "libmilter-core/log.h"

G_BEGIN_DECLS

/* Lines go to syslog from now on, where there is one; FACILITY as for syslog(3). */
void mm_syslog_open(int facility);
void mm_syslog_close(void);

/* Send one line; dropped where nobody takes it at once.  From any thread. */
void mm_syslog_write(MilterLogLevel level, const char *tag, const char *line);

G_END_DECLS
#endif
