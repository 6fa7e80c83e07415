/* stats.h - a worker's counters, in memory that the supervisor sees too
 *
 * One memfd a worker, mapped writable by it and read-only by the supervisor.  Only the
 * worker's relay thread counts, so counting is an add without a lock.  When a worker
 * ends, the supervisor adds its counters to the totals and forgets its gauges.  Knows
 * nothing of processes: who sends the descriptor where is theirs. */
#ifndef MM_STATS_H
#define MM_STATS_H

#include <glib.h>

G_BEGIN_DECLS

#define MM_STATS_CHILDREN_MAX 1024 /* children that are counted; what is above is not */

/* What is counted of a worker. */
typedef enum {
    MM_STAT_SESSIONS, /* connections of MTAs accepted */
    MM_STAT_MESSAGES, /* transactions that reached MAIL */
    /* how a message ended, as told to the MTA */
    MM_STAT_ACCEPTED,
    MM_STAT_REJECTED,
    MM_STAT_TEMPFAILED,
    MM_STAT_DISCARDED,
    MM_STAT_QUARANTINED, /* accepted, and quarantined */
    MM_STAT_ABORTED,     /* ended by the MTA or the end of the session */
    MM_N_STATS,
} MmStat;

/* What is counted of each child in a worker. */
typedef enum {
    MM_CHILD_STAT_SESSIONS, /* connected and negotiated */
    MM_CHILD_STAT_COMMANDS, /* commands sent */
    MM_CHILD_STAT_FAILURES, /* failed, for whatever cause; its fallback decided */
    MM_CHILD_STAT_TIMEOUTS, /* of these: it did not answer in time */
    /* its own verdicts, before the merge */
    MM_CHILD_STAT_ACCEPTED,
    MM_CHILD_STAT_REJECTED,
    MM_CHILD_STAT_TEMPFAILED,
    MM_CHILD_STAT_DISCARDED,
    MM_CHILD_STAT_EDITS, /* changes to messages that were passed on */
    MM_N_CHILD_STATS,
} MmChildStat;

/* What goes up and down. */
typedef enum {
    MM_GAUGE_SESSIONS,    /* sessions open now */
    MM_GAUGE_SPOOL_BYTES, /* bytes of messages held in memory now */
    MM_N_GAUGES,
} MmGauge;

/* The shared memory.  Its layout is private to one build: supervisor and workers are
 * processes of the same program. */
typedef struct {
    guint32 magic;
    guint32 n_children;       /* length of CHILDREN */
    guint64 beat;             /* goes up while the relay thread's loop turns */
    guint64 ruby_beat;        /* the same for the Ruby thread */
    gint64 gauges[MM_N_GAUGES];
    guint64 counters[MM_N_STATS];
    guint64 children[][MM_N_CHILD_STATS];
} MmStatsPage;

typedef struct {
    MmStatsPage *page; /* mapped, owned */
    gsize size;        /* bytes mapped */
    int fd;            /* the memfd, or -1 in the supervisor; owned */
} MmStats;

/* New zeroed statistics of a worker, for N_CHILDREN enabled children. */
MmStats *mm_stats_new(guint n_children, GError **error);
/* The statistics behind FD, read-only.  Checks that FD is what mm_stats_new() made and
 * that its size can no longer change.  FD stays the caller's. */
MmStats *mm_stats_map(int fd, GError **error);
void mm_stats_free(MmStats **stats_p);

static inline void
mm_stats_bump(guint64 *counter)
{
    /* One writer: the atomic store only keeps readers from seeing half a number. */
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static inline void
mm_stats_count(MmStats *stats, MmStat which)
{
    mm_stats_bump(&stats->page->counters[which]);
}

/* CHILD_INDEX is MmChild.index. */
static inline void
mm_stats_count_child(MmStats *stats, guint child_index, MmChildStat which)
{
    if (child_index < stats->page->n_children)
        mm_stats_bump(&stats->page->children[child_index][which]);
}

static inline void
mm_stats_gauge_add(MmStats *stats, MmGauge which, gint64 delta)
{
    gint64 *gauge = &stats->page->gauges[which];

    __atomic_store_n(gauge, *gauge + delta, __ATOMIC_RELAXED);
}

/* Names for logs: "sessions", "messages", …; static strings. */
const char *mm_stat_name(MmStat which);
const char *mm_child_stat_name(MmChildStat which);

/* The sum over workers that have ended and workers that live, by child name. */
typedef struct {
    guint64 counters[MM_N_STATS];
    GHashTable *children; /* child name -> guint64[MM_N_CHILD_STATS]; owned */
} MmTotals;

void mm_totals_init(MmTotals *totals);
void mm_totals_clear(MmTotals *totals);
/* Add STATS; NAMES[i] is the name of child i, NULL-terminated. */
void mm_totals_add(MmTotals *totals, const MmStats *stats, const char *const *names);
/* A copy to which live workers can be added. */
void mm_totals_copy(MmTotals *to, const MmTotals *from);

G_END_DECLS
#endif
