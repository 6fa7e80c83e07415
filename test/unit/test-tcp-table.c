/* test-tcp-table.c - the kernel's table of TCP connections: real ones, and its text */
#include "config.h"

#include "libmilter-core/tcp-table.h"

#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct {
    MilterTcpEnd wanted, local;
    guint n_open, n_closed, n_all;
} Look;

static void
on_found(const MilterTcpEnd *local, const MilterTcpEnd *remote, gboolean is_open, gpointer data)
{
    Look *look = data;

    look->n_all++;
    if (!milter_tcp_end_equal(remote, &look->wanted))
        return;
    g_assert_cmpuint(milter_tcp_end_hash(remote), ==, milter_tcp_end_hash(&look->wanted));
    look->local = *local;
    if (is_open)
        look->n_open++;
    else
        look->n_closed++;
}

static void
test_parse(void)
{
    MilterTcpEnd a, b;

    g_assert_true(milter_tcp_end_parse(&a, "192.0.2.1", 25));
    g_assert_true(milter_tcp_end_parse(&b, "::ffff:192.0.2.1", 25));
    g_assert_true(milter_tcp_end_equal(&a, &b));
    g_assert_true(milter_tcp_end_parse(&b, "::ffff:192.0.2.1", 26));
    g_assert_false(milter_tcp_end_equal(&a, &b));
    g_assert_true(milter_tcp_end_parse(&b, "2001:db8::1", 25));
    g_assert_false(milter_tcp_end_parse(&b, "192.0.2.1", 0));
    g_assert_false(milter_tcp_end_parse(&b, "unknown", 25));
    g_assert_false(milter_tcp_end_parse(&b, "", 25));
}

/* A connection from and to ADDRESS; its ends, and who listens, or NULL to close that. */
static void
make_connection(const char *address, int *client, int *server, int *listener)
{
    int family = strchr(address, ':') ? AF_INET6 : AF_INET;
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
    if (listener)
        *listener = listening;
    else
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

    g_assert_true(milter_tcp_end_parse(&look.wanted, address, port));
    done = by_files ? milter_tcp_table_read_files(paths, on_found, &look, &error)
                    : milter_tcp_table_read(on_found, &look, &error);
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

    make_connection(address, &client, &server, NULL);
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
look_for_local(const char *address, guint16 port, MilterTcpRecent *recent, guint16 expected)
{
    char text[INET6_ADDRSTRLEN];
    MilterTcpEnd remote, local = { 0 };

    g_assert_true(milter_tcp_end_parse(&remote, address, port));
    g_assert_cmpint(milter_tcp_table_find(&remote, recent, &local), ==, expected != 0);
    g_assert_cmpuint(local.port, ==, expected);
    if (expected) {
        g_assert_cmpstr(milter_tcp_end_address(&local, text), ==, address);
        g_assert_cmpuint(recent->ends[0].port, ==, expected);
    }
}

/* One connection after the other, more than are remembered, and each again. */
static void
test_find(gconstpointer data)
{
    const char *address = data;
    MilterTcpRecent recent = { .n = 0 };
    int clients[10], servers[10], listeners[10];

    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        make_connection(address, &clients[i], &servers[i], &listeners[i]);
        if (clients[i] < 0) {
            g_test_skip("this machine has no such address");
            close(listeners[i]);
            return;
        }
        look_for_local(address, port_of(clients[i]), &recent, port_of(servers[i]));
        look_for_local(address, port_of(clients[i]), &recent, port_of(servers[i]));
        g_assert_cmpuint(recent.n, ==, MIN(i + 1, G_N_ELEMENTS(recent.ends)));
    }
    for (guint i = 0; i < G_N_ELEMENTS(clients); i++) {
        guint16 port = port_of(clients[i]);

        look_for_local(address, port, &recent, port_of(servers[i]));
        close(clients[i]);
        look_for_local(address, port, &recent, port_of(servers[i]));
        close(servers[i]);
        close(listeners[i]);
        look_for_local(address, port, &recent, 0);
        g_assert_cmpuint(recent.n, ==, G_N_ELEMENTS(recent.ends));
    }
}

/* The address of an interface that is not for this machine alone; who listens, does so anywhere. */
static void
test_find_anywhere(void)
{
    struct ifaddrs *addresses = NULL;
    struct sockaddr_in any = { .sin_family = AF_INET }, to = { 0 };
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    MilterTcpRecent recent = { .n = 0 };
    char text[INET6_ADDRSTRLEN];

    g_assert_cmpint(getifaddrs(&addresses), ==, 0);
    for (struct ifaddrs *each = addresses; each; each = each->ifa_next)
        if (each->ifa_addr && each->ifa_addr->sa_family == AF_INET &&
            !(each->ifa_flags & IFF_LOOPBACK) && (each->ifa_flags & IFF_UP))
            memcpy(&to, each->ifa_addr, sizeof(to));
    freeifaddrs(addresses);
    g_assert_cmpint(bind(listening, (struct sockaddr *)&any, sizeof(any)), ==, 0);
    g_assert_cmpint(listen(listening, 1), ==, 0);
    to.sin_port = htons(port_of(listening));
    if (to.sin_family && connect(client, (struct sockaddr *)&to, sizeof(to)) == 0) {
        server = accept(listening, NULL, NULL);
        inet_ntop(AF_INET, &to.sin_addr, text, sizeof(text));
        look_for_local(text, port_of(client), &recent, port_of(listening));
        close(server);
    } else {
        g_test_skip("this machine has no address but its own");
    }
    close(client);
    close(listening);
}

/* A socket for both families has an IPv4 connection; who listens is no connection. */
static void
test_both_families(void)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listening = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), server;
    MilterTcpRecent recent = { .n = 0 };

    setsockopt(listening, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(listening, (struct sockaddr *)&any, sizeof(any)) < 0) {
        g_test_skip("this machine has no IPv6");
        close(listening);
        close(client);
        return;
    }
    g_assert_cmpint(listen(listening, 1), ==, 0);
    to.sin_port = htons(port_of(listening));
    g_assert_cmpint(connect(client, (struct sockaddr *)&to, sizeof(to)), ==, 0);
    server = accept(listening, NULL, NULL);
    look_for_local("127.0.0.1", port_of(client), &recent, port_of(listening));
    look_for_local("127.0.0.1", port_of(client), &recent, port_of(listening));
    /* The kernel would tell of LISTENING where it is asked for a connection that is not there. */
    look_for_local("127.0.0.1", port_of(listening), &recent, port_of(client));
    close(client);
    close(server);
    look_for_local("127.0.0.1", ntohs(to.sin_port) == 9 ? 10 : 9, &recent, 0);
    close(listening);
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
    g_assert_true(milter_tcp_end_parse(
        &look.wanted, G_BYTE_ORDER == G_LITTLE_ENDIAN ? "127.0.0.2" : "2.0.0.127", 8080));
    g_assert_true(milter_tcp_table_read_files(paths, on_found, &look, &error));
    g_assert_cmpuint(look.n_all, ==, 1);
    g_assert_cmpuint(look.n_open, ==, 1);
    g_assert_cmpuint(look.local.port, ==, 25);
    g_assert_false(milter_tcp_table_read_files(none, on_found, &look, &error));
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
    g_test_add_data_func("/tcp-table/find/ipv4", "127.0.0.1", test_find);
    g_test_add_data_func("/tcp-table/find/ipv6", "::1", test_find);
    g_test_add_func("/tcp-table/find/anywhere", test_find_anywhere);
    g_test_add_func("/tcp-table/find/both-families", test_both_families);
    g_test_add_func("/tcp-table/text", test_text);
    return g_test_run();
}
