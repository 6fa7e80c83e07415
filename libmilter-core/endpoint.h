/* endpoint.h - addresses of milters: "unix:PATH", "inet:PORT@HOST", "inet6:PORT@HOST"
 *
 * Parses connection specs, makes listening and connecting sockets.  Knows no
 * milter protocol. */
#ifndef MILTER_ENDPOINT_H
#define MILTER_ENDPOINT_H

#include <glib.h>
#include <sys/socket.h>

G_BEGIN_DECLS

#define MILTER_ENDPOINT_ERROR (milter_endpoint_error_quark())
GQuark milter_endpoint_error_quark(void);
typedef enum {
    MILTER_ENDPOINT_ERROR_SPEC,   /* not a connection spec */
    MILTER_ENDPOINT_ERROR_LOOKUP, /* host name not found */
    MILTER_ENDPOINT_ERROR_SYSTEM, /* socket, bind, listen, connect … failed */
} MilterEndpointError;

typedef struct {
    char *spec; /* as given, for messages; owned */
    struct sockaddr_storage address;
    socklen_t address_size;
} MilterEndpoint;

/* Parse SPEC: "unix:PATH", "local:PATH", a bare "/PATH", "inet:PORT", "inet:PORT@HOST",
 * "inet:PORT@[ADDRESS]", "inet6:…" alike.  Without host: all addresses (for listening).
 * Host names are looked up here, blocking, once: call it when loading a configuration.
 * Errors name the spec and what is wrong (unknown kind, no port, port out of range, path
 * longer than the system takes, host not found).  Free with milter_endpoint_free. */
MilterEndpoint *milter_endpoint_parse(const char *spec, GError **error);
MilterEndpoint *milter_endpoint_copy(const MilterEndpoint *endpoint);
void milter_endpoint_free(MilterEndpoint **endpoint_p);

/* Whether two endpoints are the same address. */
gboolean milter_endpoint_equal(const MilterEndpoint *a, const MilterEndpoint *b);

/* The path of a unix socket, NULL for the others. */
const char *milter_endpoint_path(const MilterEndpoint *endpoint);

/* A bound, listening, non-blocking, close-on-exec socket, or -1.  A stale unix socket
 * (nobody listens) is removed first where REMOVE_STALE.  SO_REUSEADDR is set, SO_REUSEPORT
 * never.  Errors: "port in use" and the like with the spec. */
int milter_endpoint_listen(const MilterEndpoint *endpoint, gboolean remove_stale, GError **error);

/* Start to connect: a non-blocking, close-on-exec socket, TCP_NODELAY on TCP.
 * *in_progress tells whether the outcome is still open (wait for writability, then read
 * SO_ERROR).  -1 with errno when it failed at once. */
int milter_endpoint_connect(const MilterEndpoint *endpoint, gboolean *in_progress);

G_END_DECLS
#endif
