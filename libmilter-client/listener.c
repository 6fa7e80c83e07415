/* listener.c - see listener.h */
#include "config.h"
#include "libmilter-client/listener.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libmilter-core/sys.h"

#define ACCEPT_MAX 16 /* connections taken in one wake-up */
#define PAUSE 0.2     /* s without accepting when descriptors or memory ran out */

struct _MilterListener {
    MilterLoop *loop;         /* borrowed */
    MilterEndpoint *endpoint; /* owned */
    MilterListenerFunc func;
    gpointer data; /* borrowed, for FUNC */
    ev_io watch;
    MilterTimer pause; /* runs while nothing is accepted */
    int fd;            /* owned; -1 when closed */
    dev_t device;      /* of the socket file we made */
    ino_t inode;
};

static gboolean
is_out_of_something(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* FALSE when there is nothing more to accept now. */
static gboolean
accept_one(MilterListener *listener)
{
    int fd = milter_sys.accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        listener->func(listener, fd, listener->data);
        return TRUE;
    }
    if (is_out_of_something(errno)) {
        ev_io_stop(milter_loop_ev(listener->loop), &listener->watch);
        milter_timer_start(&listener->pause, PAUSE);
    }
    /* A connection that was reset while it waited is no reason to stop. */
    return errno == EINTR || errno == ECONNABORTED;
}

static void
on_acceptable(struct ev_loop *ev, ev_io *watch, int events)
{
    MilterListener *listener = watch->data;

    for (guint i = 0; i < ACCEPT_MAX && listener->fd >= 0; i++) {
        if (!accept_one(listener))
            return;
    }
}

static void
on_pause_over(MilterTimer *timer, gpointer data)
{
    MilterListener *listener = data;

    ev_io_start(milter_loop_ev(listener->loop), &listener->watch);
}

static gboolean
is_our_file(const MilterListener *listener, const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0 && S_ISSOCK(info.st_mode) && info.st_dev == listener->device &&
           info.st_ino == listener->inode;
}

static void
remember_file(MilterListener *listener)
{
    const char *path = milter_endpoint_path(listener->endpoint);
    struct stat info;

    if (!path || lstat(path, &info) < 0)
        return;
    listener->device = info.st_dev;
    listener->inode = info.st_ino;
}

static void
free_now(gpointer object)
{
    MilterListener *listener = object;

    milter_endpoint_free(&listener->endpoint);
    g_free(listener);
}

MilterListener *
milter_listener_new(MilterLoop *loop, const char *spec, MilterListenerFunc func, gpointer data,
                    GError **error)
{
    MilterEndpoint *endpoint = milter_endpoint_parse(spec, error);
    MilterListener *listener;
    int fd;

    if (!endpoint)
        return NULL;
    fd = milter_endpoint_listen(endpoint, TRUE, error);
    if (fd < 0) {
        milter_endpoint_free(&endpoint);
        return NULL;
    }
    listener = g_new0(MilterListener, 1);
    listener->loop = loop;
    listener->endpoint = endpoint;
    listener->func = func;
    listener->data = data;
    listener->fd = fd;
    remember_file(listener);
    milter_timer_init(&listener->pause, loop, on_pause_over, listener);
    ev_io_init(&listener->watch, on_acceptable, fd, EV_READ);
    listener->watch.data = listener;
    ev_io_start(milter_loop_ev(loop), &listener->watch);
    return listener;
}

void
milter_listener_free(MilterListener **listener_p)
{
    MilterListener *listener = g_steal_pointer(listener_p);
    const char *path;

    if (!listener)
        return;
    path = milter_endpoint_path(listener->endpoint);
    if (path && is_our_file(listener, path))
        (void)unlink(path);
    ev_io_stop(milter_loop_ev(listener->loop), &listener->watch);
    milter_timer_clear(&listener->pause);
    close(listener->fd);
    listener->fd = -1;
    milter_loop_free_later(listener->loop, free_now, listener);
}

const char *
milter_listener_spec(const MilterListener *listener)
{
    return listener->endpoint->spec;
}
