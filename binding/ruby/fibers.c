/* fibers.c - see fibers.h */
#include "config.h"
#include "binding/ruby/fibers.h"

#include <pthread.h>
#include <unistd.h>

#include "binding/ruby/gate.h"

/* Fibers that have nothing to do, kept for the next task. */
#define IDLE_MAX 32

/* All that a fiber can be asked to do; nil, as below, for none. */
static VALUE scheduler, root, idle; /* idle: Array */
static VALUE ready, endings;        /* of scheduler.rb: Array, Hash */
static VALUE task, strand;          /* of whom what computes now is */
static double computing_since;      /* s of the monotonic clock, 0: nothing computes */
static gboolean is_exposed;
static gboolean is_forked;
static gboolean has_storage; /* fibers have variables of their own: since Ruby 3.2 */
static ID id_make, id_work, id_failed, id_keys, id_left, id_storage, id_set;
static ID id_block, id_unblock, id_raise;

double
mm_fibers_now(void)
{
    return (double)g_get_monotonic_time() / G_USEC_PER_SEC;
}

/* --- the loop's side --- */

typedef struct {
    VALUE fiber, value;
} Transfer;

static VALUE
transfer(VALUE argument)
{
    const Transfer *to = (const Transfer *)argument;

    return rb_fiber_transfer(to->fiber, 1, &to->value);
}

static VALUE
leave(VALUE unused)
{
    is_exposed = FALSE;
    computing_since = 0;
    task = strand = Qnil;
    return Qnil;
}

/* FIBER computes, with VALUE, until it waits or ends. */
static void
enter(VALUE a_task, VALUE a_strand, VALUE fiber, VALUE value)
{
    Transfer to = { fiber, value };

    task = a_task;
    strand = a_strand;
    computing_since = mm_fibers_now();
    rb_ensure(transfer, (VALUE)&to, leave, Qnil);
}

static VALUE
take_fiber(void)
{
    VALUE fiber;

    do
        fiber = rb_ary_pop(idle);
    while (!NIL_P(fiber) && !RTEST(rb_fiber_alive_p(fiber)));
    return NIL_P(fiber) ? mm_gate_send(scheduler, id_make, 0) : fiber;
}

void
mm_fibers_start(VALUE a_task, VALUE work)
{
    VALUE fiber = take_fiber();

    enter(a_task, fiber, fiber, NIL_P(work) ? a_task : work);
}

void
mm_fibers_set_exposed(gboolean exposed)
{
    is_exposed = exposed;
}

/* --- the fiber's side --- */

void
mm_fibers_block(VALUE blocker)
{
    mm_gate_send(scheduler, id_block, 1, blocker);
}

void
mm_fibers_unblock(VALUE fiber)
{
    mm_gate_send(scheduler, id_unblock, 2, Qnil, fiber);
}

static VALUE
work_body(VALUE work)
{
    if (rb_obj_is_proc(work))
        return rb_proc_call_with_block(work, 0, NULL, Qnil);
    return mm_gate_send(work, id_work, 0);
}

static VALUE
failed_body(VALUE error)
{
    return mm_gate_send(scheduler, id_failed, 1, error);
}

static VALUE
left_body(VALUE fiber)
{
    return mm_gate_send(scheduler, id_left, 1, fiber);
}

/* Nothing that a fiber leaves undone may reach the loop. */
static void
protect(VALUE (*body)(VALUE argument), VALUE argument)
{
    VALUE error;
    int state = 0;

    rb_protect(body, argument, &state);
    if (is_forked) /* and came back */
        _exit(state ? 1 : 0);
    if (!state)
        return;
    error = rb_errinfo();
    if (!rb_obj_is_kind_of(error, rb_eException))
        rb_jump_tag(state); /* the thread is killed */
    rb_set_errinfo(Qnil);
    rb_protect(failed_body, error, &state);
    rb_set_errinfo(Qnil);
}

static int
forget_variable(VALUE key, VALUE value, VALUE fiber_class)
{
    mm_gate_send(fiber_class, id_set, 2, key, Qnil);
    return ST_CONTINUE;
}

/* What belongs to the fiber and not to the work. */
static void
clean_up(VALUE fiber)
{
    VALUE keys;

    if (RARRAY_LEN(ready) > 0 || RHASH_SIZE(endings) > 0)
        protect(left_body, fiber); /* which may use what is its own */
    keys = mm_gate_send(rb_thread_current(), id_keys, 0);
    for (long i = 0; i < RARRAY_LEN(keys); i++)
        rb_thread_local_aset(rb_thread_current(), SYM2ID(rb_ary_entry(keys, i)), Qnil);
    if (has_storage) {
        VALUE storage = mm_gate_send(fiber, id_storage, 0); /* a copy */

        if (!NIL_P(storage))
            rb_hash_foreach(storage, forget_variable, rb_obj_class(fiber));
    }
}

/* serve_once(work): what a fiber of the user's does */
static VALUE
native_serve_once(VALUE self, VALUE work)
{
    protect(work_body, work);
    clean_up(rb_fiber_current());
    return Qnil;
}

/* serve(work): a fiber's life, one piece of work after another, none of which finds traces of
 * another */
static VALUE
native_serve(VALUE self, VALUE work)
{
    VALUE fiber = rb_fiber_current();

    for (;;) {
        protect(work_body, work);
        clean_up(fiber);
        if (RARRAY_LEN(idle) >= IDLE_MAX)
            return Qnil;
        rb_ary_push(idle, fiber);
        work = rb_fiber_transfer(root, 0, NULL);
    }
}

/* --- for Ruby --- */

/* enter(task, strand, fiber, value) */
static VALUE
native_enter(VALUE self, VALUE a_task, VALUE a_strand, VALUE fiber, VALUE value)
{
    enter(a_task, a_strand, fiber, value);
    return Qnil;
}

/* start(task, work): a Proc, or nil for task.work */
static VALUE
native_start(VALUE self, VALUE a_task, VALUE work)
{
    mm_fibers_start(a_task, work);
    return Qnil;
}

/* task -> whose work computes now, or nil */
static VALUE
native_task(VALUE self)
{
    return task;
}

/* strand -> the fiber of it that the loop started, or nil */
static VALUE
native_strand(VALUE self)
{
    return strand;
}

/* computing_since -> s of the monotonic clock, or nil */
static VALUE
native_computing_since(VALUE self)
{
    return computing_since > 0 ? DBL2NUM(computing_since) : Qnil;
}

/* exposed -> whether code of users computes now */
static VALUE
native_exposed(VALUE self)
{
    return is_exposed ? Qtrue : Qfalse;
}

/* exposed = true or false */
static VALUE
native_set_exposed(VALUE self, VALUE value)
{
    if (is_exposed && !RTEST(value))
        rb_thread_check_ints(); /* what the watchdog has raised already belongs here */
    is_exposed = RTEST(value);
    return value;
}

/* strike(task, thread, error) -> whether ERROR was raised in THREAD, because code of users computes
 * there for TASK.  Nothing comes between looking and raising. */
static VALUE
native_strike(VALUE self, VALUE a_task, VALUE thread, VALUE error)
{
    if (!is_exposed || task != a_task)
        return Qfalse;
    mm_gate_send(thread, id_raise, 1, error);
    return Qtrue;
}

/* forked? -> whether this process was forked off the worker */
static VALUE
native_is_forked(VALUE self)
{
    return is_forked ? Qtrue : Qfalse;
}

/* open_fibers(scheduler, ready, endings): its fibers that are let go on and blocks by strand; the
 * current fiber is the loop's */
static VALUE
native_open_fibers(VALUE self, VALUE a_scheduler, VALUE fibers, VALUE blocks)
{
    Check_Type(fibers, T_ARRAY);
    Check_Type(blocks, T_HASH);
    scheduler = a_scheduler;
    ready = fibers;
    endings = blocks;
    root = rb_fiber_current();
    has_storage = rb_respond_to(root, id_storage);
    idle = rb_ary_new();
    return Qnil;
}

static void
note_fork(void)
{
    is_forked = TRUE;
}

void
mm_fibers_open(void)
{
    is_forked = FALSE;
}

gboolean
mm_fibers_are_forked(void)
{
    return is_forked;
}

void
mm_fibers_define(VALUE native)
{
    VALUE *const kept[] = { &scheduler, &root, &idle, &ready, &endings, &task, &strand };

    for (guint i = 0; i < G_N_ELEMENTS(kept); i++)
        mm_gate_keep(kept[i]);
    id_make = rb_intern("make_fiber");
    id_work = rb_intern("work");
    id_failed = rb_intern("failed");
    id_keys = rb_intern("keys");
    id_left = rb_intern("left");
    id_storage = rb_intern("storage");
    id_set = rb_intern("[]=");
    id_block = rb_intern("block");
    id_unblock = rb_intern("unblock");
    id_raise = rb_intern("raise");
    (void)pthread_atfork(NULL, NULL, note_fork);
    rb_define_singleton_method(native, "serve", native_serve, 1);
    rb_define_singleton_method(native, "serve_once", native_serve_once, 1);
    rb_define_singleton_method(native, "enter", native_enter, 4);
    rb_define_singleton_method(native, "start", native_start, 2);
    rb_define_singleton_method(native, "task", native_task, 0);
    rb_define_singleton_method(native, "strand", native_strand, 0);
    rb_define_singleton_method(native, "computing_since", native_computing_since, 0);
    rb_define_singleton_method(native, "exposed", native_exposed, 0);
    rb_define_singleton_method(native, "exposed=", native_set_exposed, 1);
    rb_define_singleton_method(native, "strike", native_strike, 3);
    rb_define_singleton_method(native, "forked?", native_is_forked, 0);
    rb_define_singleton_method(native, "open_fibers", native_open_fibers, 3);
}
