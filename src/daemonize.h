/* daemonize.h - going into the background */
#ifndef MM_DAEMONIZE_H
#define MM_DAEMONIZE_H

#include <glib.h>

G_BEGIN_DECLS

/* Go on in a background process.  The process that called stays until
 * mm_daemonize_ready(), or until we end: its exit status tells whether the start
 * succeeded, and until then errors reach its terminal. */
gboolean mm_daemonize(GError **error);

/* The start succeeded: let the waiting process go, and leave its terminal.  Does nothing in
 * the foreground. */
void mm_daemonize_ready(void);

G_END_DECLS
#endif
