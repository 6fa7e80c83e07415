/* supervisor-generation.c - see supervisor-private.h: from loading to leaving */
#include "config.h"
#include "src/supervisor-private.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/daemonize.h"
#include "src/logfile.h"
#include "src/notify.h"
#include "src/pidfile.h"
#include "src/process.h"

#define RETRY_MAX 60. /* s between two tries to start a generation */

static void
forget_pid_file(char **path_p)
{
    mm_pidfile_remove(*path_p);
    g_clear_pointer(path_p, g_free);
}

void
mm_generation_free(MmGeneration *generation)
{
    struct ev_loop *ev = milter_loop_ev(generation->parent->loop);

    ev_io_stop(ev, &generation->message_watch);
    ev_io_stop(ev, &generation->end_watch);
    close(generation->process.channel);
    close(generation->process.pidfd);
    mm_generation_unmap_beat(&generation->process.beat);
    mm_settings_free(&generation->settings);
    g_strfreev(generation->child_names);
    mm_listener_free(&generation->listener);
    mm_listener_free(&generation->control);
    g_clear_pointer(&generation->shown, g_bytes_unref);
    forget_pid_file(&generation->pid_file);
    if (generation->log_fd >= 0)
        close(generation->log_fd);
    g_free(generation);
}

void
mm_supervisor_drain(MmGeneration *generation, MmMessageKind kind)
{
    generation->state = MM_GENERATION_DRAINING;
    mm_channel_send(generation->process.channel, kind, NULL, -1);
}

/* Do without the one that is being loaded. */
static void
give_up_pending(MmSupervisor *supervisor)
{
    MmGeneration *pending = g_steal_pointer(&supervisor->pending);

    if (!pending)
        return;
    mm_listener_free(&pending->listener);
    mm_listener_free(&pending->control);
    forget_pid_file(&pending->pid_file);
    mm_process_kill(pending->process.pidfd, SIGKILL);
    pending->state = MM_GENERATION_DRAINING;
}

static void
fail_pending(MmGeneration *generation, const char *reason)
{
    MmSupervisor *supervisor = generation->parent;
    g_autofree char *copy = g_strdup(reason);

    if (generation != supervisor->pending) {
        milter_error("generation=%u: %s", generation->serial, copy);
        return;
    }
    give_up_pending(supervisor);
    mm_supervisor_report_failure(supervisor, copy);
}

static gboolean
write_pid_file(MmGeneration *generation, GError **error)
{
    const char *path = generation->settings->pid_file;

    if (!path || g_strcmp0(path, generation->parent->pid_file) == 0)
        return TRUE;
    if (!mm_pidfile_write(path, error))
        return FALSE;
    generation->pid_file = g_strdup(path);
    return TRUE;
}

static gboolean
prepare_control(MmGeneration *generation, GError **error)
{
    MmListener *used = mm_control_listener(generation->parent->control);
    const MmSettings *settings = generation->settings;

    if (!settings->controller_spec)
        return TRUE;
    if (used && mm_listener_fits(used, settings))
        return mm_listener_adjust(used, settings, error);
    generation->control = mm_listener_new(settings, MM_SCOPE_CONTROLLER, error);
    return generation->control != NULL;
}

/* Open what the new configuration wants and the old one has not. */
static gboolean
prepare(MmGeneration *generation, GError **error)
{
    MmSupervisor *supervisor = generation->parent;
    MmSettings *settings = generation->settings;

    if (supervisor->listener && mm_listener_fits(supervisor->listener, settings)) {
        if (!mm_listener_adjust(supervisor->listener, settings, error))
            return FALSE;
    } else {
        generation->listener = mm_listener_new(settings, MM_SCOPE_MANAGER, error);
        if (!generation->listener)
            return FALSE;
    }
    if (!prepare_control(generation, error))
        return FALSE;
    if (settings->daemon && !supervisor->is_daemonized) {
        milter_warning("manager.daemon is used only at the start");
        settings->daemon = FALSE;
    }
    generation->log_fd = mm_log_open(settings, error);
    return generation->log_fd >= 0 && write_pid_file(generation, error);
}

static gboolean
hand_over(MmGeneration *generation, GError **error)
{
    MmListener *listener =
        generation->listener ? generation->listener : generation->parent->listener;
    int channel = generation->process.channel;

    if (!mm_channel_send(channel, MM_MESSAGE_LOG, NULL, generation->log_fd) ||
        !mm_channel_send(channel, MM_MESSAGE_GO, NULL, mm_listener_fd(listener))) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PIPE,
                    "the process that loads the configuration has gone");
        return FALSE;
    }
    generation->state = MM_GENERATION_STARTING;
    return TRUE;
}

static void
on_settings(MmGeneration *generation, int fd)
{
    MmSupervisor *supervisor = generation->parent;
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = NULL;
    g_autofree const char **names = NULL;

    /* Only once, and only before it has dropped its rights. */
    if (generation->state != MM_GENERATION_LOADING || generation->settings) {
        milter_warning("generation=%u sent settings again; ignored", generation->serial);
        return;
    }
    bytes = mm_memory_file_read(fd, MM_SETTINGS_PACKED_MAX, &error);
    generation->settings = bytes ? mm_settings_unpack(bytes, &error) : NULL;
    if (generation->settings && generation->settings->daemon && !supervisor->is_daemonized &&
        !supervisor->settings) {
        /* Known only now; begin again as a daemon. */
        supervisor->wants_daemon = TRUE;
        give_up_pending(supervisor);
        milter_loop_stop(supervisor->loop);
        return;
    }
    if (!generation->settings || !prepare(generation, &error) || !hand_over(generation, &error)) {
        fail_pending(generation, error->message);
        return;
    }
    names = mm_settings_child_names(generation->settings);
    generation->child_names = g_strdupv((char **)names);
    generation->worker_timeout = generation->settings->worker_timeout;
    generation->max_workers = 4 * mm_settings_n_workers(generation->settings) + 16;
}

static int
take_fd(int *fd_p)
{
    int fd = *fd_p;

    *fd_p = -1;
    return fd;
}

/* All workers run: what it brought is ours now, and the one before leaves. */
static void
on_loaded(MmGeneration *generation)
{
    MmSupervisor *supervisor = generation->parent;
    gboolean is_first = supervisor->settings == NULL;

    if (generation->state != MM_GENERATION_STARTING)
        return;
    mm_log_start(generation->settings, take_fd(&generation->log_fd));
    generation->state = MM_GENERATION_RUNNING;
    generation->pulse.changed_at = g_get_monotonic_time();
    if (supervisor->current)
        mm_supervisor_drain(supervisor->current, MM_MESSAGE_DRAIN);
    if (generation->listener) {
        mm_listener_free(&supervisor->listener);
        supervisor->listener = g_steal_pointer(&generation->listener);
    }
    if (generation->control || !generation->settings->controller_spec)
        mm_control_listen(supervisor->control, g_steal_pointer(&generation->control));
    g_clear_pointer(&supervisor->shown, g_bytes_unref);
    supervisor->shown = g_steal_pointer(&generation->shown);
    if (generation->pid_file || !generation->settings->pid_file) {
        forget_pid_file(&supervisor->pid_file);
        supervisor->pid_file = g_steal_pointer(&generation->pid_file);
    }
    mm_settings_free(&supervisor->settings);
    supervisor->settings = g_steal_pointer(&generation->settings);
    supervisor->current = g_steal_pointer(&supervisor->pending);
    supervisor->n_failures = 0;
    mm_supervisor_start_watch(supervisor);
    mm_watch_use(supervisor->files, supervisor->settings);
    milter_notice("%s version=%s generation=%u workers=%u listening=%s",
                  is_first ? "started" : "loaded", PACKAGE_VERSION, generation->serial,
                  mm_settings_n_workers(supervisor->settings),
                  mm_listener_spec(supervisor->listener));
    mm_notify_ready();
    mm_daemonize_ready();
    mm_control_loaded(supervisor->control, NULL);
}

static void
on_shown(MmGeneration *generation, int fd)
{
    /* Only once, and only before it has dropped its rights. */
    if (generation->state == MM_GENERATION_LOADING && !generation->shown)
        generation->shown = mm_memory_file_read(fd, 2 * MM_SETTINGS_PACKED_MAX, NULL);
}

/* Of one that leaves we no longer have the settings. */
static void
on_launch(MmGeneration *generation, const char *name)
{
    MmSupervisor *supervisor = generation->parent;
    const MmSettings *settings =
        generation == supervisor->current ? supervisor->settings : generation->settings;

    if (settings && !supervisor->is_stopping)
        mm_launcher_start(supervisor->launcher, settings, name);
}

static void
on_message(struct ev_loop *ev, ev_io *watch, int events)
{
    MmGeneration *generation = watch->data;
    MmMessage message;

    switch (mm_channel_receive(generation->process.channel, FALSE, &message)) {
    case MM_CHANNEL_NOTHING:
        return;
    case MM_CHANNEL_CLOSED:
        /* Its end is told by the other watcher. */
        ev_io_stop(ev, watch);
        return;
    case MM_CHANNEL_MESSAGE:
        break;
    }
    if (message.kind == MM_MESSAGE_WORKER) {
        mm_supervisor_add_worker(generation, &message);
        return;
    }
    if (message.kind == MM_MESSAGE_LAUNCH)
        on_launch(generation, message.text);
    else if (generation != generation->parent->pending)
        milter_debug("generation=%u said %c", generation->serial, message.kind);
    else if (message.kind == MM_MESSAGE_SHOWN)
        on_shown(generation, message.fd);
    else if (message.kind == MM_MESSAGE_SETTINGS)
        on_settings(generation, message.fd);
    else if (message.kind == MM_MESSAGE_ERROR)
        fail_pending(generation, message.text);
    else if (message.kind == MM_MESSAGE_LOADED)
        on_loaded(generation);
    if (message.fd >= 0)
        close(message.fd);
}

/* Start a generation again, later each time. */
static void
retry_later(MmSupervisor *supervisor)
{
    double delay = 0.5;

    for (guint i = 0; i < supervisor->n_failures && delay < RETRY_MAX; i++)
        delay *= 2;
    supervisor->n_failures++;
    milter_timer_start(&supervisor->retry, MIN(delay, RETRY_MAX));
}

static void
on_end(struct ev_loop *ev, ev_io *watch, int events)
{
    MmGeneration *generation = watch->data;
    MmSupervisor *supervisor = generation->parent;
    g_autofree char *how = NULL;

    /* What it said last may still be there. */
    if (ev_is_active(&generation->message_watch))
        on_message(ev, &generation->message_watch, EV_READ);
    how = mm_process_reap(generation->process.pid);
    if (generation == supervisor->pending) {
        g_autofree char *reason =
            g_strdup_printf("the process that loads the configuration ended: %s", how);

        fail_pending(generation, reason);
    } else if (generation == supervisor->current) {
        supervisor->current = NULL;
        if (!supervisor->is_stopping) {
            milter_error("generation=%u pid=%d ended: %s; starting another", generation->serial,
                         (int)generation->process.pid, how ? how : "?");
            retry_later(supervisor);
        }
    }
    g_ptr_array_remove_fast(supervisor->generations, generation);
    /* Orphans that ended before may wait behind it. */
    ev_feed_signal_event(ev, SIGCHLD);
    mm_supervisor_check_end(supervisor);
}

void
mm_supervisor_load(MmSupervisor *supervisor)
{
    struct ev_loop *ev = milter_loop_ev(supervisor->loop);
    g_autoptr(GError) error = NULL;
    MmGeneration *generation;
    MmGenerationProcess process;

    milter_timer_stop(&supervisor->retry);
    give_up_pending(supervisor);
    if (!mm_generation_launch(supervisor->options, supervisor->rules, supervisor->settings,
                              supervisor->tally, &process, &error)) {
        mm_supervisor_report_failure(supervisor, error->message);
        return;
    }
    generation = g_new0(MmGeneration, 1);
    generation->parent = supervisor;
    generation->serial = ++supervisor->n_generations;
    generation->process = process;
    generation->log_fd = -1;
    ev_io_init(&generation->message_watch, on_message, process.channel, EV_READ);
    generation->message_watch.data = generation;
    ev_io_start(ev, &generation->message_watch);
    ev_io_init(&generation->end_watch, on_end, process.pidfd, EV_READ);
    generation->end_watch.data = generation;
    ev_io_start(ev, &generation->end_watch);
    g_ptr_array_add(supervisor->generations, generation);
    supervisor->pending = generation;
    milter_timer_start(&supervisor->slow, MM_LOAD_SLOW);
}
