/* listener.c - see listener.h */
#include "config.h"
#include "src/listener.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libmilter-core/endpoint.h"
#include "libmilter-core/log.h"
#include "src/privilege.h"
#include "src/settings-table.h"

struct _MmListener {
    MmScope scope;            /* whose settings: MM_SCOPE_MANAGER or MM_SCOPE_CONTROLLER */
    MilterEndpoint *endpoint; /* owned */
    int fd;                   /* listening, or -1 when closed; owned */
    gboolean removes_file;    /* remove_unix_socket_on_close */
    dev_t device;             /* of the socket file we made */
    ino_t inode;
};

/* What the settings of a scope say. */
typedef struct {
    const char *spec, *group;
    guint mode;
    gboolean removes_on_create, removes_on_close;
} Wish;

static Wish
wish_of(const MmSettings *settings, MmScope scope)
{
    if (scope == MM_SCOPE_CONTROLLER)
        return (Wish){ settings->controller_spec, settings->controller_socket_group,
                       settings->controller_socket_mode, settings->controller_removes_on_create,
                       settings->controller_removes_on_close };
    return (Wish){ settings->connection_spec, settings->unix_socket_group,
                   settings->unix_socket_mode, settings->remove_unix_socket_on_create,
                   settings->remove_unix_socket_on_close };
}

static const char *
origin_of(const MmSettings *settings, MmScope scope, const char *name)
{
    const char *origin = mm_item_origin(mm_item_find(scope, name), settings);

    return origin ? origin : "default";
}

static gboolean
has_our_file(const MmListener *listener)
{
    const char *path = milter_endpoint_path(listener->endpoint);
    struct stat info;

    return path && lstat(path, &info) == 0 && info.st_dev == listener->device &&
           info.st_ino == listener->inode;
}

/* WISH's group, if there is one. */
static gboolean
find_group(const MmSettings *settings, MmScope scope, const Wish *wish, gid_t *gid, GError **error)
{
    if (!wish->group || mm_privilege_group(wish->group, gid))
        return TRUE;
    g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE,
                "%s: %s.unix_socket_group: there is no group \"%s\"",
                origin_of(settings, scope, "unix_socket_group"), mm_scope_name(scope), wish->group);
    return FALSE;
}

gboolean
mm_listener_check(const MmSettings *settings, MmScope scope, GError **error)
{
    const Wish wish = wish_of(settings, scope);
    MilterEndpoint *endpoint = wish.spec ? milter_endpoint_parse(wish.spec, NULL) : NULL;
    gboolean is_unix = endpoint && milter_endpoint_path(endpoint);
    gid_t gid;

    milter_endpoint_free(&endpoint);
    return !is_unix || find_group(settings, scope, &wish, &gid, error);
}

MmListener *
mm_listener_new(const MmSettings *settings, MmScope scope, GError **error)
{
    const Wish wish = wish_of(settings, scope);
    MmListener *listener = g_new0(MmListener, 1);
    const char *path;
    struct stat info;
    mode_t old_umask;

    listener->scope = scope;
    listener->fd = -1;
    listener->endpoint = milter_endpoint_parse(wish.spec, error);
    if (listener->endpoint) {
        /* Nobody may connect before mode and group are what they shall be. */
        old_umask = umask(0177);
        listener->fd = milter_endpoint_listen(listener->endpoint, wish.removes_on_create, error);
        umask(old_umask);
    }
    if (listener->fd < 0) {
        g_prefix_error(error,
                       "%s: %s.connection_spec: ", origin_of(settings, scope, "connection_spec"),
                       mm_scope_name(scope));
        mm_listener_free(&listener);
        return NULL;
    }
    path = milter_endpoint_path(listener->endpoint);
    if (path && lstat(path, &info) == 0) {
        listener->device = info.st_dev;
        listener->inode = info.st_ino;
        listener->removes_file = TRUE;
    }
    if (!mm_listener_adjust(listener, settings, error))
        mm_listener_free(&listener);
    return listener;
}

gboolean
mm_listener_fits(const MmListener *listener, const MmSettings *settings)
{
    const Wish wish = wish_of(settings, listener->scope);
    MilterEndpoint *wanted = wish.spec ? milter_endpoint_parse(wish.spec, NULL) : NULL;
    gboolean fits;

    fits = wanted && milter_endpoint_equal(wanted, listener->endpoint) &&
           (!milter_endpoint_path(wanted) || has_our_file(listener));
    milter_endpoint_free(&wanted);
    return fits;
}

gboolean
mm_listener_adjust(MmListener *listener, const MmSettings *settings, GError **error)
{
    const Wish wish = wish_of(settings, listener->scope);
    const char *path = milter_endpoint_path(listener->endpoint);
    const char *scope = mm_scope_name(listener->scope);
    gid_t gid;

    if (!path)
        return TRUE;
    if (wish.group) {
        if (!find_group(settings, listener->scope, &wish, &gid, error))
            return FALSE;
        if (lchown(path, (uid_t)-1, gid) < 0) {
            g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                        "%s: %s.unix_socket_group: cannot give %s to group %s: %s",
                        origin_of(settings, listener->scope, "unix_socket_group"), scope, path,
                        wish.group, g_strerror(errno));
            return FALSE;
        }
    }
    if (chmod(path, wish.mode) < 0) {
        g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno),
                    "%s: %s.unix_socket_mode: cannot set the mode of %s: %s",
                    origin_of(settings, listener->scope, "unix_socket_mode"), scope, path,
                    g_strerror(errno));
        return FALSE;
    }
    listener->removes_file = wish.removes_on_close;
    return TRUE;
}

int
mm_listener_fd(const MmListener *listener)
{
    return listener->fd;
}

const char *
mm_listener_spec(const MmListener *listener)
{
    return listener->endpoint->spec;
}

void
mm_listener_close(MmListener *listener)
{
    if (listener->fd >= 0)
        close(listener->fd);
    listener->fd = -1;
}

void
mm_listener_free(MmListener **listener_p)
{
    MmListener *listener = g_steal_pointer(listener_p);

    if (!listener)
        return;
    if (listener->removes_file && has_our_file(listener))
        (void)unlink(milter_endpoint_path(listener->endpoint));
    mm_listener_close(listener);
    milter_endpoint_free(&listener->endpoint);
    g_free(listener);
}
