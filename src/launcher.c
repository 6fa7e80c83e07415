/* launcher.c - see launcher.h */
#include "config.h"
#include "src/launcher.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "libmilter-core/log.h"
#include "src/privilege.h"
#include "src/process.h"

#define PAUSE_FIRST 5. /* s; less than a usual startup_grace */
#define PAUSE_MAX 600.
#define FORGET_AFTER 600. /* s without a start after which the pauses begin anew */

/* What was started for one child. */
typedef struct {
    pid_t pid;         /* while it runs in the foreground, else 0 */
    guint n_starts;    /* in a row */
    gint64 started_at; /* µs */
} Start;

struct _MmLauncher {
    GHashTable *starts; /* name → Start */
};

/* Who to become, worked out before fork(). */
typedef struct {
    gboolean changes;
    uid_t uid;
    gid_t gid;
    gid_t groups[64];
    int n_groups;
} Identity;

MmLauncher *
mm_launcher_new(void)
{
    MmLauncher *launcher = g_new0(MmLauncher, 1);

    launcher->starts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return launcher;
}

void
mm_launcher_free(MmLauncher **launcher_p)
{
    MmLauncher *launcher = g_steal_pointer(launcher_p);

    if (!launcher)
        return;
    g_hash_table_unref(launcher->starts);
    g_free(launcher);
}

double
mm_launcher_pause(guint n_starts)
{
    double pause = PAUSE_FIRST;

    if (n_starts == 0)
        return 0;
    while (--n_starts > 0 && pause < PAUSE_MAX)
        pause *= 2;
    return MIN(pause, PAUSE_MAX);
}

/* The environment of that user: without USER_NAME ours. */
static char **
environment_of(const struct passwd *user)
{
    char **environment = g_get_environ();

    if (!user)
        return environment;
    environment = g_environ_setenv(environment, "HOME", user->pw_dir, TRUE);
    environment = g_environ_setenv(environment, "USER", user->pw_name, TRUE);
    return g_environ_setenv(environment, "LOGNAME", user->pw_name, TRUE);
}

static gboolean
find_identity(const char *user_name, Identity *identity, char ***environment, GError **error)
{
    const struct passwd *user = user_name ? mm_privilege_user(user_name) : NULL;

    *identity = (Identity){ .n_groups = G_N_ELEMENTS(identity->groups) };
    if (user_name && !user) {
        g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_NAME,
                    "milter.user_name: there is no user \"%s\"", user_name);
        return FALSE;
    }
    if (user && geteuid() != 0 && user->pw_uid != geteuid()) {
        g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_NAME,
                    "milter.user_name: only root can start a process as \"%s\"", user_name);
        return FALSE;
    }
    *environment = environment_of(user);
    if (!user || geteuid() != 0)
        return TRUE;
    identity->changes = TRUE;
    identity->uid = user->pw_uid;
    identity->gid = user->pw_gid;
    if (getgrouplist(user->pw_name, user->pw_gid, identity->groups, &identity->n_groups) < 0)
        identity->n_groups = G_N_ELEMENTS(identity->groups);
    return TRUE;
}

/* In the new process. */
static void
become(gpointer data)
{
    const Identity *identity = data;
    static const char complaint[] = "milter-manager: cannot become milter.user_name\n";

    setsid();
    mm_process_reset_signals();
    if (!identity->changes)
        return;
    if (setgroups((size_t)identity->n_groups, identity->groups) == 0 &&
        setresgid(identity->gid, identity->gid, identity->gid) == 0 &&
        setresuid(identity->uid, identity->uid, identity->uid) == 0)
        return;
    (void)!write(STDERR_FILENO, complaint, sizeof(complaint) - 1);
    _exit(126);
}

static gboolean
spawn(const MmChild *child, pid_t *pid, GError **error)
{
    g_auto(GStrv) arguments = mm_child_command(child, error);
    g_auto(GStrv) environment = NULL;
    Identity identity;

    if (!arguments || !find_identity(child->user_name, &identity, &environment, error))
        return FALSE;
    return g_spawn_async("/", arguments, environment,
                         G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, become, &identity, pid,
                         error);
}

static Start *
start_of(MmLauncher *launcher, const char *name)
{
    Start *start = g_hash_table_lookup(launcher->starts, name);

    if (!start) {
        start = g_new0(Start, 1);
        g_hash_table_insert(launcher->starts, g_strdup(name), start);
    }
    return start;
}

void
mm_launcher_start(MmLauncher *launcher, const MmSettings *settings, const char *name)
{
    const MmChild *child = mm_settings_child(settings, name);
    g_autofree char *shown = milter_log_escape(name, strlen(name), 200);
    g_autoptr(GError) error = NULL;
    gint64 now = g_get_monotonic_time();
    double since;
    Start *start;

    if (!settings->privilege_mode || !child || !child->command) {
        milter_warning("child=%s action=none reason=\"a worker wants it started; the configuration "
                       "does not\"",
                       shown);
        return;
    }
    start = start_of(launcher, name);
    since = (double)(now - start->started_at) / G_USEC_PER_SEC;
    if (start->pid || (start->n_starts && since < mm_launcher_pause(start->n_starts))) {
        milter_debug("child=%s action=none reason=\"started %.1f s ago\"", shown, since);
        return;
    }
    if (start->n_starts && since > mm_launcher_pause(start->n_starts) + FORGET_AFTER)
        start->n_starts = 0;
    start->n_starts++;
    start->started_at = now;
    if (spawn(child, &start->pid, &error))
        milter_notice("child=%s action=started pid=%d command=\"%s\" user=%s", shown,
                      (int)start->pid, child->command,
                      child->user_name ? child->user_name : g_get_user_name());
    else
        milter_error("child=%s action=start failed=\"%s\"", shown, error->message);
}

gboolean
mm_launcher_reap(MmLauncher *launcher, pid_t pid)
{
    GHashTableIter iter;
    const char *name;
    Start *start;

    g_hash_table_iter_init(&iter, launcher->starts);
    while (g_hash_table_iter_next(&iter, (gpointer *)&name, (gpointer *)&start)) {
        g_autofree char *shown = NULL;
        g_autofree char *how = NULL;

        if (start->pid != pid)
            continue;
        start->pid = 0;
        shown = milter_log_escape(name, strlen(name), 200);
        how = mm_process_reap(pid);
        /* A program that goes into the background says in this way that it runs. */
        if (g_strcmp0(how, "exit status 0") == 0)
            milter_info("child=%s pid=%d command_ended=\"%s\"", shown, (int)pid, how);
        else
            milter_warning("child=%s pid=%d command_ended=\"%s\"", shown, (int)pid, how);
        return TRUE;
    }
    return FALSE;
}
