/* endpoint.c - addresses of the benchmark's own programs; see endpoint.h */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "endpoint.h"

typedef struct {
    union {
        struct sockaddr any;
        struct sockaddr_in inet;
        struct sockaddr_un local;
    } name;
    socklen_t size;
} Address;

void
bench_die(const char *format, ...)
{
    va_list arguments;
    g_autofree char *text = NULL;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s: %s\n", g_get_prgname(), text);
    exit(1);
}

gboolean
bench_is_unix(const char *spec)
{
    return g_str_has_prefix(spec, "unix:");
}

static void
parse_address(const char *spec, Address *address)
{
    memset(address, 0, sizeof(*address));
    if (bench_is_unix(spec)) {
        const char *path = spec + strlen("unix:");

        address->name.local.sun_family = AF_UNIX;
        if (strlen(path) >= sizeof(address->name.local.sun_path))
            bench_die("%s: the path is too long for a unix socket", spec);
        memcpy(address->name.local.sun_path, path, strlen(path) + 1);
        address->size = sizeof(address->name.local);
        return;
    }

    char host[64];
    unsigned port;

    if (sscanf(spec, "inet:%u@%63s", &port, host) != 2 || port > 65535)
        bench_die("%s: want inet:PORT@ADDRESS or unix:/path", spec);
    address->name.inet.sin_family = AF_INET;
    address->name.inet.sin_port = htons(port);
    if (inet_pton(AF_INET, host, &address->name.inet.sin_addr) != 1)
        bench_die("%s: %s is no numeric IPv4 address", spec, host);
    address->size = sizeof(address->name.inet);
}

static void
set_nonblocking(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int
bench_listen(const char *spec)
{
    const int on = 1;
    Address address;

    parse_address(spec, &address);
    int fd = socket(address.name.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        bench_die("socket: %s", strerror(errno));
    if (bench_is_unix(spec))
        (void)unlink(address.name.local.sun_path);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, &address.name.any, address.size) < 0 || listen(fd, 4096) < 0)
        bench_die("%s: %s", spec, strerror(errno));
    set_nonblocking(fd);
    return fd;
}

int
bench_connect(const char *spec)
{
    const int on = 1;
    Address address;

    parse_address(spec, &address);
    int fd = socket(address.name.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, &address.name.any, address.size) < 0) {
        int cause = errno;

        (void)close(fd);
        errno = cause;
        return -1;
    }
    if (!bench_is_unix(spec))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    set_nonblocking(fd);
    return fd;
}

void
bench_raise_descriptor_limit(guint n)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    if (limit.rlim_max < n) {
        struct rlimit wider = { n, n };

        if (setrlimit(RLIMIT_NOFILE, &wider) == 0)
            return;
    }
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}
