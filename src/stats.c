/* stats.c - see stats.h */
#include "config.h"
#include "src/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x6d6d7331 /* "mms1" */
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const char *const stat_names[MM_N_STATS] = {
    "sessions",   "messages",  "accepted",    "rejected",
    "tempfailed", "discarded", "quarantined", "aborted",
};

static const char *const child_stat_names[MM_N_CHILD_STATS] = {
    "sessions", "commands",   "failures",  "timeouts", "accepted",
    "rejected", "tempfailed", "discarded", "edits",
};

const char *
mm_stat_name(MmStat which)
{
    return stat_names[which];
}

const char *
mm_child_stat_name(MmChildStat which)
{
    return child_stat_names[which];
}

static gsize
page_size(guint n_children)
{
    return sizeof(MmStatsPage) + n_children * sizeof(guint64[MM_N_CHILD_STATS]);
}

static gboolean
fail(GError **error, const char *what)
{
    int saved = errno;

    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(saved), "statistics: %s: %s", what,
                g_strerror(saved));
    return FALSE;
}

MmStats *
mm_stats_new(guint n_children, GError **error)
{
    guint n = MIN(n_children, MM_STATS_CHILDREN_MAX);
    MmStats *stats = g_new0(MmStats, 1);
    void *memory;

    stats->size = page_size(n);
    stats->fd = memfd_create("milter-manager-stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (stats->fd < 0 || ftruncate(stats->fd, (off_t)stats->size) < 0 ||
        fcntl(stats->fd, F_ADD_SEALS, SEALS) < 0) {
        fail(error, "cannot make a memory file");
        mm_stats_free(&stats);
        return NULL;
    }
    memory = mmap(NULL, stats->size, PROT_READ | PROT_WRITE, MAP_SHARED, stats->fd, 0);
    if (memory == MAP_FAILED) {
        fail(error, "cannot map a memory file");
        mm_stats_free(&stats);
        return NULL;
    }
    stats->page = memory;
    stats->page->magic = MAGIC;
    stats->page->n_children = n;
    return stats;
}

MmStats *
mm_stats_map(int fd, GError **error)
{
    struct stat info;
    int seals = fcntl(fd, F_GET_SEALS);
    MmStats *stats;
    void *memory;

    /* Without the seals whoever sent it could cut it short and kill us with SIGBUS. */
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(fd, &info) < 0 ||
        info.st_size < (off_t)sizeof(MmStatsPage) ||
        info.st_size > (off_t)page_size(MM_STATS_CHILDREN_MAX)) {
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                    "statistics: not a memory file of a worker");
        return NULL;
    }
    memory = mmap(NULL, (gsize)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        fail(error, "cannot map a memory file");
        return NULL;
    }
    stats = g_new0(MmStats, 1);
    stats->page = memory;
    stats->size = (gsize)info.st_size;
    stats->fd = -1;
    if (stats->page->magic != MAGIC) {
        mm_stats_free(&stats);
        g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "statistics: wrong content");
    }
    return stats;
}

void
mm_stats_free(MmStats **stats_p)
{
    MmStats *stats = g_steal_pointer(stats_p);

    if (!stats)
        return;
    if (stats->page)
        munmap(stats->page, stats->size);
    if (stats->fd >= 0)
        close(stats->fd);
    g_free(stats);
}

void
mm_totals_init(MmTotals *totals)
{
    *totals =
        (MmTotals){ .children = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free) };
}

void
mm_totals_clear(MmTotals *totals)
{
    g_clear_pointer(&totals->children, g_hash_table_unref);
}

static void
add_child(MmTotals *totals, const char *name, const guint64 *counters)
{
    guint64 *sum = g_hash_table_lookup(totals->children, name);

    if (!sum) {
        sum = g_new0(guint64, MM_N_CHILD_STATS);
        g_hash_table_insert(totals->children, g_strdup(name), sum);
    }
    for (guint i = 0; i < MM_N_CHILD_STATS; i++)
        sum[i] += __atomic_load_n(&counters[i], __ATOMIC_RELAXED);
}

void
mm_totals_add(MmTotals *totals, const MmStats *stats, const char *const *names)
{
    const MmStatsPage *page = stats->page;
    /* The page is the worker's to write: believe only what fits the mapping. */
    guint fits = (guint)((stats->size - sizeof(MmStatsPage)) / sizeof(page->children[0]));

    for (guint i = 0; i < MM_N_STATS; i++)
        totals->counters[i] += __atomic_load_n(&page->counters[i], __ATOMIC_RELAXED);
    for (guint i = 0; i < fits && names && names[i]; i++)
        add_child(totals, names[i], page->children[i]);
}

void
mm_totals_copy(MmTotals *to, const MmTotals *from)
{
    GHashTableIter iter;
    gpointer name, counters;

    mm_totals_init(to);
    memcpy(to->counters, from->counters, sizeof(to->counters));
    g_hash_table_iter_init(&iter, from->children);
    while (g_hash_table_iter_next(&iter, &name, &counters))
        add_child(to, name, counters);
}
