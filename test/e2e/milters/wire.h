/* wire.h - a hand on libmilter's socket
 *
 * libmilter hides the socket of a session.  This module stands between it and the C library: it
 * defines read(), writev() and close(), which libmilter calls, and so knows the socket of the
 * session that the current thread serves.  With that a milter can do what libmilter would not:
 * close its connection in the middle, send bytes of its own, or speak an older protocol version.
 *
 * Everything here concerns the session of the calling thread, and is to be called from a
 * callback. */
#ifndef E2E_WIRE_H
#define E2E_WIRE_H

#include <glib.h>

/* Close the connection to the MTA: it sees the end of the stream at once. */
void wire_close(void);

/* Send bytes as they are. */
void wire_send(const char *bytes, gsize size);

/* Drop the reply that libmilter is going to write for the current callback. */
void wire_drop_reply(void);

/* Say this version, not libmilter's, in the answer to the negotiation that is being handled. */
void wire_set_version(guint32 version);

#endif
