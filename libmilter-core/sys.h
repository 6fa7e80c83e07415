/* sys.h - the system calls that tests make fail, and the clock
 *
 * Production code calls through these pointers; a fault test replaces one. */
#ifndef MILTER_SYS_H
#define MILTER_SYS_H

#include <glib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

G_BEGIN_DECLS

typedef struct {
    ssize_t (*read)(int fd, void *buffer, size_t size);
    ssize_t (*writev)(int fd, const struct iovec *iov, int n);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t size);
    int (*accept4)(int fd, struct sockaddr *address, socklen_t *size, int flags);
    int (*open)(const char *path, int flags, mode_t mode);
    ssize_t (*pread)(int fd, void *buffer, size_t size, off_t offset);
    ssize_t (*pwrite)(int fd, const void *buffer, size_t size, off_t offset);
} MilterSys;

extern MilterSys milter_sys;

/* Back to the real calls. */
void milter_sys_reset(void);

G_END_DECLS
#endif
