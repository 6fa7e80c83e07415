/* sys.c - the real system calls */
#include "config.h"

#include "libmilter-core/sys.h"

#include <fcntl.h>
#include <unistd.h>

/* open(2) takes a variable number of arguments, our pointer does not. */
static int
real_open(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

#define REAL_CALLS \
    { \
        .read = read, .writev = writev, .connect = connect, .accept4 = accept4, .open = real_open, \
        .pread = pread, .pwrite = pwrite, \
    }

MilterSys milter_sys = REAL_CALLS;

void
milter_sys_reset(void)
{
    milter_sys = (MilterSys)REAL_CALLS;
}
