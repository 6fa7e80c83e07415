/* decide.c - see decide.h
 *
 * What Ruby calls here may raise: nothing is held over a call that may. */
#include "config.h"
#include "binding/ruby/decide.h"

#include <ev.h>
#include <malloc.h>
#include <ruby/thread.h>

#include "binding/ruby/nudge.h"

#define READABLE 1 /* IO::READABLE … */
#define PRIORITY 2
#define WRITABLE 4
#define MAINTENANCE_PAUSE (60 * G_USEC_PER_SEC) /* Maintenance::RELEASE_INTERVAL */

typedef enum { ORDER_ASK, ORDER_CANCEL, ORDER_CLOSE, ORDER_MAINTAIN, ORDER_CHECK } OrderKind;

/* What the relay's thread wants. */
typedef struct {
    OrderKind kind;
    guint64 id;           /* of a question to cancel, or a session to close */
    MmQuestion *question; /* of ORDER_ASK */
    MmClientCheck *check; /* of ORDER_CHECK */
} Order;

/* A descriptor or a time that some fiber waits for. */
typedef struct {
    guint id;
    ev_io io;       /* when HAS_IO */
    ev_timer timer; /* when HAS_TIMER */
    gboolean has_io, has_timer;
} Wait;

typedef struct {
    guint id;   /* of a Wait */
    int events; /* READABLE …, 0: the time is over */
} Fired;

static GMutex lock;                  /* of ORDERS and of LOOP's beginning and end */
static GQueue orders = G_QUEUE_INIT; /* Order */
static struct ev_loop *loop;         /* NULL outside of a worker */
static ev_async woken;
static ev_io end_watch;
static gboolean has_ended;
static GHashTable *waits; /* id → Wait */
static GArray *fired;     /* Fired */
static guint last_id;
static GHashTable *questions;   /* those that Ruby has, by address of their id */
static gint wants_maintenance;  /* Ruby has something to do each time */
static gint is_maintenance_due; /* it is among ORDERS */
static MmAnswered answered_func;
static gpointer answered_data;
static MmChecked checked_func;
static gpointer checked_data;
static MmClientCheck *checking; /* the one that Ruby has, or NULL */

/* --- from the relay's thread --- */

static void
push(OrderKind kind, guint64 id, MmQuestion *question, MmClientCheck *check)
{
    Order *order = g_new(Order, 1);

    *order = (Order){ kind, id, question, check };
    g_mutex_lock(&lock);
    g_queue_push_tail(&orders, order);
    /* To be forgotten is not urgent: with the next question is soon enough. */
    if (loop && kind != ORDER_CLOSE)
        ev_async_send(loop, &woken);
    g_mutex_unlock(&lock);
}

void
mm_decide_set_answered(MmAnswered answered, gpointer data)
{
    answered_func = answered;
    answered_data = data;
}

void
mm_decide_ask(MmQuestion *question)
{
    push(ORDER_ASK, question->id, question, NULL);
}

void
mm_decide_cancel(guint64 question)
{
    push(ORDER_CANCEL, question, NULL, NULL);
}

void
mm_decide_close_session(guint64 session)
{
    push(ORDER_CLOSE, session, NULL, NULL);
}

void
mm_decide_maintain(void)
{
    static gint64 quiet_until; /* the relay's thread only */
    gint64 now = g_get_monotonic_time();

    /* Without hooks memory is all that is looked after, now and then. */
    if (!g_atomic_int_get(&wants_maintenance) && now < quiet_until)
        return;
    quiet_until = now + MAINTENANCE_PAUSE;
    if (g_atomic_int_compare_and_exchange(&is_maintenance_due, FALSE, TRUE))
        push(ORDER_MAINTAIN, 0, NULL, NULL);
}

void
mm_decide_set_checked(MmChecked checked, gpointer data)
{
    checked_func = checked;
    checked_data = data;
}

void
mm_decide_check_clients(MmClientCheck *check)
{
    push(ORDER_CHECK, 0, NULL, check);
}

static Order *
pop(void)
{
    Order *order;

    g_mutex_lock(&lock);
    order = g_queue_pop_head(&orders);
    g_mutex_unlock(&lock);
    return order;
}

static void
hand_over(MmQuestion *question)
{
    g_hash_table_remove(questions, &question->id);
    if (answered_func)
        answered_func(question, answered_data);
}

/* --- waiting; the callbacks run without Ruby's lock --- */

static void
note_fired(Wait *wait, int events)
{
    Fired entry = { wait->id, events };

    if (wait->has_io)
        ev_io_stop(loop, &wait->io);
    if (wait->has_timer)
        ev_timer_stop(loop, &wait->timer);
    g_array_append_val(fired, entry);
}

static void
on_io(struct ev_loop *ev, ev_io *watch, int events)
{
    note_fired(watch->data,
               ((events & EV_READ) ? READABLE : 0) | ((events & EV_WRITE) ? WRITABLE : 0));
}

static void
on_timer(struct ev_loop *ev, ev_timer *watch, int events)
{
    note_fired(watch->data, 0);
}

static void
on_woken(struct ev_loop *ev, ev_async *watch, int events)
{
}

static void
on_end(struct ev_loop *ev, ev_io *watch, int events)
{
    ev_io_stop(ev, watch);
    has_ended = TRUE;
}

static void
free_wait(gpointer data)
{
    Wait *wait = data;

    if (wait->has_io)
        ev_io_stop(loop, &wait->io);
    if (wait->has_timer)
        ev_timer_stop(loop, &wait->timer);
    g_free(wait);
}

static void *
run_once(void *argument)
{
    ev_run(loop, EVRUN_ONCE);
    mm_nudge_begin();
    return NULL;
}

/* Whether to give Ruby's lock away and wait.  Where others compute it is hard to get again, so
 * what is there already is taken first. */
static gboolean
shall_wait(void)
{
    gboolean has_orders;

    if (!mm_nudge_is_watching())
        return TRUE;
    ev_run(loop, EVRUN_NOWAIT);
    g_mutex_lock(&lock);
    has_orders = !g_queue_is_empty(&orders);
    g_mutex_unlock(&lock);
    return !has_orders && !has_ended && fired->len == 0;
}

static void
wake(void *argument)
{
    ev_async_send(loop, &woken);
}

/* poll(wait) -> [id, events, id, events, …], nil when the worker ends */
static VALUE
native_poll(VALUE self, VALUE may_wait)
{
    VALUE result;

    /* The end is told once: afterwards there may be nothing to wake up for. */
    if (!RTEST(may_wait) || has_ended) {
        ev_run(loop, EVRUN_NOWAIT);
    } else if (shall_wait()) {
        rb_thread_call_without_gvl(run_once, NULL, wake, NULL);
        mm_nudge_end();
    }
    if (has_ended && fired->len == 0)
        return Qnil;
    result = rb_ary_new_capa((long)fired->len * 2);
    for (guint i = 0; i < fired->len; i++) {
        rb_ary_push(result, UINT2NUM(g_array_index(fired, Fired, i).id));
        rb_ary_push(result, INT2FIX(g_array_index(fired, Fired, i).events));
    }
    g_array_set_size(fired, 0);
    return result;
}

/* wait_for(fd or nil, events, seconds or nil) -> id */
static VALUE
native_wait_for(VALUE self, VALUE fd, VALUE events, VALUE seconds)
{
    int number = NIL_P(fd) ? -1 : NUM2INT(fd), mask = NUM2INT(events);
    double time = NIL_P(seconds) ? -1 : NUM2DBL(seconds);
    Wait *wait = g_new0(Wait, 1);

    do
        wait->id = ++last_id;
    while (g_hash_table_contains(waits, GUINT_TO_POINTER(wait->id)));
    if (number >= 0) {
        wait->has_io = TRUE;
        ev_io_init(&wait->io, on_io, number,
                   ((mask & (READABLE | PRIORITY)) ? EV_READ : 0) |
                       ((mask & WRITABLE) ? EV_WRITE : 0));
        wait->io.data = wait;
        ev_io_start(loop, &wait->io);
    }
    if (time >= 0) {
        wait->has_timer = TRUE;
        ev_now_update(loop);
        ev_timer_init(&wait->timer, on_timer, time, 0.);
        wait->timer.data = wait;
        ev_timer_start(loop, &wait->timer);
    }
    g_hash_table_insert(waits, GUINT_TO_POINTER(wait->id), wait);
    return UINT2NUM(wait->id);
}

/* unwait(id) */
static VALUE
native_unwait(VALUE self, VALUE id)
{
    g_hash_table_remove(waits, GUINT_TO_POINTER(NUM2UINT(id)));
    return Qnil;
}

/* wake: from any Ruby thread, poll returns */
static VALUE
native_wake(VALUE self)
{
    g_mutex_lock(&lock);
    if (loop)
        ev_async_send(loop, &woken);
    g_mutex_unlock(&lock);
    return Qnil;
}

/* --- questions --- */

static VALUE
bytes(const void *data, gsize size)
{
    return rb_obj_freeze(rb_str_new(data, (long)size));
}

static VALUE
describe(MmQuestion *question)
{
    VALUE children = rb_ary_new_capa(question->n_asked);
    gsize n_statuses;
    const void *statuses = g_bytes_get_data(question->statuses, &n_statuses);
    VALUE result = rb_ary_new_capa(10);

    for (guint i = 0; i < question->n_asked; i++)
        rb_ary_push(children, UINT2NUM(question->asked[i].child));
    rb_ary_push(result, ULL2NUM(question->id));
    rb_ary_push(result, ULL2NUM(question->session));
    rb_ary_push(result, INT2FIX(question->step));
    rb_ary_push(result, question->facts ? bytes(question->facts->data, question->facts->len)
                                        : rb_str_new(NULL, 0));
    rb_ary_push(result,
                question->items ? bytes(question->items->data, question->items->len) : Qnil);
    rb_ary_push(result, bytes(statuses, n_statuses));
    rb_ary_push(result, DBL2NUM(question->limit));
    rb_ary_push(result, UINT2NUM(question->n_sessions));
    rb_ary_push(result, ULL2NUM(question->seen));
    rb_ary_push(result, children);
    return result;
}

static const char *
order_name(OrderKind kind)
{
    switch (kind) {
    case ORDER_CANCEL:
        return "cancel";
    case ORDER_CLOSE:
        return "close";
    default:
        g_atomic_int_set(&is_maintenance_due, FALSE);
        return "maintain";
    }
}

/* [[session, facts], …] */
static VALUE
describe_clients(const MmClientCheck *check)
{
    VALUE clients = rb_ary_new_capa(check->n_clients);

    for (guint i = 0; i < check->n_clients; i++) {
        const MmCheckedClient *client = &check->clients[i];

        rb_ary_push(clients, rb_ary_new_from_args(2, UINT2NUM(client->session),
                                                  bytes(client->facts->data, client->facts->len)));
    }
    return clients;
}

/* clients_checked(sessions that are gone) */
static VALUE
native_clients_checked(VALUE self, VALUE gone)
{
    MmClientCheck *check;

    for (guint i = 0; checking && i < checking->n_clients; i++) {
        VALUE session = UINT2NUM(checking->clients[i].session);

        checking->clients[i].is_gone = RTEST(rb_ary_includes(gone, session));
    }
    check = g_steal_pointer(&checking);
    if (check && checked_func)
        checked_func(check, checked_data);
    return Qnil;
}

/* next_order -> nil, [question, …], [:cancel, id], [:close, session],
 * [:maintain, 0] or [:check, clients] */
static VALUE
native_next_order(VALUE self)
{
    Order *order = pop();
    MmQuestion *question;
    guint64 id;
    OrderKind kind;

    if (!order)
        return Qnil;
    kind = order->kind;
    id = order->id;
    question = order->question;
    if (kind == ORDER_CHECK)
        checking = order->check;
    g_free(order);
    if (kind == ORDER_CHECK)
        return rb_ary_new_from_args(2, ID2SYM(rb_intern("check")), describe_clients(checking));
    if (kind != ORDER_ASK)
        return rb_ary_new_from_args(2, ID2SYM(rb_intern(order_name(kind))), ULL2NUM(id));
    g_hash_table_insert(questions, &question->id, question);
    return describe(question);
}

static void
take_macros(MmQuestion *question, VALUE macros)
{
    for (long i = 0; i < RARRAY_LEN(macros); i++) {
        VALUE entry = rb_ary_entry(macros, i);
        VALUE name = rb_ary_entry(entry, 1), value = rb_ary_entry(entry, 2);
        MmSetMacro macro = { .child = NUM2UINT(rb_ary_entry(entry, 0)) };

        /* Checked in Ruby: strings without NUL. */
        macro.name = g_strndup(RSTRING_PTR(name), (gsize)RSTRING_LEN(name));
        macro.value = g_strndup(RSTRING_PTR(value), (gsize)RSTRING_LEN(value));
        if (!question->macros)
            question->macros = g_array_new(FALSE, FALSE, sizeof(MmSetMacro));
        g_array_append_val(question->macros, macro);
    }
}

/* answer(id, decisions, [[child, name, value], …]) */
static VALUE
native_answer(VALUE self, VALUE id, VALUE decisions, VALUE macros)
{
    guint64 number = NUM2ULL(id);
    MmQuestion *question = g_hash_table_lookup(questions, &number);

    if (!question)
        return Qfalse;
    for (guint i = 0; i < question->n_asked; i++)
        question->asked[i].decision = NUM2INT(rb_ary_entry(decisions, i));
    if (!NIL_P(macros))
        take_macros(question, macros);
    hand_over(question);
    return Qtrue;
}

/* wants_maintenance = true: at every manager.maintenance_interval sessions */
static VALUE
native_wants_maintenance(VALUE self, VALUE wants)
{
    g_atomic_int_set(&wants_maintenance, RTEST(wants));
    return wants;
}

/* release_memory: what is free goes back to the system */
static VALUE
native_release_memory(VALUE self)
{
    (void)malloc_trim(0);
    return Qnil;
}

void
mm_decide_define(VALUE native)
{
    rb_define_singleton_method(native, "clients_checked", native_clients_checked, 1);
    rb_define_singleton_method(native, "wants_maintenance=", native_wants_maintenance, 1);
    rb_define_singleton_method(native, "release_memory", native_release_memory, 0);
    rb_define_singleton_method(native, "poll", native_poll, 1);
    rb_define_singleton_method(native, "wait_for", native_wait_for, 3);
    rb_define_singleton_method(native, "unwait", native_unwait, 1);
    rb_define_singleton_method(native, "wake", native_wake, 0);
    rb_define_singleton_method(native, "next_order", native_next_order, 0);
    rb_define_singleton_method(native, "answer", native_answer, 3);
}

/* --- life --- */

void
mm_decide_open(int wake_fd)
{
    struct ev_loop *made = ev_loop_new(EVFLAG_NOENV);

    waits = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, free_wait);
    questions = g_hash_table_new(g_int64_hash, g_int64_equal);
    fired = g_array_new(FALSE, FALSE, sizeof(Fired));
    ev_async_init(&woken, on_woken);
    ev_async_start(made, &woken);
    ev_io_init(&end_watch, on_end, wake_fd, EV_READ);
    ev_io_start(made, &end_watch);
    has_ended = FALSE;
    mm_nudge_open();
    g_mutex_lock(&lock);
    loop = made;
    g_mutex_unlock(&lock);
}

void
mm_decide_close(void)
{
    struct ev_loop *ended = loop;
    GHashTableIter iter;
    gpointer question;
    Order *order;

    mm_nudge_close();
    g_hash_table_remove_all(waits);
    g_mutex_lock(&lock);
    loop = NULL;
    g_mutex_unlock(&lock);
    g_clear_pointer(&waits, g_hash_table_unref);
    ev_io_stop(ended, &end_watch);
    ev_async_stop(ended, &woken);
    ev_loop_destroy(ended);
    while ((order = pop())) {
        if (order->question && answered_func)
            answered_func(order->question, answered_data);
        if (order->check)
            checking = order->check;
        g_free(order);
    }
    g_hash_table_iter_init(&iter, questions);
    while (g_hash_table_iter_next(&iter, NULL, &question)) {
        if (answered_func)
            answered_func(question, answered_data);
    }
    if (checking && checked_func)
        checked_func(g_steal_pointer(&checking), checked_data);
    g_clear_pointer(&questions, g_hash_table_unref);
    g_array_unref(fired);
}
