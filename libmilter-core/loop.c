/* loop.c - see loop.h */
#include "config.h"
#include "libmilter-core/loop.h"

typedef struct {
    GDestroyNotify func;
    gpointer object;
} Grave;

struct _MilterLoop {
    struct ev_loop *ev;
    ev_prepare before_wait;
    GQueue tasks;         /* MilterTask.link of queued tasks */
    GArray *graves;       /* Grave: what is freed at the end of the turn */
    guint8 *scratch;      /* MILTER_LOOP_SCRATCH bytes */
    gboolean is_virtual;
    double virtual_now;   /* the clock of a virtual loop */
    GQueue virtual_timers; /* MilterTimer.link of running timers of a virtual loop */
};

static void
bury(MilterLoop *loop)
{
    /* A free function may bury more. */
    for (guint i = 0; i < loop->graves->len; i++) {
        Grave grave = g_array_index(loop->graves, Grave, i);

        grave.func(grave.object);
    }
    g_array_set_size(loop->graves, 0);
}

static void
do_tasks(MilterLoop *loop)
{
    GList *link;

    while ((link = g_queue_pop_head_link(&loop->tasks))) {
        MilterTask *task = link->data;

        task->is_queued = FALSE;
        task->func(task->data);
    }
    bury(loop);
}

static void
on_before_wait(struct ev_loop *ev, ev_prepare *watch, int events)
{
    do_tasks(watch->data);
}

MilterLoop *
milter_loop_new(void)
{
    MilterLoop *loop = g_new0(MilterLoop, 1);

    loop->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!loop->ev)
        g_error("cannot make an event loop: out of descriptors?");
    loop->graves = g_array_new(FALSE, FALSE, sizeof(Grave));
    ev_prepare_init(&loop->before_wait, on_before_wait);
    loop->before_wait.data = loop;
    ev_prepare_start(loop->ev, &loop->before_wait);
    ev_unref(loop->ev);
    return loop;
}

MilterLoop *
milter_loop_new_virtual(void)
{
    MilterLoop *loop = milter_loop_new();

    loop->is_virtual = TRUE;
    loop->virtual_now = 1000.0;
    return loop;
}

void
milter_loop_free(MilterLoop **loop_p)
{
    MilterLoop *loop = g_steal_pointer(loop_p);

    if (!loop)
        return;
    do_tasks(loop);
    ev_ref(loop->ev);
    ev_prepare_stop(loop->ev, &loop->before_wait);
    ev_loop_destroy(loop->ev);
    g_array_unref(loop->graves);
    g_free(loop->scratch);
    g_free(loop);
}

struct ev_loop *
milter_loop_ev(MilterLoop *loop)
{
    return loop->ev;
}

double
milter_loop_now(const MilterLoop *loop)
{
    return loop->is_virtual ? loop->virtual_now : ev_now(loop->ev);
}

guint8 *
milter_loop_scratch(MilterLoop *loop)
{
    if (!loop->scratch)
        loop->scratch = g_malloc(MILTER_LOOP_SCRATCH);
    return loop->scratch;
}

void
milter_loop_run(MilterLoop *loop)
{
    ev_run(loop->ev, 0);
}

void
milter_loop_stop(MilterLoop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

void
milter_loop_turn(MilterLoop *loop, gboolean wait)
{
    do_tasks(loop);
    ev_run(loop->ev, wait ? EVRUN_ONCE : EVRUN_NOWAIT);
    do_tasks(loop);
}

static MilterTimer *
earliest_timer(MilterLoop *loop)
{
    MilterTimer *earliest = NULL;

    for (GList *link = loop->virtual_timers.head; link; link = link->next) {
        MilterTimer *timer = link->data;

        if (!earliest || timer->at < earliest->at)
            earliest = timer;
    }
    return earliest;
}

double
milter_loop_next_timer(MilterLoop *loop)
{
    MilterTimer *timer = earliest_timer(loop);

    return timer ? MAX(0, timer->at - loop->virtual_now) : -1;
}

void
milter_loop_advance(MilterLoop *loop, double seconds)
{
    double until = loop->virtual_now + seconds;
    MilterTimer *timer;

    g_assert(loop->is_virtual);
    do_tasks(loop);
    while ((timer = earliest_timer(loop)) && timer->at <= until) {
        loop->virtual_now = MAX(loop->virtual_now, timer->at);
        milter_timer_stop(timer);
        timer->func(timer, timer->data);
        do_tasks(loop);
    }
    loop->virtual_now = until;
}

static void
arm(MilterTimer *timer)
{
    struct ev_loop *ev = timer->loop->ev;

    ev_timer_stop(ev, &timer->watch);
    ev_timer_set(&timer->watch, MAX(0, timer->at - ev_now(ev)), 0.);
    ev_timer_start(ev, &timer->watch);
    timer->watch_at = timer->at;
}

static void
on_timer(struct ev_loop *ev, ev_timer *watch, int events)
{
    MilterTimer *timer = watch->data;

    timer->watch_at = 0;
    if (!timer->at)
        return;
    /* The time was moved after the watcher was set. */
    if (timer->at > ev_now(ev) + 1e-4) {
        arm(timer);
        return;
    }
    timer->at = 0;
    timer->func(timer, timer->data);
}

void
milter_timer_init(MilterTimer *timer, MilterLoop *loop, MilterTimerFunc func, gpointer data)
{
    *timer = (MilterTimer){ .loop = loop, .func = func, .data = data };
    timer->link.data = timer;
    ev_timer_init(&timer->watch, on_timer, 0., 0.);
    timer->watch.data = timer;
}

void
milter_timer_start(MilterTimer *timer, double seconds)
{
    MilterLoop *loop = timer->loop;

    if (loop->is_virtual) {
        if (!timer->at)
            g_queue_push_tail_link(&loop->virtual_timers, &timer->link);
        timer->at = loop->virtual_now + seconds;
        return;
    }
    timer->at = ev_now(loop->ev) + seconds;
    if (!timer->watch_at || timer->watch_at > timer->at)
        arm(timer);
}

void
milter_timer_stop(MilterTimer *timer)
{
    if (timer->loop->is_virtual && timer->at)
        g_queue_unlink(&timer->loop->virtual_timers, &timer->link);
    timer->at = 0;
}

void
milter_timer_clear(MilterTimer *timer)
{
    if (!timer->loop)
        return;
    milter_timer_stop(timer);
    ev_timer_stop(timer->loop->ev, &timer->watch);
    timer->watch_at = 0;
}

void
milter_loop_queue(MilterLoop *loop, MilterTask *task)
{
    if (task->is_queued)
        return;
    task->is_queued = TRUE;
    task->link.data = task;
    g_queue_push_tail_link(&loop->tasks, &task->link);
}

void
milter_loop_unqueue(MilterLoop *loop, MilterTask *task)
{
    if (!task->is_queued)
        return;
    task->is_queued = FALSE;
    g_queue_unlink(&loop->tasks, &task->link);
}

void
milter_loop_free_later(MilterLoop *loop, GDestroyNotify free_func, gpointer object)
{
    Grave grave = { free_func, object };

    g_array_append_val(loop->graves, grave);
}
