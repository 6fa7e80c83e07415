/* relay.h - one session between an MTA and its children
 *
 * Created for an accepted connection, lives until the session is over and the last
 * child that only evaluates is through.  relay-internal.h has what the files of the
 * relay (relay, negotiation, chain, content, member, shadow, delivery) share. */
#ifndef MM_RELAY_H
#define MM_RELAY_H

#include <glib.h>

#include "libmilter-core/loop.h"
#include "libmilter-core/option.h"
#include "libmilter-core/protocol.h"
#include "libmilter-core/spool.h"
#include "src/settings.h"
#include "src/stats.h"
#include "src/tally.h"

G_BEGIN_DECLS

/* What a worker remembers of a child across sessions. */
typedef struct {
    gboolean has_answered;  /* since the start of the worker */
    double launched_at;     /* loop time at which the supervisor was asked to start it, 0: not
                               since it last answered */
    double asked_at;        /* the same, for the last time */
    guint n_launches;       /* graces since it last answered */
    double warned_at;       /* loop time of the last warning about its fallback, 0 for never */
    guint n_silent;         /* failures since then that were not logged as a warning */
    gboolean has_option;    /* OPTION is what it negotiated last */
    MilterOption option;    /* kept of children in evaluation mode, which no session waits for */
} MmChildMemory;

/* What the relays of one worker share; all borrowed by them. */
typedef struct {
    MilterLoop *loop;
    const MmSettings *settings;
    MmStats *stats;           /* may be NULL (tests) */
    MilterSpoolBudget budget; /* for all messages that are held */
    double started_at;        /* loop time */
    MmChildMemory *memories;  /* by MmChild.index */
    struct _MmConditions *conditions; /* NULL when no child has any */
    /* Have the child of that name started; NULL where nobody can. */
    void (*launch)(const char *name, gpointer data);
    gpointer launch_data;
    struct _MmPresence *presence;     /* NULL when nobody looks after clients */
    guint n_sessions;         /* now */
    MmTally *tally;           /* of all workers' sessions; NULL where there are no others */
    guint32 *tally_entry;     /* ours in it, or NULL */
    guint next_tag;           /* number of the next session, for log lines */
    /* Names a child without a list of its own gets where a list was asked for; owned. */
    char *default_macros[MM_N_MTAS][MILTER_N_STAGES];
} MmHost;

/* SETTINGS and STATS are borrowed. */
void mm_host_init(MmHost *host, MilterLoop *loop, const MmSettings *settings, MmStats *stats);
void mm_host_clear(MmHost *host);

/* Sessions of all workers. */
guint mm_host_n_all_sessions(const MmHost *host);

typedef struct _MmRelay MmRelay;

/* The session is over; the relay frees itself after the call. */
typedef void (*MmRelayEnded)(MmRelay *relay, gpointer data);

/* Over an accepted socket, which it takes over. */
MmRelay *mm_relay_new(MmHost *host, int fd, MmRelayEnded ended, gpointer data);

/* End at once: closes the MTA's and the children's connections, without calling ENDED. */
void mm_relay_free(MmRelay **relay_p);

G_END_DECLS
#endif
