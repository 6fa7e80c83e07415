/* child.c - a filter that answers continue to everything, as cheaply as it can
 *
 *     bench-child --listen=SPEC [--no-replies] [--decline=STEP,…] [--add-header=NAME] …
 *
 * Stands for a libmilter filter whose work costs nothing: what is measured is
 * what lies between it and the MTA.  It looks at command bytes only and drops
 * the rest of each packet unseen.  On SIGTERM it prints what it saw as a JSON
 * object, so that the benchmark can check that the work was really done. */

#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <ev.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

#include "endpoint.h"

#define HEAD_SIZE 5             /* length and command byte */
#define OFFER_SIZE 12           /* version, actions, steps */

typedef struct {
    ev_io io;
    guint32 unanswered;         /* SMFIP_NR_* as negotiated */
    guint32 n_left;             /* payload bytes of this packet still to come */
    guint8 n_head;              /* of head[] */
    guint8 n_offer;             /* of offer[] */
    guint8 head[HEAD_SIZE];
    guint8 offer[OFFER_SIZE];
} Peer;

static char *listen_spec;
static char *declined_names;
static char *added_header;
static gboolean no_replies;
static gboolean two_writes;
static gboolean write_each;

static struct ev_loop *loop;
static guint32 declined;
static guint64 n_sessions, n_messages, n_headers, n_body_bytes;
static guint8 read_buffer[256 * 1024];
static guint8 out[sizeof(read_buffer)]; /* replies to one read: never larger than it */
static gsize n_out;

static const struct {
    const char *name;
    guint8 command;
    guint32 declined, unanswered;
} steps[] = {
    { "connect", SMFIC_CONNECT, SMFIP_NOCONNECT, SMFIP_NR_CONN },
    { "helo", SMFIC_HELO, SMFIP_NOHELO, SMFIP_NR_HELO },
    { "mail", SMFIC_MAIL, SMFIP_NOMAIL, SMFIP_NR_MAIL },
    { "rcpt", SMFIC_RCPT, SMFIP_NORCPT, SMFIP_NR_RCPT },
    { "data", SMFIC_DATA, SMFIP_NODATA, SMFIP_NR_DATA },
    { "unknown", SMFIC_UNKNOWN, SMFIP_NOUNKNOWN, SMFIP_NR_UNKN },
    { "header", SMFIC_HEADER, SMFIP_NOHDRS, SMFIP_NR_HDR },
    { "eoh", SMFIC_EOH, SMFIP_NOEOH, SMFIP_NR_EOH },
    { "body", SMFIC_BODY, SMFIP_NOBODY, SMFIP_NR_BODY },
    { "eom", SMFIC_BODYEOB, 0, 0 },
};

static guint8 step_of[256];     /* command byte: index in steps + 1, or 0 */

static void
close_peer(Peer *peer)
{
    ev_io_stop(loop, &peer->io);
    (void)close(peer->io.fd);
    g_free(peer);
}

/* The socket's buffer takes what a filter says in one go; if not, the other
 * side does not read and the run is worthless. */
static void
flush(Peer *peer)
{
    if (n_out > 0 && write(peer->io.fd, out, n_out) != (ssize_t)n_out && errno != EPIPE &&
        errno != ECONNRESET)
        bench_die("%s: short write of %zu bytes: %s", listen_spec, n_out, strerror(errno));
    n_out = 0;
}

static void
reply(Peer *peer, guint8 code, const void *data, gsize size)
{
    guint32 length = g_htonl((guint32)size + 1);

    if (n_out + HEAD_SIZE + size > sizeof(out))
        flush(peer);
    memcpy(out + n_out, &length, sizeof(length));
    out[n_out + 4] = code;
    if (size > 0)
        memcpy(out + n_out + HEAD_SIZE, data, size);
    n_out += HEAD_SIZE + size;
    if (write_each)
        flush(peer);
}

static void
add_header(Peer *peer)
{
    char data[256];
    int size = g_snprintf(data, sizeof(data), "%s%cadded", added_header, 0);

    reply(peer, SMFIR_ADDHEADER, data, (gsize)size + 1);
    if (two_writes)
        flush(peer);
}

static void
negotiate(Peer *peer)
{
    guint32 answer[3], offered[3];
    guint32 wanted = declined;
    guint32 version;

    memcpy(offered, peer->offer, sizeof(offered));
    version = g_ntohl(offered[0]);
    if (no_replies)
        for (gsize i = 0; i < G_N_ELEMENTS(steps); i++)
            wanted |= steps[i].unanswered;
    wanted &= g_ntohl(offered[2]);
    answer[0] = g_htonl(MIN(version, 6u));
    answer[1] = g_htonl(added_header ? SMFIF_ADDHDRS : 0);
    answer[2] = g_htonl(wanted);
    peer->unanswered = wanted;
    reply(peer, SMFIC_OPTNEG, answer, sizeof(answer));
}

/* A packet is complete.  Returns FALSE if it ended the session. */
static gboolean
on_packet(Peer *peer)
{
    guint8 command = peer->head[4];
    guint8 step = step_of[command];

    if (command == SMFIC_QUIT)
        return FALSE;
    if (command == SMFIC_OPTNEG)
        negotiate(peer);
    if (step == 0)
        return TRUE;
    n_headers += command == SMFIC_HEADER;
    if (command == SMFIC_BODYEOB) {
        n_messages++;
        if (added_header)
            add_header(peer);
    }
    if (!(peer->unanswered & steps[step - 1].unanswered))
        reply(peer, SMFIR_CONTINUE, NULL, 0);
    return TRUE;
}

static void
take_payload(Peer *peer, const guint8 *data, gsize n)
{
    if (peer->head[4] == SMFIC_OPTNEG) {
        gsize wanted = MIN(n, (gsize)(OFFER_SIZE - peer->n_offer));

        memcpy(peer->offer + peer->n_offer, data, wanted);
        peer->n_offer += (guint8)wanted;
    } else if (peer->head[4] == SMFIC_BODY) {
        n_body_bytes += n;
    }
    peer->n_left -= (guint32)n;
}

/* Returns FALSE if the session ended. */
static gboolean
take(Peer *peer, const guint8 *data, gsize size)
{
    while (size > 0) {
        if (peer->n_head < HEAD_SIZE) {
            gsize n = MIN(size, (gsize)(HEAD_SIZE - peer->n_head));
            guint32 length;

            memcpy(peer->head + peer->n_head, data, n);
            peer->n_head += (guint8)n;
            data += n;
            size -= n;
            if (peer->n_head < HEAD_SIZE)
                break;
            memcpy(&length, peer->head, sizeof(length));
            length = g_ntohl(length);
            if (length == 0 || length > 0x100000 + 1)
                bench_die("%s: packet with length %u", listen_spec, length);
            peer->n_left = length - 1;
        }

        gsize n = MIN(size, (gsize)peer->n_left);

        take_payload(peer, data, n);
        data += n;
        size -= n;
        if (peer->n_left > 0)
            break;
        peer->n_head = 0;
        if (!on_packet(peer))
            return FALSE;
    }
    return TRUE;
}

static void
on_io(struct ev_loop *unused, ev_io *io, int events)
{
    Peer *peer = io->data;
    ssize_t n = read(io->fd, read_buffer, sizeof(read_buffer));

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || !take(peer, read_buffer, (gsize)n)) {
        flush(peer);
        close_peer(peer);
        return;
    }
    flush(peer);
}

static void
on_accept(struct ev_loop *unused, ev_io *io, int events)
{
    const int on = 1;

    for (;;) {
        int fd = accept4(io->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
            return;
        if (fd < 0)
            bench_die("%s: accept: %s", listen_spec, strerror(errno));
        /* libmilter leaves Nagle's algorithm on; where its writes are imitated, so do we. */
        if (!two_writes && !write_each)
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));

        Peer *peer = g_new0(Peer, 1);

        ev_io_init(&peer->io, on_io, fd, EV_READ);
        peer->io.data = peer;
        ev_io_start(loop, &peer->io);
        n_sessions++;
    }
}

static void
on_signal(struct ev_loop *unused, ev_signal *watcher, int events)
{
    ev_break(loop, EVBREAK_ALL);
}

static void
parse_declined(void)
{
    g_auto(GStrv) names = g_strsplit(declined_names ? declined_names : "", ",", -1);

    for (char **name = names; *name; name++) {
        gsize i = 0;

        while (i < G_N_ELEMENTS(steps) && strcmp(steps[i].name, *name) != 0)
            i++;
        if (i == G_N_ELEMENTS(steps) || steps[i].declined == 0)
            bench_die("--decline: %s is no step that can be declined", *name);
        declined |= steps[i].declined;
    }
}

static void
parse_options(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        { "listen", 0, 0, G_OPTION_ARG_STRING, &listen_spec, "Where to listen", "SPEC" },
        { "no-replies", 0, 0, G_OPTION_ARG_NONE, &no_replies, "Negotiate all SMFIP_NR_*", NULL },
        { "decline", 0, 0, G_OPTION_ARG_STRING, &declined_names, "Steps to decline", "STEP,…" },
        { "add-header", 0, 0, G_OPTION_ARG_STRING, &added_header, "Add it at each EOM", "NAME" },
        { "two-writes", 0, 0, G_OPTION_ARG_NONE, &two_writes,
          "Write the added header and the final reply apart, with Nagle", NULL },
        { "write-each", 0, 0, G_OPTION_ARG_NONE, &write_each,
          "Write every reply by itself, with Nagle, as libmilter does", NULL },
        { .long_name = NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- a filter that continues");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        bench_die("%s", error->message);
    if (listen_spec == NULL || argc != 1)
        bench_die("want --listen; see --help");
    if (added_header && strlen(added_header) > 200)
        bench_die("--add-header: the name is too long");
    parse_declined();
}

int
main(int argc, char **argv)
{
    ev_io listener;
    ev_signal terminate;

    g_set_prgname("bench-child");
    parse_options(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);
    bench_raise_descriptor_limit(20000);
    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++)
        step_of[steps[i].command] = (guint8)(i + 1);

    loop = ev_default_loop(0);
    ev_signal_init(&terminate, on_signal, SIGTERM);
    ev_signal_start(loop, &terminate);
    ev_io_init(&listener, on_accept, bench_listen(listen_spec), EV_READ);
    ev_io_start(loop, &listener);
    ev_run(loop, 0);

    printf("{\"sessions\": %" G_GUINT64_FORMAT ", \"messages\": %" G_GUINT64_FORMAT
           ", \"headers\": %" G_GUINT64_FORMAT ", \"body_bytes\": %" G_GUINT64_FORMAT "}\n",
           n_sessions, n_messages, n_headers, n_body_bytes);
    return 0;
}
