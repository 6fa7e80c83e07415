/* nudge.c - see nudge.h */
#include "config.h"
#include "binding/ruby/nudge.h"

#include <ruby.h>
#include <ruby/debug.h>
#include <signal.h>

#define LONG_US 2000       /* so long a wait means that somebody computes */
#define FIRST_US 100       /* a wait that is worth a nudge */
#define NEXT_US 1000       /* between two */
#define WATCHED_WAITS 1000 /* after a long one */

static GMutex lock; /* of all that follows */
static GCond changed;
static GThread *thread; /* NULL until the first long wait */
static gboolean is_waiting, has_ended;

/* Of the Ruby thread only. */
static VALUE waiter;     /* it */
static guint n_watched;  /* waits that are watched still */
static gint64 began_at;  /* µs */

#ifdef HAVE_RB_POSTPONED_JOB_PREREGISTER
static rb_postponed_job_handle_t job;
#endif

/* In the thread that has Ruby's lock, as soon as it can be interrupted. */
static void
step_aside(void *data)
{
    if (rb_thread_current() != waiter)
        rb_thread_schedule();
}

/* Meant for threads and signal handlers that do not have Ruby's lock. */
static void
interrupt_holder(void)
{
#ifdef HAVE_RB_POSTPONED_JOB_PREREGISTER
    rb_postponed_job_trigger(job);
#else
    rb_postponed_job_register_one(0, step_aside, NULL);
#endif
}

static gpointer
nudge(gpointer data)
{
    g_mutex_lock(&lock);
    while (!has_ended) {
        gint64 at;

        if (!is_waiting) {
            g_cond_wait(&changed, &lock);
            continue;
        }
        at = g_get_monotonic_time() + FIRST_US;
        while (is_waiting && !has_ended) {
            if (g_cond_wait_until(&changed, &lock, at))
                continue;
            interrupt_holder();
            at = g_get_monotonic_time() + NEXT_US;
        }
    }
    g_mutex_unlock(&lock);
    return NULL;
}

/* No signal is delivered to it. */
static void
start(void)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    thread = g_thread_new("nudge", nudge, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void
set_waiting(gboolean now)
{
    g_mutex_lock(&lock);
    is_waiting = now;
    g_cond_signal(&changed);
    g_mutex_unlock(&lock);
}

void
mm_nudge_open(void)
{
    waiter = rb_thread_current();
    n_watched = 0;
    is_waiting = has_ended = FALSE;
#ifdef HAVE_RB_POSTPONED_JOB_PREREGISTER
    job = rb_postponed_job_preregister(0, step_aside, NULL);
#endif
}

void
mm_nudge_close(void)
{
    if (!thread)
        return;
    g_mutex_lock(&lock);
    has_ended = TRUE;
    g_cond_signal(&changed);
    g_mutex_unlock(&lock);
    g_thread_join(thread);
    thread = NULL;
}

void
mm_nudge_begin(void)
{
    began_at = g_get_monotonic_time();
    if (n_watched > 0)
        set_waiting(TRUE);
}

void
mm_nudge_end(void)
{
    gboolean was_long = g_get_monotonic_time() - began_at > LONG_US;

    if (n_watched > 0) {
        set_waiting(FALSE);
        n_watched--;
    }
    if (!was_long)
        return;
    if (!thread)
        start();
    n_watched = WATCHED_WAITS;
}

gboolean
mm_nudge_is_watching(void)
{
    return n_watched > 0;
}
