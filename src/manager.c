/* manager.c - see manager.h */
#include "config.h"
#include "src/manager.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "libmilter-core/log.h"
#include "libmilter-core/sys.h"
#include "src/relay.h"

#define KEEPALIVE_IDLE 120 /* s until the kernel asks whether a silent MTA is still there */
#define ACCEPT_MAX 16 /* connections taken in one wake-up: other workers want some too */

struct _MmManager {
    MmHost host;
    ev_io accept_watch;
    MilterTimer suspended; /* runs while nothing is accepted for want of something */
    GQueue relays;         /* MmRelay */
    gboolean waits_for_room; /* suspended by max_connections, not for want of something */
    int listen_fd;         /* borrowed, -1 when draining */
    MmManagerDrained drained;
    gpointer drained_data;
    MilterTask drain_task; /* tells DRAINED */
    void (*maintain)(void); /* or NULL */
    guint n_unmaintained;   /* sessions that ended since it was called */
};

static void
check_drained(MmManager *manager)
{
    if (manager->listen_fd < 0 && manager->drained && g_queue_is_empty(&manager->relays))
        milter_loop_queue(manager->host.loop, &manager->drain_task);
}

static void
tell_drained(gpointer data)
{
    MmManager *manager = data;
    MmManagerDrained drained = g_steal_pointer(&manager->drained);

    if (drained)
        drained(manager, manager->drained_data);
}

static void
gauge_sessions(MmManager *manager, gint64 delta)
{
    if (manager->host.stats)
        mm_stats_gauge_add(manager->host.stats, MM_GAUGE_SESSIONS, delta);
}

static gboolean
is_full(const MmManager *manager)
{
    guint max = manager->host.settings->max_connections;

    return max && g_queue_get_length((GQueue *)&manager->relays) >= max;
}

static void
accept_again(MmManager *manager)
{
    manager->waits_for_room = FALSE;
    milter_timer_stop(&manager->suspended);
    if (manager->listen_fd >= 0)
        ev_io_start(milter_loop_ev(manager->host.loop), &manager->accept_watch);
}

static void
count_for_maintenance(MmManager *manager)
{
    guint interval = manager->host.settings->maintenance_interval;

    if (!interval || !manager->maintain || ++manager->n_unmaintained < interval)
        return;
    manager->n_unmaintained = 0;
    manager->maintain();
}

static void
on_relay_ended(MmRelay *relay, gpointer data)
{
    MmManager *manager = data;

    g_queue_remove(&manager->relays, relay);
    mm_presence_forget(relay);
    gauge_sessions(manager, -1);
    if (manager->waits_for_room && !is_full(manager))
        accept_again(manager);
    count_for_maintenance(manager);
    check_drained(manager);
}

static void
suspend(MmManager *manager, const char *why)
{
    guint seconds = MAX(1, manager->host.settings->suspend_time);

    milter_warning("accept=suspended seconds=%u reason=\"%s\" sessions=%u", seconds, why,
                   g_queue_get_length(&manager->relays));
    ev_io_stop(milter_loop_ev(manager->host.loop), &manager->accept_watch);
    milter_timer_start(&manager->suspended, seconds);
}

static void
on_suspended_over(MilterTimer *timer, gpointer data)
{
    MmManager *manager = data;

    if (is_full(manager))
        milter_timer_start(timer, MAX(1, manager->host.settings->suspend_time));
    else
        accept_again(manager);
}

static gboolean
is_out_of_something(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* A machine that vanished says nothing: the kernel is to find out.  Accepted sockets inherit
 * it from the listening one; on unix sockets it does nothing. */
static void
keep_alive(int fd)
{
    const int on = 1, idle = KEEPALIVE_IDLE, interval = KEEPALIVE_IDLE / 4, count = 4;

    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)) < 0)
        return;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
}

/* FALSE when there is nothing more to accept now. */
static gboolean
accept_one(MmManager *manager)
{
    int fd = milter_sys.accept4(manager->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        if (is_out_of_something(errno))
            suspend(manager, g_strerror(errno));
        /* A connection that was reset while it waited is no reason to stop. */
        return errno == EINTR || errno == ECONNABORTED;
    }
    g_queue_push_tail(&manager->relays,
                      mm_relay_new(&manager->host, fd, on_relay_ended, manager));
    gauge_sessions(manager, 1);
    return TRUE;
}

static void
on_acceptable(struct ev_loop *ev, ev_io *watch, int events)
{
    MmManager *manager = watch->data;

    for (guint i = 0; i < ACCEPT_MAX; i++) {
        if (is_full(manager)) {
            manager->waits_for_room = TRUE;
            suspend(manager, "manager.max_connections reached");
            break;
        }
        if (!accept_one(manager))
            break;
    }
}

MmManager *
mm_manager_new(MilterLoop *loop, const MmSettings *settings, MmStats *stats, int listen_fd)
{
    MmManager *manager = g_new0(MmManager, 1);

    mm_host_init(&manager->host, loop, settings, stats);
    manager->listen_fd = listen_fd;
    manager->drain_task = (MilterTask){ .func = tell_drained, .data = manager };
    milter_timer_init(&manager->suspended, loop, on_suspended_over, manager);
    keep_alive(listen_fd);
    ev_io_init(&manager->accept_watch, on_acceptable, listen_fd, EV_READ);
    manager->accept_watch.data = manager;
    ev_io_start(milter_loop_ev(loop), &manager->accept_watch);
    return manager;
}

void
mm_manager_set_conditions(MmManager *manager, MmConditions *conditions)
{
    manager->host.conditions = conditions;
}

void
mm_manager_set_presence(MmManager *manager, MmPresence *presence)
{
    manager->host.presence = presence;
}

void
mm_manager_set_launch(MmManager *manager, void (*launch)(const char *name, gpointer data),
                      gpointer data)
{
    manager->host.launch = launch;
    manager->host.launch_data = data;
}

void
mm_manager_set_tally(MmManager *manager, MmTally *tally, guint32 *entry)
{
    manager->host.tally = tally;
    manager->host.tally_entry = entry;
}

void
mm_manager_set_maintenance(MmManager *manager, void (*maintain)(void))
{
    manager->maintain = maintain;
}

void
mm_manager_drain(MmManager *manager, MmManagerDrained drained, gpointer data)
{
    ev_io_stop(milter_loop_ev(manager->host.loop), &manager->accept_watch);
    milter_timer_stop(&manager->suspended);
    manager->listen_fd = -1;
    manager->drained = drained;
    manager->drained_data = data;
    check_drained(manager);
}

guint
mm_manager_n_sessions(const MmManager *manager)
{
    return g_queue_get_length((GQueue *)&manager->relays);
}

void
mm_manager_free(MmManager **manager_p)
{
    MmManager *manager = g_steal_pointer(manager_p);
    MmRelay *relay;

    if (!manager)
        return;
    ev_io_stop(milter_loop_ev(manager->host.loop), &manager->accept_watch);
    milter_timer_clear(&manager->suspended);
    milter_loop_unqueue(manager->host.loop, &manager->drain_task);
    while ((relay = g_queue_pop_head(&manager->relays)))
        mm_relay_free(&relay);
    /* The relays' memory goes at the end of the turn; they no longer look at the host. */
    mm_host_clear(&manager->host);
    g_free(manager);
}
