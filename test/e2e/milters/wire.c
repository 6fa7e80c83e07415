/* wire.c - a hand on libmilter's socket */
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define OPTNEG 'O'

static _Thread_local int session_fd = -1; /* what libmilter read from last in this thread */
static _Thread_local gboolean drop_reply;
static _Thread_local guint32 forced_version;

/* Sockets that a script has closed: what is still in the receive buffer must not be read, or it
 * would depend on the other side's speed what the milter saw. */
static gint is_closed[1024];

static gboolean
is_socket(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* MTAs write a command in several pieces, libmilter a reply: without this every step of a test
 * would wait for a delayed acknowledgement.  Has no effect on other than TCP sockets. */
static void
hurry(int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* Also called by GLib for the script, which is a file. */
ssize_t
read(int fd, void *buffer, size_t size)
{
    if (is_socket(fd)) {
        if ((gsize)fd < G_N_ELEMENTS(is_closed) && g_atomic_int_get(&is_closed[fd]))
            return 0;
        session_fd = fd;
        hurry(fd);
        drop_reply = FALSE;
        forced_version = 0;
    }
    return syscall(SYS_read, fd, buffer, size);
}

int
close(int fd)
{
    if (fd >= 0 && (gsize)fd < G_N_ELEMENTS(is_closed))
        g_atomic_int_set(&is_closed[fd], 0);
    return (int)syscall(SYS_close, fd);
}

static ssize_t
total_of(const struct iovec *iov, int count)
{
    ssize_t total = 0;

    for (int i = 0; i < count; i++)
        total += (ssize_t)iov[i].iov_len;
    return total;
}

/* libmilter writes length and command byte (5 bytes) first, then the data: version, actions,
 * steps. */
static void
force_version(const struct iovec *iov, int count)
{
    guint32 version = htonl(forced_version);
    const char *head = iov[0].iov_base;

    if (count < 2 || iov[0].iov_len != 5 || head[4] != OPTNEG || iov[1].iov_len < sizeof(version))
        return;
    memcpy(iov[1].iov_base, &version, sizeof(version));
    forced_version = 0;
}

ssize_t
writev(int fd, const struct iovec *iov, int count)
{
    if (drop_reply && fd == session_fd)
        return total_of(iov, count);
    if (forced_version != 0 && fd == session_fd)
        force_version(iov, count);
    return syscall(SYS_writev, fd, iov, count);
}

void
wire_close(void)
{
    if (session_fd >= 0 && (gsize)session_fd < G_N_ELEMENTS(is_closed))
        g_atomic_int_set(&is_closed[session_fd], 1);
    (void)shutdown(session_fd, SHUT_RDWR);
}

void
wire_send(const char *bytes, gsize size)
{
    while (size > 0) {
        ssize_t sent = send(session_fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR)
            return;
        if (sent > 0) {
            bytes += sent;
            size -= (gsize)sent;
        }
    }
}

void
wire_drop_reply(void)
{
    drop_reply = TRUE;
}

void
wire_set_version(guint32 version)
{
    forced_version = version;
}
