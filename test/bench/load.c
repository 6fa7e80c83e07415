/* load.c - the benchmark's load: plays the MTA's side of many milter sessions
 *
 *     bench-load --connect=SPEC [--sessions=N] [--messages=N] [--per-session=N] …
 *     bench-load --connect=SPEC --idle=N
 *
 * Each slot opens a session, sends its messages, says QUIT and starts again,
 * until all messages are sent.  What is said and when it is flushed is plan.h's
 * business; here are the sockets, the checks of every reply and the clock.
 * With --idle sessions are opened up to after HELO and held until standard
 * input ends; "ready N" tells when all are open.
 *
 * The last line on standard output is a JSON object.  A wrong reply, a closed
 * session or 30 s without progress end the program with status 1. */

#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <ev.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

#include "endpoint.h"
#include "plan.h"
#include "stopwatch.h"

/* What Postfix collects before it writes although it need not wait: four times
 * the segment size on TCP (vstream_tweak_tcp), VSTREAM_BUFSIZE on unix sockets. */
#define TCP_WRITE_SIZE (4 * 65483)
#define UNIX_WRITE_SIZE 4096

#define STALL_SECONDS 30.0
#define IDLE_STALL_SECONDS 5.0
#define IDLE_OPENING_AT_ONCE 64
#define MAX_REPLY (1024 * 1024)

typedef enum {
    PHASE_NEGOTIATE,
    PHASE_OPEN,                 /* connect and HELO */
    PHASE_MESSAGE,
    PHASE_HELD,                 /* idle mode: after HELO */
} Phase;

typedef struct {
    ev_io io;
    int fd;
    Phase phase;
    GArray *bursts;             /* being said; NULL while negotiating */
    guint burst;                /* the one whose reply is awaited */
    const guint8 *unsent;       /* rest of what is being written */
    gsize n_unsent;
    GByteArray *in;             /* an incomplete reply */
    guint n_done;               /* messages of this session */
    guint n_edits;              /* matching --expect-header, this message */
    double started;             /* of this message, in seconds */
} Slot;

static char *connect_spec;
static int n_slots = 1;
static int n_messages = 1000;
static int per_session = 1;
static int n_idle;
static int n_headers = 10;
static int header_size = 60;
static int body_size = 2048;
static char *host;
static char *expected_header;
static char *expected_final;

static struct ev_loop *loop;
static ev_timer stall_timer;
static Slot *slots;
static MailShape shape;
static GByteArray *offer;
static Plan *plan;
static GByteArray *plan_answer;
static gsize write_size;
static int n_begun, n_finished;         /* messages */
static int n_opening, n_held, n_opened; /* sessions, idle mode */
static Stopwatch *stopwatch;
static guint8 read_buffer[256 * 1024];

static void start_session(Slot *slot);

static const char *
step_name(const Slot *slot)
{
    static char name[64];

    if (slot->phase == PHASE_NEGOTIATE)
        return "negotiation";
    if (slot->bursts == NULL || slot->burst >= slot->bursts->len)
        return "idle";
    g_snprintf(name, sizeof(name), "step %c of message %u",
               g_array_index(slot->bursts, Burst, slot->burst).step, slot->n_done + 1);
    return name;
}

static void
watch(Slot *slot, int events)
{
    if (slot->io.events == events && ev_is_active(&slot->io))
        return;
    ev_io_stop(loop, &slot->io);
    ev_io_set(&slot->io, slot->fd, events);
    ev_io_start(loop, &slot->io);
}

static void
write_more(Slot *slot)
{
    while (slot->n_unsent > 0) {
        ssize_t n = write(slot->fd, slot->unsent, MIN(slot->n_unsent, write_size));

        if (n < 0 && errno == EAGAIN) {
            watch(slot, EV_READ | EV_WRITE);
            return;
        }
        if (n < 0)
            bench_die("%s: write at %s: %s", connect_spec, step_name(slot), strerror(errno));
        slot->unsent += n;
        slot->n_unsent -= (gsize)n;
    }
    watch(slot, EV_READ);
}

static void
say(Slot *slot, const guint8 *data, gsize size)
{
    slot->unsent = data;
    slot->n_unsent = size;
    write_more(slot);
}

static void
say_burst(Slot *slot)
{
    const Burst *burst = &g_array_index(slot->bursts, Burst, slot->burst);

    say(slot, burst->data, burst->size);
}

static void
close_session(Slot *slot)
{
    static const guint8 bye[] = { 0, 0, 0, 1, SMFIC_ABORT, 0, 0, 0, 1, SMFIC_QUIT };

    ev_io_stop(loop, &slot->io);
    if (write(slot->fd, bye, sizeof(bye)) != sizeof(bye))
        bench_die("%s: write of QUIT: %s", connect_spec, strerror(errno));
    (void)close(slot->fd);
    slot->fd = -1;
}

static void
start_message(Slot *slot)
{
    slot->phase = PHASE_MESSAGE;
    slot->bursts = slot->n_done == 0 ? plan->first : plan->again;
    slot->burst = 0;
    slot->n_edits = 0;
    if (slot->n_done > 0)
        slot->started = stopwatch_now();
    say_burst(slot);
}

static void
next_session(Slot *slot)
{
    if (n_begun < n_messages)
        start_session(slot);
    else if (n_finished == n_messages)
        ev_break(loop, EVBREAK_ALL);
}

static void
finish_message(Slot *slot)
{
    if (expected_header && slot->n_edits != 1)
        bench_die("%s: message %u got %u headers %s, want 1", connect_spec, slot->n_done + 1,
                  slot->n_edits, expected_header);
    stopwatch_add(stopwatch, slot->started);
    n_finished++;
    slot->n_done++;
    if (slot->n_done < (guint)per_session && n_begun < n_messages) {
        n_begun++;
        start_message(slot);
        return;
    }
    close_session(slot);
    next_session(slot);
}

/* Idle mode: everything up to HELO is said; keep the session. */
static void
hold(Slot *slot)
{
    slot->phase = PHASE_HELD;
    n_opening--;
    n_held++;
    ev_timer_again(loop, &stall_timer);
    if (plan->open_rest->len > 0)
        say(slot, plan->open_rest->data, plan->open_rest->len);
    if (n_opened < n_idle)
        start_session(&slots[n_opened]);
    if (n_held == n_idle) {
        ev_timer_stop(loop, &stall_timer);
        printf("ready %d\n", n_held);
        fflush(stdout);
    }
}

static void
after_open(Slot *slot)
{
    if (n_idle > 0)
        hold(slot);
    else
        start_message(slot);
}

static void
on_negotiated(Slot *slot, const guint8 *data, gsize size)
{
    if (plan == NULL) {
        plan = plan_new(data, size, &shape);
        plan_answer = g_byte_array_append(g_byte_array_new(), data, (guint)size);
    } else if (size != plan_answer->len || memcmp(data, plan_answer->data, size) != 0) {
        bench_die("%s: the answer to the negotiation differs from session to session",
                  connect_spec);
    }
    slot->phase = PHASE_OPEN;
    slot->bursts = plan->open;
    slot->burst = 0;
    if (plan->open->len == 0)
        after_open(slot);
    else
        say_burst(slot);
}

static void
on_final(Slot *slot, guint8 step, guint8 reply)
{
    guint8 wanted = step == SMFIC_BODYEOB ? (guint8)expected_final[0] : SMFIR_CONTINUE;

    if (reply != wanted)
        bench_die("%s: reply '%c' at %s, want '%c'", connect_spec, reply, step_name(slot), wanted);
    if (++slot->burst < slot->bursts->len)
        say_burst(slot);
    else if (slot->phase == PHASE_OPEN)
        after_open(slot);
    else
        finish_message(slot);
}

static void
on_reply(Slot *slot, guint8 reply, const guint8 *data, gsize size)
{
    if (slot->phase == PHASE_NEGOTIATE) {
        if (reply != SMFIC_OPTNEG)
            bench_die("%s: '%c' instead of the answer to the negotiation", connect_spec, reply);
        on_negotiated(slot, data, size);
        return;
    }
    if (slot->phase == PHASE_HELD)
        bench_die("%s: unexpected '%c' in an idle session", connect_spec, reply);
    if (slot->n_unsent > 0)
        bench_die("%s: '%c' before %s was sent", connect_spec, reply, step_name(slot));

    guint8 step = g_array_index(slot->bursts, Burst, slot->burst).step;

    if (reply == SMFIR_PROGRESS)
        return;
    if (step != SMFIC_BODYEOB || strchr("catrdy4sf", reply)) {
        on_final(slot, step, reply);
        return;
    }
    if (expected_header == NULL || (reply != SMFIR_ADDHEADER && reply != SMFIR_INSHEADER))
        bench_die("%s: unexpected change '%c' at %s", connect_spec, reply, step_name(slot));

    gsize skip = reply == SMFIR_INSHEADER ? 4 : 0;

    if (size > skip && memchr(data + skip, 0, size - skip) &&
        strcmp((const char *)data + skip, expected_header) == 0)
        slot->n_edits++;
}

/* Handle all complete replies; returns how many bytes they had.  A reply may
 * end the session and start the next: what followed it would be a mistake of
 * the filter and is reported. */
static gsize
read_replies(Slot *slot, const guint8 *data, gsize size)
{
    gsize at = 0;
    int fd = slot->fd;

    while (size - at >= 5) {
        guint32 length;

        memcpy(&length, data + at, sizeof(length));
        length = g_ntohl(length);
        if (length == 0 || length > MAX_REPLY)
            bench_die("%s: reply of %u bytes at %s", connect_spec, length, step_name(slot));
        if (size - at - 4 < length)
            break;
        on_reply(slot, data[at + 4], data + at + 5, length - 1);
        at += 4 + length;
        if (slot->fd != fd || slot->phase == PHASE_NEGOTIATE) {
            if (at != size)
                bench_die("%s: %zu bytes after the last reply", connect_spec, size - at);
            break;
        }
    }
    return at;
}

static void
on_io(struct ev_loop *unused, ev_io *io, int events)
{
    Slot *slot = io->data;

    if (events & EV_WRITE)
        write_more(slot);
    if (!(events & EV_READ))
        return;

    ssize_t n = read(slot->fd, read_buffer, sizeof(read_buffer));

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0)
        bench_die("%s: %s at %s (%d messages done, %d sessions held)", connect_spec,
                  n == 0 ? "closed by the filter" : strerror(errno), step_name(slot), n_finished,
                  n_held);
    if (slot->in->len > 0) {
        g_byte_array_append(slot->in, read_buffer, (guint)n);

        gsize used = read_replies(slot, slot->in->data, slot->in->len);

        g_byte_array_remove_range(slot->in, 0, (guint)used);
        return;
    }

    gsize used = read_replies(slot, read_buffer, (gsize)n);

    if (used < (gsize)n)
        g_byte_array_append(slot->in, read_buffer + used, (guint)((gsize)n - used));
}

static void
start_session(Slot *slot)
{
    slot->started = stopwatch_now();
    slot->fd = bench_connect(connect_spec);
    if (slot->fd < 0)
        bench_die("%s: connect: %s (%d messages done, %d sessions held)", connect_spec,
                  strerror(errno), n_finished, n_held);
    slot->phase = PHASE_NEGOTIATE;
    slot->bursts = NULL;
    slot->n_done = 0;
    if (n_idle > 0) {
        n_opening++;
        n_opened++;
    } else {
        n_begun++;
    }
    say(slot, offer->data, offer->len);
}

/* No progress: in idle mode say how far it came, that is a result. */
static void
on_stall(struct ev_loop *unused, ev_timer *timer, int events)
{
    static int last = -1;

    if (n_idle > 0)
        bench_die("%s: %d of %d sessions open, then nothing for %.0f s", connect_spec, n_held,
                  n_idle, IDLE_STALL_SECONDS);
    if (n_finished == last)
        bench_die("%s: no message done for %.0f s (%d done)", connect_spec, STALL_SECONDS,
                  n_finished);
    last = n_finished;
}

static void
on_stdin(struct ev_loop *unused, ev_io *io, int events)
{
    char byte;

    if (read(STDIN_FILENO, &byte, 1) == 0)
        ev_break(loop, EVBREAK_ALL);
}

static void
run_idle(void)
{
    ev_io stdin_io;

    ev_io_init(&stdin_io, on_stdin, STDIN_FILENO, EV_READ);
    ev_io_start(loop, &stdin_io);
    for (int i = 0; i < MIN(n_idle, IDLE_OPENING_AT_ONCE); i++)
        start_session(&slots[i]);
    ev_run(loop, 0);
    for (int i = 0; i < n_opened; i++)
        close_session(&slots[i]);
    printf("{\"sessions\": %d}\n", n_held);
}

static void
run_messages(void)
{
    double started = stopwatch_now();

    for (int i = 0; i < n_slots && n_begun < n_messages; i++)
        start_session(&slots[i]);
    ev_run(loop, 0);
    stopwatch_report(stopwatch, started, (gsize)body_size);
}

static void
parse_options(int argc, char **argv)
{
    const GOptionEntry entries[] = {
        { "connect", 0, 0, G_OPTION_ARG_STRING, &connect_spec, "The filter's address", "SPEC" },
        { "sessions", 0, 0, G_OPTION_ARG_INT, &n_slots, "Sessions at once (1)", "N" },
        { "messages", 0, 0, G_OPTION_ARG_INT, &n_messages, "Messages in all (1000)", "N" },
        { "per-session", 0, 0, G_OPTION_ARG_INT, &per_session, "Messages of a session (1)", "N" },
        { "idle", 0, 0, G_OPTION_ARG_INT, &n_idle, "Hold N sessions after HELO", "N" },
        { "headers", 0, 0, G_OPTION_ARG_INT, &n_headers, "Headers of a message (10)", "N" },
        { "header-size", 0, 0, G_OPTION_ARG_INT, &header_size, "Bytes of a value (60)", "N" },
        { "body", 0, 0, G_OPTION_ARG_INT, &body_size, "Bytes of the body (2048)", "N" },
        { "host", 0, 0, G_OPTION_ARG_STRING, &host, "The client's name", "NAME" },
        { "expect-header", 0, 0, G_OPTION_ARG_STRING, &expected_header,
          "Each message must get this header added, once", "NAME" },
        { "expect-final", 0, 0, G_OPTION_ARG_STRING, &expected_final,
          "Reply that must end each message (c)", "BYTE" },
        { .long_name = NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- play the MTA to a milter");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        bench_die("%s", error->message);
    if (connect_spec == NULL || argc != 1 || n_slots < 1 || n_messages < 1 || per_session < 1 ||
        n_idle < 0 || n_headers < 0 || header_size < 1 || body_size < 0)
        bench_die("want --connect and counts above 0; see --help");
    if (host == NULL)
        host = g_strdup("client.example.org");
    if (expected_final == NULL)
        expected_final = g_strdup("c");
}

int
main(int argc, char **argv)
{
    g_set_prgname("bench-load");
    parse_options(argc, argv);
    (void)signal(SIGPIPE, SIG_IGN);

    int n = n_idle > 0 ? n_idle : n_slots;

    bench_raise_descriptor_limit((guint)n + 64);
    write_size = bench_is_unix(connect_spec) ? UNIX_WRITE_SIZE : TCP_WRITE_SIZE;
    shape = (MailShape){ (guint)n_headers, (guint)header_size, (gsize)body_size, host };
    offer = plan_offer();
    stopwatch = stopwatch_new((guint)n_messages);
    slots = g_new0(Slot, n);
    loop = ev_loop_new(EVFLAG_AUTO);
    for (int i = 0; i < n; i++) {
        ev_io_init(&slots[i].io, on_io, -1, EV_READ);
        slots[i].io.data = &slots[i];
        slots[i].in = g_byte_array_new();
    }

    double patience = n_idle > 0 ? IDLE_STALL_SECONDS : STALL_SECONDS;

    ev_timer_init(&stall_timer, on_stall, patience, patience);
    ev_timer_start(loop, &stall_timer);
    if (n_idle > 0)
        run_idle();
    else
        run_messages();

    for (int i = 0; i < n; i++)
        g_byte_array_free(slots[i].in, TRUE);
    plan_free(&plan);
    stopwatch_free(&stopwatch);
    ev_loop_destroy(loop);
    return 0;
}
