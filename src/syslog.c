/* syslog.c - see syslog.h */
#include "config.h"
#include "src/syslog.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "src/logfile.h"

#define LINE_MAX_BYTES 8192 /* what common log daemons take */

static struct {
    gboolean is_open;
    int facility;
    int fd; /* connected datagram socket, or -1 */
    GMutex lock;
} state = { .fd = -1 };

static const struct {
    const char *name;
    int facility;
} facilities[] = {
    { "authpriv", LOG_AUTHPRIV }, { "cron", LOG_CRON },     { "daemon", LOG_DAEMON },
    { "kern", LOG_KERN },         { "local0", LOG_LOCAL0 }, { "local1", LOG_LOCAL1 },
    { "local2", LOG_LOCAL2 },     { "local3", LOG_LOCAL3 }, { "local4", LOG_LOCAL4 },
    { "local5", LOG_LOCAL5 },     { "local6", LOG_LOCAL6 }, { "local7", LOG_LOCAL7 },
    { "lpr", LOG_LPR },           { "mail", LOG_MAIL },     { "news", LOG_NEWS },
    { "user", LOG_USER },         { "uucp", LOG_UUCP },
};

gboolean
mm_log_facility_parse(const char *name, int *facility)
{
    for (guint i = 0; i < G_N_ELEMENTS(facilities); i++) {
        if (strcmp(name, facilities[i].name) == 0) {
            *facility = facilities[i].facility;
            return TRUE;
        }
    }
    return FALSE;
}

static int
priority_of(MilterLogLevel level)
{
    switch (level) {
    case MILTER_LOG_ERROR:
        return LOG_ERR;
    case MILTER_LOG_WARNING:
        return LOG_WARNING;
    case MILTER_LOG_NOTICE:
        return LOG_NOTICE;
    case MILTER_LOG_INFO:
    case MILTER_LOG_STATISTICS:
        return LOG_INFO;
    default:
        return LOG_DEBUG;
    }
}

static void
connect_to_daemon(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    g_strlcpy(address.sun_path, "/dev/log", sizeof(address.sun_path));
    state.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (state.fd >= 0 && connect(state.fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(state.fd);
        state.fd = -1;
    }
}

void
mm_syslog_open(int facility)
{
    state.is_open = TRUE;
    state.facility = facility;
    connect_to_daemon();
}

void
mm_syslog_close(void)
{
    if (state.fd >= 0)
        close(state.fd);
    state.fd = -1;
    state.is_open = FALSE;
}

void
mm_syslog_write(MilterLogLevel level, const char *tag, const char *line)
{
    char packet[LINE_MAX_BYTES], date[32];
    time_t now = time(NULL);
    struct tm tm;
    gsize n;

    /* Without a daemon at the start there is none to wait for. */
    if (!state.is_open || state.fd < 0)
        return;
    localtime_r(&now, &tm);
    strftime(date, sizeof(date), "%b %e %H:%M:%S", &tm);
    n = (gsize)g_snprintf(packet, sizeof(packet), "<%d>%s milter-manager[%d]: %s %s: %s",
                          state.facility | priority_of(level), date, (int)getpid(), tag,
                          milter_log_level_name(level), line);
    n = MIN(n, sizeof(packet) - 1);
    g_mutex_lock(&state.lock);
    if (send(state.fd, packet, n, MSG_NOSIGNAL) < 0 &&
        (errno == ECONNREFUSED || errno == ENOTCONN || errno == ECONNRESET)) {
        /* The log daemon was restarted; while it is away, each line tries once. */
        int old = state.fd;

        connect_to_daemon();
        if (state.fd < 0) {
            state.fd = old;
        } else {
            close(old);
            (void)!send(state.fd, packet, n, MSG_NOSIGNAL);
        }
    }
    g_mutex_unlock(&state.lock);
}
