/* worker.c - see worker.h */
#include "config.h"
#include "src/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "libmilter-core/loop.h"
#include "src/channel.h"
#include "src/condition.h"
#include "src/logfile.h"
#include "src/manager.h"
#include "src/presence.h"
#include "src/process.h"
#include "src/stats.h"

#define BEAT_SECONDS 1.
#define STUCK_SECONDS 10. /* Ruby may stay silent beyond a question's time */

/* What the relay thread works with; the first thread only waits for its end. */
typedef struct {
    const MmWorkerStart *start;
    MmStats *stats;
    guint32 *tally_entry; /* or NULL */
    MilterLoop *loop;
    MmManager *manager;
    MmConditions *conditions; /* NULL when no child has any */
    MmPresence *presence;     /* NULL when nobody looks after clients */
    ev_io channel_watch, term_watch;
    MilterTimer beat_timer;
    gboolean is_draining;
    int term_fd; /* readable: SIGTERM came */
    int wake_fd; /* eventfd: the relay thread has ended */
} Worker;

static void
on_drained(MmManager *manager, gpointer data)
{
    Worker *worker = data;

    milter_loop_stop(worker->loop);
}

static void
drain(Worker *worker)
{
    if (worker->is_draining)
        return;
    worker->is_draining = TRUE;
    milter_debug("draining sessions=%u", mm_manager_n_sessions(worker->manager));
    mm_manager_drain(worker->manager, on_drained, worker);
    /* The port must be free when all have stopped listening, not when the last leaves. */
    close(worker->start->listen_fd);
}

static void
on_channel(struct ev_loop *ev, ev_io *watch, int events)
{
    Worker *worker = watch->data;
    MmMessage message;

    switch (mm_channel_receive(worker->start->channel, FALSE, &message)) {
    case MM_CHANNEL_NOTHING:
        return;
    case MM_CHANNEL_CLOSED:
        if (!worker->is_draining)
            milter_warning("the generation is gone; leaving when the last session has ended");
        ev_io_stop(ev, watch);
        drain(worker);
        return;
    case MM_CHANNEL_MESSAGE:
        break;
    }
    if (message.kind == MM_MESSAGE_LOG && message.fd >= 0)
        mm_log_replace(message.fd);
    else if (message.kind == MM_MESSAGE_DRAIN)
        drain(worker);
    else if (message.kind == MM_MESSAGE_LEAVE)
        milter_loop_stop(worker->loop);
}

static void
on_term(struct ev_loop *ev, ev_io *watch, int events)
{
    Worker *worker = watch->data;
    guint64 ignored;

    (void)!read(watch->fd, &ignored, sizeof(ignored));
    if (worker->is_draining)
        milter_loop_stop(worker->loop);
    else
        drain(worker);
}

static void
on_beat(MilterTimer *timer, gpointer data)
{
    Worker *worker = data;

    /* Without a sign of life the supervisor replaces the worker: what no Ruby thread answers
     * is answered by fallbacks only. */
    if (!worker->conditions || !mm_conditions_is_stuck(worker->conditions, STUCK_SECONDS))
        mm_stats_bump(&worker->stats->page->beat);
    milter_timer_start(timer, BEAT_SECONDS);
}

/* The supervisor starts it, when the generation has passed this on. */
static void
launch(const char *name, gpointer data)
{
    Worker *worker = data;

    if (!mm_channel_send(worker->start->channel, MM_MESSAGE_LAUNCH, name, -1))
        milter_warning("child=%s action=none reason=\"cannot tell the supervisor to start it\"",
                       name);
}

static void
watch_fd(Worker *worker, ev_io *watch, void (*callback)(struct ev_loop *, ev_io *, int), int fd)
{
    ev_io_init(watch, callback, fd, EV_READ);
    watch->data = worker;
    ev_io_start(milter_loop_ev(worker->loop), watch);
}

/* The relay thread, from the first session to the last. */
static gpointer
relay(gpointer data)
{
    Worker *worker = data;
    const MmWorkerStart *start = worker->start;
    guint64 one = 1;

    prctl(PR_SET_NAME, "relay");
    worker->loop = milter_loop_new();
    worker->manager =
        mm_manager_new(worker->loop, start->settings, worker->stats, start->listen_fd);
    mm_manager_set_launch(worker->manager, launch, worker);
    mm_manager_set_tally(worker->manager, start->tally, worker->tally_entry);
    mm_manager_set_maintenance(worker->manager, start->rules->maintain);
    if (worker->conditions) {
        mm_conditions_attach(worker->conditions, worker->loop);
        mm_manager_set_conditions(worker->manager, worker->conditions);
    }
    if (worker->presence) {
        mm_presence_attach(worker->presence, worker->loop);
        mm_manager_set_presence(worker->manager, worker->presence);
    }
    watch_fd(worker, &worker->channel_watch, on_channel, start->channel);
    watch_fd(worker, &worker->term_watch, on_term, worker->term_fd);
    milter_timer_init(&worker->beat_timer, worker->loop, on_beat, worker);
    on_beat(&worker->beat_timer, worker);
    mm_channel_send(start->channel, MM_MESSAGE_READY, NULL, -1);
    milter_loop_run(worker->loop);

    mm_manager_free(&worker->manager);
    if (worker->conditions)
        mm_conditions_detach(worker->conditions);
    if (worker->presence)
        mm_presence_detach(worker->presence);
    milter_timer_clear(&worker->beat_timer);
    ev_io_stop(milter_loop_ev(worker->loop), &worker->channel_watch);
    ev_io_stop(milter_loop_ev(worker->loop), &worker->term_watch);
    milter_loop_free(&worker->loop);
    (void)!write(worker->wake_fd, &one, sizeof(one));
    return NULL;
}

/* A thread that no signal is delivered to. */
static GThread *
start_relay(Worker *worker)
{
    sigset_t all, old;
    GThread *thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    thread = g_thread_new("relay", relay, worker);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return thread;
}

/* Show the supervisor where we count; it learns our pid from the kernel. */
static gboolean
announce(const Worker *worker, GError **error)
{
    const MmWorkerStart *start = worker->start;
    g_autofree char *number = g_strdup_printf("%u", start->number);

    if (start->supervisor < 0)
        return TRUE;
    if (!mm_channel_send(start->supervisor, MM_MESSAGE_WORKER, number, worker->stats->fd)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PIPE, "cannot reach the supervisor");
        return FALSE;
    }
    /* With our copy open nobody would notice the generation's end. */
    close(start->supervisor);
    return TRUE;
}

static void
name_process(guint number)
{
    g_autofree char *tag = g_strdup_printf("worker-%u", number);
    g_autofree char *name = g_strconcat("mm-", tag, NULL);

    mm_log_set_tag(tag);
    prctl(PR_SET_NAME, name);
}

static guint
count_enabled(const MmSettings *settings)
{
    g_autofree const char **names = mm_settings_child_names(settings);

    return g_strv_length((char **)names);
}

int
mm_worker_run(const MmWorkerStart *start)
{
    Worker worker = { .start = start };
    g_autoptr(GError) error = NULL;
    GThread *thread;

    name_process(start->number);
    worker.term_fd = mm_process_catch_term();
    worker.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    worker.stats = mm_stats_new(count_enabled(start->settings), &error);
    if (!worker.stats || !announce(&worker, &error)) {
        milter_error("cannot start: %s", error->message);
        mm_stats_free(&worker.stats);
        return EXIT_FAILURE;
    }
    worker.tally_entry = mm_tally_enter(start->tally, getpid());
    worker.conditions = mm_conditions_new(start->rules, start->settings);
    worker.presence = mm_presence_new(start->rules, start->settings);
    thread = start_relay(&worker);
    start->rules->run_worker(start->number, worker.wake_fd);
    g_thread_join(thread);
    mm_conditions_free(&worker.conditions);
    mm_presence_free(&worker.presence);
    close(worker.wake_fd);
    mm_process_forget_term();
    close(start->channel);
    mm_stats_free(&worker.stats);
    mm_tally_leave(start->tally, getpid());
    return EXIT_SUCCESS;
}
