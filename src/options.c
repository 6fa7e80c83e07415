/* options.c - see options.h */
#include "config.h"
#include "src/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/settings-table.h"

typedef struct {
    const MmItem *item;
    char *option;    /* "--log-level", for messages; owned */
    GVariant *value; /* owned */
} Override;

/* Options that set items of the configuration. */
static const struct {
    const char *option;
    MmScope scope;
    const char *item;
} settable[] = {
    { "--connection-spec", MM_SCOPE_MANAGER, "connection_spec" },
    { "--daemon", MM_SCOPE_MANAGER, "daemon" },
    { "--event-loop-backend", MM_SCOPE_MANAGER, "event_loop_backend" },
    { "--group-name", MM_SCOPE_SECURITY, "effective_group" },
    { "--log-level", MM_SCOPE_LOG, "level" },
    { "--log-path", MM_SCOPE_LOG, "path" },
    { "--max-pending-finished-sessions", MM_SCOPE_MANAGER, "max_pending_finished_sessions" },
    { "--n-workers", MM_SCOPE_MANAGER, "n_workers" },
    { "--no-daemon", MM_SCOPE_MANAGER, "daemon" },
    { "--packet-buffer-size", MM_SCOPE_MANAGER, "packet_buffer_size" },
    { "--pid-file", MM_SCOPE_MANAGER, "pid_file" },
    { "--quiet", MM_SCOPE_LOG, "level" },
    { "--syslog", MM_SCOPE_LOG, "use_syslog" },
    { "--syslog-facility", MM_SCOPE_LOG, "syslog_facility" },
    { "--unix-socket-group", MM_SCOPE_MANAGER, "unix_socket_group" },
    { "--unix-socket-mode", MM_SCOPE_MANAGER, "unix_socket_mode" },
    { "--user-name", MM_SCOPE_SECURITY, "effective_user" },
    { "--verbose", MM_SCOPE_LOG, "level" },
};

static void
override_free(Override *override)
{
    g_free(override->option);
    g_variant_unref(override->value);
    g_free(override);
}

/* The value an option stands for; floating. */
static GVariant *
value_of(const MmItem *item, const char *option, const char *text)
{
    gint64 number;

    if (strcmp(option, "--verbose") == 0)
        return g_variant_new_string("all");
    if (strcmp(option, "--quiet") == 0)
        return g_variant_new_string("none");
    if (item->type == MM_TYPE_BOOL)
        return g_variant_new_boolean(strcmp(option, "--no-daemon") != 0);
    if ((item->type == MM_TYPE_UINT || item->type == MM_TYPE_SIZE) &&
        g_ascii_string_to_signed(text, 10, G_MININT, G_MAXINT, &number, NULL))
        return g_variant_new_int64(number);
    return g_variant_new_string(text);
}

/* GOptionArgFunc.  NAME is as given, "-s" too. */
static gboolean
take_setting(const char *name, const char *text, gpointer data, GError **error)
{
    static const struct {
        const char *name, *option;
    } short_names[] = {
        { "-s", "--connection-spec" }, { "-u", "--user-name" }, { "-g", "--group-name" },
        { "-v", "--verbose" },         { "-q", "--quiet" },     { "--user", "--user-name" },
        { "--group", "--group-name" },
        /* Names are looked for first, then numbers. */
        { "--user-id", "--user-name" },
        { "--group-id", "--group-name" },
        { "--socket-group-name", "--unix-socket-group" },
    };
    MmOptions *options = data;

    for (guint i = 0; i < G_N_ELEMENTS(short_names); i++) {
        if (strcmp(name, short_names[i].name) == 0)
            name = short_names[i].option;
    }
    for (guint i = 0; i < G_N_ELEMENTS(settable); i++) {
        Override *override;

        if (strcmp(name, settable[i].option) != 0)
            continue;
        override = g_new0(Override, 1);
        override->item = mm_item_find(settable[i].scope, settable[i].item);
        override->option = g_strdup(name);
        override->value = g_variant_ref_sink(value_of(override->item, name, text));
        g_ptr_array_add(options->overrides, override);
        return TRUE;
    }
    g_assert_not_reached();
}

/* Check the given values now: a wrong one is an error of the command line. */
static gboolean
try_overrides(const MmOptions *options, GError **error)
{
    MmSettings *scratch = mm_settings_new();
    gboolean ok = mm_options_apply(options, scratch, error);

    mm_settings_free(&scratch);
    return ok;
}

#define SETTING(long_name, letter, text, argument) \
    { \
        long_name, letter, (argument) ? 0 : G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, \
            (gpointer)take_setting, text, argument \
    }
#define HIDDEN(long_name) \
    { \
        long_name, 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_CALLBACK, (gpointer)take_setting, NULL, \
            "X" \
    }
static const GOptionEntry setting_entries[] = {
    SETTING("connection-spec", 's', "Listen here: unix:PATH, inet:PORT@HOST, inet6:PORT@HOST",
            "SPEC"),
    SETTING("unix-socket-mode", 0, "Permissions of a unix socket, in octal", "MODE"),
    SETTING("unix-socket-group", 0, "Group of a unix socket", "GROUP"),
    SETTING("daemon", 0, "Go into the background", NULL),
    SETTING("no-daemon", 0, "Stay in the foreground", NULL),
    SETTING("pid-file", 0, "Write the process id to FILE", "FILE"),
    SETTING("n-workers", 0, "Worker processes, 0: one per processor", "N"),
    SETTING("user-name", 'u', "Handle the mail as this user", "NAME"),
    SETTING("group-name", 'g', "Handle the mail as this group", "NAME"),
    SETTING("log-level", 0, "What is logged, such as \"default|debug\"", "LEVELS"),
    SETTING("log-path", 0, "The log file, \"-\" is standard output", "FILE"),
    SETTING("syslog", 0, "Log to syslog, too", NULL),
    SETTING("syslog-facility", 0, "Facility for syslog", "FACILITY"),
    SETTING("verbose", 'v', "Log everything", NULL),
    SETTING("quiet", 'q', "Log nothing", NULL),
    HIDDEN("user"),
    HIDDEN("group"),
    HIDDEN("user-id"),
    HIDDEN("group-id"),
    HIDDEN("socket-group-name"),
    HIDDEN("event-loop-backend"),
    HIDDEN("packet-buffer-size"),
    HIDDEN("max-pending-finished-sessions"),
    G_OPTION_ENTRY_NULL,
};

/* Passwords are for who can read the files anyway. */
static gboolean
may_show_secrets(const MmOptions *options, GError **error)
{
    const char *wrong = NULL;

    if (options->with_secrets && options->mode != MM_MODE_SHOW_CONFIG)
        wrong = "is for --show-config only";
    else if (options->with_secrets && geteuid() != 0)
        wrong = "is for root only";
    if (wrong)
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "--show-secrets %s", wrong);
    return !wrong;
}

/* GOptionArgFunc: 2.x's name for the part of --help that is everything here. */
static gboolean
print_help(const char *name, const char *text, gpointer data, GError **error)
{
    MmOptions *options = data;
    char *help = g_option_context_get_help(options->context, TRUE, NULL);

    fputs(help, stdout);
    g_free(help);
    exit(EXIT_SUCCESS);
}

static gboolean
parse(MmOptions *options, GOptionContext *context, int *argc, char ***argv, GError **error)
{
    g_autofree char *config_dir = NULL;
    gboolean show_config = FALSE, check = FALSE, detect = FALSE, version = FALSE;
    const GOptionEntry own[] = {
        { "config-dir", 'c', 0, G_OPTION_ARG_FILENAME, &config_dir,
          "Directory with milter-manager.conf", "DIR" },
        { "show-config", 0, 0, G_OPTION_ARG_NONE, &show_config, "Print the configuration and exit",
          NULL },
        { "show-secrets", 0, 0, G_OPTION_ARG_NONE, &options->with_secrets,
          "With --show-config, by root: print passwords, too", NULL },
        { "check", 0, 0, G_OPTION_ARG_NONE, &check,
          "Load the configuration; exit with 1 and FILE:LINE: reason if it is wrong", NULL },
        { "detect", 0, 0, G_OPTION_ARG_NONE, &detect,
          "Print which milters were found and why, what the MTA is configured to call, and what "
          "does not fit; exit with 1 when something does not",
          NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &options->json,
          "With --detect, --explain or --control status: answer in JSON", NULL },
        { "control", 0, 0, G_OPTION_ARG_STRING, &options->control,
          "Ask the running manager: status, reload, get-configuration, reopen-log, shutdown",
          "REQUEST" },
        { "controller", 0, 0, G_OPTION_ARG_STRING, &options->control_spec,
          "With --control: its control socket, instead of controller.connection_spec", "SPEC" },
        { "version", 0, 0, G_OPTION_ARG_NONE, &version, "Print the version and exit", NULL },
        { "help-milter", 0, G_OPTION_FLAG_HIDDEN | G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK,
          (gpointer)print_help, NULL, NULL },
        G_OPTION_ENTRY_NULL,
    };
    GOptionGroup *group = g_option_group_new("settings", NULL, NULL, options, NULL);

    g_option_group_add_entries(group, own);
    g_option_group_add_entries(group, setting_entries);
    mm_explain_add_options(&options->explain, group);
    g_option_context_set_main_group(context, group);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "%s: no such argument; see milter-manager --help", (*argv)[1]);
        return FALSE;
    }
    if (!version && show_config + check + detect + !!options->explain.file + !!options->control > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--check, --show-config, --detect, --explain and --control exclude each other");
        return FALSE;
    }
    options->mode = version                 ? MM_MODE_SHOW_VERSION
                    : show_config           ? MM_MODE_SHOW_CONFIG
                    : check                 ? MM_MODE_CHECK
                    : detect                ? MM_MODE_DETECT
                    : options->explain.file ? MM_MODE_EXPLAIN
                    : options->control      ? MM_MODE_CONTROL
                                            : MM_MODE_RUN;
    if (!mm_explain_check(&options->explain, error) || !may_show_secrets(options, error))
        return FALSE;
    if (options->json && options->mode != MM_MODE_DETECT && options->mode != MM_MODE_EXPLAIN &&
        g_strcmp0(options->control, "status") != 0) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                    "--json: only with --detect, --explain or --control status");
        return FALSE;
    }
    options->explain.as_json = options->json;
    if (!config_dir)
        config_dir = g_strdup(g_getenv("MILTER_MANAGER_CONFIG_DIR"));
    options->config_dir = g_canonicalize_filename(config_dir ? config_dir : CONFIG_DIR, NULL);
    options->start_dir = g_get_current_dir();
    return try_overrides(options, error);
}

gboolean
mm_options_parse(MmOptions *options, int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    *options =
        (MmOptions){ .overrides = g_ptr_array_new_with_free_func((GDestroyNotify)override_free) };
    options->context = context;
    g_option_context_set_summary(context, "One milter for the MTA, many milters for the manager.");
    return parse(options, context, argc, argv, error);
}

void
mm_options_clear(MmOptions *options)
{
    mm_explain_clear(&options->explain);
    g_clear_pointer(&options->config_dir, g_free);
    g_clear_pointer(&options->control, g_free);
    g_clear_pointer(&options->control_spec, g_free);
    g_clear_pointer(&options->start_dir, g_free);
    g_clear_pointer(&options->overrides, g_ptr_array_unref);
}

gboolean
mm_options_apply(const MmOptions *options, MmSettings *settings, GError **error)
{
    for (guint i = 0; i < options->overrides->len; i++) {
        const Override *override = g_ptr_array_index(options->overrides, i);
        g_autofree char *origin = g_strconcat("command line ", override->option, NULL);

        if (!mm_item_set(override->item, settings, override->value, origin, error)) {
            g_prefix_error(error, "%s: ", override->option);
            return FALSE;
        }
    }
    return TRUE;
}
