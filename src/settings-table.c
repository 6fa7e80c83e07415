/* settings-table.c - see settings-table.h: the rows, and looking them up */
#include "config.h"
#include "src/settings-table.h"

#include <string.h>

#define FIELD(name) G_STRUCT_OFFSET(MmSettings, name)
#define CHILD_FIELD(name) G_STRUCT_OFFSET(MmChild, name)
#define NIL TRUE
#define NOT_NIL FALSE

#define ITEM(scope, name, type, nil, initial, min, max, unit, offset, doc) \
    { MM_SCOPE_##scope, name, MM_TYPE_##type, MM_STANDING_WORKS, nil, initial, min, max, unit, \
      offset, doc }
#define NO_EFFECT(scope, name, type, nil, initial, max, unit, offset, why) \
    { MM_SCOPE_##scope, name, MM_TYPE_##type, MM_STANDING_NO_EFFECT, nil, initial, 0, max, unit, \
      offset, why }

#define TEXT(string) "'" string "'"
#define TEXT_OR_NIL(string) (sizeof(string) > 1 ? TEXT(string) : NULL)
#define YEAR (365. * 24 * 3600)
#define TERABYTE (1024. * 1024 * 1024 * 1024)

const MmItem mm_items[] = {
    ITEM(PACKAGE, "platform", STRING, NOT_NIL, TEXT(PACKAGE_PLATFORM), 0, 0, NULL,
         FIELD(platform), "the operating system whose defaults/PLATFORM.conf load_default loads"),
    ITEM(PACKAGE, "options", OPTIONS, NIL, TEXT_OR_NIL(PACKAGE_OPTIONS), 0, 0, NULL,
         FIELD(platform_options),
         "options of the platform's detection, \"name=value,…\" or a hash: prefix, rcddir"),
    ITEM(PACKAGE, "root", PATH, NOT_NIL, "'/'", 0, 0, NULL, FIELD(package_root),
         "the directory below which detection looks for milters"),

    ITEM(SECURITY, "privilege_mode", BOOL, NOT_NIL, "false", 0, 0, NULL, FIELD(privilege_mode),
         "whether the supervisor starts milter.command"),
    ITEM(SECURITY, "effective_user", STRING, NIL, TEXT_OR_NIL(DEFAULT_USER), 0, 0, NULL,
         FIELD(effective_user), "the user that handles the mail; nil: the one who started it"),
    ITEM(SECURITY, "effective_group", STRING, NIL, TEXT_OR_NIL(DEFAULT_GROUP), 0, 0, NULL,
         FIELD(effective_group), "the group that handles the mail; nil: the user's own"),

    ITEM(LOG, "level", LOG_LEVELS, NOT_NIL, "'default'", 0, 0, NULL, FIELD(log_level),
         "what is logged, joined by \"|\": default all none critical error warning message info "
         "debug trace statistics profile"),
    ITEM(LOG, "path", PATH, NIL, NULL, 0, 0, NULL, FIELD(log_path),
         "the log file; nil or \"-\": standard output"),
    ITEM(LOG, "use_syslog", BOOL, NOT_NIL, "true", 0, 0, NULL, FIELD(use_syslog),
         "whether lines go to syslog, too"),
    ITEM(LOG, "syslog_facility", FACILITY, NOT_NIL, "'mail'", 0, 0, NULL, FIELD(syslog_facility),
         "syslog facility: authpriv cron daemon kern local0 … local7 lpr mail news user uucp"),

    ITEM(MANAGER, "connection_spec", SPEC, NOT_NIL, "'inet:10025@[127.0.0.1]'", 0, 0, NULL,
         FIELD(connection_spec), "where MTAs connect: unix:PATH, inet:PORT@HOST, inet6:PORT@HOST"),
    ITEM(MANAGER, "unix_socket_mode", MODE, NOT_NIL, "0x1b0", 0, 07777, NULL,
         FIELD(unix_socket_mode), "permissions of a unix socket"),
    ITEM(MANAGER, "unix_socket_group", STRING, NIL, NULL, 0, 0, NULL, FIELD(unix_socket_group),
         "group of a unix socket; nil: that of the process"),
    ITEM(MANAGER, "remove_unix_socket_on_create", BOOL, NOT_NIL, "true", 0, 0, NULL,
         FIELD(remove_unix_socket_on_create),
         "whether a socket file that nobody listens on is replaced at start"),
    ITEM(MANAGER, "remove_unix_socket_on_close", BOOL, NOT_NIL, "true", 0, 0, NULL,
         FIELD(remove_unix_socket_on_close), "whether the socket file is removed at the end"),
    ITEM(MANAGER, "daemon", BOOL, NOT_NIL, "false", 0, 0, NULL, FIELD(daemon),
         "whether it goes into the background"),
    ITEM(MANAGER, "pid_file", PATH, NIL, TEXT_OR_NIL(DEFAULT_PID_FILE), 0, 0, NULL,
         FIELD(pid_file), "where the supervisor's process id is written"),
    ITEM(MANAGER, "n_workers", UINT, NOT_NIL, "0", 0, 1000, "processes", FIELD(n_workers),
         "worker processes; 0: one per processor"),
    ITEM(MANAGER, "worker_timeout", SECONDS, NOT_NIL, "30.0", 0, YEAR, "s", FIELD(worker_timeout),
         "a worker without a sign of life for so long is replaced; 0: never"),
    ITEM(MANAGER, "max_connections", UINT, NOT_NIL, "0", 0, G_MAXINT, "sessions",
         FIELD(max_sessions), "sessions of all workers at once, more wait; 0: no limit"),
    ITEM(MANAGER, "max_file_descriptors", UINT, NOT_NIL, "0", 0, G_MAXINT, "descriptors",
         FIELD(max_file_descriptors),
         "descriptors of a worker, about (children + 1) x sessions + 10; 0: the system's limit"),
    ITEM(MANAGER, "suspend_time_on_unacceptable", WHOLE_SECONDS, NOT_NIL, "5", 1, 86400, "s",
         FIELD(suspend_time), "pause of accepting when out of descriptors or over max_connections"),
    ITEM(MANAGER, "fallback_status", FALLBACK, NOT_NIL, "'accept'", 0, 0, NULL, FIELD(fallback),
         "what the MTA is told when the manager itself fails"),
    ITEM(MANAGER, "fallback_status_at_disconnect", FALLBACK, NOT_NIL, "'temporary-failure'", 0, 0,
         NULL, FIELD(fallback_at_disconnect),
         "what the MTA is told when the SMTP client was found gone"),
    ITEM(MANAGER, "mta", MTA, NOT_NIL, "'postfix'", 0, 0, NULL, FIELD(mta),
         "the MTA, \"postfix\" or \"sendmail\", when it does not tell itself"),
    ITEM(MANAGER, "mta_timeouts", TIMEOUTS, NOT_NIL,
         "{'postfix': <{'negotiation': <30.0>, 'command': <30.0>, 'content': <300.0>, "
         "'eom': <600.0>}>, 'sendmail': <{'negotiation': <10.0>, 'command': <10.0>, "
         "'content': <10.0>, 'eom': <300.0>}>}",
         0.1, YEAR, "s", FIELD(timeouts), "how long each MTA waits for the manager"),
    ITEM(MANAGER, "condition_timeout", SECONDS, NOT_NIL, "10.0", 0.01, 3600, "s",
         FIELD(condition_timeout),
         "how long an applicable condition may take; never longer than the MTA waits"),
    ITEM(MANAGER, "split_recipients", BOOL, NOT_NIL, "false", 0, 0, NULL, FIELD(split_recipients),
         "whether recipients that are shown to other children than the first must come in a "
         "message of their own"),
    ITEM(MANAGER, "rejected_recipients", BOOL, NOT_NIL, "false", 0, 0, NULL,
         FIELD(rejected_recipients),
         "whether the MTA is asked for the recipients that it refused, for "
         "context.rejected_recipients"),
    ITEM(MANAGER, "chunk_size", UINT, NOT_NIL, "65535", 1, 65535, "bytes", FIELD(chunk_size),
         "largest piece of a body that is sent to a child at once"),
    ITEM(MANAGER, "spool_memory_limit", SIZE, NOT_NIL, "67108864", 0, TERABYTE, "bytes",
         FIELD(spool_memory_limit), "messages held in memory by one worker, a quarter of it kept for headers and changes; "
         "more of the bodies goes to files"),
    ITEM(MANAGER, "spool_limit", SIZE, NOT_NIL, "1073741824", 65536, TERABYTE, "bytes",
         FIELD(spool_limit), "the most that is held of one message"),
    ITEM(MANAGER, "spool_directory", PATH, NOT_NIL, NULL, 0, 0, NULL, FIELD(spool_directory),
         "where messages beyond spool_memory_limit are held, best a tmpfs; "
         "/dev/shm where there is one, else /tmp"),
    ITEM(MANAGER, "extra_macros", WORDS, NOT_NIL, "''", 0, 0, NULL, FIELD(extra_macros),
         "macros asked of the MTA besides its defaults, when some children ask for certain ones"),
    ITEM(MANAGER, "startup_grace", SECONDS, NOT_NIL, "20.0", 0, 3600, "s", FIELD(startup_grace),
         "how long a child that never answered yet may refuse connections after the start"),
    ITEM(MANAGER, "maintenance_interval", UINT, NIL, "10", 0, G_MAXINT, "sessions",
         FIELD(maintenance_interval),
         "finished sessions of a worker between two maintenances; 0 or nil: none"),
    ITEM(MANAGER, "connection_check_interval", WHOLE_SECONDS, NOT_NIL, "0", 0, 86400, "s",
         FIELD(connection_check_interval),
         "time between two looks whether SMTP clients are still there; 0: never"),
    NO_EFFECT(MANAGER, "event_loop_backend", CHOICE, NOT_NIL, "'libev'", 0, "glib|libev",
              FIELD(event_loop_backend), "there is one event loop only, libev"),
    NO_EFFECT(MANAGER, "packet_buffer_size", SIZE, NOT_NIL, "0", TERABYTE, "bytes",
              FIELD(packet_buffer_size), "replies are always collected and sent at once"),
    NO_EFFECT(MANAGER, "max_pending_finished_sessions", UINT, NOT_NIL, "0", G_MAXINT, "sessions",
              FIELD(max_pending_finished_sessions), "sessions are freed when they end"),
    NO_EFFECT(MANAGER, "custom_configuration_directory", PATH, NIL, NULL, 0, NULL,
              FIELD(custom_configuration_directory),
              "the XML configuration, milter-manager.custom.conf, is no longer read"),

    ITEM(CONTROLLER, "connection_spec", SPEC, NIL, NULL, 0, 0, NULL, FIELD(controller_spec),
         "where the control socket listens; nil: nowhere"),
    ITEM(CONTROLLER, "unix_socket_mode", MODE, NOT_NIL, "0x1b0", 0, 07777, NULL,
         FIELD(controller_socket_mode), "permissions of the control socket"),
    ITEM(CONTROLLER, "unix_socket_group", STRING, NIL, NULL, 0, 0, NULL,
         FIELD(controller_socket_group), "group of the control socket; nil: that of the process"),
    ITEM(CONTROLLER, "remove_unix_socket_on_create", BOOL, NOT_NIL, "true", 0, 0, NULL,
         FIELD(controller_removes_on_create),
         "whether a socket file that nobody listens on is replaced at start"),
    ITEM(CONTROLLER, "remove_unix_socket_on_close", BOOL, NOT_NIL, "true", 0, 0, NULL,
         FIELD(controller_removes_on_close), "whether the socket file is removed at the end"),

    ITEM(DATABASE, "type", CHOICE, NIL, NULL, 0, 0, "mysql2|sqlite3|pg|postgresql",
         FIELD(database_type), "\"mysql2\", \"sqlite3\" or \"pg\", also called \"postgresql\""),
    ITEM(DATABASE, "name", STRING, NIL, NULL, 0, 0, NULL, FIELD(database_name),
         "name of the database; of SQLite the file, where path is not set"),
    ITEM(DATABASE, "host", STRING, NIL, NULL, 0, 0, NULL, FIELD(database_host),
         "host of the database server"),
    ITEM(DATABASE, "port", UINT, NIL, "0", 0, 65535, NULL, FIELD(database_port),
         "port of the database server; 0 or nil: the usual one"),
    ITEM(DATABASE, "path", STRING, NIL, NULL, 0, 0, NULL, FIELD(database_path),
         "socket of the server, or file of SQLite"),
    ITEM(DATABASE, "user", STRING, NIL, NULL, 0, 0, NULL, FIELD(database_user),
         "user at the server"),
    ITEM(DATABASE, "password", SECRET, NIL, NULL, 0, 0, NULL, FIELD(database_password),
         "password at the server"),
    ITEM(DATABASE, "extra_options", HASH, NOT_NIL, "@a{sv} {}", 0, 0, NULL,
         FIELD(database_options), "hash of options of ActiveRecord's adapter"),

    ITEM(DETECT, "enabled", BOOL, NOT_NIL, "true", 0, 0, NULL, FIELD(detect_enabled),
         "whether milters that the system starts are looked for and used"),
    ITEM(DETECT, "order", NAMES, NOT_NIL, "@as []", 0, 0, NULL, FIELD(detect_order),
         "names, kinds or places of milters, in the order wanted; those not named follow in the "
         "advised order"),
    ITEM(DETECT, "both_roles", NAMES, NOT_NIL, "@as []", 0, 0, NULL, FIELD(detect_both_roles),
         "milters that verify and sign, to be registered for each: NAME first, NAME-sign last"),
    ITEM(DETECT, "watch", BOOL, NOT_NIL, "false", 0, 0, NULL, FIELD(detect_watch),
         "whether a change of what detection read makes the manager reload by itself"),
    ITEM(DETECT, "watch_delay", SECONDS, NOT_NIL, "2.0", 0, 3600, "s", FIELD(detect_watch_delay),
         "how long nothing more may change before it does"),

    ITEM(CHILD, "connection_spec", SPEC, NIL, NULL, 0, 0, NULL, CHILD_FIELD(spec),
         "where the child listens: unix:PATH, inet:PORT@HOST, inet6:PORT@HOST; required"),
    ITEM(CHILD, "description", STRING, NIL, NULL, 0, 0, NULL, CHILD_FIELD(description),
         "text for people"),
    ITEM(CHILD, "enabled", BOOL, NOT_NIL, "true", 0, 0, NULL, CHILD_FIELD(enabled),
         "whether it takes part"),
    ITEM(CHILD, "fallback_status", FALLBACK, NOT_NIL, "'accept'", 0, 0, NULL,
         CHILD_FIELD(fallback), "what its answer is taken to be when it fails"),
    ITEM(CHILD, "evaluation_mode", BOOL, NOT_NIL, "false", 0, 0, NULL,
         CHILD_FIELD(evaluation_mode), "whether its verdict and changes are logged and dropped"),
    ITEM(CHILD, "applicable_conditions", NAMES, NOT_NIL, "@as []", 0, 0, NULL,
         CHILD_FIELD(applicable_conditions), "conditions that must all hold, else it is stopped"),
    ITEM(CHILD, "command", STRING, NIL, NULL, 0, 0, NULL, CHILD_FIELD(command),
         "program that starts the child"),
    ITEM(CHILD, "command_options", COMMAND, NIL, NULL, 0, 0, NULL, CHILD_FIELD(command_options),
         "arguments of the command, a string or an array"),
    ITEM(CHILD, "user_name", STRING, NIL, NULL, 0, 0, NULL, CHILD_FIELD(user_name),
         "user that runs the command; nil: root"),
    ITEM(CHILD, "connection_timeout", SECONDS, NOT_NIL, "297.0", 0.01, YEAR, "s",
         CHILD_FIELD(connection_timeout), "how long connecting may take"),
    ITEM(CHILD, "writing_timeout", SECONDS, NOT_NIL, "7.0", 0.01, YEAR, "s",
         CHILD_FIELD(writing_timeout), "how long it may refuse to take bytes"),
    ITEM(CHILD, "reading_timeout", SECONDS, NOT_NIL, "7.0", 0.01, YEAR, "s",
         CHILD_FIELD(reading_timeout), "how long its answer to an envelope command may take"),
    ITEM(CHILD, "end_of_message_timeout", SECONDS, NOT_NIL, "297.0", 0.01, YEAR, "s",
         CHILD_FIELD(end_of_message_timeout),
         "how long its answer to headers, body and end of message may take"),
};

const guint mm_n_items = G_N_ELEMENTS(mm_items);

const char *
mm_scope_name(MmScope scope)
{
    static const char *const names[MM_N_SCOPES] = {
        "package", "security", "log", "manager", "controller", "database", "detect", "milter",
    };

    return names[scope];
}

const MmItem *
mm_item_find(MmScope scope, const char *name)
{
    for (guint i = 0; i < mm_n_items; i++) {
        if (mm_items[i].scope == scope && strcmp(mm_items[i].name, name) == 0)
            return &mm_items[i];
    }
    return NULL;
}

/* How many letters must be added, dropped or changed to make A into B. */
static guint
distance(const char *a, const char *b)
{
    gsize n = strlen(b);
    g_autofree guint *row = g_new(guint, n + 1);

    for (gsize j = 0; j <= n; j++)
        row[j] = (guint)j;
    for (gsize i = 1; *a; a++, i++) {
        guint diagonal = row[0];

        row[0] = (guint)i;
        for (gsize j = 1; j <= n; j++) {
            guint above = row[j];

            row[j] = MIN(MIN(above, row[j - 1]) + 1, diagonal + (*a != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

const char *
mm_item_nearest(MmScope scope, const char *name)
{
    const char *nearest = NULL;
    guint smallest = G_MAXUINT;

    for (guint i = 0; i < mm_n_items; i++) {
        guint d;

        if (mm_items[i].scope != scope)
            continue;
        d = distance(name, mm_items[i].name);
        if (d < smallest) {
            smallest = d;
            nearest = mm_items[i].name;
        }
    }
    return nearest;
}
