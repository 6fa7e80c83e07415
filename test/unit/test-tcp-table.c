/* test-tcp-table.c - the kernel's table of TCP connections: real ones, and its text */
#include "config.h"

#include "src/tcp-table.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    MmTcpEnd wanted;
    guint n_open, n_closed, n_all;
} Look;

static void
on_found(const MmTcpEnd *remote, gboolean is_open, gpointer data)
{
    Look *look = data;

    look->n_all++;
    if (!mm_tcp_end_equal(remote, &look->wanted))
        return;
    g_assert_cmpuint(mm_tcp_end_hash(remote), ==, mm_tcp_end_hash(&look->wanted));
    if (is_open)
        look->n_open++;
    else
        look->n_closed++;
}

static void
test_parse(void)
{
    MmTcpEnd a, b;

    g_assert_true(mm_tcp_end_parse(&a, "192.0.2.1", 25));
    g_assert_true(mm_tcp_end_parse(&b, "::ffff:192.0.2.1", 25));
    g_assert_true(mm_tcp_end_equal(&a, &b));
    g_assert_true(mm_tcp_end_parse(&b, "::ffff:192.0.2.1", 26));
    g_assert_false(mm_tcp_end_equal(&a, &b));
    g_assert_true(mm_tcp_end_parse(&b, "2001:db8::1", 25));
    g_assert_false(mm_tcp_end_parse(&b, "192.0.2.1", 0));
    g_assert_false(mm_tcp_end_parse(&b, "unknown", 25));
    g_assert_false(mm_tcp_end_parse(&b, "", 25));
}

/* A connection from and to ADDRESS; its ends. */
static void
make_connection(int family, const char *address, int *client, int *server)
{
    struct sockaddr_storage storage = { .ss_family = (sa_family_t)family };
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int listening = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (family == AF_INET)
        inet_pton(family, address, &((struct sockaddr_in *)&storage)->sin_addr);
    else
        inet_pton(family, address, &((struct sockaddr_in6 *)&storage)->sin6_addr);
    *client = *server = -1;
    if (bind(listening, (struct sockaddr *)&storage, size) == 0) {
        g_assert_cmpint(listen(listening, 1), ==, 0);
        g_assert_cmpint(getsockname(listening, (struct sockaddr *)&storage, &size), ==, 0);
        *client = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        g_assert_cmpint(connect(*client, (struct sockaddr *)&storage, size), ==, 0);
        *server = accept(listening, NULL, NULL);
    }
    close(listening);
}

static guint16
port_of(int fd)
{
    struct sockaddr_storage storage;
    socklen_t size = sizeof(storage);

    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&storage, &size), ==, 0);
    return ntohs(storage.ss_family == AF_INET ? ((struct sockaddr_in *)&storage)->sin_port
                                              : ((struct sockaddr_in6 *)&storage)->sin6_port);
}

static void
look_for(const char *address, guint16 port, gboolean by_files, guint n_open, guint n_closed)
{
    static const char *const paths[] = { "/proc/net/tcp", "/proc/net/tcp6", NULL };
    g_autoptr(GError) error = NULL;
    Look look = { 0 };
    gboolean done;

    g_assert_true(mm_tcp_end_parse(&look.wanted, address, port));
    done = by_files ? mm_tcp_table_read_files(paths, on_found, &look, &error)
                    : mm_tcp_table_read(on_found, &look, &error);
    g_assert_no_error(error);
    g_assert_true(done);
    g_assert_cmpuint(look.n_open, ==, n_open);
    g_assert_cmpuint(look.n_closed, ==, n_closed);
}

/* Both ways tell the same of a connection while it lives and when its client has closed. */
static void
test_real(gconstpointer data)
{
    const char *address = data;
    int client, server;
    guint16 port;

    make_connection(strchr(address, ':') ? AF_INET6 : AF_INET, address, &client, &server);
    if (client < 0) {
        g_test_skip("this machine has no such address");
        return;
    }
    port = port_of(client);
    look_for(address, port, FALSE, 1, 0);
    look_for(address, port, TRUE, 1, 0);
    close(client);
    look_for(address, port, FALSE, 0, 1);
    look_for(address, port, TRUE, 0, 1);
    close(server);
    look_for(address, port, FALSE, 0, 0);
    look_for(address, port, TRUE, 0, 0);
}

static void
test_text(void)
{
    static const char text[] =
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 0100007F:0019 0200007F:1F90 01 00000000:00000000 00:00000000 00000000     0\n"
        "   1: 0100007F:0019 0200007F:1F90 0A 00000000:00000000 00:00000000 00000000     0\n"
        "   2: 0100007F:0019 0200007F:1F90 FF 00000000:00000000 00:00000000 00000000     0\n"
        "   3: 0100007F:0019 020007F:1F90 01 short\n"
        "   4: x\n"
        "\n";
    g_autofree char *directory = g_dir_make_tmp("test-tcp-table-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "tcp", NULL);
    const char *const paths[] = { "/none", path, NULL }, *const none[] = { "/none", NULL };
    g_autoptr(GError) error = NULL;
    Look look = { 0 };

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    /* The words are in the machine's order: what this says is 127.0.0.2 on most only. */
    g_assert_true(mm_tcp_end_parse(
        &look.wanted, G_BYTE_ORDER == G_LITTLE_ENDIAN ? "127.0.0.2" : "2.0.0.127", 8080));
    g_assert_true(mm_tcp_table_read_files(paths, on_found, &look, &error));
    g_assert_cmpuint(look.n_all, ==, 1);
    g_assert_cmpuint(look.n_open, ==, 1);
    g_assert_false(mm_tcp_table_read_files(none, on_found, &look, &error));
    g_assert_nonnull(error);
    g_unlink(path);
    g_rmdir(directory);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tcp-table/parse", test_parse);
    g_test_add_data_func("/tcp-table/ipv4", "127.0.0.1", test_real);
    g_test_add_data_func("/tcp-table/ipv6", "::1", test_real);
    g_test_add_func("/tcp-table/text", test_text);
    return g_test_run();
}
