/* test-log.c - levels, the sink, one line at a time, escaping */
#include "config.h"

#include "libmilter-core/log.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void
collect(MilterLogLevel level, const char *line, gpointer data)
{
    g_string_append_printf(data, "%s:%s|", milter_log_level_name(level), line);
}

static int evaluated;

static const char *
expensive(void)
{
    evaluated++;
    return "x";
}

static void
test_levels(void)
{
    g_autoptr(GString) seen = g_string_new(NULL);

    g_assert_cmpuint(milter_log_levels, ==, MILTER_LOG_DEFAULT);
    milter_log_set_sink(collect, seen);
    for (guint bit = 1; bit < MILTER_LOG_ALL; bit <<= 1) {
        milter_log_set_levels(bit);
        evaluated = 0;
        g_string_truncate(seen, 0);
        milter_error("%s", expensive());
        milter_warning("%s", expensive());
        milter_notice("%s", expensive());
        milter_info("%s", expensive());
        milter_log(MILTER_LOG_STATISTICS, "%s", expensive());
        milter_debug("%s", expensive());
        milter_trace("%s", expensive());
        g_assert_cmpint(evaluated, ==, 1); /* the arguments of the others were not */
        g_assert_true(g_str_has_prefix(seen->str, milter_log_level_name(bit)));
        g_assert_true(g_str_has_suffix(seen->str, ":x|"));
    }
    milter_log_set_levels(0);
    milter_error("no");
    g_assert_cmpint(evaluated, ==, 1);
    milter_log_set_levels(G_MAXUINT);
    g_assert_cmpuint(milter_log_levels, ==, MILTER_LOG_ALL);
    milter_log_set_levels(MILTER_LOG_DEFAULT);
    milter_log_set_sink(NULL, NULL);
}

static void
test_level_names(void)
{
    static const char *const names[] = { "error",      "warning", "notice", "info",
                                         "statistics", "debug",   "trace" };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        g_assert_cmpstr(milter_log_level_name(1 << i), ==, names[i]);
    g_assert_cmpstr(milter_log_level_name(0), ==, "unknown");
    g_assert_cmpstr(milter_log_level_name(3), ==, "unknown");
}

static void
test_one_line(void)
{
    g_autoptr(GString) seen = g_string_new(NULL);

    milter_log_set_sink(collect, seen);
    milter_info("a\nb\r\x1b[1m\x7f\xc3\xa4");
    g_assert_cmpstr(seen->str, ==, "info:a b  [1m \xc3\xa4|");
    milter_log_set_sink(NULL, NULL);
}

static gpointer
log_many(gpointer data)
{
    for (guint i = 0; i < 200; i++)
        milter_error("thread=%s number=%u filler=%0200d", (const char *)data, i, 0);
    return NULL;
}

/* The default sink: whole lines on standard error, whoever else writes there. */
static void
test_standard_error(void)
{
    g_autofree char *path = NULL;
    g_autofree char *content = NULL;
    g_auto(GStrv) lines = NULL;
    GThread *threads[2];
    int saved = dup(STDERR_FILENO);
    int fd = g_file_open_tmp("test-log-XXXXXX", &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    /* Appending, as to a log file: each write goes to the end, whole. */
    g_assert_cmpint(fcntl(fd, F_SETFL, O_APPEND), ==, 0);
    g_assert_cmpint(dup2(fd, STDERR_FILENO), ==, STDERR_FILENO);
    threads[0] = g_thread_new("a", log_many, (gpointer) "a");
    threads[1] = g_thread_new("b", log_many, (gpointer) "b");
    g_thread_join(threads[0]);
    g_thread_join(threads[1]);
    g_assert_cmpint(dup2(saved, STDERR_FILENO), ==, STDERR_FILENO);
    close(saved);
    close(fd);

    g_assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_assert_cmpint(unlink(path), ==, 0);
    lines = g_strsplit(content, "\n", -1);
    g_assert_cmpuint(g_strv_length(lines), ==, 401); /* and nothing after the last newline */
    for (guint i = 0; i < 400; i++) {
        g_assert_true(g_str_has_prefix(lines[i], "error thread="));
        g_assert_true(g_str_has_suffix(lines[i], "0000"));
    }
}

static void
test_escape(void)
{
    static const struct {
        const char *in;
        gsize size;
        gsize max;
        const char *out;
    } rows[] = {
        { "plain", 5, 100, "plain" },
        { "", 0, 100, "\"\"" },
        { "two words", 9, 100, "\"two words\"" },
        { "a\"b", 3, 100, "\"a\\\"b\"" },
        { "a\\b", 3, 100, "a\\\\b" },
        { "a\0b", 3, 100, "a\\x00b" },
        { "\xff\x7f\x1f\n", 4, 100, "\\xff\\x7f\\x1f\\x0a" },
        { "<a=b>~", 6, 100, "<a=b>~" },
        { "abcdef", 6, 6, "abcdef" },
        { "abcdef", 6, 5, "abcde…" },
        { "a bcdef", 7, 3, "\"a b…\"" },
        { "ab cdef", 7, 2, "ab…" },
        { "abc", 3, 0, "…" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *in = g_memdup2(rows[i].in, rows[i].size);
        g_autofree char *out = milter_log_escape(in, rows[i].size, rows[i].max);

        g_assert_cmpstr(out, ==, rows[i].out);
    }
    for (guint byte = 0; byte < 256; byte++) {
        guint8 in = (guint8)byte;
        g_autofree char *out = milter_log_escape(&in, 1, 1);

        for (const char *p = out; *p; p++)
            g_assert_true(g_ascii_isprint(*p));
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/log/levels", test_levels);
    g_test_add_func("/log/level-names", test_level_names);
    g_test_add_func("/log/one-line", test_one_line);
    g_test_add_func("/log/standard-error", test_standard_error);
    g_test_add_func("/log/escape", test_escape);
    return g_test_run();
}
