/* tcp-table.c - see tcp-table.h */
#include "config.h"
#include "libmilter-core/tcp-table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATES ((1u << TCP_ESTABLISHED) | (1u << TCP_CLOSE_WAIT))
#define CANDIDATES_MAX 500 /* local ends that are tried one by one */

static const char *const files[] = { "/proc/net/tcp", "/proc/net/tcp6", NULL };
static const guint8 mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* From the 4 or 16 bytes of an address in network order. */
static void
set_address(MilterTcpEnd *end, const void *bytes, gboolean is_ipv6)
{
    if (is_ipv6) {
        memcpy(end->address, bytes, 16);
        return;
    }
    memcpy(end->address, mapped_prefix, sizeof(mapped_prefix));
    memcpy(end->address + sizeof(mapped_prefix), bytes, 4);
}

gboolean
milter_tcp_end_parse(MilterTcpEnd *end, const char *address, guint16 port)
{
    struct in6_addr ipv6;
    struct in_addr ipv4;

    /* Its bytes are hashed, so none may be left undefined. */
    memset(end, 0, sizeof(*end));
    end->port = port;
    if (inet_pton(AF_INET, address, &ipv4) == 1)
        set_address(end, &ipv4, FALSE);
    else if (inet_pton(AF_INET6, address, &ipv6) == 1)
        set_address(end, &ipv6, TRUE);
    else
        return FALSE;
    return port != 0;
}

guint
milter_tcp_end_hash(gconstpointer end)
{
    const MilterTcpEnd *it = end;
    guint hash = it->port;

    for (guint i = 0; i < sizeof(it->address); i++)
        hash = hash * 31 + it->address[i];
    return hash;
}

gboolean
milter_tcp_end_equal(gconstpointer a, gconstpointer b)
{
    const MilterTcpEnd *one = a, *other = b;

    return one->port == other->port &&
           memcmp(one->address, other->address, sizeof(one->address)) == 0;
}

static gboolean
is_ipv4(const MilterTcpEnd *end)
{
    return memcmp(end->address, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* The bytes of its address, 4 or 16. */
static const guint8 *
bytes_of(const MilterTcpEnd *end, gsize *n)
{
    gsize skipped = is_ipv4(end) ? sizeof(mapped_prefix) : 0;

    *n = sizeof(end->address) - skipped;
    return end->address + skipped;
}

const char *
milter_tcp_end_address(const MilterTcpEnd *end, char *text)
{
    gsize n;
    const guint8 *bytes = bytes_of(end, &n);

    return inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN);
}

/* --- sock_diag --- */

/* What the kernel is asked; FILTER only where all connections are gone through. */
typedef struct {
    struct nlmsghdr header;
    struct inet_diag_req_v2 wanted;
    struct {
        struct rtattr attribute;
        struct inet_diag_bc_op op;
        struct inet_diag_hostcond remote;
        guint8 address[16];
    } filter;
} Request;

static gboolean
send_request(int fd, Request *request, gsize filter_size, guint16 flags)
{
    request->header.nlmsg_len = (guint32)(offsetof(Request, filter) + filter_size);
    request->header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request->header.nlmsg_flags = NLM_F_REQUEST | flags;
    request->wanted.sdiag_protocol = IPPROTO_TCP;
    if (!request->wanted.idiag_states)
        request->wanted.idiag_states = STATES;
    return send(fd, request, request->header.nlmsg_len, 0) == (ssize_t)request->header.nlmsg_len;
}

static void
take_message(const struct inet_diag_msg *message, MilterTcpFound found, gpointer data)
{
    MilterTcpEnd remote = { .port = ntohs(message->id.idiag_dport) };
    MilterTcpEnd local = { .port = ntohs(message->id.idiag_sport) };

    if (message->idiag_state != TCP_LISTEN && !(STATES & (1u << message->idiag_state)))
        return;
    set_address(&remote, message->id.idiag_dst, message->idiag_family == AF_INET6);
    set_address(&local, message->id.idiag_src, message->idiag_family == AF_INET6);
    found(&local, &remote, message->idiag_state == TCP_ESTABLISHED, data);
}

/* The packets of one answer, which ends with a packet of its own if it IS_LIST; FALSE with errno.
 */
static gboolean
take_answer(int fd, gboolean is_list, MilterTcpFound found, gpointer data)
{
    union {
        char bytes[32 * 1024];
        struct nlmsghdr align;
    } packet;

    do {
        ssize_t n = recv(fd, packet.bytes, sizeof(packet.bytes), 0);
        int left = (int)n;

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return FALSE;
        for (struct nlmsghdr *part = &packet.align; NLMSG_OK(part, (guint)left);
             part = NLMSG_NEXT(part, left)) {
            if (part->nlmsg_type == NLMSG_DONE)
                return TRUE;
            if (part->nlmsg_type == NLMSG_ERROR) {
                errno = -((const struct nlmsgerr *)NLMSG_DATA(part))->error;
                return !is_list && errno == ENOENT;
            }
            if (part->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
                take_message(NLMSG_DATA(part), found, data);
        }
    } while (is_list);
    return TRUE;
}

static int
open_diag(void)
{
    return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

static gboolean
read_by_sock_diag(MilterTcpFound found, gpointer data)
{
    static const guint8 families[] = { AF_INET, AF_INET6 };
    int fd = open_diag();
    gboolean done = fd >= 0;

    for (guint i = 0; done && i < G_N_ELEMENTS(families); i++) {
        Request request = { .wanted = { .sdiag_family = families[i] } };

        done = send_request(fd, &request, 0, NLM_F_DUMP) && take_answer(fd, TRUE, found, data);
    }
    if (fd >= 0)
        close(fd);
    return done;
}

/* --- one connection --- */

typedef struct {
    const MilterTcpEnd *remote;
    MilterTcpEnd *local;
    gboolean is_found;
} Search;

static void
on_found(const MilterTcpEnd *local, const MilterTcpEnd *remote, gboolean is_open, gpointer data)
{
    Search *search = data;

    /* In place of a connection that it does not have the kernel tells who listens there. */
    if (search->is_found || !milter_tcp_end_equal(remote, search->remote))
        return;
    *search->local = *local;
    search->is_found = TRUE;
}

/* Whether there is one at LOCAL: a look into the kernel's hash table.  FALSE with errno. */
static gboolean
search_at(int fd, const MilterTcpEnd *local, Search *search)
{
    gsize n_local, n_remote;
    const guint8 *from = bytes_of(local, &n_local), *to = bytes_of(search->remote, &n_remote);
    Request request = {
        .wanted = { .sdiag_family = n_local == 4 ? AF_INET : AF_INET6,
                    .id = { .idiag_sport = htons(local->port),
                            .idiag_dport = htons(search->remote->port),
                            .idiag_cookie = { INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE } } }
    };

    if (n_local != n_remote)
        return TRUE;
    memcpy(request.wanted.id.idiag_src, from, n_local);
    memcpy(request.wanted.id.idiag_dst, to, n_remote);
    return send_request(fd, &request, 0, 0) && take_answer(fd, FALSE, on_found, search);
}

/* Among the connections of a family: the kernel goes through all, and tells of this one. */
static gboolean
search_family(int fd, guint8 family, Search *search)
{
    Request request = { .wanted = { .sdiag_family = family } };
    gsize n, size;
    const guint8 *bytes = bytes_of(search->remote, &n);

    size = sizeof(request.filter.op) + sizeof(request.filter.remote) + n;
    request.filter.attribute.rta_type = INET_DIAG_REQ_BYTECODE;
    request.filter.attribute.rta_len = (unsigned short)RTA_LENGTH(size);
    /* Then it is at the end, which means yes; or beyond, which means no. */
    request.filter.op = (struct inet_diag_bc_op){ INET_DIAG_BC_D_COND, (unsigned char)size,
                                                  (unsigned short)(size + 4) };
    request.filter.remote.family = n == 4 ? AF_INET : AF_INET6;
    request.filter.remote.prefix_len = (guint8)(8 * n);
    request.filter.remote.port = search->remote->port;
    memcpy(request.filter.address, bytes, n);
    return send_request(fd, &request, request.filter.attribute.rta_len, NLM_F_DUMP) &&
           take_answer(fd, TRUE, on_found, search);
}

/* Among all connections. */
static gboolean
search_all(int fd, Search *search)
{
    /* Sockets for both families have IPv4, too. */
    return (!is_ipv4(search->remote) || search_family(fd, AF_INET, search)) &&
           (search->is_found || search_family(fd, AF_INET6, search));
}

static void
add_candidate(GArray *candidates, const guint8 address[16], guint16 port)
{
    MilterTcpEnd end = { .port = port };

    memcpy(end.address, address, sizeof(end.address));
    for (guint i = 0; i < candidates->len; i++)
        if (milter_tcp_end_equal(&g_array_index(candidates, MilterTcpEnd, i), &end))
            return;
    if (candidates->len <= CANDIDATES_MAX)
        g_array_append_val(candidates, end);
}

static void
on_listener(const MilterTcpEnd *local, const MilterTcpEnd *remote, gboolean is_open, gpointer data)
{
    add_candidate(data, local->address, local->port);
}

/* Who listens: MilterTcpEnd. */
static GArray *
list_listeners(int fd)
{
    static const guint8 families[] = { AF_INET6, AF_INET };
    GArray *listeners = g_array_new(FALSE, FALSE, sizeof(MilterTcpEnd));

    for (guint i = 0; i < G_N_ELEMENTS(families); i++) {
        Request request = { .wanted = { .sdiag_family = families[i],
                                        .idiag_states = 1u << TCP_LISTEN } };

        if (!send_request(fd, &request, 0, NLM_F_DUMP) ||
            !take_answer(fd, TRUE, on_listener, listeners))
            break;
    }
    return listeners;
}

static gboolean
is_any(const MilterTcpEnd *end)
{
    gsize n;
    const guint8 *bytes = bytes_of(end, &n);

    for (gsize i = 0; i < n; i++)
        if (bytes[i])
            return FALSE;
    return TRUE;
}

/* Where connections from an address like REMOTE's can be: MilterTcpEnd. */
static GArray *
list_candidates(int fd, const MilterTcpEnd *remote)
{
    GArray *candidates = g_array_new(FALSE, FALSE, sizeof(MilterTcpEnd));
    g_autoptr(GArray) listeners = list_listeners(fd);
    sa_family_t family = is_ipv4(remote) ? AF_INET : AF_INET6;
    struct ifaddrs *addresses = NULL;

    (void)!getifaddrs(&addresses);
    for (guint i = 0; i < listeners->len; i++) {
        const MilterTcpEnd *listener = &g_array_index(listeners, MilterTcpEnd, i);

        if (!is_any(listener) && is_ipv4(listener) == is_ipv4(remote))
            add_candidate(candidates, listener->address, listener->port);
        for (struct ifaddrs *each = addresses; is_any(listener) && each; each = each->ifa_next) {
            MilterTcpEnd end;

            if (!each->ifa_addr || each->ifa_addr->sa_family != family)
                continue;
            if (family == AF_INET)
                set_address(&end, &((struct sockaddr_in *)(void *)each->ifa_addr)->sin_addr, FALSE);
            else
                set_address(&end, &((struct sockaddr_in6 *)(void *)each->ifa_addr)->sin6_addr,
                            TRUE);
            add_candidate(candidates, end.address, listener->port);
        }
    }
    freeifaddrs(addresses);
    return candidates;
}

/* Whether REMOTE may be connected to more than the addresses of interfaces, or by one interface
 * only: the loopback network, and what is local to a link. */
static gboolean
is_special(const MilterTcpEnd *remote)
{
    return is_ipv4(remote) ? remote->address[12] == 127
                           : remote->address[0] == 0xfe && (remote->address[1] & 0xc0) == 0x80;
}

/* To go through all takes milliseconds where the kernel's table is large, and clients that a
 * proxy tells of are not in it at all. */
static gboolean
search_listeners(int fd, Search *search)
{
    g_autoptr(GArray) candidates = list_candidates(fd, search->remote);
    gboolean done = TRUE;

    if (candidates->len > CANDIDATES_MAX)
        return search_all(fd, search);
    for (guint i = 0; done && !search->is_found && i < candidates->len; i++)
        done = search_at(fd, &g_array_index(candidates, MilterTcpEnd, i), search);
    if (done && !search->is_found && is_special(search->remote))
        done = search_all(fd, search);
    return done;
}

static gboolean
search_by_sock_diag(const MilterTcpRecent *recent, Search *search)
{
    int fd = open_diag();
    gboolean done = fd >= 0;

    for (guint i = 0; done && !search->is_found && i < recent->n; i++)
        done = search_at(fd, &recent->ends[i], search);
    if (done && !search->is_found)
        done = search_listeners(fd, search);
    if (fd >= 0)
        close(fd);
    return done;
}

/* Put END first. */
static void
remember(MilterTcpRecent *recent, const MilterTcpEnd *end)
{
    guint place = 0;

    while (place < recent->n && !milter_tcp_end_equal(&recent->ends[place], end))
        place++;
    if (place == G_N_ELEMENTS(recent->ends))
        place--;
    recent->n = MAX(recent->n, place + 1);
    memmove(&recent->ends[1], &recent->ends[0], place * sizeof(*end));
    recent->ends[0] = *end;
}

gboolean
milter_tcp_table_find(const MilterTcpEnd *remote, MilterTcpRecent *recent, MilterTcpEnd *local)
{
    Search search = { .remote = remote, .local = local };

    if (!search_by_sock_diag(recent, &search))
        (void)milter_tcp_table_read_files(files, on_found, &search, NULL);
    if (search.is_found)
        remember(recent, local);
    return search.is_found;
}

/* --- /proc --- */

/* "0100007F" or four such words: each in the machine's byte order. */
static gboolean
parse_hex(const char *text, gsize n, MilterTcpEnd *end)
{
    guint32 words[4];

    if (n != 8 && n != 32)
        return FALSE;
    for (gsize i = 0; i < n / 8; i++) {
        if (sscanf(text + 8 * i, "%8x", &words[i]) != 1)
            return FALSE;
    }
    set_address(end, words, n == 32);
    return TRUE;
}

/* "  0: LOCAL:PORT REMOTE:PORT STATE …" */
static void
take_line(const char *line, MilterTcpFound found, gpointer data)
{
    MilterTcpEnd ends[2] = { 0 };
    char addresses[2][33];
    guint ports[2], state;

    if (sscanf(line, " %*u: %32[0-9A-F]:%4x %32[0-9A-F]:%4x %2x", addresses[0], &ports[0],
               addresses[1], &ports[1], &state) != 5)
        return;
    for (guint i = 0; i < 2; i++) {
        if (!parse_hex(addresses[i], strlen(addresses[i]), &ends[i]))
            return;
        ends[i].port = (guint16)ports[i];
    }
    if (state < 32 && (STATES & (1u << state)))
        found(&ends[0], &ends[1], state == TCP_ESTABLISHED, data);
}

gboolean
milter_tcp_table_read_files(const char *const *paths, MilterTcpFound found, gpointer data,
                            GError **error)
{
    guint n_read = 0;

    for (; *paths; paths++) {
        FILE *file = fopen(*paths, "re");
        char line[512];

        /* There is no tcp6 where IPv6 is off. */
        if (!file)
            continue;
        while (fgets(line, sizeof(line), file))
            take_line(line, found, data);
        fclose(file);
        n_read++;
    }
    if (n_read == 0)
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                    "the kernel does not tell its TCP connections");
    return n_read > 0;
}

gboolean
milter_tcp_table_read(MilterTcpFound found, gpointer data, GError **error)
{
    /* What sock_diag told before it failed is told again; nobody counts. */
    return read_by_sock_diag(found, data) || milter_tcp_table_read_files(files, found, data, error);
}
