/* listener.h - listening on an endpoint and handing on what connects
 *
 * Binds, listens, accepts.  Knows nothing of milters.  When descriptors run out it
 * stops accepting for a moment instead of turning in circles. */
#ifndef MILTER_LISTENER_H
#define MILTER_LISTENER_H

#include "libmilter-core/endpoint.h"
#include "libmilter-core/loop.h"

G_BEGIN_DECLS

typedef struct _MilterListener MilterListener;

/* Called on the loop for each connection; FD (non-blocking, close-on-exec) is the
 * function's now.  It may free the listener. */
typedef void (*MilterListenerFunc)(MilterListener *listener, int fd, gpointer data);

/* Listen on SPEC ("unix:PATH", "inet:PORT@HOST", "inet6:PORT@HOST").  A socket file that
 * nobody listens on any more is replaced.  NULL with MILTER_ENDPOINT_ERROR: not a spec, in
 * use, no permission. */
MilterListener *milter_listener_new(MilterLoop *loop, const char *spec, MilterListenerFunc func,
                                    gpointer data, GError **error);
/* Stops listening; removes a unix socket's file if it is still ours.  NULL is fine; clears
 * the pointer. */
void milter_listener_free(MilterListener **listener_p);

/* The spec it was made with; valid as long as the listener. */
const char *milter_listener_spec(const MilterListener *listener);

G_END_DECLS
#endif
