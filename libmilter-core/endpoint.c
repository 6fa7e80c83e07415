/* endpoint.c - connection specs and their sockets */
#include "config.h"

#include "libmilter-core/endpoint.h"

#include "libmilter-core/sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT_MAX 65535
#define PATH_SIZE_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

G_DEFINE_QUARK(milter-endpoint-error-quark, milter_endpoint_error)

static gboolean G_GNUC_PRINTF(4, 5)
fail(GError **error, MilterEndpointError code, const char *spec, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, MILTER_ENDPOINT_ERROR, code, "%s: %s", spec, what);
    return FALSE;
}

static gboolean
parse_unix(MilterEndpoint *endpoint, const char *path, GError **error)
{
    struct sockaddr_un *address = (struct sockaddr_un *)&endpoint->address;
    gsize size = strlen(path);

    if (size == 0)
        return fail(error, MILTER_ENDPOINT_ERROR_SPEC, endpoint->spec, "no path (write unix:PATH)");
    if (size > PATH_SIZE_MAX)
        return fail(error, MILTER_ENDPOINT_ERROR_SPEC, endpoint->spec,
                    "the path has %" G_GSIZE_FORMAT " bytes, the system takes at most %d", size,
                    (int)PATH_SIZE_MAX);
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, size + 1);
    endpoint->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + 1);
    return TRUE;
}

static gboolean
parse_port(const char *spec, const char *text, gsize size, guint16 *port, GError **error)
{
    guint32 value = 0;

    if (size == 0)
        return fail(error, MILTER_ENDPOINT_ERROR_SPEC, spec, "no port (write inet:PORT@HOST)");
    for (gsize i = 0; i < size; i++) {
        if (!g_ascii_isdigit(text[i]))
            return fail(error, MILTER_ENDPOINT_ERROR_SPEC, spec,
                        "\"%.*s\" is not a port number (write inet:PORT@HOST)", (int)size, text);
        value = value * 10 + (guint32)(text[i] - '0');
        if (value > PORT_MAX)
            break;
    }
    if (value < 1 || value > PORT_MAX)
        return fail(error, MILTER_ENDPOINT_ERROR_SPEC, spec, "port %.*s is out of range (1 to %d)",
                    (int)size, text, PORT_MAX);
    *port = (guint16)value;
    return TRUE;
}

/* HOST without the brackets it may have; NULL where they do not match or it is empty. */
static char *
bare_host(const char *host)
{
    gsize size = strlen(host);

    if (host[0] == '[') {
        if (size < 3 || host[size - 1] != ']')
            return NULL;
        return g_strndup(host + 1, size - 2);
    }
    return size > 0 ? g_strdup(host) : NULL;
}

/* The family of a numeric address, AF_UNSPEC for whatever is none. */
static int
family_of(const char *address)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *found = NULL;
    int family;

    if (getaddrinfo(address, NULL, &hints, &found) != 0)
        return AF_UNSPEC;
    family = found->ai_family;
    freeaddrinfo(found);
    return family;
}

/* Refuse NAME, for which there is no address of FAMILY. */
static gboolean
fail_look_up(const char *spec, int family, const char *name, guint16 port, const char *reason,
             GError **error)
{
    int own = family_of(name);

    if (own == AF_INET6 && family == AF_INET)
        return fail(error, MILTER_ENDPOINT_ERROR_SPEC, spec,
                    "\"%s\" is an IPv6 address (write inet6:%u@[%s])", name, port, name);
    if (own == AF_INET && family == AF_INET6)
        return fail(error, MILTER_ENDPOINT_ERROR_SPEC, spec,
                    "\"%s\" is an IPv4 address (write inet:%u@%s)", name, port, name);
    return fail(error, MILTER_ENDPOINT_ERROR_LOOKUP, spec,
                "cannot find an %s address of \"%s\": %s", family == AF_INET ? "IPv4" : "IPv6",
                name, reason);
}

static gboolean
look_up(MilterEndpoint *endpoint, int family, const char *host, guint16 port, GError **error)
{
    gboolean is_numeric = strchr(host, '[') != NULL;
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    g_autofree char *name = bare_host(host);
    char service[8];
    int result;

    if (name == NULL)
        return fail(error, MILTER_ENDPOINT_ERROR_SPEC, endpoint->spec,
                    "\"%s\" is not a host (write HOST or [ADDRESS] after the @)", host);
    hints.ai_flags = AI_NUMERICSERV | (is_numeric ? AI_NUMERICHOST : 0);
    g_snprintf(service, sizeof(service), "%u", port);
    result = getaddrinfo(name, service, &hints, &found);
    if (result != 0) {
        const char *reason = result == EAI_SYSTEM ? g_strerror(errno) : gai_strerror(result);

        return fail_look_up(endpoint->spec, family, name, port, reason, error);
    }
    memcpy(&endpoint->address, found->ai_addr, found->ai_addrlen);
    endpoint->address_size = found->ai_addrlen;
    freeaddrinfo(found);
    return TRUE;
}

static gboolean
parse_inet(MilterEndpoint *endpoint, int family, const char *rest, GError **error)
{
    const char *at = strchr(rest, '@');
    guint16 port = 0;

    if (!parse_port(endpoint->spec, rest, at ? (gsize)(at - rest) : strlen(rest), &port, error))
        return FALSE;
    if (at)
        return look_up(endpoint, family, at + 1, port, error);
    if (family == AF_INET) {
        struct sockaddr_in *address = (struct sockaddr_in *)&endpoint->address;

        address->sin_family = AF_INET;
        address->sin_port = g_htons(port);
        endpoint->address_size = sizeof(*address);
    } else {
        struct sockaddr_in6 *address = (struct sockaddr_in6 *)&endpoint->address;

        address->sin6_family = AF_INET6;
        address->sin6_port = g_htons(port);
        endpoint->address_size = sizeof(*address);
    }
    return TRUE;
}

static gboolean
parse_spec(MilterEndpoint *endpoint, GError **error)
{
    const char *spec = endpoint->spec;

    if (spec[0] == '/')
        return parse_unix(endpoint, spec, error);
    if (g_str_has_prefix(spec, "unix:"))
        return parse_unix(endpoint, spec + strlen("unix:"), error);
    if (g_str_has_prefix(spec, "local:"))
        return parse_unix(endpoint, spec + strlen("local:"), error);
    if (g_str_has_prefix(spec, "inet:"))
        return parse_inet(endpoint, AF_INET, spec + strlen("inet:"), error);
    if (g_str_has_prefix(spec, "inet6:"))
        return parse_inet(endpoint, AF_INET6, spec + strlen("inet6:"), error);
    return fail(error, MILTER_ENDPOINT_ERROR_SPEC, spec[0] ? spec : "\"\"",
                "not a connection spec (write unix:PATH, inet:PORT@HOST or inet6:PORT@HOST)");
}

MilterEndpoint *
milter_endpoint_parse(const char *spec, GError **error)
{
    MilterEndpoint *endpoint = g_new0(MilterEndpoint, 1);

    endpoint->spec = g_strdup(spec);
    if (!parse_spec(endpoint, error))
        milter_endpoint_free(&endpoint);
    return endpoint;
}

MilterEndpoint *
milter_endpoint_copy(const MilterEndpoint *endpoint)
{
    MilterEndpoint *copy = g_new(MilterEndpoint, 1);

    *copy = *endpoint;
    copy->spec = g_strdup(endpoint->spec);
    return copy;
}

void
milter_endpoint_free(MilterEndpoint **endpoint_p)
{
    MilterEndpoint *endpoint = g_steal_pointer(endpoint_p);

    if (endpoint == NULL)
        return;
    g_free(endpoint->spec);
    g_free(endpoint);
}

gboolean
milter_endpoint_equal(const MilterEndpoint *a, const MilterEndpoint *b)
{
    /* The storage is zeroed before it is filled, so padding compares equal. */
    return a->address_size == b->address_size &&
           memcmp(&a->address, &b->address, a->address_size) == 0;
}

const char *
milter_endpoint_path(const MilterEndpoint *endpoint)
{
    if (endpoint->address.ss_family != AF_UNIX)
        return NULL;
    return ((const struct sockaddr_un *)&endpoint->address)->sun_path;
}

static int
new_socket(const MilterEndpoint *endpoint)
{
    return socket(endpoint->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void
close_keeping_errno(int fd)
{
    int saved = errno;

    (void)close(fd);
    errno = saved;
}

static int
bind_to(int fd, const MilterEndpoint *endpoint)
{
    return bind(fd, (const struct sockaddr *)&endpoint->address, endpoint->address_size);
}

/* Whether PATH is a socket on which nobody listens any more. */
static gboolean
is_stale(const MilterEndpoint *endpoint)
{
    struct stat status;
    int fd;
    int result;
    int reason;

    if (lstat(milter_endpoint_path(endpoint), &status) < 0 || !S_ISSOCK(status.st_mode))
        return FALSE;
    fd = new_socket(endpoint);
    if (fd < 0)
        return FALSE;
    result = connect(fd, (const struct sockaddr *)&endpoint->address, endpoint->address_size);
    reason = errno;
    (void)close(fd);
    return result < 0 && reason == ECONNREFUSED;
}

/* What the operator can do about a failed bind or listen; "" when there is nothing to say. */
static const char *
advice(const MilterEndpoint *endpoint, int reason)
{
    const char *path = milter_endpoint_path(endpoint);
    struct stat status;

    switch (reason) {
    case EADDRINUSE:
        if (path && lstat(path, &status) == 0 && !S_ISSOCK(status.st_mode))
            return " (something that is not a socket is there; remove it or choose another path)";
        return path ? " (is another process listening there, or is the socket left over?)"
                    : " (is another process using the port?)";
    case EADDRNOTAVAIL:
        return " (is it an address of this machine?)";
    case EACCES:
        return path ? " (may this user write to the directory?)"
                    : " (may this user bind a port below 1024?)";
    case ENOENT:
        return path ? " (does the directory exist?)" : "";
    default:
        return "";
    }
}

int
milter_endpoint_listen(const MilterEndpoint *endpoint, gboolean remove_stale, GError **error)
{
    const char *path = milter_endpoint_path(endpoint);
    int one = 1;
    int fd = new_socket(endpoint);
    int result;

    if (fd < 0) {
        fail(error, MILTER_ENDPOINT_ERROR_SYSTEM, endpoint->spec, "cannot make a socket: %s",
             g_strerror(errno));
        return -1;
    }
    if (path == NULL)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    result = bind_to(fd, endpoint);
    if (result < 0 && errno == EADDRINUSE && path && remove_stale) {
        if (is_stale(endpoint) && unlink(path) == 0)
            result = bind_to(fd, endpoint);
        else
            errno = EADDRINUSE;
    }
    /* Linux lets two sockets with SO_REUSEADDR bind one port: listen tells them apart. */
    if (result == 0)
        result = listen(fd, SOMAXCONN);
    if (result < 0) {
        int reason = errno;

        fail(error, MILTER_ENDPOINT_ERROR_SYSTEM, endpoint->spec, "cannot listen: %s%s",
             g_strerror(reason), advice(endpoint, reason));
        (void)close(fd);
        return -1;
    }
    return fd;
}

int
milter_endpoint_connect(const MilterEndpoint *endpoint, gboolean *in_progress)
{
    int one = 1;
    int fd = new_socket(endpoint);

    if (fd < 0)
        return -1;
    if (endpoint->address.ss_family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    *in_progress = FALSE;
    if (milter_sys.connect(fd, (const struct sockaddr *)&endpoint->address,
                           endpoint->address_size) == 0)
        return fd;
    if (errno == EINPROGRESS || errno == EINTR) {
        *in_progress = TRUE;
        return fd;
    }
    close_keeping_errno(fd);
    return -1;
}
