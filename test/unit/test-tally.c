/* test-tally.c - sessions of several processes, some of which end without a word */
#include "config.h"

#include "src/tally.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void
test_sum(void)
{
    MmTally *tally = mm_tally_new();
    guint32 *one = mm_tally_enter(tally, 100), *other = mm_tally_enter(tally, 101);

    g_assert_cmpuint(mm_tally_sum(tally), ==, 0);
    mm_tally_set(one, 3);
    mm_tally_set(other, 4);
    g_assert_cmpuint(mm_tally_sum(tally), ==, 7);
    mm_tally_leave(tally, 100);
    mm_tally_leave(tally, 102);
    g_assert_cmpuint(mm_tally_sum(tally), ==, 4);
    /* A pid that comes again is somebody else. */
    other = mm_tally_enter(tally, 101);
    g_assert_cmpuint(mm_tally_sum(tally), ==, 0);
    mm_tally_set(other, G_MAXUINT);
    mm_tally_set(mm_tally_enter(tally, 103), 9);
    g_assert_cmpuint(mm_tally_sum(tally), ==, G_MAXUINT);
    mm_tally_free(&tally);
}

static void
test_full(void)
{
    MmTally *tally = mm_tally_new();
    guint32 *entry;
    guint n = 0;

    while ((entry = mm_tally_enter(tally, (pid_t)++n)))
        mm_tally_set(entry, 1);
    g_assert_cmpuint(n, >, 2000);
    g_assert_cmpuint(mm_tally_sum(tally), ==, n - 1);
    mm_tally_leave(tally, 7);
    g_assert_nonnull(mm_tally_enter(tally, 7));
    mm_tally_free(&tally);
}

static void
test_processes(void)
{
    MmTally *tally = mm_tally_new();
    pid_t pids[8];

    for (guint i = 0; i < G_N_ELEMENTS(pids); i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            mm_tally_set(mm_tally_enter(tally, getpid()), i + 1);
            _exit(EXIT_SUCCESS);
        }
        g_assert_cmpint(pids[i], >, 0);
    }
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
        g_assert_cmpint(waitpid(pids[i], NULL, 0), ==, pids[i]);
    g_assert_cmpuint(mm_tally_sum(tally), ==, 36);
    for (guint i = 0; i < G_N_ELEMENTS(pids); i++)
        mm_tally_leave(tally, pids[i]);
    g_assert_cmpuint(mm_tally_sum(tally), ==, 0);
    mm_tally_free(&tally);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/tally/sum", test_sum);
    g_test_add_func("/tally/full", test_full);
    g_test_add_func("/tally/processes", test_processes);
    return g_test_run();
}
