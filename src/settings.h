/* settings.h - one loaded configuration, as plain data
 *
 * Filled through settings-table.h by whatever evaluates the configuration, finished
 * once, constant from then on.  Goes from the process that evaluated it to the
 * supervisor in a packed form that is checked on arrival.  Knows nothing of Ruby. */
#ifndef MM_SETTINGS_H
#define MM_SETTINGS_H

#include <glib.h>

#include "src/child.h"

G_BEGIN_DECLS

#define MM_SETTINGS_ERROR (mm_settings_error_quark())
GQuark mm_settings_error_quark(void);
typedef enum {
    MM_SETTINGS_ERROR_VALUE,  /* a value that the item does not take */
    MM_SETTINGS_ERROR_NAME,   /* no such item, child or condition */
    MM_SETTINGS_ERROR_PACKED, /* a packed form that mm_settings_pack() did not make */
} MmSettingsError;

#define MM_SETTINGS_PACKED_MAX (16 * 1024 * 1024) /* bytes of a packed configuration */

#define MM_SETTINGS_WATCHED_MAX 2000 /* paths that are watched at the most */

/* A path that was read while the configuration was evaluated. */
typedef struct {
    char *path;        /* absolute; owned */
    char *fingerprint; /* what it was then, see watch.h; owned */
} MmWatched;

/* How long an MTA waits, in seconds. */
typedef struct {
    double negotiation; /* for the answer to OPTNEG */
    double command;     /* for the reply to an envelope command */
    double content;     /* for the reply to header, EOH and body */
    double eom;         /* for everything at end of message, progress or not */
} MmMtaTimeouts;

typedef enum {
    MM_MTA_POSTFIX,
    MM_MTA_SENDMAIL,
    MM_N_MTAS,
} MmMta;

/* "postfix", "sendmail"; a static string. */
const char *mm_mta_name(MmMta mta);

typedef struct {
    /* manager.* that a relay needs */
    MilterFallback fallback;          /* manager.fallback_status */
    MilterFallback fallback_at_disconnect; /* manager.fallback_status_at_disconnect */
    MmMta mta;                        /* manager.mta: when nothing else tells which MTA it is */
    MmMtaTimeouts timeouts[MM_N_MTAS]; /* manager.mta_timeouts */
    guint64 spool_memory_limit;       /* bytes of held messages in memory, a worker's total */
    guint64 spool_limit;              /* bytes of one message that are held at the most */
    char *spool_directory;            /* for what is over the memory limit */
    char *extra_macros;               /* space-separated names asked for besides the defaults */
    double startup_grace;             /* s a child may refuse connections before it first answered */
    gboolean split_recipients;        /* one message, one set of children */
    gboolean rejected_recipients;     /* ask the MTA for those it refused */
    double condition_timeout;         /* s a condition may take, of the MTA's wait */
    guint chunk_size;                 /* largest body chunk to a child, bytes */
    guint max_connections;            /* sessions of one worker at once, 0 = no limit */
    guint suspend_time;               /* s without accept() when out of descriptors */

    GPtrArray *children; /* MmChild, enabled and disabled, in order of definition; owned */

    /* manager.* that the processes need */
    char *connection_spec;        /* where MTAs connect; owned, as all strings here */
    guint unix_socket_mode;       /* permission bits of a unix socket */
    char *unix_socket_group;      /* or NULL */
    gboolean remove_unix_socket_on_create; /* a stale one that nobody listens on */
    gboolean remove_unix_socket_on_close;
    gboolean daemon;
    char *pid_file;               /* or NULL */
    guint n_workers;              /* 0 = one per processor; see mm_settings_n_workers() */
    guint max_sessions;           /* manager.max_connections: of all workers, 0 = no limit */
    guint max_file_descriptors;   /* of each process, 0 = as the system has it */
    guint connection_check_interval; /* s between looks whether SMTP clients are there, 0 = none */
    guint maintenance_interval;   /* finished sessions of a worker, 0 = no maintenance */
    double worker_timeout;        /* s without a sign of life until a worker is replaced, 0 = never */

    /* controller.* */
    char *controller_spec; /* where the control socket listens, or NULL: nowhere */
    guint controller_socket_mode;
    char *controller_socket_group; /* or NULL */
    gboolean controller_removes_on_create, controller_removes_on_close;

    /* security.* */
    gboolean privilege_mode; /* whether the supervisor starts children's commands */
    char *effective_user;    /* who generation and workers become, or NULL: who started us */
    char *effective_group;   /* or NULL: the user's */

    /* log.* */
    char *log_level; /* as set */
    char *log_path;  /* or NULL: standard output */
    gboolean use_syslog;
    char *syslog_facility;

    /* package.* */
    char *platform;
    char *platform_options; /* "name=value,…", or NULL */
    char *package_root;

    /* items of 2.x without effect */
    char *event_loop_backend;
    guint64 packet_buffer_size;
    guint max_pending_finished_sessions;
    char *custom_configuration_directory; /* or NULL */

    /* database.*: kept for what the workers' Ruby does with it */
    char *database_type;     /* or NULL, as all strings here */
    char *database_name;
    char *database_host;
    guint database_port;     /* 0 = the server's usual one */
    char *database_path;     /* socket, or SQLite's file */
    char *database_user;
    char *database_password;
    GVariant *database_options; /* a hash; owned */

    /* detect.* */
    gboolean detect_enabled;   /* look for milters */
    char **detect_order;       /* names; owned */
    char **detect_both_roles;  /* names; owned */
    gboolean detect_watch;     /* reload when one of the watched paths changes */
    double detect_watch_delay; /* s without another change before that */
    GPtrArray *watched;        /* MmWatched; owned */

    gboolean checks_connections; /* the configuration has connection checkers; not packed */
    GPtrArray *notes; /* char *: what the operator should know about the configuration, to be
                         logged once it is used; not packed; owned */
    GPtrArray *news; /* char *: the same, where nothing is wrong; owned */
    const char **origins; /* per item of the table "FILE:LINE" or NULL: default; owned array of
                             interned strings */
} MmSettings;

/* All defaults, no children. */
MmSettings *mm_settings_new(void);
void mm_settings_free(MmSettings **settings_p);

/* Add to the notes. */
void mm_settings_note(MmSettings *settings, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Note that PATH, absolute, is about to be read; where it is a link, what it leads to, too.
 * More than MM_SETTINGS_WATCHED_MAX paths, and the same again, are passed over. */
void mm_settings_watch(MmSettings *settings, const char *path);

/* Add to the news. */
void mm_settings_announce(MmSettings *settings, const char *text);

/* The child of a name, or NULL. */
MmChild *mm_settings_child(const MmSettings *settings, const char *name);
/* The child of a name, made with all defaults when there was none. */
MmChild *mm_settings_define_child(MmSettings *settings, const char *name, const char *origin);
/* FALSE when there is no child of that name. */
gboolean mm_settings_remove_child(MmSettings *settings, const char *name);
/* Put the children NAMES into the places that they have together, in the order of NAMES.
 * Names of no child are passed over. */
void mm_settings_order_children(MmSettings *settings, const char *const *names);

/* What can be told only when everything is set: enabled children get their index and
 * endpoint (looking up host names), the max_connections of one worker is worked out.
 * Detected children without a usable socket are disabled and noted.
 * Errors begin with the "FILE:LINE: " that set the value at fault. */
gboolean mm_settings_finish(MmSettings *settings, GError **error);

/* How many workers there shall be. */
guint mm_settings_n_workers(const MmSettings *settings);

/* NULL-terminated names of the enabled children, by index; free the array only. */
const char **mm_settings_child_names(const MmSettings *settings);

/* To and from bytes.  Unpacking believes nothing: every value is checked as if it had
 * been set by the operator.  Unpacked settings are not finished. */
GBytes *mm_settings_pack(const MmSettings *settings);
MmSettings *mm_settings_unpack(GBytes *bytes, GError **error);

G_END_DECLS
#endif
