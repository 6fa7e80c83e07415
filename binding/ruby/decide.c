/* decide.c - see decide.h
 *
 * What Ruby calls here may raise: nothing is held over a call that may. */
#include "config.h"
#include "binding/ruby/decide.h"

#include <ev.h>
#include <malloc.h>
#include <ruby/thread.h>

#include "binding/ruby/decision.h"
#include "binding/ruby/fibers.h"
#include "binding/ruby/gate.h"
#include "binding/ruby/nudge.h"
#include "binding/ruby/session.h"

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
static GQueue taken = G_QUEUE_INIT;  /* the same, of the Ruby thread only */
static struct ev_loop *loop;         /* NULL outside of a worker */
static ev_async woken;
static ev_io end_watch;
static gboolean has_ended;
static GHashTable *waits; /* id → Wait */
static GArray *fired;     /* Fired */
static guint last_id;
static GHashTable *questions;   /* those that Ruby has */
static VALUE sessions;          /* Session by id */
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
    if (g_queue_is_empty(&taken)) {
        g_mutex_lock(&lock);
        taken = orders;
        g_queue_init(&orders);
        g_mutex_unlock(&lock);
    }
    return g_queue_pop_head(&taken);
}

static void
hand_over(MmQuestion *question)
{
    g_hash_table_remove(questions, question);
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
    if (!RTEST(may_wait) || has_ended || !g_queue_is_empty(&taken)) {
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

/* What is asked, as a Decision. */
static VALUE
receive(MmQuestion *question)
{
    VALUE id = ULL2NUM(question->session), object = rb_hash_lookup(sessions, id);
    MmSession *session;

    g_hash_table_add(questions, question);
    if (NIL_P(object)) {
        object = mm_session_new(question->session);
        rb_hash_aset(sessions, id, object);
    }
    session = mm_session_of(object);
    mm_session_take(session, question->facts);
    mm_session_set_news(session, &(MmSessionNews){ .statuses = question->statuses,
                                                   .n_sessions = question->n_sessions,
                                                   .seen = question->seen });
    return mm_decision_new(question, object);
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

static void
follow(VALUE decider, const Order *order)
{
    VALUE session;

    switch (order->kind) {
    case ORDER_ASK:
        mm_decision_start(receive(order->question));
        break;
    case ORDER_CANCEL:
        mm_gate_send(decider, rb_intern("cancel"), 1, ULL2NUM(order->id));
        break;
    case ORDER_CLOSE:
        session = rb_hash_delete(sessions, ULL2NUM(order->id));
        if (!NIL_P(session) && g_hash_table_size(questions) > 0)
            mm_gate_send(decider, rb_intern("close"), 1, session);
        break;
    case ORDER_MAINTAIN:
        g_atomic_int_set(&is_maintenance_due, FALSE);
        mm_gate_send(decider, rb_intern("maintain"), 0);
        break;
    case ORDER_CHECK:
        checking = order->check;
        mm_gate_send(decider, rb_intern("check_clients"), 1, describe_clients(checking));
        break;
    }
}

/* follow_orders(decider): all there are */
static VALUE
native_follow_orders(VALUE self, VALUE decider)
{
    Order *next;

    while ((next = pop())) {
        Order order = *next;

        g_free(next);
        follow(decider, &order);
    }
    return Qnil;
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
    sessions = rb_hash_new();
    rb_gc_register_address(&sessions);
    rb_define_singleton_method(native, "clients_checked", native_clients_checked, 1);
    rb_define_singleton_method(native, "wants_maintenance=", native_wants_maintenance, 1);
    rb_define_singleton_method(native, "release_memory", native_release_memory, 0);
    rb_define_singleton_method(native, "poll", native_poll, 1);
    rb_define_singleton_method(native, "wait_for", native_wait_for, 3);
    rb_define_singleton_method(native, "unwait", native_unwait, 1);
    rb_define_singleton_method(native, "wake", native_wake, 0);
    rb_define_singleton_method(native, "follow_orders", native_follow_orders, 1);
}

/* --- life --- */

void
mm_decide_open(int wake_fd)
{
    struct ev_loop *made = ev_loop_new(EVFLAG_NOENV);

    waits = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, free_wait);
    questions = g_hash_table_new(g_direct_hash, g_direct_equal);
    mm_fibers_open();
    mm_decision_open(hand_over);
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
