/* spool.h - the body of one message, in memory and, above a budget, in a file
 *
 * Bytes are appended once and read by any number of readers at their own offsets.
 * Memory comes out of a MilterSpoolBudget that all spools of a worker share; what
 * does not fit goes to an unlinked file.  Knows nothing of packets or children. */
#ifndef MILTER_SPOOL_H
#define MILTER_SPOOL_H

#include <glib.h>

G_BEGIN_DECLS

/* What all messages of a worker may hold together. */
typedef struct {
    gsize memory_limit;    /* bytes in memory; spools leave a quarter to who charges otherwise */
    gsize memory_used;
    guint64 message_limit; /* bytes of one spool */
    const char *directory; /* where the files are made; borrowed */
} MilterSpoolBudget;

typedef struct _MilterSpool MilterSpool;

#define MILTER_SPOOL_ERROR (milter_spool_error_quark())
GQuark milter_spool_error_quark(void);
typedef enum {
    MILTER_SPOOL_ERROR_LIMIT, /* over message_limit */
    MILTER_SPOOL_ERROR_FILE,  /* the file could not be made, written or read */
} MilterSpoolError;

/* BUDGET is borrowed and outlives it. */
MilterSpool *milter_spool_new(MilterSpoolBudget *budget);
MilterSpool *milter_spool_ref(MilterSpool *spool);
void milter_spool_unref(MilterSpool **spool_p);

/* Append; FALSE when a limit is met or the file fails, after which the spool is broken
 * (milter_spool_is_broken) and every append fails. */
gboolean milter_spool_append(MilterSpool *spool, const void *bytes, gsize size, GError **error);
gboolean milter_spool_is_broken(const MilterSpool *spool);

/* Bytes appended so far. */
guint64 milter_spool_size(const MilterSpool *spool);

/* A view of up to MAX bytes at OFFSET, at least one byte if there is one.  *size is
 * what there is (0 at the end).  Valid until the next call on any spool.  NULL with
 * error when the file cannot be read. */
const guint8 *milter_spool_read(MilterSpool *spool, guint64 offset, gsize max, gsize *size,
                                GError **error);

/* Nobody will read below OFFSET any more: give the memory back. */
void milter_spool_discard(MilterSpool *spool, guint64 offset);

G_END_DECLS
#endif
