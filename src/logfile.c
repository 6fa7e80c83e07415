/* logfile.c - see logfile.h */
#include "config.h"
#include "src/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/syslog.h"

static struct {
    int fd; /* where lines go, or -1 */
    gboolean is_socket;
    int n_lost; /* lines since the last that was written; atomic */
    char tag[32];
    MmLogFormat format;
} state = {
    .fd = -1,
    .tag = "supervisor",
    .format = { .items = MM_LOG_ITEM_ALL, .syslog_levels = MILTER_LOG_ALL },
};

static const struct {
    const char *name;
    guint levels;
} level_names[] = {
    { "default", MILTER_LOG_DEFAULT },
    { "all", MILTER_LOG_ALL },
    { "none", 0 },
    /* 2.x told critical from error, and profile from statistics. */
    { "critical", MILTER_LOG_ERROR },
    { "error", MILTER_LOG_ERROR },
    { "warning", MILTER_LOG_WARNING },
    { "message", MILTER_LOG_NOTICE },
    { "notice", MILTER_LOG_NOTICE },
    { "info", MILTER_LOG_INFO },
    { "debug", MILTER_LOG_DEBUG },
    { "trace", MILTER_LOG_TRACE },
    { "statistics", MILTER_LOG_STATISTICS },
    { "profile", MILTER_LOG_STATISTICS },
};

static gboolean
find_level(const char *name, guint *levels)
{
    for (guint i = 0; i < G_N_ELEMENTS(level_names); i++) {
        if (g_ascii_strcasecmp(name, level_names[i].name) == 0) {
            *levels = level_names[i].levels;
            return TRUE;
        }
    }
    return FALSE;
}

gboolean
mm_log_levels_parse(const char *text, guint *levels, GError **error)
{
    /* An empty text has one name, the empty one. */
    g_auto(GStrv) names = g_strsplit(*text ? text : "|", "|", -1);
    guint all = 0;

    for (char **name = names; *name; name++) {
        guint some;

        if (!find_level(g_strstrip(*name), &some)) {
            g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE,
                        "made of default, all, none, critical, error, warning, message, info, "
                        "debug, trace, statistics, profile, joined by \"|\"");
            return FALSE;
        }
        all |= some;
    }
    *levels = all;
    return TRUE;
}

static gsize
put_time(char *buffer, gsize size)
{
    struct timespec now;
    struct tm tm;
    gsize n;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    n = strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (gsize)g_snprintf(buffer + n, size - n, ".%06ld", now.tv_nsec / 1000);
    return n + strftime(buffer + n, size - n, "%z", &tm);
}

static gboolean
put(int fd, struct iovec *parts, int n)
{
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = (gsize)n };
    ssize_t written;

    do
        written = state.is_socket ? sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
                                  : writev(fd, parts, n);
    while (written < 0 && errno == EINTR);
    return written >= 0 || errno != EAGAIN;
}

/* What goes before the text: "TIME NAME[PID] TAG LEVEL: ", of which each part may be missing. */
static gsize
put_head(char *head, gsize size, MilterLogLevel level)
{
    const guint items = state.format.items;
    const char *name = (items & MM_LOG_ITEM_NAME) ? " milter-manager" : "";
    const char *tag = (items & MM_LOG_ITEM_DOMAIN) ? state.tag : "";
    const char *level_name = (items & MM_LOG_ITEM_LEVEL) ? milter_log_level_name(level) : "";
    char time_text[48] = "", pid[24] = "";
    gsize n;

    if (items == 0)
        return 0;
    if (items & MM_LOG_ITEM_TIME)
        put_time(time_text, sizeof(time_text));
    if (items & MM_LOG_ITEM_PID)
        g_snprintf(pid, sizeof(pid), "%s[%d]", *name ? "" : " ", (int)getpid());
    n = (gsize)g_snprintf(head, size, "%s%s%s%s%s%s%s: ", time_text, name, pid, *tag ? " " : "",
                          tag, *level_name ? " " : "", level_name);
    /* Without a time the first part brings a blank. */
    if (*head == ' ')
        memmove(head, head + 1, n--);
    return n;
}

static const char *
colour_of(MilterLogLevel level)
{
    switch (level) {
    case MILTER_LOG_ERROR:
        return "\033[1;31m";
    case MILTER_LOG_WARNING:
        return "\033[33m";
    case MILTER_LOG_NOTICE:
        return "\033[32m";
    case MILTER_LOG_DEBUG:
    case MILTER_LOG_TRACE:
        return "\033[2m";
    default:
        return "";
    }
}

static gboolean
is_coloured(int fd)
{
    return (state.format.colour & MM_LOG_COLOUR_ALWAYS) ||
           ((state.format.colour & MM_LOG_COLOUR_TERMINAL) && isatty(fd));
}

/* FALSE when who reads the log does not keep up: mail does not wait for that. */
static gboolean
write_line(int fd, MilterLogLevel level, const char *text)
{
    char head[160];
    const char *colour = is_coloured(fd) ? colour_of(level) : "";
    const char *end = *colour ? "\033[0m\n" : "\n";
    gsize n = put_head(head, sizeof(head), level);
    struct iovec parts[] = {
        { (char *)colour, strlen(colour) },
        { head, n },
        { (char *)text, strlen(text) },
        { (char *)end, strlen(end) },
    };

    return put(fd, parts, G_N_ELEMENTS(parts));
}

static void
write_or_count(int fd, MilterLogLevel level, const char *text)
{
    int n_lost = g_atomic_int_get(&state.n_lost);

    if (n_lost) {
        char note[96];

        g_snprintf(note, sizeof(note), "log_lines_lost=%d reason=\"the log was not read in time\"",
                   n_lost);
        if (write_line(fd, MILTER_LOG_WARNING, note))
            g_atomic_int_add(&state.n_lost, -n_lost);
    }
    if (!write_line(fd, level, text))
        g_atomic_int_inc(&state.n_lost);
}

static void
sink(MilterLogLevel level, const char *line, gpointer data)
{
    write_or_count(state.fd, level, line);
    if (state.format.syslog_levels & level)
        mm_syslog_write(level, state.tag, line);
    if (state.format.fatal_levels & level)
        abort();
}

void
mm_log_set_format(const MmLogFormat *format)
{
    state.format = *format;
}

/* Standard output as a file of our own: of a pipe or terminal that others hold, too, only
 * ours must not block.  A socket cannot be opened again and needs not (see put). */
static int
open_output(void)
{
    struct stat status;
    int fd = -1;

    if (fstat(STDOUT_FILENO, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

int
mm_log_open(const MmSettings *settings, GError **error)
{
    const char *path = settings->log_path;
    int fd, saved;

    if (!path || strcmp(path, "-") == 0) {
        if (!settings->daemon)
            return open_output();
        /* It has left its terminal, or is about to. */
        path = "/dev/null";
    }
    /* A FIFO is not waited for, neither now nor at a line. */
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    saved = errno;
    if (fd < 0)
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved),
                    "log.path: cannot open %s: %s", path, g_strerror(saved));
    return fd;
}

void
mm_log_set_tag(const char *tag)
{
    g_strlcpy(state.tag, tag, sizeof(state.tag));
}

void
mm_log_start(const MmSettings *settings, int fd)
{
    guint levels = MILTER_LOG_DEFAULT;
    int facility = 0;

    (void)mm_log_levels_parse(settings->log_level, &levels, NULL);
    milter_log_set_levels(levels);
    mm_log_replace(fd);
    mm_syslog_close();
    if (settings->use_syslog && mm_log_facility_parse(settings->syslog_facility, &facility))
        mm_syslog_open(facility);
    milter_log_set_sink(sink, NULL);
}

void
mm_log_replace(int fd)
{
    struct stat status;

    state.is_socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    if (state.fd < 0) {
        state.fd = fd;
        return;
    }
    /* In place, so that a line being written by another thread goes to one of both. */
    if (fd != state.fd && dup3(fd, state.fd, O_CLOEXEC) >= 0)
        close(fd);
}

int
mm_log_fd(void)
{
    return state.fd;
}

void
mm_log_forget(void)
{
    milter_log_set_sink(NULL, NULL);
    mm_syslog_close();
    state.fd = -1;
}
