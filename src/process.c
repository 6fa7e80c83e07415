/* process.c - see process.h */
#include "config.h"
#include "src/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int
mm_process_open(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0);
}

gboolean
mm_process_check(GError **error)
{
    int pidfd = mm_process_open(getpid());

    if (pidfd < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "pidfd_open: %s (Linux 5.3 or later is needed)", g_strerror(errno));
        return FALSE;
    }
    close(pidfd);
    return TRUE;
}

void
mm_process_kill(int pidfd, int signal_number)
{
    if (pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, pidfd, signal_number, NULL, 0);
}

pid_t
mm_process_parent(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    const char *rest;
    int parent;

    /* "PID (NAME) STATE PPID …", and NAME may contain anything. */
    if (!g_file_get_contents(path, &text, NULL, NULL) || !(rest = strrchr(text, ')')) ||
        sscanf(rest, ") %*c %d", &parent) != 1)
        return 0;
    return parent;
}

char *
mm_process_reap(pid_t pid)
{
    int status;
    pid_t reaped;

    do
        reaped = waitpid(pid, &status, 0);
    while (reaped < 0 && errno == EINTR);
    if (reaped < 0)
        return NULL;
    if (WIFSIGNALED(status))
        return g_strdup_printf("signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    return g_strdup_printf("exit status %d", WEXITSTATUS(status));
}

void
mm_process_keep_only(int **keep, guint n)
{
    int next = 3;

    /* First out of the way of the low numbers, then down to them. */
    for (guint i = 0; i < n; i++) {
        if (*keep[i] >= 0)
            *keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, 3 + (int)n);
    }
    for (guint i = 0; i < n; i++) {
        if (*keep[i] >= 0)
            *keep[i] = dup3(*keep[i], next++, O_CLOEXEC);
    }
    (void)syscall(SYS_close_range, next, ~0U, 0);
}

void
mm_process_leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
        dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

static volatile int term_fd = -1; /* eventfd; -1 while nobody asks for it */

static void
on_term(int signal_number)
{
    int saved = errno;
    guint64 one = 1;

    (void)!write(term_fd, &one, sizeof(one));
    errno = saved;
}

int
mm_process_catch_term(void)
{
    struct sigaction action = { .sa_handler = on_term, .sa_flags = SA_RESTART };

    term_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    sigaction(SIGTERM, &action, NULL);
    return term_fd;
}

void
mm_process_forget_term(void)
{
    int fd = term_fd;

    term_fd = -1;
    close(fd);
}

void
mm_process_reset_signals(void)
{
    static const int handled[] = { SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGCHLD };
    sigset_t none;

    for (guint i = 0; i < G_N_ELEMENTS(handled); i++)
        signal(handled[i], SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}
