/* privilege.c - see privilege.h */
#include "config.h"
#include "src/privilege.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/settings-table.h"

/* "FILE:LINE: SCOPE.NAME: REASON"; FALSE. */
static gboolean refuse(const MmSettings *settings, MmScope scope, const char *name, GError **error,
                       const char *format, ...) G_GNUC_PRINTF(5, 6);
static gboolean
refuse(const MmSettings *settings, MmScope scope, const char *name, GError **error,
       const char *format, ...)
{
    const char *origin = mm_item_origin(mm_item_find(scope, name), settings);
    g_autofree char *reason = NULL;
    va_list args;

    va_start(args, format);
    reason = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE, "%s: %s.%s: %s",
                origin ? origin : "default", mm_scope_name(scope), name, reason);
    return FALSE;
}

gboolean
mm_privilege_group(const char *name, gid_t *gid)
{
    struct group *group = getgrnam(name);
    guint64 number;

    if (group) {
        *gid = group->gr_gid;
        return TRUE;
    }
    if (!g_ascii_string_to_unsigned(name, 10, 0, G_MAXINT32, &number, NULL))
        return FALSE;
    *gid = (gid_t)number;
    return TRUE;
}

const struct passwd *
mm_privilege_user(const char *name)
{
    const struct passwd *user = getpwnam(name);
    guint64 number;

    if (!user && g_ascii_string_to_unsigned(name, 10, 0, G_MAXINT32, &number, NULL))
        user = getpwuid((uid_t)number);
    return user;
}

static gboolean
become(const MmSettings *settings, const struct passwd *user, gid_t gid, GError **error)
{
    uid_t uid = user ? user->pw_uid : getuid();

    if (user ? initgroups(user->pw_name, gid) < 0 : setgroups(1, &gid) < 0)
        return refuse(settings, MM_SCOPE_SECURITY, "effective_group", error,
                      "cannot set groups: %s", g_strerror(errno));
    if (setresgid(gid, gid, gid) < 0)
        return refuse(settings, MM_SCOPE_SECURITY, "effective_group", error,
                      "cannot become group %d: %s", (int)gid, g_strerror(errno));
    if (setresuid(uid, uid, uid) < 0)
        return refuse(settings, MM_SCOPE_SECURITY, "effective_user", error,
                      "cannot become user %d: %s", (int)uid, g_strerror(errno));
    if (user) {
        g_setenv("HOME", user->pw_dir, TRUE);
        g_setenv("USER", user->pw_name, TRUE);
        g_setenv("LOGNAME", user->pw_name, TRUE);
    }
    return TRUE;
}

/* Who the settings name: *user is NULL when they name none. */
static gboolean
find_identity(const MmSettings *settings, const struct passwd **user, gid_t *gid, GError **error)
{
    const char *user_name = settings->effective_user, *group_name = settings->effective_group;

    *user = user_name ? mm_privilege_user(user_name) : NULL;
    if (user_name && !*user)
        return refuse(settings, MM_SCOPE_SECURITY, "effective_user", error,
                      "there is no user \"%s\"; make one (adduser --system --group %s) or name another",
                      user_name, user_name);
    *gid = *user ? (*user)->pw_gid : getgid();
    if (group_name && !mm_privilege_group(group_name, gid))
        return refuse(settings, MM_SCOPE_SECURITY, "effective_group", error,
                      "there is no group \"%s\"", group_name);
    return TRUE;
}

gboolean
mm_privilege_check(const MmSettings *settings, GError **error)
{
    const struct passwd *user;
    gid_t gid;

    return find_identity(settings, &user, &gid, error);
}

gboolean
mm_privilege_drop(const MmSettings *settings, GError **error)
{
    const char *user_name = settings->effective_user, *group_name = settings->effective_group;
    const struct passwd *user;
    gid_t gid;

    if (!find_identity(settings, &user, &gid, error))
        return FALSE;
    if (geteuid() == 0)
        return (!user && !group_name) || become(settings, user, gid, error);
    if (user && user->pw_uid != getuid())
        return refuse(settings, MM_SCOPE_SECURITY, "effective_user", error,
                      "only root can become \"%s\"; start it as root or set nil", user_name);
    if (group_name && gid != getgid())
        return refuse(settings, MM_SCOPE_SECURITY, "effective_group", error,
                      "only root can become group \"%s\"; start it as root or set nil", group_name);
    return TRUE;
}

gboolean
mm_privilege_raise_limits(const MmSettings *settings, GError **error)
{
    struct rlimit limit;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (settings->max_file_descriptors == 0) {
        /* The soft limit is for programs with select(); we may use all we were given. */
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        return TRUE;
    }
    limit.rlim_cur = limit.rlim_max = settings->max_file_descriptors;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
        return refuse(settings, MM_SCOPE_MANAGER, "max_file_descriptors", error,
                      "the system does not allow %u: %s", settings->max_file_descriptors,
                      g_strerror(errno));
    return TRUE;
}
