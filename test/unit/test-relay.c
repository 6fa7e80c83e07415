/* test-relay.c - several sessions at once, ends at any moment, the manager's listening
 *
 * What one session says and hears is test/transcript's. */
#include "config.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test/support/calls.h"
#include "test/support/rig-steps.h"

static Rig *
new_rig(gboolean via_manager)
{
    Rig *rig;

    calls_install();
    rig = rig_new(MM_MTA_POSTFIX);
    rig->via_manager = via_manager;
    rig_add(rig, "a")->is_auto = TRUE;
    rig_add(rig, "b")->is_auto = TRUE;
    return rig;
}

/* The relay is freed at every point of a message, with children idle and at work. */
static void
test_free_anywhere(void)
{
    static const guint8 commands[] = { SMFIC_OPTNEG, SMFIC_CONNECT, SMFIC_MAIL, SMFIC_RCPT,
                                       SMFIC_DATA,   SMFIC_EOH,     SMFIC_BODY, SMFIC_BODYEOB };
    static const char *const lines[] = { "optneg version=6 actions=0x1ff steps=0x1fffff",
                                         "connect h U",
                                         "mail <s@x>",
                                         "rcpt <r@x>",
                                         "data",
                                         "eoh",
                                         "body x",
                                         "eom" };

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++)
        for (guint hangs = 0; hangs < 3; hangs++) {
            Rig *rig = new_rig(FALSE);

            if (hangs == 2)
                rig_child(rig, "a")->config->evaluation_mode = TRUE;
            rig_start(rig);
            fill(rig, commands[i]);
            rig_child(rig, "a")->is_auto = rig_child(rig, "b")->is_auto = !hangs;
            send_line(rig, lines[i]);
            mm_relay_free(&rig->relay);
            g_assert_null(rig->relay);
            mm_relay_free(&rig->relay);
            rig_settle(rig);
            g_assert_cmpuint(rig->n_ended, ==, 0); /* nobody is told */
            end_rig(&rig);
        }
}

static void
test_sessions_in_a_row(void)
{
    Rig *rig = new_rig(FALSE);

    rig_start(rig);
    for (guint i = 0; i < 20; i++) {
        fill(rig, SMFIC_DATA);
        rig_close(&rig->mta);
        rig_settle(rig);
        g_assert_cmpuint(rig->n_ended, ==, i + 1);
        rig_open_session(rig);
    }
    g_assert_cmpuint(rig_child(rig, "b")->n_connections, ==, 20);
    end_rig(&rig);
}

static int
connect_more(Rig *rig)
{
    g_autofree char *spec = g_strdup_printf("unix:%s/manager", rig->directory);
    MilterEndpoint *endpoint = milter_endpoint_parse(spec, NULL);
    gboolean in_progress;
    int fd;

    calls_remove();
    fd = milter_endpoint_connect(endpoint, &in_progress);
    calls_install();
    g_assert_cmpint(fd, >=, 0);
    milter_endpoint_free(&endpoint);
    rig_settle(rig);
    return fd;
}

static void
test_manager_sessions(void)
{
    Rig *rig = new_rig(TRUE);
    int fds[40];

    rig_start(rig);
    rig_settle(rig);
    g_assert_cmpuint(mm_manager_n_sessions(rig->manager), ==, 1);
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
        fds[i] = connect_more(rig);
    g_assert_cmpuint(mm_manager_n_sessions(rig->manager), ==, 41);
    for (guint i = 0; i < G_N_ELEMENTS(fds); i++)
        close(fds[i]);
    rig_settle(rig);
    g_assert_cmpuint(mm_manager_n_sessions(rig->manager), ==, 1);
    end_rig(&rig);
}

/* Over its share a worker does not accept; later it does. */
static void
test_manager_is_full(void)
{
    Rig *rig = new_rig(TRUE);
    const char *part = "max_connections";
    int one, two;

    rig->settings.max_connections = 2;
    rig->settings.suspend_time = 3;
    rig_start(rig);
    one = connect_more(rig);
    two = connect_more(rig);
    g_assert_cmpuint(mm_manager_n_sessions(rig->manager), ==, 2);
    g_assert_true(rig_take_log(rig, "warning", &part, 1));
    rig_pass(rig, 10);
    g_assert_cmpuint(mm_manager_n_sessions(rig->manager), ==, 2);
    close(one);
    rig_pass(rig, 3);
    g_assert_cmpuint(mm_manager_n_sessions(rig->manager), ==, 2); /* the waiting one */
    close(two);
    rig_settle(rig);
    g_assert_cmpuint(mm_manager_n_sessions(rig->manager), ==, 1);
    end_rig(&rig);
}

static void
on_drained(MmManager *manager, gpointer data)
{
    (*(guint *)data)++;
}

static void
test_manager_drains(void)
{
    Rig *rig = new_rig(TRUE);
    guint n_drained = 0;

    rig_start(rig);
    fill(rig, SMFIC_DATA);
    mm_manager_drain(rig->manager, on_drained, &n_drained);
    rig_settle(rig);
    g_assert_cmpuint(n_drained, ==, 0);
    fill(rig, SMFIC_BODYEOB); /* the session goes on */
    rig_close(&rig->mta);
    rig_settle(rig);
    g_assert_cmpuint(n_drained, ==, 1);
    end_rig(&rig);
}

static void
test_manager_drains_at_once(void)
{
    Rig *rig = new_rig(TRUE);
    guint n_drained = 0;

    rig_start(rig);
    rig_settle(rig);
    rig_close(&rig->mta);
    rig_settle(rig);
    mm_manager_drain(rig->manager, on_drained, &n_drained);
    g_assert_cmpuint(n_drained, ==, 0); /* from the loop */
    rig_settle(rig);
    g_assert_cmpuint(n_drained, ==, 1);
    end_rig(&rig);
}

/* With sessions at work. */
static void
test_manager_is_freed(void)
{
    Rig *rig = new_rig(TRUE);

    rig_start(rig);
    fill(rig, SMFIC_BODY);
    rig_child(rig, "a")->is_auto = FALSE;
    send_line(rig, "body x");
    mm_manager_free(&rig->manager);
    g_assert_null(rig->manager);
    rig_settle(rig);
    rig->via_manager = TRUE;
    g_assert_true(rig->mta.is_eof);
    end_rig(&rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/relay/free-anywhere", test_free_anywhere);
    g_test_add_func("/relay/sessions-in-a-row", test_sessions_in_a_row);
    g_test_add_func("/manager/sessions", test_manager_sessions);
    g_test_add_func("/manager/is-full", test_manager_is_full);
    g_test_add_func("/manager/drains", test_manager_drains);
    g_test_add_func("/manager/drains-at-once", test_manager_drains_at_once);
    g_test_add_func("/manager/is-freed", test_manager_is_freed);
    return g_test_run();
}
