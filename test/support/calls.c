/* calls.c - see calls.h */
#include "config.h"
#include "test/support/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "libmilter-core/sys.h"

Calls calls;

static gboolean write_is_refused; /* the next cut writev takes nothing */

/* Count the call; TRUE when it is to fail, or to be short (*IS_SHORT). */
static gboolean
fails(Call call, gboolean *is_short)
{
    *is_short = FALSE;
    calls.n_all++;
    if (++calls.n_calls[call] != calls.fault_at || call != calls.fault_call)
        return FALSE;
    calls.n_faults++;
    if (calls.fault_error == CALLS_SHORT) {
        *is_short = TRUE;
        return FALSE;
    }
    errno = calls.fault_error;
    return TRUE;
}

static ssize_t
cut_read(int fd, void *buffer, size_t size)
{
    gboolean is_short;

    if (fails(CALL_READ, &is_short))
        return -1;
    if (is_short)
        size = 1;
    return read(fd, buffer, calls.read_max ? MIN(size, calls.read_max) : size);
}

static ssize_t
cut_writev(int fd, const struct iovec *iov, int n)
{
    gboolean is_short;

    if (fails(CALL_WRITEV, &is_short))
        return -1;
    if (!is_short && !calls.write_max)
        return writev(fd, iov, n);
    if (!is_short && (write_is_refused = !write_is_refused)) {
        errno = EAGAIN;
        return -1;
    }
    while (n && iov->iov_len == 0) {
        iov++;
        n--;
    }
    return write(fd, iov->iov_base,
                 is_short ? MIN(1, iov->iov_len) : MIN(iov->iov_len, calls.write_max));
}

static int
cut_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    gboolean is_short;

    return fails(CALL_CONNECT, &is_short) ? -1 : connect(fd, address, size);
}

static int
cut_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    gboolean is_short;

    return fails(CALL_ACCEPT4, &is_short) ? -1 : accept4(fd, address, size, flags);
}

static int
cut_open(const char *path, int flags, mode_t mode)
{
    gboolean is_short;

    return fails(CALL_OPEN, &is_short) ? -1 : open(path, flags, mode);
}

static ssize_t
cut_pread(int fd, void *buffer, size_t size, off_t offset)
{
    gboolean is_short;

    if (fails(CALL_PREAD, &is_short))
        return -1;
    return pread(fd, buffer, is_short ? 1 : size, offset);
}

static ssize_t
cut_pwrite(int fd, const void *buffer, size_t size, off_t offset)
{
    gboolean is_short;

    if (fails(CALL_PWRITE, &is_short))
        return -1;
    return pwrite(fd, buffer, is_short ? 1 : size, offset);
}

void
calls_install(void)
{
    calls = (Calls){ 0 };
    write_is_refused = FALSE;
    milter_sys = (MilterSys){
        .read = cut_read,
        .writev = cut_writev,
        .connect = cut_connect,
        .accept4 = cut_accept4,
        .open = cut_open,
        .pread = cut_pread,
        .pwrite = cut_pwrite,
    };
}

void
calls_remove(void)
{
    milter_sys_reset();
}

const char *
calls_name(Call call)
{
    static const char *const names[N_CALLS] = {
        "read", "writev", "connect", "accept4", "open", "pread", "pwrite",
    };

    return names[call];
}
