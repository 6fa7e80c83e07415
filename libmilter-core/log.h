/* log.h - log lines, as long as somebody wants them
 *
 * One line an event, key=value.  The arguments of a macro are evaluated only when
 * its level is on.  Where lines go is the embedding program's choice. */
#ifndef MILTER_LOG_H
#define MILTER_LOG_H

#include <glib.h>

G_BEGIN_DECLS

/* Independent levels, as bits.  Who must act: error = the operator now, warning = the
 * operator some day, notice = lifecycle, info = one summary a message and session,
 * statistics = counters, debug = decisions, trace = every packet. */
typedef enum {
    MILTER_LOG_ERROR = 1 << 0,
    MILTER_LOG_WARNING = 1 << 1,
    MILTER_LOG_NOTICE = 1 << 2,
    MILTER_LOG_INFO = 1 << 3,
    MILTER_LOG_STATISTICS = 1 << 4,
    MILTER_LOG_DEBUG = 1 << 5,
    MILTER_LOG_TRACE = 1 << 6,
} MilterLogLevel;

#define MILTER_LOG_DEFAULT \
    (MILTER_LOG_ERROR | MILTER_LOG_WARNING | MILTER_LOG_NOTICE | MILTER_LOG_INFO)
#define MILTER_LOG_ALL 0x7f

/* One finished line without its newline.  Called from any thread. */
typedef void (*MilterLogSink)(MilterLogLevel level, const char *line, gpointer data);

extern guint milter_log_levels; /* levels that are on */

void milter_log_set_levels(guint levels);
/* NULL restores the default sink: standard error. */
void milter_log_set_sink(MilterLogSink sink, gpointer data);

/* "error", "warning", …; a static string. */
const char *milter_log_level_name(MilterLogLevel level);

/* Give a line to the sink whatever the levels are; control characters become spaces. The
 * macros below ask for the level first. */
void milter_log_write(MilterLogLevel level, const char *format, ...) G_GNUC_PRINTF(2, 3);

#define MILTER_LOG_ENABLED(level) G_UNLIKELY((milter_log_levels & (level)) != 0)
#define milter_log(level, ...) \
    do { \
        if (MILTER_LOG_ENABLED(level)) \
            milter_log_write((level), __VA_ARGS__); \
    } while (0)
#define milter_error(...) milter_log(MILTER_LOG_ERROR, __VA_ARGS__)
#define milter_warning(...) milter_log(MILTER_LOG_WARNING, __VA_ARGS__)
#define milter_notice(...) milter_log(MILTER_LOG_NOTICE, __VA_ARGS__)
#define milter_info(...) milter_log(MILTER_LOG_INFO, __VA_ARGS__)
#define milter_debug(...) milter_log(MILTER_LOG_DEBUG, __VA_ARGS__)
#define milter_trace(...) milter_log(MILTER_LOG_TRACE, __VA_ARGS__)

/* BYTES made safe for a log value: printable ASCII stays, others become \xNN, double
 * quotes and backslashes are escaped, the whole is in double quotes when it has a space,
 * a quote or is empty.  At most MAX bytes are shown, then "…".  Free with g_free. */
char *milter_log_escape(const void *bytes, gsize size, gsize max);

G_END_DECLS
#endif
