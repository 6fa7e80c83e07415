/* tally.c - see tally.h */
#include "config.h"
#include "src/tally.h"

#include <errno.h>
#include <sys/mman.h>

#define N_ENTRIES 4096 /* more than two generations of 1000 workers */

typedef struct {
    gint32 pid; /* 0: free */
    guint32 n_sessions;
} Entry;

struct _MmTally {
    guint32 n_used; /* entries that were ever taken: the others need not be read */
    Entry entries[N_ENTRIES];
};

MmTally *
mm_tally_new(void)
{
    void *memory =
        mmap(NULL, sizeof(MmTally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    /* As g_malloc() does. */
    if (memory == MAP_FAILED)
        g_error("cannot map %zu bytes: %s", sizeof(MmTally), g_strerror(errno));
    return memory;
}

void
mm_tally_free(MmTally **tally_p)
{
    MmTally *tally = g_steal_pointer(tally_p);

    if (tally)
        munmap(tally, sizeof(*tally));
}

static guint
n_used(const MmTally *tally)
{
    /* Every worker could write it. */
    return MIN(__atomic_load_n(&tally->n_used, __ATOMIC_ACQUIRE), N_ENTRIES);
}

/* Have entries up to N read. */
static void
use(MmTally *tally, guint32 n)
{
    guint32 now = __atomic_load_n(&tally->n_used, __ATOMIC_RELAXED);

    while (now < n && !__atomic_compare_exchange_n(&tally->n_used, &now, n, FALSE, __ATOMIC_RELEASE,
                                                   __ATOMIC_RELAXED))
        continue;
}

guint32 *
mm_tally_enter(MmTally *tally, pid_t pid)
{
    /* Of somebody long ago whose end nobody saw. */
    mm_tally_leave(tally, pid);
    for (guint i = 0; i < N_ENTRIES; i++) {
        Entry *entry = &tally->entries[i];
        gint32 nobody = 0;

        if (!__atomic_compare_exchange_n(&entry->pid, &nobody, (gint32)pid, FALSE, __ATOMIC_ACQ_REL,
                                         __ATOMIC_RELAXED))
            continue;
        use(tally, i + 1);
        return &entry->n_sessions;
    }
    return NULL;
}

void
mm_tally_leave(MmTally *tally, pid_t pid)
{
    guint n = n_used(tally);

    for (guint i = 0; i < n; i++) {
        Entry *entry = &tally->entries[i];

        if (__atomic_load_n(&entry->pid, __ATOMIC_ACQUIRE) != (gint32)pid)
            continue;
        /* Nobody takes the entry before it is empty. */
        mm_tally_set(&entry->n_sessions, 0);
        __atomic_store_n(&entry->pid, 0, __ATOMIC_RELEASE);
    }
}

guint
mm_tally_sum(const MmTally *tally)
{
    guint n = n_used(tally);
    guint64 sum = 0;

    for (guint i = 0; i < n; i++)
        sum += __atomic_load_n(&tally->entries[i].n_sessions, __ATOMIC_RELAXED);
    return (guint)MIN(sum, G_MAXUINT);
}
