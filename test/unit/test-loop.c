/* test-loop.c - timers, tasks, graves, virtual time */
#include "config.h"

#include "libmilter-core/loop.h"

typedef struct {
    MilterLoop *loop;
    GString *trace;
    MilterTimer timer, other;
    MilterTask task;
    double again; /* seconds after which the timer starts itself once more, 0 for not */
} Fixture;

static void
on_timer(MilterTimer *timer, gpointer data)
{
    Fixture *f = data;

    g_string_append_printf(f->trace, "%s@%g ", timer == &f->timer ? "timer" : "other",
                           milter_loop_now(f->loop) - 1000);
    if (f->again && timer == &f->timer) {
        milter_timer_start(timer, f->again);
        f->again = 0;
    }
}

static void
on_task(gpointer data)
{
    Fixture *f = data;

    g_string_append(f->trace, "task ");
}

static void
set_up(Fixture *f, gconstpointer is_virtual)
{
    f->loop = is_virtual ? milter_loop_new_virtual() : milter_loop_new();
    f->trace = g_string_new(NULL);
    milter_timer_init(&f->timer, f->loop, on_timer, f);
    milter_timer_init(&f->other, f->loop, on_timer, f);
    f->task = (MilterTask){ .func = on_task, .data = f };
}

static void
tear_down(Fixture *f, gconstpointer is_virtual)
{
    milter_timer_clear(&f->timer);
    milter_timer_clear(&f->other);
    milter_loop_unqueue(f->loop, &f->task);
    milter_loop_free(&f->loop);
    g_assert_null(f->loop);
    milter_loop_free(&f->loop);
    g_string_free(f->trace, TRUE);
}

static void
test_virtual_order(Fixture *f, gconstpointer data)
{
    milter_timer_start(&f->timer, 5);
    milter_timer_start(&f->other, 3);
    g_assert_cmpfloat(milter_loop_next_timer(f->loop), ==, 3);
    milter_loop_advance(f->loop, 2.5);
    g_assert_cmpstr(f->trace->str, ==, "");
    milter_loop_advance(f->loop, 10);
    g_assert_cmpstr(f->trace->str, ==, "other@3 timer@5 ");
    g_assert_cmpfloat(milter_loop_next_timer(f->loop), ==, -1);
    g_assert_cmpfloat(milter_loop_now(f->loop), ==, 1012.5);
}

static void
test_virtual_restart(Fixture *f, gconstpointer data)
{
    f->again = 4;
    milter_timer_start(&f->timer, 5);
    milter_timer_start(&f->timer, 1); /* instead */
    milter_loop_advance(f->loop, 10);
    g_assert_cmpstr(f->trace->str, ==, "timer@1 timer@5 ");
}

static void
test_virtual_stop(Fixture *f, gconstpointer data)
{
    milter_timer_start(&f->timer, 1);
    g_assert_true(milter_timer_is_running(&f->timer));
    milter_timer_stop(&f->timer);
    milter_timer_stop(&f->timer);
    g_assert_false(milter_timer_is_running(&f->timer));
    milter_loop_advance(f->loop, 10);
    g_assert_cmpstr(f->trace->str, ==, "");
}

static gboolean
ran(Fixture *f, const char *trace)
{
    return g_str_has_prefix(f->trace->str, trace);
}

/* Moved to later twice, and to earlier: fires once, at the last time set. */
static void
test_real_timer(Fixture *f, gconstpointer data)
{
    double start = milter_loop_now(f->loop);

    milter_timer_start(&f->timer, 0.01);
    milter_timer_start(&f->timer, 60);
    milter_timer_start(&f->timer, 0.03);
    while (!ran(f, "timer"))
        milter_loop_turn(f->loop, TRUE);
    g_assert_cmpfloat(milter_loop_now(f->loop) - start, >=, 0.029);
    g_assert_false(milter_timer_is_running(&f->timer));
}

static void
test_real_stop(Fixture *f, gconstpointer data)
{
    milter_timer_start(&f->timer, 0.01);
    milter_timer_stop(&f->timer);
    milter_timer_start(&f->other, 0.03);
    while (!ran(f, "other"))
        milter_loop_turn(f->loop, TRUE);
}

static void
test_task_once(Fixture *f, gconstpointer data)
{
    milter_loop_queue(f->loop, &f->task);
    milter_loop_queue(f->loop, &f->task);
    milter_loop_turn(f->loop, FALSE);
    g_assert_cmpstr(f->trace->str, ==, "task ");
    milter_loop_queue(f->loop, &f->task);
    milter_loop_unqueue(f->loop, &f->task);
    milter_loop_unqueue(f->loop, &f->task);
    milter_loop_turn(f->loop, FALSE);
    g_assert_cmpstr(f->trace->str, ==, "task ");
}

static void
note_free(gpointer object)
{
    Fixture *f = object;

    g_string_append(f->trace, "free ");
}

static void
bury_another(gpointer object)
{
    Fixture *f = object;

    g_string_append(f->trace, "bury ");
    milter_loop_free_later(f->loop, note_free, f);
}

/* After the tasks of the turn; a free function may bury more. */
static void
test_free_later(Fixture *f, gconstpointer data)
{
    milter_loop_free_later(f->loop, bury_another, f);
    milter_loop_queue(f->loop, &f->task);
    g_assert_cmpstr(f->trace->str, ==, "");
    milter_loop_turn(f->loop, FALSE);
    g_assert_cmpstr(f->trace->str, ==, "task bury free ");
}

static void
stop_loop(MilterTimer *timer, gpointer data)
{
    milter_loop_stop(timer->loop);
}

static void
test_run_and_stop(void)
{
    MilterLoop *loop = milter_loop_new();
    MilterTimer timer;

    milter_timer_init(&timer, loop, stop_loop, NULL);
    milter_timer_start(&timer, 0.01);
    milter_loop_run(loop);
    milter_timer_clear(&timer);
    g_assert_nonnull(milter_loop_scratch(loop));
    milter_loop_free(&loop);
}

/* A timer that was never made is cleared without harm. */
static void
test_clear_zeroed(void)
{
    MilterTimer timer = { .loop = NULL };

    milter_timer_clear(&timer);
}

int
main(int argc, char **argv)
{
    const gpointer is_virtual = GINT_TO_POINTER(1);

    g_test_init(&argc, &argv, NULL);
#define ADD(path, kind, func) g_test_add(path, Fixture, kind, set_up, func, tear_down)
    ADD("/loop/virtual/order", is_virtual, test_virtual_order);
    ADD("/loop/virtual/restart", is_virtual, test_virtual_restart);
    ADD("/loop/virtual/stop", is_virtual, test_virtual_stop);
    ADD("/loop/real/timer", NULL, test_real_timer);
    ADD("/loop/real/stop", NULL, test_real_stop);
    ADD("/loop/task/once", NULL, test_task_once);
    ADD("/loop/free-later", NULL, test_free_later);
    g_test_add_func("/loop/run-and-stop", test_run_and_stop);
    g_test_add_func("/loop/clear-zeroed", test_clear_zeroed);
    return g_test_run();
}
