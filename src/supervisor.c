/* supervisor.c - see supervisor.h: signals, start and end */
#include "config.h"
#include "src/supervisor.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/daemonize.h"
#include "src/logfile.h"
#include "src/notify.h"
#include "src/pidfile.h"
#include "src/process.h"
#include "src/supervisor-private.h"

#define KILL_AFTER 1. /* s from the second signal to SIGKILL */

void
mm_supervisor_check_end(MmSupervisor *supervisor)
{
    if (supervisor->is_stopping && supervisor->generations->len == 0 &&
        supervisor->workers->len == 0)
        milter_loop_stop(supervisor->loop);
}

void
mm_supervisor_report_failure(MmSupervisor *supervisor, const char *reason)
{
    if (supervisor->is_stopping)
        return;
    if (!supervisor->settings) {
        fprintf(stderr, "milter-manager: %s\n", reason);
        supervisor->exit_status = EXIT_FAILURE;
        supervisor->is_stopping = TRUE;
        mm_supervisor_check_end(supervisor);
        return;
    }
    if (supervisor->current) {
        milter_error("not reloaded, the configuration in use stays: %s", reason);
        mm_control_loaded(supervisor->control, reason);
        mm_notify_ready();
        return;
    }
    milter_error("no configuration can be loaded: %s; trying again", reason);
    mm_control_loaded(supervisor->control, reason);
    supervisor->n_failures = MAX(supervisor->n_failures, 1);
    milter_timer_start(&supervisor->retry, MIN(60., 0.5 * (1 << MIN(7, supervisor->n_failures++))));
}

static void
on_retry(MilterTimer *timer, gpointer data)
{
    mm_supervisor_load(data);
}

/* An endless loop or a look-up in the configuration: nothing else would be heard of it. */
static void
on_slow(MilterTimer *timer, gpointer data)
{
    MmSupervisor *supervisor = data;

    if (!supervisor->pending || supervisor->is_stopping)
        return;
    milter_warning("the configuration is still being loaded after %d s, by process %d; "
                   "a reload gives up on it and loads again",
                   (int)MM_LOAD_SLOW, (int)supervisor->pending->process.pid);
}

static void
on_kill(MilterTimer *timer, gpointer data)
{
    MmSupervisor *supervisor = data;

    for (guint i = 0; i < supervisor->workers->len; i++)
        mm_process_kill(((MmWorkerRecord *)g_ptr_array_index(supervisor->workers, i))->pidfd,
                        SIGKILL);
    for (guint i = 0; i < supervisor->generations->len; i++)
        mm_process_kill(
            ((MmGeneration *)g_ptr_array_index(supervisor->generations, i))->process.pidfd,
            SIGKILL);
}

/* The first signal lets sessions end, the second does not. */
void
mm_supervisor_stop(MmSupervisor *supervisor)
{
    gboolean at_once = supervisor->is_stopping;

    /* Before the first configuration is in use nobody knows where lines go. */
    if (supervisor->settings)
        milter_notice("stopping%s", at_once ? " at once" : ", when the last session has ended");
    mm_notify_stopping();
    supervisor->is_stopping = TRUE;
    milter_timer_stop(&supervisor->retry);
    milter_timer_stop(&supervisor->slow);
    mm_watch_stop(supervisor->files);
    if (supervisor->listener)
        mm_listener_close(supervisor->listener);
    for (guint i = 0; i < supervisor->generations->len; i++) {
        MmGeneration *generation = g_ptr_array_index(supervisor->generations, i);

        if (generation == supervisor->pending)
            mm_process_kill(generation->process.pidfd, SIGKILL);
        else
            mm_supervisor_drain(generation, at_once ? MM_MESSAGE_LEAVE : MM_MESSAGE_DRAIN);
    }
    supervisor->pending = NULL;
    if (at_once) {
        /* Workers whose generation has died hear nothing any more. */
        for (guint i = 0; i < supervisor->workers->len; i++)
            mm_process_kill(((MmWorkerRecord *)g_ptr_array_index(supervisor->workers, i))->pidfd,
                            SIGTERM);
        milter_timer_start(&supervisor->kill, KILL_AFTER);
    }
    mm_supervisor_check_end(supervisor);
}

void
mm_supervisor_reload(MmSupervisor *supervisor)
{
    if (supervisor->is_stopping)
        return;
    milter_notice("reloading");
    mm_notify_reloading();
    supervisor->n_failures = 0;
    mm_supervisor_load(supervisor);
}

static void
on_files_changed(gpointer data)
{
    mm_supervisor_reload(data);
}

void
mm_supervisor_reopen_log(MmSupervisor *supervisor)
{
    g_autoptr(GError) error = NULL;
    int fd;

    if (!supervisor->settings || !supervisor->settings->log_path)
        return;
    fd = mm_log_open(supervisor->settings, &error);
    if (fd < 0) {
        milter_error("%s; the old file stays", error->message);
        return;
    }
    mm_log_replace(fd);
    for (guint i = 0; i < supervisor->generations->len; i++) {
        MmGeneration *generation = g_ptr_array_index(supervisor->generations, i);

        if (generation->state != MM_GENERATION_LOADING)
            mm_channel_send(generation->process.channel, MM_MESSAGE_LOG, NULL, mm_log_fd());
    }
    milter_notice("log reopened");
}

/* Orphans of our generations become our children. */
static void
reap_orphans(MmSupervisor *supervisor)
{
    for (;;) {
        siginfo_t info = { 0 };

        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return;
        /* A generation's own watcher reaps it and says how it ended. */
        for (guint i = 0; i < supervisor->generations->len; i++) {
            if (((MmGeneration *)g_ptr_array_index(supervisor->generations, i))->process.pid ==
                info.si_pid)
                return;
        }
        if (!mm_launcher_reap(supervisor->launcher, info.si_pid))
            (void)waitpid(info.si_pid, NULL, WNOHANG);
    }
}

static void
on_signal(struct ev_loop *ev, ev_signal *watch, int events)
{
    MmSupervisor *supervisor = watch->data;

    switch (watch->signum) {
    case SIGTERM:
    case SIGINT:
        mm_supervisor_stop(supervisor);
        break;
    case SIGHUP:
        mm_supervisor_reload(supervisor);
        break;
    case SIGUSR1:
        mm_supervisor_reopen_log(supervisor);
        break;
    case SIGUSR2:
        mm_supervisor_log_totals(supervisor);
        break;
    case SIGCHLD:
        reap_orphans(supervisor);
        break;
    }
}

static void
init(MmSupervisor *supervisor)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
    struct ev_loop *ev;

    supervisor->loop = milter_loop_new();
    ev = milter_loop_ev(supervisor->loop);
    supervisor->generations = g_ptr_array_new_with_free_func((GDestroyNotify)mm_generation_free);
    supervisor->workers = g_ptr_array_new_with_free_func((GDestroyNotify)mm_worker_record_free);
    mm_totals_init(&supervisor->totals);
    supervisor->tally = mm_tally_new();
    supervisor->launcher = mm_launcher_new();
    supervisor->control = mm_control_new(supervisor);
    supervisor->started_at = g_get_monotonic_time();
    supervisor->files = mm_watch_new(supervisor->loop, on_files_changed, supervisor);
    milter_timer_init(&supervisor->retry, supervisor->loop, on_retry, supervisor);
    milter_timer_init(&supervisor->slow, supervisor->loop, on_slow, supervisor);
    milter_timer_init(&supervisor->kill, supervisor->loop, on_kill, supervisor);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        ev_signal_init(&supervisor->signals[i], on_signal, numbers[i]);
        supervisor->signals[i].data = supervisor;
        ev_signal_start(ev, &supervisor->signals[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void
clear(MmSupervisor *supervisor)
{
    struct ev_loop *ev = milter_loop_ev(supervisor->loop);

    mm_control_free(&supervisor->control);
    g_clear_pointer(&supervisor->shown, g_bytes_unref);
    g_ptr_array_unref(supervisor->generations);
    g_ptr_array_unref(supervisor->workers);
    milter_timer_clear(&supervisor->retry);
    milter_timer_clear(&supervisor->slow);
    milter_timer_clear(&supervisor->kill);
    milter_timer_clear(&supervisor->watch);
    for (guint i = 0; i < G_N_ELEMENTS(supervisor->signals); i++)
        ev_signal_stop(ev, &supervisor->signals[i]);
    mm_watch_free(&supervisor->files);
    mm_listener_free(&supervisor->listener);
    mm_pidfile_remove(supervisor->pid_file);
    g_free(supervisor->pid_file);
    mm_settings_free(&supervisor->settings);
    mm_totals_clear(&supervisor->totals);
    mm_tally_free(&supervisor->tally);
    mm_launcher_free(&supervisor->launcher);
    milter_loop_free(&supervisor->loop);
}

int
mm_supervisor_run(const MmOptions *options, const MmRules *rules)
{
    g_autoptr(GError) error = NULL;
    gboolean is_daemonized = FALSE;

    for (;;) {
        MmSupervisor supervisor = {
            .options = options,
            .rules = rules,
            .is_daemonized = is_daemonized,
        };

        init(&supervisor);
        mm_supervisor_load(&supervisor);
        milter_loop_run(supervisor.loop);
        if (supervisor.settings) {
            mm_supervisor_log_totals(&supervisor);
            milter_notice("stopped");
        }
        clear(&supervisor);
        if (!supervisor.wants_daemon)
            return supervisor.exit_status;
        if (!mm_daemonize(&error)) {
            fprintf(stderr, "milter-manager: %s\n", error->message);
            return EXIT_FAILURE;
        }
        is_daemonized = TRUE;
    }
}
