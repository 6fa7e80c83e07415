/* crew.c - see crew.h */
#include "config.h"
#include "src/crew.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/channel.h"
#include "src/logfile.h"
#include "src/process.h"
#include "src/worker.h"

#define BEAT_MS 1000
#define QUICK_END_US G_USEC_PER_SEC /* a worker that ends sooner counts to the back-off */
#define DELAY_MAX 30.
/* So many in a row before one ever ran: the configuration is taken not to work. */
#define QUICK_ENDS_MAX 4

typedef struct {
    guint number;
    pid_t pid;          /* 0 while there is none */
    int pidfd, channel; /* -1 while there is none; owned */
    gboolean is_ready;  /* it said so */
    gboolean is_mute;   /* its end of the channel is closed */
    gint64 changed_at;  /* when it was started, or when it shall be, µs */
} Seat;

typedef struct {
    const MmRules *rules;
    MmSettings *settings;
    int channel;   /* to the supervisor, -1 when it is gone */
    int listen_fd; /* -1 when draining */
    int term_fd;   /* readable: SIGTERM came */
    guint64 *beat;
    MmTally *tally;
    Seat *seats;
    guint n_seats;
    guint n_quick_ends; /* in a row */
    gboolean is_loaded, is_draining;
    struct pollfd *polls; /* what wait_outside() waits for */
    int timeout_ms;
} Crew;

double
mm_crew_delay(guint n_quick_ends)
{
    double delay = 0.5;

    if (n_quick_ends == 0)
        return 0;
    while (--n_quick_ends > 0 && delay < DELAY_MAX)
        delay *= 2;
    return MIN(delay, DELAY_MAX);
}

/* What a fresh worker has of its generation's descriptors is not its own. */
static void
forget_others(Crew *crew)
{
    for (guint i = 0; i < crew->n_seats; i++) {
        if (crew->seats[i].pidfd >= 0)
            close(crew->seats[i].pidfd);
        if (crew->seats[i].channel >= 0)
            close(crew->seats[i].channel);
    }
    mm_process_forget_term();
}

static void G_GNUC_NORETURN
be_worker(Crew *crew, guint number, int channel)
{
    MmWorkerStart start = {
        .rules = crew->rules,
        .settings = crew->settings,
        .number = number,
        .channel = channel,
        .supervisor = crew->channel,
        .listen_fd = crew->listen_fd,
        .tally = crew->tally,
    };
    int status;

    forget_others(crew);
    g_free(crew->seats);
    g_free(crew->polls);
    status = mm_worker_run(&start);
    crew->rules->stop(status);
    mm_settings_free(&crew->settings);
    exit(status);
}

/* Start again after a while that grows. */
static void
postpone(Crew *crew, Seat *seat)
{
    crew->n_quick_ends++;
    seat->changed_at =
        g_get_monotonic_time() + (gint64)(mm_crew_delay(crew->n_quick_ends) * G_USEC_PER_SEC);
}

static void
start_worker(Crew *crew, Seat *seat)
{
    g_autoptr(GError) error = NULL;
    int ends[2];
    pid_t pid;

    if (!mm_channel_new(ends, &error)) {
        milter_error("cannot start a worker: %s", error->message);
        postpone(crew, seat);
        return;
    }
    pid = crew->rules->fork(&error);
    if (pid == 0) {
        close(ends[0]);
        be_worker(crew, seat->number, ends[1]);
    }
    close(ends[1]);
    if (pid < 0) {
        milter_error("cannot start a worker: %s", error->message);
        close(ends[0]);
        postpone(crew, seat);
        return;
    }
    seat->pid = pid;
    seat->pidfd = mm_process_open(pid);
    seat->channel = ends[0];
    seat->is_ready = seat->is_mute = FALSE;
    seat->changed_at = g_get_monotonic_time();
}

static void
close_seat(Seat *seat)
{
    close(seat->channel);
    close(seat->pidfd);
    seat->channel = seat->pidfd = -1;
    seat->pid = 0;
    seat->is_ready = FALSE;
}

/* A worker has ended: reap it and have it replaced. */
static void
on_end(Crew *crew, Seat *seat)
{
    g_autofree char *how = mm_process_reap(seat->pid);
    gboolean was_quick = g_get_monotonic_time() - seat->changed_at < QUICK_END_US;

    if (crew->is_draining)
        milter_debug("worker=%u pid=%d left: %s", seat->number, (int)seat->pid, how);
    else
        milter_error("worker=%u pid=%d ended: %s; starting another", seat->number, (int)seat->pid,
                     how);
    close_seat(seat);
    if (was_quick) {
        postpone(crew, seat);
    } else {
        crew->n_quick_ends = 0;
        seat->changed_at = 0;
    }
}

static void
drain(Crew *crew, MmMessageKind kind)
{
    crew->is_draining = TRUE;
    if (crew->listen_fd >= 0)
        close(crew->listen_fd);
    crew->listen_fd = -1;
    for (guint i = 0; i < crew->n_seats; i++) {
        if (crew->seats[i].channel >= 0)
            mm_channel_send(crew->seats[i].channel, kind, NULL, -1);
    }
}

static void
pass_log_on(Crew *crew, int fd)
{
    for (guint i = 0; i < crew->n_seats; i++) {
        if (crew->seats[i].channel >= 0)
            mm_channel_send(crew->seats[i].channel, MM_MESSAGE_LOG, NULL, fd);
    }
    mm_log_replace(fd);
}

static void
on_supervisor(Crew *crew)
{
    MmMessage message;

    switch (mm_channel_receive(crew->channel, FALSE, &message)) {
    case MM_CHANNEL_NOTHING:
        return;
    case MM_CHANNEL_CLOSED:
        milter_warning("the supervisor is gone; leaving when the last session has ended");
        close(crew->channel);
        crew->channel = -1;
        drain(crew, MM_MESSAGE_DRAIN);
        return;
    case MM_CHANNEL_MESSAGE:
        break;
    }
    if (message.kind == MM_MESSAGE_LOG && message.fd >= 0)
        pass_log_on(crew, message.fd);
    else if (message.kind == MM_MESSAGE_DRAIN || message.kind == MM_MESSAGE_LEAVE)
        drain(crew, (MmMessageKind)message.kind);
}

static void
on_worker(Crew *crew, Seat *seat)
{
    MmMessage message;

    switch (mm_channel_receive(seat->channel, FALSE, &message)) {
    case MM_CHANNEL_NOTHING:
        return;
    case MM_CHANNEL_CLOSED:
        /* It ends: its pidfd tells. */
        seat->is_mute = TRUE;
        return;
    case MM_CHANNEL_MESSAGE:
        break;
    }
    if (message.fd >= 0)
        close(message.fd);
    seat->is_ready |= message.kind == MM_MESSAGE_READY;
    if (message.kind == MM_MESSAGE_LAUNCH && crew->channel >= 0)
        mm_channel_send(crew->channel, MM_MESSAGE_LAUNCH, message.text, -1);
}

static void
report_when_loaded(Crew *crew)
{
    for (guint i = 0; i < crew->n_seats; i++) {
        if (!crew->seats[i].is_ready)
            return;
    }
    crew->is_loaded = TRUE;
    mm_channel_send(crew->channel, MM_MESSAGE_LOADED, NULL, -1);
}

/* Start the workers that are due. */
static void
fill_seats(Crew *crew)
{
    gint64 now = g_get_monotonic_time();

    for (guint i = 0; i < crew->n_seats && !crew->is_draining; i++) {
        if (crew->seats[i].pid == 0 && crew->seats[i].changed_at <= now)
            start_worker(crew, &crew->seats[i]);
    }
}

/* Without the interpreter's lock: touch nothing of Ruby. */
static void
wait_outside(gpointer data)
{
    Crew *crew = data;

    (void)poll(crew->polls, 2 + 2 * crew->n_seats, crew->timeout_ms);
}

static void
wait_for_events(Crew *crew)
{
    gint64 now = g_get_monotonic_time();

    crew->timeout_ms = BEAT_MS;
    crew->polls[0] = (struct pollfd){ .fd = crew->channel, .events = POLLIN };
    crew->polls[1] = (struct pollfd){ .fd = crew->term_fd, .events = POLLIN };
    for (guint i = 0; i < crew->n_seats; i++) {
        const Seat *seat = &crew->seats[i];
        struct pollfd *polls = crew->polls + 2 + 2 * i;

        polls[0] = (struct pollfd){ .fd = seat->pidfd, .events = POLLIN };
        polls[1] = (struct pollfd){ .fd = seat->is_mute ? -1 : seat->channel, .events = POLLIN };
        if (seat->pid == 0 && !crew->is_draining)
            crew->timeout_ms =
                MIN(crew->timeout_ms, MAX(0, (int)((seat->changed_at - now) / 1000) + 1));
    }
    crew->rules->outside(wait_outside, crew);
}

static void
handle_events(Crew *crew)
{
    guint64 ignored;

    if (crew->polls[0].revents)
        on_supervisor(crew);
    if (crew->polls[1].revents && read(crew->term_fd, &ignored, sizeof(ignored)) > 0)
        drain(crew, crew->is_draining ? MM_MESSAGE_LEAVE : MM_MESSAGE_DRAIN);
    for (guint i = 0; i < crew->n_seats; i++) {
        const struct pollfd *polls = crew->polls + 2 + 2 * i;

        if (polls[1].revents)
            on_worker(crew, &crew->seats[i]);
        if (polls[0].revents)
            on_end(crew, &crew->seats[i]);
    }
    for (guint i = 0; i < 2 + 2 * crew->n_seats; i++)
        crew->polls[i].revents = 0;
}

static gboolean
is_empty(const Crew *crew)
{
    for (guint i = 0; i < crew->n_seats; i++) {
        if (crew->seats[i].pid != 0)
            return FALSE;
    }
    return TRUE;
}

static void
init_seats(Crew *crew)
{
    crew->n_seats = mm_settings_n_workers(crew->settings);
    crew->seats = g_new0(Seat, crew->n_seats);
    crew->polls = g_new0(struct pollfd, 2 + 2 * crew->n_seats);
    for (guint i = 0; i < crew->n_seats; i++) {
        crew->seats[i].number = i + 1;
        crew->seats[i].pidfd = crew->seats[i].channel = -1;
    }
}

int
mm_crew_run(const MmRules *rules, MmSettings *settings, int channel, int listen_fd, guint64 *beat,
            MmTally *tally)
{
    Crew crew = {
        .rules = rules,
        .settings = settings,
        .channel = channel,
        .listen_fd = listen_fd,
        .beat = beat,
        .tally = tally,
    };
    int status = EXIT_SUCCESS;

    init_seats(&crew);
    crew.term_fd = mm_process_catch_term();
    while (!crew.is_draining || !is_empty(&crew)) {
        fill_seats(&crew);
        wait_for_events(&crew);
        handle_events(&crew);
        __atomic_store_n(beat, *beat + 1, __ATOMIC_RELAXED);
        if (!crew.is_loaded && crew.channel >= 0)
            report_when_loaded(&crew);
        if (!crew.is_loaded && crew.n_quick_ends >= QUICK_ENDS_MAX) {
            mm_channel_send(channel, MM_MESSAGE_ERROR, "workers end as soon as they start", -1);
            drain(&crew, MM_MESSAGE_LEAVE);
            status = EXIT_FAILURE;
            crew.is_loaded = TRUE;
        }
    }
    g_free(crew.seats);
    g_free(crew.polls);
    mm_process_forget_term();
    return status;
}
