/* embed.c - the Ruby behind src/rules.h */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <ruby.h>
#include <ruby/encoding.h>
#include <ruby/thread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "binding/ruby/convert.h"
#include "binding/ruby/decide.h"
#include "binding/ruby/explain.h"
#include "binding/ruby/gate.h"
#include "binding/ruby/native.h"
#include "libmilter-core/log.h"
#include "src/rules.h"

#define END_SECONDS 5 /* for threads of Ruby and at_exit, when a process ends */

static gboolean is_started;
static VALUE manager; /* Milter::Manager */

/* Free places for objects that a collection leaves.  Sessions leave a hundred objects each,
 * and what a collection costs is the marking and sweeping of all that stays: with Ruby's 4,096
 * every few hundred sessions paid for one.  40 bytes each. */
#define FREE_SLOTS "65536"
#define FREE_SLOTS_VARIABLE "RUBY_GC_HEAP_FREE_SLOTS"

static const char *
library_directory(void)
{
    const char *given = g_getenv("MILTER_MANAGER_RUBYLIB");

    return given && *given ? given : RUBYLIB_DIR;
}

/* What the interpreter needs before the first line of ours; ARGUMENT is our directory. */
static VALUE
prepare_body(VALUE argument)
{
    const char *directory = (const char *)argument;
    VALUE path = rb_gv_get("$LOAD_PATH");

    /* A daemon's locale says nothing about the files of mail systems. */
    rb_enc_set_default_external(rb_enc_from_encoding(rb_utf8_encoding()));
    ruby_script("milter-manager");
    rb_ary_unshift(path, mm_convert_text(directory));
    mm_native_define();
    rb_require("milter/manager");
    manager = rb_path2class("Milter::Manager");
    return Qnil;
}

/* The outer end of this thread's stack: Ruby looks for references from there inwards, and
 * must see those of every function that may call it later. */
static VALUE *
stack_end(void)
{
    pthread_attr_t attributes;
    void *low = NULL;
    size_t size = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &low, &size);
        pthread_attr_destroy(&attributes);
    }
    return low ? (VALUE *)((char *)low + size) - 1 : __builtin_frame_address(0);
}

static gboolean
ruby_rules_start(GError **error)
{
    /* Options make Ruby complete: gems, encodings, the load path. */
    static char program[] = "milter-manager", option[] = "-e", script[] = "";
    char *arguments[] = { program, option, script, NULL };
    g_autoptr(GError) reason = NULL;
    gboolean is_tuned; /* by the operator */
    int status;

    ruby_init_stack(stack_end());
    status = ruby_setup();
    if (status != 0) {
        g_set_error(error, MM_RULES_ERROR, MM_RULES_ERROR_START, "Ruby does not start (status %d)",
                    status);
        return FALSE;
    }
    is_started = TRUE;
    is_tuned = g_getenv(FREE_SLOTS_VARIABLE) != NULL;
    g_setenv(FREE_SLOTS_VARIABLE, FREE_SLOTS, FALSE);
    ruby_options(3, arguments);
    if (!is_tuned)
        g_unsetenv(FREE_SLOTS_VARIABLE); /* no business of what conditions start */
    rb_gc_register_address(&manager);
    if (mm_gate_run(prepare_body, (VALUE)library_directory(), NULL, &reason))
        return TRUE;
    g_set_error(error, MM_RULES_ERROR, MM_RULES_ERROR_START,
                "cannot load milter/manager.rb from %s, reinstall or set MILTER_MANAGER_RUBYLIB: "
                "%s",
                library_directory(), reason->message);
    return FALSE;
}

static gboolean
ruby_rules_load(const char *config_dir, MmSettings *settings, GError **error)
{
    VALUE argument = mm_convert_text(config_dir);
    gboolean loaded;

    mm_native_set_target(settings);
    loaded = mm_gate_call(manager, "load_configuration", 1, &argument, NULL, error);
    mm_native_set_target(NULL);
    return loaded;
}

static char *
ruby_rules_dump(MmSettings *settings, gboolean with_secrets, GError **error)
{
    VALUE argument = with_secrets ? Qtrue : Qfalse, text;
    gboolean done;

    mm_native_set_target(settings);
    done = mm_gate_call(manager, "dump", 1, &argument, &text, error);
    mm_native_set_target(NULL);
    if (!done)
        return NULL;
    return g_strndup(RSTRING_PTR(text), (gsize)RSTRING_LEN(text));
}

static char *
ruby_rules_detect(MmSettings *settings, gboolean json, guint *n_problems, GError **error)
{
    VALUE argument = json ? Qtrue : Qfalse, result, text;
    gboolean done;

    mm_native_set_target(settings);
    done = mm_gate_call(manager, "detect", 1, &argument, &result, error);
    mm_native_set_target(NULL);
    if (!done)
        return NULL;
    text = rb_ary_entry(result, 0);
    *n_problems = NUM2UINT(rb_ary_entry(result, 1));
    return g_strndup(RSTRING_PTR(text), (gsize)RSTRING_LEN(text));
}

static pid_t
ruby_rules_fork(GError **error)
{
    VALUE pid;

    if (!mm_gate_call(rb_mProcess, "fork", 0, NULL, &pid, error))
        return -1;
    return NIL_P(pid) ? 0 : (pid_t)NUM2LONG(pid);
}

typedef struct {
    void (*func)(gpointer data);
    gpointer data;
} Outside;

static void *
outside_unlocked(void *argument)
{
    Outside *outside = argument;

    outside->func(outside->data);
    return NULL;
}

static VALUE
outside_body(VALUE argument)
{
    rb_thread_call_without_gvl(outside_unlocked, (void *)argument, RUBY_UBF_IO, NULL);
    return Qnil;
}

static void
ruby_rules_outside(void (*func)(gpointer data), gpointer data)
{
    Outside outside = { func, data };
    g_autoptr(GError) error = NULL;

    if (!mm_gate_run(outside_body, (VALUE)&outside, NULL, &error))
        milter_error("Ruby: %s", error->message);
}

static void
poll_once(gpointer data)
{
    (void)poll(data, 1, -1);
}

/* When the part in Ruby fails, nothing but the end is left to wait for: without answers the
 * conditions' fallbacks decide. */
static void
wait_for_end(int wake_fd)
{
    struct pollfd wake = { .fd = wake_fd, .events = POLLIN };

    while (!(wake.revents & POLLIN))
        ruby_rules_outside(poll_once, &wake);
}

static void
ruby_rules_run_worker(guint worker, int wake_fd)
{
    VALUE number = UINT2NUM(worker);
    g_autoptr(GError) error = NULL;

    mm_decide_open(wake_fd);
    if (!mm_gate_call(manager, "run_worker", 1, &number, NULL, &error)) {
        milter_error("conditions=failed reason=\"%s\"", error->message);
        wait_for_end(wake_fd);
    }
    mm_decide_close();
}

static void
ruby_rules_trace(void)
{
    g_autoptr(GError) error = NULL;

    if (!mm_gate_call(manager, "trace", 0, NULL, NULL, &error))
        milter_error("cannot trace conditions: %s", error->message);
}

static char *
ruby_rules_explain(const MmSettings *settings, const MmExplain *what, GError **error)
{
    return mm_explain_run(manager, settings, what, error);
}

typedef struct {
    GMutex lock;
    GCond changed;
    gboolean has_ended;
    int status; /* of the process, where it has to end here */
} Ending;

/* Ruby waits for all its threads, those that nothing interrupts included. */
static gpointer
limit_end(gpointer data)
{
    Ending *ending = data;
    gint64 end_at = g_get_monotonic_time() + END_SECONDS * G_USEC_PER_SEC;

    g_mutex_lock(&ending->lock);
    while (!ending->has_ended) {
        if (g_cond_wait_until(&ending->changed, &ending->lock, end_at))
            continue;
        milter_warning("threads of Ruby do not end within %d s, left behind", END_SECONDS);
        fflush(stdout);
        _exit(ending->status);
    }
    g_mutex_unlock(&ending->lock);
    return NULL;
}

static void
ruby_rules_stop(int status)
{
    Ending ending = { .status = status };
    sigset_t all, old;
    GThread *thread;

    if (!is_started)
        return;
    g_mutex_init(&ending.lock);
    g_cond_init(&ending.changed);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    thread = g_thread_new("end", limit_end, &ending);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    (void)ruby_cleanup(0);
    is_started = FALSE;
    g_mutex_lock(&ending.lock);
    ending.has_ended = TRUE;
    g_cond_signal(&ending.changed);
    g_mutex_unlock(&ending.lock);
    g_thread_join(thread);
    g_mutex_clear(&ending.lock);
    g_cond_clear(&ending.changed);
}

const MmRules *
mm_rules_ruby(void)
{
    static const MmRules rules = {
        .start = ruby_rules_start,
        .load = ruby_rules_load,
        .dump = ruby_rules_dump,
        .detect = ruby_rules_detect,
        .fork = ruby_rules_fork,
        .outside = ruby_rules_outside,
        .run_worker = ruby_rules_run_worker,
        .set_answered = mm_decide_set_answered,
        .ask = mm_decide_ask,
        .cancel = mm_decide_cancel,
        .close_session = mm_decide_close_session,
        .set_checked = mm_decide_set_checked,
        .check_clients = mm_decide_check_clients,
        .maintain = mm_decide_maintain,
        .trace = ruby_rules_trace,
        .explain = ruby_rules_explain,
        .stop = ruby_rules_stop,
    };

    return &rules;
}
