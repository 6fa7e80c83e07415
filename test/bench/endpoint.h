/* endpoint.h - addresses of the benchmark's own programs
 *
 * "inet:PORT@ADDRESS" and "unix:/path", the forms a configuration uses.  Made
 * for the benchmark only: numeric IPv4 addresses, exit with a message when
 * something is wrong, since a benchmark has nobody to report to.
 *
 * The programs of this directory do not use the project's own libraries: what
 * measures and what is measured must not share a mistake. */
#ifndef BENCH_ENDPOINT_H
#define BENCH_ENDPOINT_H

#include <glib.h>

/* Listen at spec; the socket is non-blocking.  A stale unix socket is removed. */
int bench_listen(const char *spec);

/* Connect to spec, waiting for it; returns a non-blocking socket with
 * TCP_NODELAY, or -1 with errno set. */
int bench_connect(const char *spec);

/* TRUE if spec names a unix socket. */
gboolean bench_is_unix(const char *spec);

/* Raise the soft limit of descriptors to the hard one, the hard one to n where
 * the system lets us. */
void bench_raise_descriptor_limit(guint n);

/* Print "PROGRAM: message" on standard error and exit with status 1. */
G_GNUC_PRINTF(1, 2) G_NORETURN void bench_die(const char *format, ...);

#endif
