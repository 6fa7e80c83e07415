/* supervisor-worker.c - see supervisor-private.h: workers, their counters and their pulse */
#include "config.h"
#include "src/supervisor-private.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/process.h"

#define LEAST_WATCH_INTERVAL 0.25 /* s */
#define WATCH_INTERVAL 5.         /* s */

void
mm_worker_record_free(MmWorkerRecord *worker)
{
    ev_io_stop(milter_loop_ev(worker->parent->loop), &worker->end_watch);
    close(worker->pidfd);
    mm_stats_free(&worker->stats);
    g_strfreev(worker->child_names);
    g_free(worker);
}

static MmGeneration *
generation_of(const MmWorkerRecord *worker)
{
    GPtrArray *generations = worker->parent->generations;

    for (guint i = 0; i < generations->len; i++) {
        MmGeneration *generation = g_ptr_array_index(generations, i);

        if (generation->serial == worker->generation)
            return generation;
    }
    return NULL;
}

static void
on_end(struct ev_loop *ev, ev_io *watch, int events)
{
    MmWorkerRecord *worker = watch->data;
    MmSupervisor *supervisor = worker->parent;
    MmGeneration *generation = generation_of(worker);

    mm_totals_add(&supervisor->totals, worker->stats, (const char *const *)worker->child_names);
    mm_tally_leave(supervisor->tally, worker->pid);
    if (generation)
        generation->n_workers--;
    g_ptr_array_remove_fast(supervisor->workers, worker);
    mm_supervisor_check_end(supervisor);
}

void
mm_supervisor_add_worker(MmGeneration *generation, const MmMessage *message)
{
    MmSupervisor *supervisor = generation->parent;
    g_autoptr(GError) error = NULL;
    MmWorkerRecord *worker;
    int pidfd = message->pid > 1 ? mm_process_open(message->pid) : -1;
    MmStats *stats = mm_stats_map(message->fd, &error);
    guint64 number;
    pid_t parent;

    if (message->fd >= 0)
        close(message->fd);
    parent = message->pid > 1 ? mm_process_parent(message->pid) : -1;
    /* It has ended before its word was read: a stop that came right after the start. */
    if (message->pid > 1 && (pidfd < 0 || parent == 0)) {
        mm_stats_free(&stats);
        mm_tally_leave(supervisor->tally, message->pid);
        if (pidfd >= 0)
            close(pidfd);
        return;
    }
    /* The kernel told the pid, but it may be another process' by now. */
    if (!stats || pidfd < 0 || parent != generation->process.pid ||
        generation->n_workers >= generation->max_workers ||
        !g_ascii_string_to_unsigned(message->text, 10, 1, 1000, &number, NULL)) {
        milter_warning("generation=%u: a worker announced itself wrongly%s%s", generation->serial,
                       error ? ": " : "", error ? error->message : "");
        mm_stats_free(&stats);
        if (pidfd >= 0)
            close(pidfd);
        return;
    }
    worker = g_new0(MmWorkerRecord, 1);
    worker->parent = supervisor;
    worker->generation = generation->serial;
    worker->number = (guint)number;
    worker->pid = message->pid;
    worker->pidfd = pidfd;
    worker->stats = stats;
    worker->child_names = g_strdupv(generation->child_names);
    worker->worker_timeout = generation->worker_timeout;
    worker->pulse.changed_at = g_get_monotonic_time();
    generation->n_workers++;
    ev_io_init(&worker->end_watch, on_end, pidfd, EV_READ);
    worker->end_watch.data = worker;
    ev_io_start(milter_loop_ev(supervisor->loop), &worker->end_watch);
    g_ptr_array_add(supervisor->workers, worker);
}

/* Totals */

static void
log_counters(const char *who, const guint64 *counters, guint n, const char *(*name)(guint))
{
    GString *line = g_string_new("statistics");

    if (who) {
        g_autofree char *escaped = milter_log_escape(who, strlen(who), 200);

        g_string_append_printf(line, " child=%s", escaped);
    }
    for (guint i = 0; i < n; i++)
        g_string_append_printf(line, " %s=%" G_GUINT64_FORMAT, name(i), counters[i]);
    milter_notice("%s", line->str);
    g_string_free(line, TRUE);
}

static const char *
stat_name(guint i)
{
    return mm_stat_name((MmStat)i);
}

static const char *
child_stat_name(guint i)
{
    return mm_child_stat_name((MmChildStat)i);
}

void
mm_supervisor_totals(MmSupervisor *supervisor, MmTotals *totals, gint64 *sessions)
{
    *sessions = 0;
    mm_totals_copy(totals, &supervisor->totals);
    for (guint i = 0; i < supervisor->workers->len; i++) {
        MmWorkerRecord *worker = g_ptr_array_index(supervisor->workers, i);

        mm_totals_add(totals, worker->stats, (const char *const *)worker->child_names);
        *sessions += worker->stats->page->gauges[MM_GAUGE_SESSIONS];
    }
}

void
mm_supervisor_log_totals(MmSupervisor *supervisor)
{
    MmTotals totals;
    GHashTableIter iter;
    gpointer name, counters;
    gint64 sessions;

    mm_supervisor_totals(supervisor, &totals, &sessions);
    log_counters(NULL, totals.counters, MM_N_STATS, stat_name);
    g_hash_table_iter_init(&iter, totals.children);
    while (g_hash_table_iter_next(&iter, &name, &counters))
        log_counters(name, counters, MM_N_CHILD_STATS, child_stat_name);
    milter_notice("statistics workers=%u open_sessions=%" G_GINT64_FORMAT, supervisor->workers->len,
                  sessions);
    mm_totals_clear(&totals);
}

/* Pulse */

/* Whether it stood still for longer than TIMEOUT. */
static gboolean
has_stopped(MmPulse *pulse, const guint64 *beat, double timeout, gint64 now)
{
    guint64 count = __atomic_load_n(beat, __ATOMIC_RELAXED);

    if (count != pulse->last) {
        pulse->last = count;
        pulse->changed_at = now;
    }
    return timeout > 0 && (double)(now - pulse->changed_at) > timeout * G_USEC_PER_SEC;
}

/* All pulses at NOW; kill what has none, if MAY_KILL. */
static void
look_at_all(MmSupervisor *supervisor, gint64 now, gboolean may_kill)
{
    for (guint i = 0; i < supervisor->workers->len; i++) {
        MmWorkerRecord *worker = g_ptr_array_index(supervisor->workers, i);

        if (has_stopped(&worker->pulse, &worker->stats->page->beat, worker->worker_timeout, now) &&
            may_kill) {
            milter_error("worker=%u pid=%d gives no sign of life since %g s; killing it",
                         worker->number, (int)worker->pid, worker->worker_timeout);
            worker->pulse.changed_at = now;
            mm_process_kill(worker->pidfd, SIGKILL);
        }
    }
    for (guint i = 0; i < supervisor->generations->len; i++) {
        MmGeneration *generation = g_ptr_array_index(supervisor->generations, i);

        /* It has no pulse while it loads: that may take long. */
        if (generation->state >= MM_GENERATION_RUNNING &&
            has_stopped(&generation->pulse, generation->process.beat, generation->worker_timeout,
                        now) &&
            may_kill) {
            milter_error("generation=%u pid=%d gives no sign of life since %g s; killing it",
                         generation->serial, (int)generation->process.pid,
                         generation->worker_timeout);
            generation->pulse.changed_at = now;
            mm_process_kill(generation->process.pidfd, SIGKILL);
        }
    }
}

/* Seconds between two looks: four within the shortest timeout. */
static double
watch_interval(const MmSupervisor *supervisor)
{
    double timeout = supervisor->settings ? supervisor->settings->worker_timeout : 0;

    return timeout > 0 ? CLAMP(timeout / 4, LEAST_WATCH_INTERVAL, WATCH_INTERVAL) : WATCH_INTERVAL;
}

static void
on_watch(MilterTimer *timer, gpointer data)
{
    MmSupervisor *supervisor = data;
    gint64 now = g_get_monotonic_time();
    double late = (double)(now - supervisor->watch_at) / G_USEC_PER_SEC;

    /* When we did not run ourselves, others had no time either: everybody starts anew. */
    if (late > watch_interval(supervisor)) {
        supervisor->n_times_watched = 0;
        for (guint i = 0; i < supervisor->workers->len; i++) {
            MmWorkerRecord *worker = g_ptr_array_index(supervisor->workers, i);

            worker->pulse.changed_at = now;
        }
        for (guint i = 0; i < supervisor->generations->len; i++) {
            MmGeneration *generation = g_ptr_array_index(supervisor->generations, i);

            generation->pulse.changed_at = now;
        }
    }
    look_at_all(supervisor, now, ++supervisor->n_times_watched > 2);
    mm_supervisor_start_watch(supervisor);
}

void
mm_supervisor_start_watch(MmSupervisor *supervisor)
{
    double interval = watch_interval(supervisor);

    if (!supervisor->watch.loop)
        milter_timer_init(&supervisor->watch, supervisor->loop, on_watch, supervisor);
    supervisor->watch_at = g_get_monotonic_time() + (gint64)(interval * G_USEC_PER_SEC);
    milter_timer_start(&supervisor->watch, interval);
}
