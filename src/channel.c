/* channel.c - see channel.h */
#include "config.h"
#include "src/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

gboolean
mm_channel_new(int ends[2], GError **error)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0)
        return TRUE;
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                "cannot make a pair of sockets: %s", g_strerror(errno));
    return FALSE;
}

void
mm_channel_want_pids(int channel)
{
    int on = 1;

    (void)setsockopt(channel, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
}

gboolean
mm_channel_send(int channel, MmMessageKind kind, const char *text, int fd)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    char letter = (char)kind;
    struct iovec parts[2] = {
        { &letter, 1 },
        { (char *)(text ? text : ""), text ? strnlen(text, MM_CHANNEL_TEXT_MAX) : 0 },
    };
    struct msghdr header = { .msg_iov = parts, .msg_iovlen = 2 };
    ssize_t n;

    if (fd >= 0) {
        struct cmsghdr *part;

        header.msg_control = control.bytes;
        header.msg_controllen = sizeof(control.bytes);
        part = CMSG_FIRSTHDR(&header);
        part->cmsg_level = SOL_SOCKET;
        part->cmsg_type = SCM_RIGHTS;
        part->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(part), &fd, sizeof(int));
    }
    do
        n = sendmsg(channel, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n > 0;
}

/* What came beside the bytes.  The first descriptor is kept, more are closed. */
static void
take_control(struct msghdr *header, MmMessage *message)
{
    struct cmsghdr *part;

    for (part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        if (part->cmsg_level != SOL_SOCKET)
            continue;
        if (part->cmsg_type == SCM_CREDENTIALS) {
            struct ucred sender;

            memcpy(&sender, CMSG_DATA(part), sizeof(sender));
            message->pid = sender.pid;
        } else if (part->cmsg_type == SCM_RIGHTS) {
            gsize n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

            for (gsize i = 0; i < n; i++) {
                int fd;

                memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
                if (message->fd < 0)
                    message->fd = fd;
                else
                    close(fd);
            }
        }
    }
}

MmChannelResult
mm_channel_receive(int channel, gboolean wait, MmMessage *message)
{
    union {
        char bytes[CMSG_SPACE(4 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    char letter = 0;
    struct iovec parts[2] = { { &letter, 1 }, { message->text, MM_CHANNEL_TEXT_MAX } };
    struct msghdr header = {
        .msg_iov = parts,
        .msg_iovlen = 2,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    ssize_t n;

    do
        n = recvmsg(channel, &header, MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return MM_CHANNEL_NOTHING;
    if (n <= 0)
        return MM_CHANNEL_CLOSED;
    message->fd = -1;
    message->pid = 0;
    take_control(&header, message);
    message->kind = letter;
    message->text[n - 1] = '\0';
    return MM_CHANNEL_MESSAGE;
}

#define CONTENT_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int
mm_memory_file_new(GBytes *bytes, GError **error)
{
    gsize size;
    const char *data = g_bytes_get_data(bytes, &size);
    int fd = memfd_create("milter-manager", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    gsize done = 0;

    while (fd >= 0 && done < size) {
        ssize_t n = write(fd, data + done, size - done);

        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (gsize)n : 0;
    }
    if (fd >= 0 && done == size && fcntl(fd, F_ADD_SEALS, CONTENT_SEALS) == 0)
        return fd;
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                "cannot make a memory file: %s", g_strerror(errno));
    if (fd >= 0)
        close(fd);
    return -1;
}

GBytes *
mm_memory_file_read(int fd, gsize max, GError **error)
{
    struct stat info;
    int seals = fd < 0 ? -1 : fcntl(fd, F_GET_SEALS);
    g_autofree char *data = NULL;
    gsize size, done = 0;

    if (seals < 0 || (seals & CONTENT_SEALS) != CONTENT_SEALS || fstat(fd, &info) < 0 ||
        info.st_size > (off_t)max) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "not a sealed memory file");
        return NULL;
    }
    size = (gsize)info.st_size;
    data = g_malloc(size + 1);
    while (done < size) {
        ssize_t n = pread(fd, data + done, size - done, (off_t)done);

        if (n <= 0) {
            g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "cannot read a memory file");
            return NULL;
        }
        done += (gsize)n;
    }
    return g_bytes_new_take(g_steal_pointer(&data), size);
}
