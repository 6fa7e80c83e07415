/* tcp-table.h - the TCP connections of this machine, as the kernel knows them
 *
 * Read as a whole: by sock_diag where the kernel has it, else from /proc/net/tcp and tcp6.
 * Both are of our network namespace only. */
#ifndef MM_TCP_TABLE_H
#define MM_TCP_TABLE_H

#include <glib.h>

G_BEGIN_DECLS

/* One end of a connection; IPv4 as ::ffff:a.b.c.d, as sockets for both families have it. */
typedef struct {
    guint8 address[16];
    guint16 port;
} MmTcpEnd;

/* IS_OPEN: FALSE when the remote end has closed. */
typedef void (*MmTcpFound)(const MmTcpEnd *remote, gboolean is_open, gpointer data);

/* From the printed ADDRESS; FALSE when it is none of IPv4 or IPv6, or the port is 0. */
gboolean mm_tcp_end_parse(MmTcpEnd *end, const char *address, guint16 port);

/* For hash tables with MmTcpEnd as keys. */
guint mm_tcp_end_hash(gconstpointer end);
gboolean mm_tcp_end_equal(gconstpointer a, gconstpointer b);

/* Call FOUND for each connection that we have not closed. */
gboolean mm_tcp_table_read(MmTcpFound found, gpointer data, GError **error);

/* The same, from these files; for mm_tcp_table_read() and tests. */
gboolean mm_tcp_table_read_files(const char *const *paths, MmTcpFound found, gpointer data,
                                 GError **error);

G_END_DECLS
#endif
