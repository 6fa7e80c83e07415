/* tcp-table.h - the TCP connections of this machine, as the kernel knows them
 *
 * By sock_diag where the kernel has it, else from /proc/net/tcp and tcp6: read as a whole, or
 * asked for one connection.  Both are of our network namespace only. */
#ifndef MILTER_TCP_TABLE_H
#define MILTER_TCP_TABLE_H

#include <glib.h>

G_BEGIN_DECLS

/* One end of a connection; IPv4 as ::ffff:a.b.c.d, as sockets for both families have it. */
typedef struct {
    guint8 address[16];
    guint16 port;
} MilterTcpEnd;

/* A connection; IS_OPEN: FALSE when the remote end has closed. */
typedef void (*MilterTcpFound)(const MilterTcpEnd *local, const MilterTcpEnd *remote,
                               gboolean is_open, gpointer data);

/* Local ends that were found last, the latest first.  Nobody who listens has many: most
 * connections are at one of them, and the kernel knows at once whether one with both ends
 * exists.  Zero-initialised is empty. */
typedef struct {
    MilterTcpEnd ends[8];
    guint n;
} MilterTcpRecent;

/* From the printed ADDRESS; FALSE when it is none of IPv4 or IPv6, or the port is 0. */
gboolean milter_tcp_end_parse(MilterTcpEnd *end, const char *address, guint16 port);

/* For hash tables with MilterTcpEnd as keys. */
guint milter_tcp_end_hash(gconstpointer end);
gboolean milter_tcp_end_equal(gconstpointer a, gconstpointer b);

/* Call FOUND for each connection that we have not closed. */
gboolean milter_tcp_table_read(MilterTcpFound found, gpointer data, GError **error);

/* Find the LOCAL end of the connection from REMOTE, first at those of RECENT, which is kept.
 * FALSE: there is none. */
gboolean milter_tcp_table_find(const MilterTcpEnd *remote, MilterTcpRecent *recent,
                               MilterTcpEnd *local);

/* The printed address of END in TEXT, of at least INET6_ADDRSTRLEN bytes. */
const char *milter_tcp_end_address(const MilterTcpEnd *end, char *text);

/* The same as milter_tcp_table_read(), from these files; for that and tests. */
gboolean milter_tcp_table_read_files(const char *const *paths, MilterTcpFound found, gpointer data,
                                     GError **error);

G_END_DECLS
#endif
