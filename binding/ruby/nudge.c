/* nudge.c - see nudge.h */
#include "config.h"
#include "binding/ruby/nudge.h"

#include <ruby.h>
#include <ruby/debug.h>
#include <signal.h>
#include <unistd.h>

/* 3.3 and later */
#ifdef HAVE_RB_POSTPONED_JOB_PREREGISTER
#include <ruby/thread.h>
#define HANDS_OVER
#endif

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

#ifdef HANDS_OVER
static rb_postponed_job_handle_t job;
static rb_internal_thread_event_hook_t *hook; /* while waits are watched */
static pid_t process;                         /* this one, and no copy without the thread */
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
#ifdef HANDS_OVER
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

#ifdef HANDS_OVER
/* Under locks of Ruby's own. */
static void
on_event(rb_event_flag_t event, const rb_internal_thread_event_data_t *about, void *data)
{
    if (about->thread == waiter && getpid() == process)
        set_waiting(event == RUBY_INTERNAL_THREAD_EVENT_READY);
}
#endif

/* Whoever lets go of the lock to open a file has it again at once in older Rubies; since 3.3 it
 * goes to the next who wants it.  There all waits for it are watched, here only the one that
 * follows the wait for something to do. */
static void
watch_all(gboolean now)
{
#ifdef HANDS_OVER
    if (now == (hook != NULL))
        return;
    if (now) {
        hook = rb_internal_thread_add_event_hook(
            on_event, RUBY_INTERNAL_THREAD_EVENT_READY | RUBY_INTERNAL_THREAD_EVENT_RESUMED, NULL);
    } else {
        rb_internal_thread_remove_event_hook(hook);
        hook = NULL;
    }
#endif
}

void
mm_nudge_open(void)
{
    waiter = rb_thread_current();
    n_watched = 0;
    is_waiting = has_ended = FALSE;
#ifdef HANDS_OVER
    process = getpid();
    job = rb_postponed_job_preregister(0, step_aside, NULL);
#endif
}

void
mm_nudge_close(void)
{
    if (!thread)
        return;
    watch_all(FALSE);
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
    if (was_long) {
        if (!thread)
            start();
        n_watched = WATCHED_WAITS;
    }
    watch_all(n_watched > 0);
}

gboolean
mm_nudge_is_watching(void)
{
    return n_watched > 0;
}
