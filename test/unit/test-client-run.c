/* test-client-run.c - where a milter of the public interface listens, and how it stops */
#include "config.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <unistd.h>

#include "libmilter-client/client.h"
#include "libmilter-core/endpoint.h"

static char *directory; /* of the test's own */
static char *spec;      /* a unix socket in it */

static void
on_close(MilterClientSession *session, const char *why, gpointer data)
{
    g_string_append_printf(data, "close %s;", why);
}

static const MilterClientSteps steps = { .close = on_close };

static void
test_errors(void)
{
    MilterLoop *loop = milter_loop_new();
    MilterClient *client = milter_client_new(loop, &steps, NULL);
    g_autoptr(GError) nonsense = NULL;
    g_autoptr(GError) busy = NULL;

    g_assert_false(milter_client_listen(client, "nonsense", &nonsense));
    g_assert_error(nonsense, MILTER_ENDPOINT_ERROR, MILTER_ENDPOINT_ERROR_SPEC);
    g_assert_true(milter_client_listen(client, spec, NULL));
    g_assert_false(milter_client_listen(client, spec, &busy));
    g_assert_error(busy, MILTER_ENDPOINT_ERROR, MILTER_ENDPOINT_ERROR_SYSTEM);
    milter_client_free(&client);
    milter_client_free(&client);
    milter_loop_free(&loop);
}

/* How a run is ended. */
typedef struct {
    MilterClient *client;
    MilterTimer timer;
    double grace;
    int signals; /* so many SIGTERM; 0: by the function */
} Stop;

static void
on_stop(MilterTimer *timer, gpointer data)
{
    Stop *stop = data;

    if (stop->signals == 0)
        milter_client_stop(stop->client, stop->grace);
    if (stop->signals > 0)
        raise(SIGTERM);
    if (--stop->signals > 0)
        milter_timer_start(timer, 0.01);
}

/* Run until STOP; where N_MTAS are connected they are told. */
static void
run(Stop *stop, guint n_mtas, const char *told)
{
    MilterLoop *loop = milter_loop_new();
    GString *seen = g_string_new(NULL);
    MilterClient *client = milter_client_new(loop, &steps, seen);
    MilterEndpoint *endpoint = milter_endpoint_parse(spec, NULL);
    gboolean in_progress;
    int fds[2];

    g_assert_true(milter_client_listen(client, spec, NULL));
    for (guint i = 0; i < n_mtas; i++) {
        fds[i] = milter_endpoint_connect(endpoint, &in_progress);
        g_assert_cmpint(fds[i], >=, 0);
    }
    while (milter_client_n_sessions(client) < n_mtas)
        milter_loop_turn(loop, TRUE);
    stop->client = client;
    milter_timer_init(&stop->timer, loop, on_stop, stop);
    milter_timer_start(&stop->timer, 0);
    milter_client_run(client, stop->grace);
    g_assert_cmpuint(milter_client_n_sessions(client), ==, 0);
    g_assert_cmpstr(seen->str, ==, told);
    g_assert_false(g_file_test(milter_endpoint_path(endpoint), G_FILE_TEST_EXISTS));

    for (guint i = 0; i < n_mtas; i++)
        close(fds[i]);
    milter_timer_clear(&stop->timer);
    milter_client_free(&client);
    milter_loop_free(&loop);
    milter_endpoint_free(&endpoint);
    g_string_free(seen, TRUE);
}

static void
test_idle(void)
{
    run(&(Stop){ .grace = 60 }, 0, "");
    run(&(Stop){ .grace = 60, .signals = 1 }, 0, "");
}

static void
test_busy(void)
{
    /* Sessions that do not end are ended when the time is over, or at the second signal. */
    run(&(Stop){ .grace = 0.01 }, 1, "close the milter stops;");
    run(&(Stop){ .grace = 0.01, .signals = 1 }, 2,
        "close the milter stops;close the milter stops;");
    run(&(Stop){ .grace = 3600, .signals = 2 }, 1, "close the milter stops;");
}

/* A file that somebody else has put in the socket's place is not removed. */
static void
test_foreign_file(void)
{
    MilterLoop *loop = milter_loop_new();
    MilterClient *client = milter_client_new(loop, &steps, NULL);
    g_autofree char *path = g_build_filename(directory, "socket", NULL);

    g_assert_true(milter_client_listen(client, spec, NULL));
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    milter_client_stop(client, 0);
    g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    g_assert_cmpint(g_unlink(path), ==, 0);
    /* Nothing to run for. */
    milter_client_run(client, 0);
    milter_client_free(&client);
    milter_loop_free(&loop);
}

int
main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);
    directory = g_dir_make_tmp("milter-test-client-XXXXXX", NULL);
    spec = g_strdup_printf("unix:%s/socket", directory);
    g_test_add_func("/client-run/errors", test_errors);
    g_test_add_func("/client-run/idle", test_idle);
    g_test_add_func("/client-run/busy", test_busy);
    g_test_add_func("/client-run/foreign-file", test_foreign_file);
    status = g_test_run();
    g_assert_cmpint(g_rmdir(directory), ==, 0);
    g_free(directory);
    g_free(spec);
    return status;
}
