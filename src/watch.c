/* watch.c - see watch.h */
#include "config.h"
#include "src/watch.h"

#include <ev.h>
#include <sys/stat.h>

#include "libmilter-core/log.h"

/* s; libev tells two changes within a second apart only by their size: that often we look
 * ourselves. */
#define SWEEP 5.
#define LOGGED_MAX 10   /* changed paths that are named at a time */
#define PATIENCE 10     /* times the delay that paths may go on changing */
#define BUSY_TIME 60.   /* s; changes within it after the last make us wait longer */
#define BUSY_FACTOR 32u /* longest wait, in delays */

typedef struct {
    MmWatch *parent;
    char *path;        /* owned */
    char *fingerprint; /* as it was seen last; owned */
    ev_stat stat;
} Path;

struct _MmWatch {
    MilterLoop *loop;
    MmWatchFunc on_change;
    gpointer data;
    GPtrArray *paths; /* Path; owned */
    MilterTimer sweep;
    MilterTimer timer;
    double delay;    /* s without a change until it is told */
    guint n_changes; /* since it was told last */
    gint64 first_at; /* µs, the first of them */
    gint64 told_at;  /* µs, when it was told last, 0: never */
    guint factor;    /* of the delay, grows when it is told often */
};

char *
mm_watch_fingerprint(const char *path)
{
    struct stat at;

    if (lstat(path, &at) < 0)
        return g_strdup("");
    return g_strdup_printf("%llu:%o:%u:%u:%lld:%lld.%09ld", (unsigned long long)at.st_ino,
                           (guint)at.st_mode, (guint)at.st_uid, (guint)at.st_gid,
                           (long long)at.st_size, (long long)at.st_mtim.tv_sec,
                           (long)at.st_mtim.tv_nsec);
}

static void
on_timer(MilterTimer *timer, gpointer data)
{
    MmWatch *watch = data;

    if (watch->n_changes > LOGGED_MAX)
        milter_notice("file changed: %u more", watch->n_changes - LOGGED_MAX);
    watch->n_changes = 0;
    watch->told_at = g_get_monotonic_time();
    watch->on_change(watch->data);
}

static double
seconds_since(gint64 then)
{
    return (double)(g_get_monotonic_time() - then) / G_USEC_PER_SEC;
}

/* Something that changes all the time must not make us reload all the time. */
static void
begin_burst(MmWatch *watch)
{
    gboolean is_busy = watch->told_at != 0 && seconds_since(watch->told_at) < BUSY_TIME;

    watch->factor = is_busy ? MIN(2 * watch->factor, BUSY_FACTOR) : 1;
    watch->first_at = g_get_monotonic_time();
}

static void
note_change(Path *path)
{
    MmWatch *watch = path->parent;
    double quiet;

    if (watch->n_changes++ == 0)
        begin_burst(watch);
    if (watch->n_changes <= LOGGED_MAX)
        milter_notice("file changed: %s", path->path);
    quiet = watch->delay * watch->factor;
    if (watch->n_changes == 1 || seconds_since(watch->first_at) < PATIENCE * quiet)
        milter_timer_start(&watch->timer, quiet);
}

/* Also called when only the time of the last access changed. */
static void
look(Path *path)
{
    g_autofree char *now = mm_watch_fingerprint(path->path);

    if (strcmp(now, path->fingerprint) == 0)
        return;
    g_free(path->fingerprint);
    path->fingerprint = g_steal_pointer(&now);
    note_change(path);
}

static void
on_stat(struct ev_loop *ev, ev_stat *stat, int events)
{
    look(stat->data);
}

static void
on_sweep(MilterTimer *timer, gpointer data)
{
    MmWatch *watch = data;

    for (guint i = 0; i < watch->paths->len; i++)
        look(g_ptr_array_index(watch->paths, i));
    milter_timer_start(&watch->sweep, SWEEP);
}

static void
path_free(gpointer data)
{
    Path *path = data;

    ev_stat_stop(milter_loop_ev(path->parent->loop), &path->stat);
    g_free(path->path);
    g_free(path->fingerprint);
    g_free(path);
}

MmWatch *
mm_watch_new(MilterLoop *loop, MmWatchFunc on_change, gpointer data)
{
    MmWatch *watch = g_new0(MmWatch, 1);

    watch->loop = loop;
    watch->on_change = on_change;
    watch->data = data;
    watch->factor = 1;
    watch->paths = g_ptr_array_new_with_free_func(path_free);
    milter_timer_init(&watch->sweep, loop, on_sweep, watch);
    milter_timer_init(&watch->timer, loop, on_timer, watch);
    return watch;
}

void
mm_watch_stop(MmWatch *watch)
{
    g_ptr_array_set_size(watch->paths, 0);
    milter_timer_stop(&watch->sweep);
    milter_timer_stop(&watch->timer);
    watch->n_changes = 0;
}

void
mm_watch_use(MmWatch *watch, const MmSettings *settings)
{
    struct ev_loop *ev = milter_loop_ev(watch->loop);

    mm_watch_stop(watch);
    if (!settings->detect_watch)
        return;
    watch->delay = settings->detect_watch_delay;
    for (guint i = 0; i < settings->watched->len; i++) {
        const MmWatched *watched = g_ptr_array_index(settings->watched, i);
        Path *path = g_new0(Path, 1);

        path->parent = watch;
        path->path = g_strdup(watched->path);
        path->fingerprint = g_strdup(watched->fingerprint);
        ev_stat_init(&path->stat, on_stat, path->path, 0.);
        path->stat.data = path;
        g_ptr_array_add(watch->paths, path);
        ev_stat_start(ev, &path->stat);
        /* It may have changed since it was read. */
        look(path);
    }
    milter_timer_start(&watch->sweep, SWEEP);
}

void
mm_watch_free(MmWatch **watch_p)
{
    MmWatch *watch = g_steal_pointer(watch_p);

    if (!watch)
        return;
    g_ptr_array_unref(watch->paths);
    milter_timer_clear(&watch->sweep);
    milter_timer_clear(&watch->timer);
    g_free(watch);
}
