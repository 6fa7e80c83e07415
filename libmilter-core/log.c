/* log.c - levels, the sink, escaping */
#include "config.h"

#include "libmilter-core/log.h"

#include <string.h>
#include <unistd.h>

guint milter_log_levels = MILTER_LOG_DEFAULT;

static GMutex lock; /* guards the sink and its data, which belong together */
static MilterLogSink current_sink;
static gpointer current_data;

/* One write a line, so that lines of several processes do not mix. */
static void
write_to_stderr(MilterLogLevel level, const char *line, gpointer data)
{
    g_autofree char *text = g_strconcat(milter_log_level_name(level), " ", line, "\n", NULL);
    ssize_t written = write(STDERR_FILENO, text, strlen(text));

    (void)written; /* there is nobody left to tell */
}

void
milter_log_set_levels(guint levels)
{
    g_atomic_int_set(&milter_log_levels, levels & MILTER_LOG_ALL);
}

void
milter_log_set_sink(MilterLogSink sink, gpointer data)
{
    g_mutex_lock(&lock);
    current_sink = sink;
    current_data = data;
    g_mutex_unlock(&lock);
}

const char *
milter_log_level_name(MilterLogLevel level)
{
    switch (level) {
    case MILTER_LOG_ERROR:
        return "error";
    case MILTER_LOG_WARNING:
        return "warning";
    case MILTER_LOG_NOTICE:
        return "notice";
    case MILTER_LOG_INFO:
        return "info";
    case MILTER_LOG_STATISTICS:
        return "statistics";
    case MILTER_LOG_DEBUG:
        return "debug";
    case MILTER_LOG_TRACE:
        return "trace";
    default:
        return "unknown";
    }
}

void
milter_log_write(MilterLogLevel level, const char *format, ...)
{
    g_autofree char *line = NULL;
    MilterLogSink sink;
    gpointer data;
    va_list args;

    va_start(args, format);
    line = g_strdup_vprintf(format, args);
    va_end(args);
    /* A line stays one line whatever slipped into a value. */
    for (char *p = line; *p; p++)
        if (g_ascii_iscntrl(*p))
            *p = ' ';

    g_mutex_lock(&lock);
    sink = current_sink ? current_sink : write_to_stderr;
    data = current_data;
    g_mutex_unlock(&lock);
    sink(level, line, data);
}

char *
milter_log_escape(const void *bytes, gsize size, gsize max)
{
    const guint8 *in = bytes;
    gsize shown = MIN(size, max);
    gboolean needs_quotes = size == 0;
    GString *out = g_string_sized_new(shown + 8);

    for (gsize i = 0; i < shown; i++) {
        if (in[i] == '"' || in[i] == '\\')
            g_string_append_c(out, '\\');
        if (in[i] == '"' || in[i] == ' ')
            needs_quotes = TRUE;
        if (g_ascii_isprint(in[i]))
            g_string_append_c(out, (char)in[i]);
        else
            g_string_append_printf(out, "\\x%02x", in[i]);
    }
    if (shown < size)
        g_string_append(out, "…");
    if (needs_quotes) {
        g_string_prepend_c(out, '"');
        g_string_append_c(out, '"');
    }
    return g_string_free(out, FALSE);
}
