/* pidfile.h - the file that names the supervisor's process */
#ifndef MM_PIDFILE_H
#define MM_PIDFILE_H

#include <glib.h>

G_BEGIN_DECLS

/* Write our process id, replacing the file as a whole.  Refused while it names another
 * process that lives and is a milter-manager. */
gboolean mm_pidfile_write(const char *path, GError **error);

/* Remove it if it still names us; NULL is none. */
void mm_pidfile_remove(const char *path);

G_END_DECLS
#endif
