/* test-processes.c - the parts that processes are made of: channels, statistics, files */
#include "config.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/channel.h"
#include "src/crew.h"
#include "src/listener.h"
#include "src/options.h"
#include "src/pidfile.h"
#include "src/process.h"
#include "src/settings-table.h"
#include "src/stats.h"

static void
test_channel(void)
{
    g_autofree char *big = g_strnfill(3 * MM_CHANNEL_TEXT_MAX, 'x');
    MmMessage message;
    int ends[2], pipe_ends[2];

    g_assert_true(mm_channel_new(ends, NULL));
    mm_channel_want_pids(ends[0]);
    g_assert_cmpint(mm_channel_receive(ends[0], FALSE, &message), ==, MM_CHANNEL_NOTHING);
    g_assert_cmpint(pipe(pipe_ends), ==, 0);
    g_assert_true(mm_channel_send(ends[1], MM_MESSAGE_GO, "", pipe_ends[1]));
    g_assert_true(mm_channel_send(ends[1], MM_MESSAGE_ERROR, big, -1));

    g_assert_cmpint(mm_channel_receive(ends[0], TRUE, &message), ==, MM_CHANNEL_MESSAGE);
    g_assert_cmpint(message.kind, ==, MM_MESSAGE_GO);
    g_assert_cmpint(message.pid, ==, getpid());
    g_assert_cmpstr(message.text, ==, "");
    /* It is the same pipe. */
    g_assert_cmpint(write(message.fd, "!", 1), ==, 1);
    close(message.fd);
    g_assert_cmpint(read(pipe_ends[0], message.text, 1), ==, 1);

    g_assert_cmpint(mm_channel_receive(ends[0], FALSE, &message), ==, MM_CHANNEL_MESSAGE);
    g_assert_cmpint(message.fd, ==, -1);
    g_assert_cmpuint(strlen(message.text), ==, MM_CHANNEL_TEXT_MAX);
    close(ends[1]);
    g_assert_cmpint(mm_channel_receive(ends[0], TRUE, &message), ==, MM_CHANNEL_CLOSED);
    g_assert_false(mm_channel_send(ends[0], MM_MESSAGE_DRAIN, NULL, -1));
    close(ends[0]);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
}

static void
test_memory_file(void)
{
    g_autoptr(GBytes) bytes = g_bytes_new_static("content", 7);
    g_autoptr(GBytes) again = NULL;
    g_autoptr(GError) error = NULL;
    int fd = mm_memory_file_new(bytes, &error);
    int plain = memfd_create("test", 0);

    g_assert_no_error(error);
    again = mm_memory_file_read(fd, 7, &error);
    g_assert_no_error(error);
    g_assert_true(g_bytes_equal(bytes, again));
    g_assert_null(mm_memory_file_read(fd, 6, NULL));
    g_assert_null(mm_memory_file_read(-1, 7, NULL));
    /* Not sealed: it could change while it is read. */
    g_assert_cmpint(write(plain, "content", 7), ==, 7);
    g_assert_null(mm_memory_file_read(plain, 7, NULL));
    close(fd);
    close(plain);
}

static void
test_stats(void)
{
    static const char *const names[] = { "a", "b", NULL };
    g_autoptr(GError) error = NULL;
    MmStats *stats = mm_stats_new(2, &error);
    MmStats *seen = mm_stats_map(stats->fd, &error);
    MmTotals totals, sum;
    const guint64 *b;

    g_assert_no_error(error);
    mm_totals_init(&totals);
    mm_stats_count(stats, MM_STAT_SESSIONS);
    mm_stats_count(stats, MM_STAT_SESSIONS);
    mm_stats_count_child(stats, 1, MM_CHILD_STAT_TIMEOUTS);
    mm_stats_count_child(stats, 2, MM_CHILD_STAT_TIMEOUTS);
    mm_stats_gauge_add(stats, MM_GAUGE_SESSIONS, 3);
    mm_stats_gauge_add(stats, MM_GAUGE_SESSIONS, -1);
    g_assert_cmpint(seen->page->gauges[MM_GAUGE_SESSIONS], ==, 2);
    mm_totals_add(&totals, seen, names);
    mm_totals_copy(&sum, &totals);
    mm_totals_add(&sum, seen, names);
    g_assert_cmpuint(totals.counters[MM_STAT_SESSIONS], ==, 2);
    g_assert_cmpuint(sum.counters[MM_STAT_SESSIONS], ==, 4);
    b = g_hash_table_lookup(sum.children, "b");
    g_assert_cmpuint(b[MM_CHILD_STAT_TIMEOUTS], ==, 2);
    mm_totals_clear(&totals);
    mm_totals_clear(&sum);
    mm_stats_free(&seen);
    mm_stats_free(&stats);
}

/* What a worker that was taken over might send. */
static void
test_stats_garbage(void)
{
    static const char *const names[] = { "a", "b", "c", NULL };
    MmStats *stats = mm_stats_new(1, NULL), *seen;
    MmTotals totals;
    int fd = memfd_create("test", MFD_ALLOW_SEALING);

    g_assert_null(mm_stats_map(-1, NULL));
    g_assert_null(mm_stats_map(STDIN_FILENO, NULL));
    g_assert_cmpint(ftruncate(fd, 4096), ==, 0);
    g_assert_null(mm_stats_map(fd, NULL));
    g_assert_cmpint(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), ==, 0);
    g_assert_null(mm_stats_map(fd, NULL));
    g_assert_cmpint(ftruncate(stats->fd, 1), ==, -1);
    /* More children claimed than there are. */
    stats->page->n_children = 1000000;
    seen = mm_stats_map(stats->fd, NULL);
    mm_totals_init(&totals);
    mm_totals_add(&totals, seen, names);
    g_assert_cmpuint(g_hash_table_size(totals.children), ==, 1);
    mm_totals_clear(&totals);
    mm_stats_free(&seen);
    mm_stats_free(&stats);
    close(fd);
}

static void
test_back_off(void)
{
    g_assert_cmpfloat(mm_crew_delay(0), ==, 0);
    g_assert_cmpfloat(mm_crew_delay(1), ==, 0.5);
    g_assert_cmpfloat(mm_crew_delay(3), ==, 2);
    g_assert_cmpfloat(mm_crew_delay(G_MAXUINT), ==, 30);
}

static void
test_process(void)
{
    g_autofree char *how = NULL;
    g_autofree char *none = NULL;
    pid_t pid = fork();
    int pidfd;

    if (pid == 0) {
        pause();
        _exit(0);
    }
    pidfd = mm_process_open(pid);
    g_assert_cmpint(pidfd, >=, 0);
    g_assert_cmpint(mm_process_parent(pid), ==, getpid());
    mm_process_kill(pidfd, SIGKILL);
    how = mm_process_reap(pid);
    g_assert_cmpstr(how, ==, "signal 9 (Killed)");
    mm_process_kill(pidfd, SIGKILL);
    close(pidfd);
    none = mm_process_reap(pid);
    g_assert_null(none);
    g_assert_cmpint(mm_process_parent(pid), ==, 0);
}

/* Descriptors of a fresh child: those wanted, low, in order; no others. */
static void
test_term(void)
{
    guint64 times;
    int fd = mm_process_catch_term();

    g_assert_cmpint(read(fd, &times, sizeof(times)), ==, -1);
    raise(SIGTERM);
    raise(SIGTERM);
    g_assert_cmpint(read(fd, &times, sizeof(times)), ==, sizeof(times));
    g_assert_cmpuint(times, ==, 2);
    mm_process_forget_term();
    raise(SIGTERM);
    mm_process_reset_signals();
}

static void
test_keep_only(void)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        int a = fcntl(STDIN_FILENO, F_DUPFD, 50), b = -1, c = fcntl(STDIN_FILENO, F_DUPFD, 3);
        int *keep[] = { &a, &b, &c };

        mm_process_keep_only(keep, 3);
        _exit(a == 3 && b == -1 && c == 4 && fcntl(5, F_GETFD) < 0 && fcntl(50, F_GETFD) < 0 &&
                      fcntl(4, F_GETFD) == FD_CLOEXEC
                  ? 0
                  : 1);
    }
    waitpid(pid, &status, 0);
    g_assert_cmpint(status, ==, 0);
}

static void
test_pidfile(void)
{
    g_autofree char *directory = g_dir_make_tmp("milter-manager-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "pid", NULL);
    g_autofree char *missing = g_build_filename(directory, "none", "pid", NULL);
    g_autofree char *parent = g_strdup_printf("%d\n", (int)getppid());
    g_autofree char *expected = g_strdup_printf("%d\n", (int)getpid());
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    struct stat info;

    /* The parent lives, but is no milter-manager: the file is a left one. */
    g_assert_true(g_file_set_contents(path, parent, -1, NULL));
    g_assert_true(mm_pidfile_write(path, &error));
    g_assert_no_error(error);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_cmpstr(text, ==, expected);
    g_assert_cmpint(g_stat(path, &info), ==, 0);
    g_assert_cmpint(info.st_mode & 07777, ==, 0644);
    mm_pidfile_remove(path);
    g_assert_cmpint(g_access(path, F_OK), ==, -1);
    /* Not ours to remove. */
    g_assert_true(g_file_set_contents(path, parent, -1, NULL));
    mm_pidfile_remove(path);
    g_assert_cmpint(g_unlink(path), ==, 0);
    g_assert_false(mm_pidfile_write(missing, &error));
    g_assert_nonnull(strstr(error->message, "manager.pid_file: cannot write "));
    mm_pidfile_remove(NULL);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
}

static void
test_listener(void)
{
    g_autofree char *directory = g_dir_make_tmp("milter-manager-test-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(directory, "sock", NULL);
    g_autofree char *spec = g_strconcat("unix:", path, NULL);
    g_autoptr(GError) error = NULL;
    MmSettings *settings = mm_settings_new();
    MmListener *listener;
    struct stat info;

    g_assert_true(mm_item_set(mm_item_find(MM_SCOPE_MANAGER, "connection_spec"), settings,
                              g_variant_new_string(spec), "file:1", &error));
    listener = mm_listener_new(settings, MM_SCOPE_MANAGER, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(mm_listener_spec(listener), ==, spec);
    g_assert_true(mm_listener_fits(listener, settings));
    g_assert_cmpint(g_stat(path, &info), ==, 0);
    g_assert_cmpint(info.st_mode & 07777, ==, 0660);
    g_assert_null(mm_listener_new(settings, MM_SCOPE_MANAGER, &error));
    g_assert_true(g_str_has_prefix(error->message, "file:1: manager.connection_spec: "));
    g_assert_true(mm_listener_fits(listener, settings));
    mm_listener_free(&listener);
    mm_listener_free(&listener);
    g_assert_cmpint(g_rmdir(directory), ==, 0);
    mm_settings_free(&settings);
}

static void
test_options(void)
{
    char *arguments[] = { (char *)"x", (char *)"-c", (char *)"relative", (char *)"--check",
                          (char *)"-v", (char *)"--no-daemon", (char *)"--n-workers=3", NULL };
    g_auto(GStrv) copy = g_strdupv(arguments);
    g_autofree char **argv = g_memdup2(copy, sizeof(arguments));
    int argc = 7;
    MmSettings *settings = mm_settings_new();
    g_autoptr(GError) error = NULL;
    MmOptions options;

    settings->daemon = TRUE;
    g_assert_true(mm_options_parse(&options, &argc, &argv, &error));
    g_assert_no_error(error);
    g_assert_cmpint(options.mode, ==, MM_MODE_CHECK);
    g_assert_true(g_path_is_absolute(options.config_dir));
    g_assert_true(mm_options_apply(&options, settings, &error));
    g_assert_cmpuint(settings->n_workers, ==, 3);
    g_assert_false(settings->daemon);
    g_assert_cmpstr(settings->log_level, ==, "all");
    mm_options_clear(&options);
    mm_settings_free(&settings);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/processes/channel", test_channel);
    g_test_add_func("/processes/memory-file", test_memory_file);
    g_test_add_func("/processes/stats", test_stats);
    g_test_add_func("/processes/stats-garbage", test_stats_garbage);
    g_test_add_func("/processes/back-off", test_back_off);
    g_test_add_func("/processes/process", test_process);
    g_test_add_func("/processes/term", test_term);
    g_test_add_func("/processes/keep-only", test_keep_only);
    g_test_add_func("/processes/pidfile", test_pidfile);
    g_test_add_func("/processes/listener", test_listener);
    g_test_add_func("/processes/options", test_options);
    return g_test_run();
}
