/* listener.h - the socket that MTAs connect to, held by the supervisor
 *
 * A listener outlives the generations that accept from it.  Its socket file is removed at
 * the end only if the path still has the file that we made. */
#ifndef MM_LISTENER_H
#define MM_LISTENER_H

#include <glib.h>

#include "src/settings-table.h"

G_BEGIN_DECLS

typedef struct _MmListener MmListener;

/* Bind and listen as manager.connection_spec says, or for MM_SCOPE_CONTROLLER controller's; errors
 * name where it was set. */
MmListener *mm_listener_new(const MmSettings *settings, MmScope scope, GError **error);

/* Whether the group that the socket of SCOPE shall have exists; errors as above. */
gboolean mm_listener_check(const MmSettings *settings, MmScope scope, GError **error);

/* Whether LISTENER is where SETTINGS want to listen, and still can be reached there. */
gboolean mm_listener_fits(const MmListener *listener, const MmSettings *settings);

/* Set mode and group of the socket file, and what becomes of it at the end, as SETTINGS say. */
gboolean mm_listener_adjust(MmListener *listener, const MmSettings *settings, GError **error);

int mm_listener_fd(const MmListener *listener);
const char *mm_listener_spec(const MmListener *listener);

/* Close our copy of the socket, without removing its file. */
void mm_listener_close(MmListener *listener);

/* Close, and remove the socket file where it is ours and shall be removed. */
void mm_listener_free(MmListener **listener_p);

G_END_DECLS
#endif
