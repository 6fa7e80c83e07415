/* loop.h - one event loop: libev, a clock, timers, and work for the end of a turn
 *
 * Everything of one worker runs on one MilterLoop.  It owns a receive buffer that
 * all its connections share (a connection that is not in the middle of a packet
 * needs none of its own), flushes what was queued during a turn before it waits
 * again, and frees what was closed in that turn.  Time comes from the loop, so that
 * tests can move it. */
#ifndef MILTER_LOOP_H
#define MILTER_LOOP_H

#include <ev.h>
#include <glib.h>

G_BEGIN_DECLS

#define MILTER_LOOP_SCRATCH (256 * 1024) /* size of the shared receive buffer */

typedef struct _MilterLoop MilterLoop;
typedef struct _MilterTimer MilterTimer;
typedef struct _MilterTask MilterTask;

/* Called on the loop; may start and stop any timer, its own too. */
typedef void (*MilterTimerFunc)(MilterTimer *timer, gpointer data);

/* A one-shot timer, embedded in its owner.  Moving the time of one that runs costs two
 * stores: the watcher below is moved only when it fires too early. */
struct _MilterTimer {
    ev_timer watch;       /* the watcher that wakes us; may be earlier than AT */
    MilterLoop *loop;     /* borrowed */
    MilterTimerFunc func; /* borrowed */
    gpointer data;        /* borrowed, for FUNC */
    double at;            /* loop time when it fires, 0 when it does not run */
    double watch_at;      /* loop time when the watcher fires, 0 when it is stopped */
    GList link;           /* virtual time: in the loop's list while it runs */
};

/* Work to be done once before the loop waits next: flushing, freeing. */
struct _MilterTask {
    void (*func)(gpointer data); /* borrowed */
    gpointer data;               /* borrowed, for FUNC */
    GList link;                  /* in the loop's list while queued */
    gboolean is_queued;
};

MilterLoop *milter_loop_new(void);
/* A loop whose clock stands still until milter_loop_advance(). */
MilterLoop *milter_loop_new_virtual(void);
void milter_loop_free(MilterLoop **loop_p);

/* The libev loop below, for watchers of one's own. */
struct ev_loop *milter_loop_ev(MilterLoop *loop);

/* Seconds on the loop's own monotonic clock, as of the start of this turn. */
double milter_loop_now(const MilterLoop *loop);

/* The shared receive buffer; its content is dead when the callback that read it returns. */
guint8 *milter_loop_scratch(MilterLoop *loop);

/* Run until milter_loop_stop(). */
void milter_loop_run(MilterLoop *loop);
void milter_loop_stop(MilterLoop *loop);

/* One turn: what is ready now, then the tasks.  WAIT: block until something is ready.
 * For tests and small programs. */
void milter_loop_turn(MilterLoop *loop, gboolean wait);

/* Virtual time: move the clock by SECONDS and fire what is due, in order of time. */
void milter_loop_advance(MilterLoop *loop, double seconds);
/* Virtual time: seconds until the next timer, or -1 when none runs. */
double milter_loop_next_timer(MilterLoop *loop);

void milter_timer_init(MilterTimer *timer, MilterLoop *loop, MilterTimerFunc func, gpointer data);
/* Fire SECONDS from now (again: instead of when it was to fire). */
void milter_timer_start(MilterTimer *timer, double seconds);
/* Not at all.  Cheap: the watcher runs out by itself. */
void milter_timer_stop(MilterTimer *timer);
/* Before the memory goes. */
void milter_timer_clear(MilterTimer *timer);
static inline gboolean
milter_timer_is_running(const MilterTimer *timer)
{
    return timer->at != 0;
}

/* Do TASK before the loop waits next; once, however often it is queued.  Tasks queued by
 * a task are done in the same round. */
void milter_loop_queue(MilterLoop *loop, MilterTask *task);
void milter_loop_unqueue(MilterLoop *loop, MilterTask *task);

/* Call free_func(object) when this turn's callbacks and tasks are through.  The way
 * for an object to free itself inside one of its own callbacks. */
void milter_loop_free_later(MilterLoop *loop, GDestroyNotify free_func, gpointer object);

G_END_DECLS
#endif
