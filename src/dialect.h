/* dialect.h - how an MTA numbers, places and shows header fields
 *
 * Behind the manager all edits of a message come from one milter, so the MTA does not
 * renumber between children as it would if they were its own.  A dialect applies a
 * child's edit to the message as that MTA would for a child of its own, and says which
 * packet makes *this* MTA, after all edits sent so far, do the same.
 * Knows the MTAs' rules and the message; no I/O. */
#ifndef MM_DIALECT_H
#define MM_DIALECT_H

#include "libmilter-core/buffer.h"
#include "libmilter-core/message.h"
#include "libmilter-core/reply.h"
#include "src/settings.h"

G_BEGIN_DECLS

typedef struct _MmDialectRules MmDialectRules;

typedef struct {
    const MmDialectRules *rules; /* of the MTA */
} MmDialect;

void mm_dialect_init(MmDialect *dialect, MmMta mta);

/* Put the places into an empty message that this MTA's list has before the sender's
 * fields and that it does not show to filters. */
void mm_dialect_begin(const MmDialect *dialect, MilterMessage *message);

/* A field as it came from the MTA; takes over the reference. */
void mm_dialect_append(const MmDialect *dialect, MilterMessage *message, MilterField *field);

/* The next child is about to be shown the message: numbers begin anew where this MTA
 * does that. */
void mm_dialect_renumber(const MmDialect *dialect, MilterMessage *message);

/* Apply a child's SMFIR_ADDHEADER, _INSHEADER or _CHGHEADER to MESSAGE (not shared) and
 * append the packet for the MTA to OUT.  LEADING_SPACE: the child's values carry it. */
void mm_dialect_edit(const MmDialect *dialect, MilterSpoolBudget *budget, MilterMessage *message,
                     guint8 reply, const MilterHeaderEdit *edit, gboolean leading_space,
                     MilterBuffer *out);

/* Whether the MTA ends an open last line of a replaced body before the next child sees it. */
gboolean mm_dialect_ends_last_line(const MmDialect *dialect);

/* The packet alone, for a message whose fields are not kept: as the child sent it, with
 * the leading space of the MTA's leg. */
void mm_dialect_pass(guint8 reply, const MilterHeaderEdit *edit, gboolean child_leading_space,
                     gboolean mta_leading_space, MilterBuffer *out);

G_END_DECLS
#endif
