/* daemonize.c - see daemonize.h */
#include "config.h"
#include "src/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "src/process.h"

static int ready_fd = -1; /* the waiting process reads the other end */

/* Until the daemon says that it is ready, or has gone. */
static void G_GNUC_NORETURN
wait_for_daemon(int fd)
{
    char byte;
    ssize_t n;

    do
        n = read(fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    _exit(n == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
}

gboolean
mm_daemonize(GError **error)
{
    int ends[2];
    pid_t pid;

    fflush(NULL);
    if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "cannot go into the background: %s", g_strerror(errno));
        return FALSE;
    }
    if (pid > 0) {
        close(ends[1]);
        wait_for_daemon(ends[0]);
    }
    close(ends[0]);
    ready_fd = ends[1];
    /* Not the leader of its session, so that no terminal becomes ours. */
    setsid();
    pid = fork();
    if (pid > 0)
        _exit(EXIT_SUCCESS);
    return TRUE;
}

void
mm_daemonize_ready(void)
{
    if (ready_fd < 0)
        return;
    mm_process_leave_terminal();
    (void)!chdir("/");
    (void)!write(ready_fd, "", 1);
    close(ready_fd);
    ready_fd = -1;
}
