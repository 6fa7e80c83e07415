/* pidfile.c - see pidfile.h */
#include "config.h"
#include "src/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The process a pid file names, or 0. */
static pid_t
read_pid(const char *path)
{
    g_autofree char *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    return (pid_t)strtol(text, NULL, 10);
}

/* Whether PID runs our program: a pid file survives crashes, and pids are reused. */
static gboolean
is_milter_manager(pid_t pid)
{
    g_autofree char *theirs_path = g_strdup_printf("/proc/%d/exe", (int)pid);
    g_autofree char *theirs = g_file_read_link(theirs_path, NULL);
    g_autofree char *ours = g_file_read_link("/proc/self/exe", NULL);

    return theirs && ours && strcmp(theirs, ours) == 0;
}

static gboolean
fail(const char *path, GError **error)
{
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                "manager.pid_file: cannot write %s: %s", path, g_strerror(errno));
    return FALSE;
}

gboolean
mm_pidfile_write(const char *path, GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    pid_t other = read_pid(path);
    int fd;

    if (other > 1 && other != getpid() && is_milter_manager(other)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
                    "manager.pid_file: %s: milter-manager runs already, process %d", path,
                    (int)other);
        return FALSE;
    }
    fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0)
        return fail(path, error);
    if (fchmod(fd, 0644) < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
        rename(temporary, path) < 0) {
        fail(path, error);
        close(fd);
        (void)unlink(temporary);
        return FALSE;
    }
    close(fd);
    return TRUE;
}

void
mm_pidfile_remove(const char *path)
{
    if (path && read_pid(path) == getpid())
        (void)unlink(path);
}
