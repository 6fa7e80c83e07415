/* tcp-table.c - see tcp-table.h */
#include "config.h"
#include "src/tcp-table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATES ((1u << TCP_ESTABLISHED) | (1u << TCP_CLOSE_WAIT))

static const guint8 mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

/* From the 4 or 16 bytes of an address in network order. */
static void
set_address(MmTcpEnd *end, const void *bytes, gboolean is_ipv6)
{
    if (is_ipv6) {
        memcpy(end->address, bytes, 16);
        return;
    }
    memcpy(end->address, mapped_prefix, sizeof(mapped_prefix));
    memcpy(end->address + sizeof(mapped_prefix), bytes, 4);
}

gboolean
mm_tcp_end_parse(MmTcpEnd *end, const char *address, guint16 port)
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
mm_tcp_end_hash(gconstpointer end)
{
    const MmTcpEnd *it = end;
    guint hash = it->port;

    for (guint i = 0; i < sizeof(it->address); i++)
        hash = hash * 31 + it->address[i];
    return hash;
}

gboolean
mm_tcp_end_equal(gconstpointer a, gconstpointer b)
{
    const MmTcpEnd *one = a, *other = b;

    return one->port == other->port &&
           memcmp(one->address, other->address, sizeof(one->address)) == 0;
}

/* --- sock_diag --- */

static gboolean
ask_kernel(int fd, guint8 family)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 wanted;
    } request = {
        .header = { .nlmsg_len = sizeof(request),
                    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
        .wanted = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = STATES },
    };

    return send(fd, &request, sizeof(request), 0) == (ssize_t)sizeof(request);
}

static void
take_message(const struct inet_diag_msg *message, MmTcpFound found, gpointer data)
{
    MmTcpEnd remote = { .port = ntohs(message->id.idiag_dport) };

    set_address(&remote, message->id.idiag_dst, message->idiag_family == AF_INET6);
    found(&remote, message->idiag_state == TCP_ESTABLISHED, data);
}

/* The packets of one answer; FALSE with errno. */
static gboolean
take_answer(int fd, MmTcpFound found, gpointer data)
{
    union {
        char bytes[32 * 1024];
        struct nlmsghdr align;
    } packet;

    for (;;) {
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
                return FALSE;
            }
            if (part->nlmsg_len >= NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
                take_message(NLMSG_DATA(part), found, data);
        }
    }
}

static gboolean
read_by_sock_diag(MmTcpFound found, gpointer data)
{
    static const guint8 families[] = { AF_INET, AF_INET6 };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    gboolean done = fd >= 0;

    for (guint i = 0; done && i < G_N_ELEMENTS(families); i++)
        done = ask_kernel(fd, families[i]) && take_answer(fd, found, data);
    if (fd >= 0)
        close(fd);
    return done;
}

/* --- /proc --- */

/* "0100007F" or four such words: each in the machine's byte order. */
static gboolean
parse_hex(const char *text, gsize n, MmTcpEnd *end)
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
take_line(const char *line, MmTcpFound found, gpointer data)
{
    MmTcpEnd remote = { 0 };
    char address[33];
    guint port, state;

    if (sscanf(line, " %*u: %*[0-9A-F]:%*x %32[0-9A-F]:%4x %2x", address, &port, &state) != 3 ||
        !parse_hex(address, strlen(address), &remote))
        return;
    remote.port = (guint16)port;
    if (state < 32 && (STATES & (1u << state)))
        found(&remote, state == TCP_ESTABLISHED, data);
}

gboolean
mm_tcp_table_read_files(const char *const *paths, MmTcpFound found, gpointer data, GError **error)
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
mm_tcp_table_read(MmTcpFound found, gpointer data, GError **error)
{
    static const char *const paths[] = { "/proc/net/tcp", "/proc/net/tcp6", NULL };

    /* What sock_diag told before it failed is told again; nobody counts. */
    return read_by_sock_diag(found, data) || mm_tcp_table_read_files(paths, found, data, error);
}
