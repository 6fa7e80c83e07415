/* test-endpoint.c - connection specs, listening, connecting, left-over unix sockets */
#include "config.h"

#include "libmilter-core/endpoint.h"
#include "libmilter-core/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What a parsed address says, as text. */
static char *
describe(const MilterEndpoint *endpoint)
{
    const struct sockaddr_in *inet = (const struct sockaddr_in *)&endpoint->address;
    const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)&endpoint->address;
    char text[INET6_ADDRSTRLEN];

    switch (endpoint->address.ss_family) {
    case AF_UNIX:
        return g_strdup_printf("unix %s", milter_endpoint_path(endpoint));
    case AF_INET:
        inet_ntop(AF_INET, &inet->sin_addr, text, sizeof(text));
        return g_strdup_printf("inet %s %u", text, g_ntohs(inet->sin_port));
    case AF_INET6:
        inet_ntop(AF_INET6, &inet6->sin6_addr, text, sizeof(text));
        return g_strdup_printf("inet6 %s %u", text, g_ntohs(inet6->sin6_port));
    default:
        return g_strdup("?");
    }
}

static void
test_good(void)
{
    static const struct {
        const char *spec;
        const char *meaning;
    } rows[] = {
        { "unix:/run/x.sock", "unix /run/x.sock" },
        { "local:/run/x.sock", "unix /run/x.sock" },
        { "/run/x.sock", "unix /run/x.sock" },
        { "unix:relative", "unix relative" },
        { "unix:/with:colon@at", "unix /with:colon@at" },
        { "inet:10025", "inet 0.0.0.0 10025" },
        { "inet:1", "inet 0.0.0.0 1" },
        { "inet:65535", "inet 0.0.0.0 65535" },
        { "inet:0025", "inet 0.0.0.0 25" },
        { "inet:10025@127.0.0.1", "inet 127.0.0.1 10025" },
        { "inet:10025@[127.0.0.1]", "inet 127.0.0.1 10025" },
        { "inet6:10025", "inet6 :: 10025" },
        { "inet6:10025@[::1]", "inet6 ::1 10025" },
        { "inet6:10025@::1", "inet6 ::1 10025" },
        { "inet:10025@localhost", "inet 127.0.0.1 10025" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;
        MilterEndpoint *endpoint = milter_endpoint_parse(rows[i].spec, &error);
        g_autofree char *meaning = NULL;

        g_assert_no_error(error);
        meaning = describe(endpoint);
        g_assert_cmpstr(meaning, ==, rows[i].meaning);
        g_assert_cmpstr(endpoint->spec, ==, rows[i].spec);
        g_assert_cmpint(milter_endpoint_path(endpoint) != NULL, ==,
                        g_str_has_prefix(rows[i].meaning, "unix"));
        milter_endpoint_free(&endpoint);
        g_assert_null(endpoint);
    }
}

static void
test_bad(void)
{
    static const struct {
        const char *spec;
        MilterEndpointError code;
        const char *message; /* how it begins */
    } rows[] = {
        { "", MILTER_ENDPOINT_ERROR_SPEC, "\"\": not a connection spec (write unix:PATH" },
        { "smtp:25", MILTER_ENDPOINT_ERROR_SPEC, "smtp:25: not a connection spec" },
        { "10025", MILTER_ENDPOINT_ERROR_SPEC, "10025: not a connection spec" },
        { "INET:25", MILTER_ENDPOINT_ERROR_SPEC, "INET:25: not a connection spec" },
        { "inet", MILTER_ENDPOINT_ERROR_SPEC, "inet: not a connection spec" },
        { "unix:", MILTER_ENDPOINT_ERROR_SPEC, "unix:: no path" },
        { "local:", MILTER_ENDPOINT_ERROR_SPEC, "local:: no path" },
        { "inet:", MILTER_ENDPOINT_ERROR_SPEC, "inet:: no port" },
        { "inet:@localhost", MILTER_ENDPOINT_ERROR_SPEC, "inet:@localhost: no port" },
        { "inet6:", MILTER_ENDPOINT_ERROR_SPEC, "inet6:: no port" },
        { "inet:0", MILTER_ENDPOINT_ERROR_SPEC, "inet:0: port 0 is out of range (1 to 65535)" },
        { "inet:65536", MILTER_ENDPOINT_ERROR_SPEC, "inet:65536: port 65536 is out of range" },
        { "inet:99999999999999999999", MILTER_ENDPOINT_ERROR_SPEC, "inet:99999999999999999999: " },
        { "inet:-1", MILTER_ENDPOINT_ERROR_SPEC, "inet:-1: \"-1\" is not a port number" },
        { "inet: 25", MILTER_ENDPOINT_ERROR_SPEC, "inet: 25: \" 25\" is not a port number" },
        { "inet:25x", MILTER_ENDPOINT_ERROR_SPEC, "inet:25x: \"25x\" is not a port number" },
        { "inet:localhost:25", MILTER_ENDPOINT_ERROR_SPEC,
          "inet:localhost:25: \"localhost:25\" is not a port number (write inet:PORT@HOST)" },
        { "inet:25@", MILTER_ENDPOINT_ERROR_SPEC, "inet:25@: \"\" is not a host" },
        { "inet:25@[]", MILTER_ENDPOINT_ERROR_SPEC, "inet:25@[]: \"[]\" is not a host" },
        { "inet:25@[127.0.0.1", MILTER_ENDPOINT_ERROR_SPEC, "inet:25@[127.0.0.1: " },
        { "inet:25@[", MILTER_ENDPOINT_ERROR_SPEC, "inet:25@[: " },
        { "inet:25@[localhost]", MILTER_ENDPOINT_ERROR_LOOKUP,
          "inet:25@[localhost]: cannot find an IPv4 address of \"localhost\"" },
        { "inet:25@[::1]", MILTER_ENDPOINT_ERROR_SPEC,
          "inet:25@[::1]: \"::1\" is an IPv6 address (write inet6:25@[::1])" },
        { "inet:25@fe80::1", MILTER_ENDPOINT_ERROR_SPEC,
          "inet:25@fe80::1: \"fe80::1\" is an IPv6 address (write inet6:25@[fe80::1])" },
        { "inet6:25@[127.0.0.1]", MILTER_ENDPOINT_ERROR_SPEC,
          "inet6:25@[127.0.0.1]: \"127.0.0.1\" is an IPv4 address (write inet:25@127.0.0.1)" },
        { "inet:25@[256.0.0.1]", MILTER_ENDPOINT_ERROR_LOOKUP, "inet:25@[256.0.0.1]: cannot " },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GError) error = NULL;

        g_assert_null(milter_endpoint_parse(rows[i].spec, &error));
        g_assert_error(error, MILTER_ENDPOINT_ERROR, (int)rows[i].code);
        if (!g_str_has_prefix(error->message, rows[i].message))
            g_assert_cmpstr(error->message, ==, rows[i].message);
        g_assert_null(milter_endpoint_parse(rows[i].spec, NULL));
    }
}

/* A path of exactly the system's limit is good, one byte more names the limit. */
static void
test_path_limit(void)
{
    gsize limit = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    g_autofree char *path = g_strnfill(limit + 1, 'a');
    g_autofree char *expected =
        g_strdup_printf("/%s: the path has %d bytes, the system takes at most %d", path + 1,
                        (int)limit + 1, (int)limit);
    g_autoptr(GError) error = NULL;
    MilterEndpoint *endpoint;

    path[0] = '/';
    g_assert_null(milter_endpoint_parse(path, &error));
    g_assert_error(error, MILTER_ENDPOINT_ERROR, MILTER_ENDPOINT_ERROR_SPEC);
    g_assert_cmpstr(error->message, ==, expected);
    path[limit] = '\0';
    endpoint = milter_endpoint_parse(path, NULL);
    g_assert_cmpstr(milter_endpoint_path(endpoint), ==, path);
    milter_endpoint_free(&endpoint);
}

static void
test_equal(void)
{
    static const char *const specs[] = {
        "unix:/a", "unix:/b",           "unix:/aa", "inet:25",
        "inet:26", "inet:25@127.0.0.1", "inet6:25", "inet6:25@[::1]",
    };

    for (guint i = 0; i < G_N_ELEMENTS(specs); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(specs); j++) {
            MilterEndpoint *a = milter_endpoint_parse(specs[i], NULL);
            MilterEndpoint *b = milter_endpoint_parse(specs[j], NULL);
            MilterEndpoint *copy = milter_endpoint_copy(a);

            g_assert_cmpint(milter_endpoint_equal(a, b), ==, i == j);
            milter_endpoint_free(&a);
            g_assert_cmpint(milter_endpoint_equal(copy, b), ==, i == j);
            g_assert_cmpstr(copy->spec, ==, specs[i]);
            milter_endpoint_free(&b);
            milter_endpoint_free(&copy);
        }
    }
    MilterEndpoint *a = milter_endpoint_parse("local:/a", NULL);
    MilterEndpoint *b = milter_endpoint_parse("/a", NULL);
    g_assert_true(milter_endpoint_equal(a, b)); /* another spelling, the same address */
    milter_endpoint_free(&a);
    milter_endpoint_free(&b);
    milter_endpoint_free(&a);
}

/* A spec with a port that was free a moment ago. */
static MilterEndpoint *
free_port(const char *kind, const char *host)
{
    gboolean is_inet = strcmp(kind, "inet") == 0;
    g_autofree char *any = g_strdup_printf("%s:1@%s", kind, host);
    g_autofree char *spec = NULL;
    MilterEndpoint *endpoint = milter_endpoint_parse(any, NULL);
    int fd = socket(endpoint->address.ss_family, SOCK_STREAM, 0);

    /* sin_port and sin6_port are at the same place. */
    ((struct sockaddr_in *)&endpoint->address)->sin_port = 0;
    g_assert_true(is_inet || endpoint->address.ss_family == AF_INET6);
    if (fd < 0 || bind(fd, (struct sockaddr *)&endpoint->address, endpoint->address_size) < 0) {
        if (fd >= 0)
            close(fd);
        milter_endpoint_free(&endpoint);
        return NULL;
    }
    g_assert_cmpint(getsockname(fd, (struct sockaddr *)&endpoint->address, &endpoint->address_size),
                    ==, 0);
    close(fd);
    spec = g_strdup_printf("%s:%u@%s", kind,
                           g_ntohs(((struct sockaddr_in *)&endpoint->address)->sin_port), host);
    milter_endpoint_free(&endpoint);
    return milter_endpoint_parse(spec, NULL);
}

static void
assert_flags(int fd)
{
    g_assert_cmpint(fcntl(fd, F_GETFL) & O_NONBLOCK, !=, 0);
    g_assert_cmpint(fcntl(fd, F_GETFD) & FD_CLOEXEC, !=, 0);
}

static int
int_option(int fd, int level, int name)
{
    int value = -1;
    socklen_t size = sizeof(value);

    g_assert_cmpint(getsockopt(fd, level, name, &value, &size), ==, 0);
    return value;
}

/* Listen, connect, accept; a second listener is told who is in its way. */
static void
round_trip(const MilterEndpoint *endpoint)
{
    gboolean is_tcp = endpoint->address.ss_family != AF_UNIX;
    g_autofree char *in_use =
        g_strdup_printf("%s: cannot listen: Address already in use (is another process %s",
                        endpoint->spec, is_tcp ? "using the port?)" : "listening there");
    g_autoptr(GError) error = NULL;
    gboolean in_progress = 2;
    int listener = milter_endpoint_listen(endpoint, TRUE, &error);
    int ours;
    int theirs;
    char byte = 0;

    g_assert_no_error(error);
    assert_flags(listener);
    if (is_tcp) {
        g_assert_cmpint(int_option(listener, SOL_SOCKET, SO_REUSEADDR), ==, 1);
        g_assert_cmpint(int_option(listener, SOL_SOCKET, SO_REUSEPORT), ==, 0);
    }
    g_assert_cmpint(milter_endpoint_listen(endpoint, TRUE, &error), ==, -1);
    g_assert_error(error, MILTER_ENDPOINT_ERROR, MILTER_ENDPOINT_ERROR_SYSTEM);
    g_assert_true(g_str_has_prefix(error->message, in_use));

    ours = milter_endpoint_connect(endpoint, &in_progress);
    g_assert_cmpint(ours, >=, 0);
    g_assert_true(in_progress == FALSE || in_progress == TRUE);
    assert_flags(ours);
    if (is_tcp)
        g_assert_cmpint(int_option(ours, IPPROTO_TCP, TCP_NODELAY), ==, 1);
    /* The probe of the second listener above left a connection of its own on a unix socket. */
    do {
        GPollFD ready = { .fd = listener, .events = G_IO_IN };

        g_assert_cmpint(g_poll(&ready, 1, 10000), ==, 1);
        theirs = accept4(listener, NULL, NULL, 0);
        g_assert_cmpint(theirs, >=, 0);
        (void)!write(ours, "x", 1);
        if (read(theirs, &byte, 1) != 1)
            close(theirs);
    } while (byte != 'x');
    close(theirs);
    close(ours);
    close(listener);
}

static void
test_inet(void)
{
    MilterEndpoint *endpoint = free_port("inet", "[127.0.0.1]");

    round_trip(endpoint);
    milter_endpoint_free(&endpoint);
}

static void
test_inet6(void)
{
    MilterEndpoint *endpoint = free_port("inet6", "[::1]");

    if (endpoint == NULL) {
        g_test_skip("no IPv6 loopback here");
        return;
    }
    round_trip(endpoint);
    milter_endpoint_free(&endpoint);
}

typedef struct {
    char *directory;
    char *path;
    MilterEndpoint *endpoint;
} Place;

static void
place_init(Place *place, gconstpointer data)
{
    place->directory = g_dir_make_tmp("test-endpoint-XXXXXX", NULL);
    place->path = g_build_filename(place->directory, "sock", NULL);
    place->endpoint = milter_endpoint_parse(place->path, NULL);
    g_assert_nonnull(place->endpoint);
}

static void
place_clear(Place *place, gconstpointer data)
{
    (void)unlink(place->path);
    g_assert_cmpint(rmdir(place->directory), ==, 0);
    milter_endpoint_free(&place->endpoint);
    g_free(place->path);
    g_free(place->directory);
}

static void
test_unix(Place *place, gconstpointer data)
{
    round_trip(place->endpoint);
}

/* Nobody listens any more: removed when asked to, an error when not. */
static void
test_stale(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    int fd = milter_endpoint_listen(place->endpoint, FALSE, NULL);

    g_assert_cmpint(fd, >=, 0);
    close(fd);
    g_assert_cmpint(milter_endpoint_listen(place->endpoint, FALSE, &error), ==, -1);
    g_assert_error(error, MILTER_ENDPOINT_ERROR, MILTER_ENDPOINT_ERROR_SYSTEM);
    g_assert_nonnull(strstr(error->message, "is the socket left over?"));
    fd = milter_endpoint_listen(place->endpoint, TRUE, NULL);
    g_assert_cmpint(fd, >=, 0);
    close(fd);
}

/* A listener whose queue is full is not stale. */
static void
test_busy_is_not_stale(Place *place, gconstpointer data)
{
    gboolean in_progress;
    struct stat before;
    struct stat after;
    int peer;
    int fd = milter_endpoint_listen(place->endpoint, FALSE, NULL);

    g_assert_cmpint(listen(fd, 0), ==, 0);
    peer = milter_endpoint_connect(place->endpoint, &in_progress);
    g_assert_cmpint(peer, >=, 0);
    g_assert_cmpint(stat(place->path, &before), ==, 0);
    g_assert_cmpint(milter_endpoint_listen(place->endpoint, TRUE, NULL), ==, -1);
    g_assert_cmpint(stat(place->path, &after), ==, 0);
    g_assert_cmpuint(before.st_ino, ==, after.st_ino);
    close(peer);
    close(fd);
}

/* Whatever is there but no socket stays there. */
static void
test_not_a_socket(Place *place, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *content = NULL;

    g_assert_true(g_file_set_contents(place->path, "precious", -1, NULL));
    g_assert_cmpint(milter_endpoint_listen(place->endpoint, TRUE, &error), ==, -1);
    g_assert_nonnull(strstr(error->message, "something that is not a socket is there"));
    g_assert_true(g_file_get_contents(place->path, &content, NULL, NULL));
    g_assert_cmpstr(content, ==, "precious");
    g_clear_error(&error);

    /* Nor is a link followed, even one to a stale socket. */
    g_assert_cmpint(unlink(place->path), ==, 0);
    g_assert_cmpint(symlink("elsewhere", place->path), ==, 0);
    g_assert_cmpint(milter_endpoint_listen(place->endpoint, TRUE, &error), ==, -1);
    g_assert_true(g_file_test(place->path, G_FILE_TEST_IS_SYMLINK));
}

static void
test_no_directory(Place *place, gconstpointer data)
{
    g_autofree char *path = g_build_filename(place->directory, "missing", "sock", NULL);
    g_autofree char *expected = g_strdup_printf(
        "%s: cannot listen: No such file or directory (does the directory exist?)", path);
    MilterEndpoint *endpoint = milter_endpoint_parse(path, NULL);
    g_autoptr(GError) error = NULL;

    g_assert_cmpint(milter_endpoint_listen(endpoint, TRUE, &error), ==, -1);
    g_assert_cmpstr(error->message, ==, expected);
    milter_endpoint_free(&endpoint);
}

static void
test_foreign_address(void)
{
    MilterEndpoint *endpoint = milter_endpoint_parse("inet:10025@[192.0.2.1]", NULL);
    g_autoptr(GError) error = NULL;
    int fd = milter_endpoint_listen(endpoint, TRUE, &error);

    if (fd >= 0) {
        close(fd);
        g_test_skip("this machine binds addresses that it does not have");
    } else {
        g_assert_nonnull(strstr(error->message, "(is it an address of this machine?)"));
    }
    milter_endpoint_free(&endpoint);
}

static void
test_refused(Place *place, gconstpointer data)
{
    gboolean in_progress;

    errno = 0;
    g_assert_cmpint(milter_endpoint_connect(place->endpoint, &in_progress), ==, -1);
    g_assert_cmpint(errno, ==, ENOENT);
}

static int connect_errno;

static int
failing_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    errno = connect_errno;
    return -1;
}

static guint
count_fds(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    if (dir == NULL)
        return 0;
    while (g_dir_read_name(dir))
        n++;
    g_dir_close(dir);
    return n;
}

/* Through the pointer that fault tests replace; nothing leaks and errno survives. */
static void
test_connect_errors(void)
{
    static const int errors[] = { ECONNREFUSED, EAGAIN, ENETUNREACH, EACCES };
    MilterEndpoint *endpoint = milter_endpoint_parse("inet:25@127.0.0.1", NULL);
    gboolean in_progress = FALSE;
    guint n_fds = count_fds();
    int fd;

    milter_sys.connect = failing_connect;
    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        connect_errno = errors[i];
        g_assert_cmpint(milter_endpoint_connect(endpoint, &in_progress), ==, -1);
        g_assert_cmpint(errno, ==, errors[i]);
    }
    g_assert_cmpuint(count_fds(), ==, n_fds);
    for (guint i = 0; i < 2; i++) {
        connect_errno = i ? EINTR : EINPROGRESS;
        in_progress = FALSE;
        fd = milter_endpoint_connect(endpoint, &in_progress);
        g_assert_cmpint(fd, >=, 0);
        g_assert_true(in_progress);
        close(fd);
    }
    milter_sys_reset();
    g_assert_true(milter_sys.connect != failing_connect);
    milter_endpoint_free(&endpoint);
}

/* Without descriptors left every call says so and leaves nothing behind. */
static void
test_no_descriptors(void)
{
    MilterEndpoint *endpoint = milter_endpoint_parse("inet:25@127.0.0.1", NULL);
    g_autoptr(GError) error = NULL;
    gboolean in_progress;
    struct rlimit before;
    struct rlimit none;

    g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &before), ==, 0);
    none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &none), ==, 0);
    g_assert_cmpint(milter_endpoint_listen(endpoint, TRUE, &error), ==, -1);
    g_assert_cmpint(milter_endpoint_connect(endpoint, &in_progress), ==, -1);
    g_assert_cmpint(errno, ==, EMFILE);
    g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &before), ==, 0);
    g_assert_error(error, MILTER_ENDPOINT_ERROR, MILTER_ENDPOINT_ERROR_SYSTEM);
    g_assert_cmpstr(error->message, ==,
                    "inet:25@127.0.0.1: cannot make a socket: Too many open files");
    milter_endpoint_free(&endpoint);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/endpoint/good", test_good);
    g_test_add_func("/endpoint/bad", test_bad);
    g_test_add_func("/endpoint/path-limit", test_path_limit);
    g_test_add_func("/endpoint/equal", test_equal);
    g_test_add_func("/endpoint/inet", test_inet);
    g_test_add_func("/endpoint/inet6", test_inet6);
    g_test_add("/endpoint/unix", Place, NULL, place_init, test_unix, place_clear);
    g_test_add("/endpoint/stale", Place, NULL, place_init, test_stale, place_clear);
    g_test_add("/endpoint/busy-is-not-stale", Place, NULL, place_init, test_busy_is_not_stale,
               place_clear);
    g_test_add("/endpoint/not-a-socket", Place, NULL, place_init, test_not_a_socket, place_clear);
    g_test_add("/endpoint/no-directory", Place, NULL, place_init, test_no_directory, place_clear);
    g_test_add("/endpoint/refused", Place, NULL, place_init, test_refused, place_clear);
    g_test_add_func("/endpoint/foreign-address", test_foreign_address);
    g_test_add_func("/endpoint/connect-errors", test_connect_errors);
    g_test_add_func("/endpoint/no-descriptors", test_no_descriptors);
    return g_test_run();
}
