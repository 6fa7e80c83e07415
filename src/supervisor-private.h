/* supervisor-private.h - what the files of the supervisor share; nobody else includes it */
#ifndef MM_SUPERVISOR_PRIVATE_H
#define MM_SUPERVISOR_PRIVATE_H

#include <ev.h>
#include <glib.h>

#include "libmilter-core/loop.h"
#include "src/channel.h"
#include "src/control.h"
#include "src/generation.h"
#include "src/launcher.h"
#include "src/listener.h"
#include "src/options.h"
#include "src/stats.h"
#include "src/watch.h"

G_BEGIN_DECLS

typedef struct _MmSupervisor MmSupervisor;

/* A sign of life that is watched. */
typedef struct {
    guint64 last;      /* as seen last */
    gint64 changed_at; /* µs, when it was seen to change */
} MmPulse;

typedef enum {
    MM_GENERATION_LOADING,  /* evaluates the configuration */
    MM_GENERATION_STARTING, /* has its sockets, starts workers */
    MM_GENERATION_RUNNING,  /* accepts */
    MM_GENERATION_DRAINING, /* leaves when its last session has ended */
} MmGenerationState;

typedef struct {
    MmSupervisor *parent;
    guint serial; /* for the log */
    MmGenerationState state;
    MmGenerationProcess process; /* owned */
    ev_io message_watch, end_watch;
    MmSettings *settings;  /* once it sent them, until they become the supervisor's; owned */
    char **child_names;    /* of its enabled children, by index; owned */
    MmListener *listener;  /* a new one, until it becomes the supervisor's; owned */
    MmListener *control;   /* a new control socket, the same; owned */
    GBytes *shown;         /* what "get-configuration" answers, the same; owned */
    char *pid_file;        /* a new one, written, until it becomes the supervisor's; owned */
    int log_fd;            /* a new one, until it becomes the supervisor's, or -1; owned */
    double worker_timeout; /* s, manager.worker_timeout */
    guint max_workers;     /* more cannot be real */
    guint n_workers;       /* that live */
    MmPulse pulse;
} MmGeneration;

typedef struct {
    MmSupervisor *parent;
    guint generation; /* its serial */
    guint number;
    pid_t pid;
    int pidfd; /* owned */
    ev_io end_watch;
    MmStats *stats;        /* owned */
    char **child_names;    /* of its generation; owned */
    double worker_timeout; /* of its generation */
    MmPulse pulse;
} MmWorkerRecord;

struct _MmSupervisor {
    const MmOptions *options;
    const MmRules *rules;
    MilterLoop *loop;
    ev_signal signals[6];
    GPtrArray *generations; /* MmGeneration, those that live; owned */
    GPtrArray *workers;     /* MmWorkerRecord, those that live; owned */
    MmGeneration *pending;  /* the one that is being loaded, or NULL; among GENERATIONS */
    MmGeneration *current;  /* the one that accepts, or NULL; among GENERATIONS */
    guint n_generations;    /* ever */

    /* of the configuration in use; all NULL before the first */
    MmSettings *settings;
    MmListener *listener;
    char *pid_file; /* written, or NULL */

    GBytes *shown; /* the configuration in use as text, where there is a control socket */

    MmControl *control; /* owned */
    gint64 started_at;  /* µs */
    gboolean is_daemonized, wants_daemon, is_stopping;
    int exit_status;
    MilterTimer retry; /* start a generation when the last ended */
    MilterTimer slow;  /* say that a configuration takes long */
    guint n_failures;  /* generations in a row that ended by themselves */
    MilterTimer kill;  /* after the second signal */

    MmLauncher *launcher;  /* starts children; owned */
    MilterTimer watch;     /* looks at all pulses */
    gint64 watch_at;       /* µs, when it is to fire */
    guint n_times_watched; /* in a row, without being late */
    MmTotals totals;       /* of workers that have ended */
    MmTally *tally;        /* of sessions in workers that live; owned */
    MmWatch *files;        /* that the configuration in use was made from; owned */
};

/* supervisor-generation.c */

/* Start loading the configuration beside what runs; one that is being loaded is given up. */
void mm_supervisor_load(MmSupervisor *supervisor);

#define MM_LOAD_SLOW 10. /* s until it is said that a configuration takes long */
void mm_supervisor_drain(MmGeneration *generation, MmMessageKind kind);
void mm_generation_free(MmGeneration *generation);

/* supervisor-worker.c */

/* A worker of GENERATION said that it lives.  Takes over the message's descriptor. */
void mm_supervisor_add_worker(MmGeneration *generation, const MmMessage *message);
void mm_worker_record_free(MmWorkerRecord *worker);
void mm_supervisor_log_totals(MmSupervisor *supervisor);
/* Of all workers; the caller clears TOTALS. */
void mm_supervisor_totals(MmSupervisor *supervisor, MmTotals *totals, gint64 *sessions);
/* Look at every pulse from now on. */
void mm_supervisor_start_watch(MmSupervisor *supervisor);

/* supervisor.c */

/* What signals ask for, too. */
void mm_supervisor_stop(MmSupervisor *supervisor);
void mm_supervisor_reload(MmSupervisor *supervisor);
void mm_supervisor_reopen_log(MmSupervisor *supervisor);

/* End the loop when nothing is left to wait for. */
void mm_supervisor_check_end(MmSupervisor *supervisor);
/* The configuration was not taken into use: report, and end when there is no other. */
void mm_supervisor_report_failure(MmSupervisor *supervisor, const char *reason);

G_END_DECLS
#endif
