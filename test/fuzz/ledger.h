/* ledger.h - one message as each child must see it, and as the MTA must have it in the end
 *
 * Kept by fuzz-relay beside the session, with the slow models of models.h.  Whatever is
 * not certain (a child that talked nonsense, a limit that was met) makes it unsure: then
 * nothing is asserted about this message any more. */
#ifndef TEST_FUZZ_LEDGER_H
#define TEST_FUZZ_LEDGER_H

#include <glib.h>

#include "libmilter-core/frame.h"
#include "test/fuzz/models.h"

#define LEDGER_CHILDREN 4

/* What a child has seen of the message, and what it changes. */
typedef struct {
    GPtrArray *fields; /* char *: name and value as "name:value" */
    GByteArray *body;
    GByteArray *edits; /* packets, until its final reply */
    gboolean has_skipped;
} LedgerChild;

typedef struct {
    gboolean is_sure;
    gboolean leading_space; /* on the MTA's leg */
    guint32 actions;        /* that the MTA offered */
    gsize body_limit;       /* above it a replaced body is not certain */
    Model direct;           /* as if the children were the MTA's own */
    Model behind;           /* the MTA with the manager */
    GByteArray *body;       /* as the next child must see it */
    GByteArray *replaced;   /* last replacement, raw; NULL while there is none */
    GByteArray *got;        /* replacement that the MTA got; NULL while there is none */
    LedgerChild children[LEDGER_CHILDREN];
} Ledger;

void ledger_init(Ledger *ledger);
void ledger_clear(Ledger *ledger);

/* MAIL: a new message. */
void ledger_begin(Ledger *ledger, gboolean is_sendmail, gboolean leading_space, guint32 actions);
/* What the MTA sends. */
void ledger_mta_says(Ledger *ledger, const MilterFrame *frame);
/* What it gets at the end of message. */
void ledger_mta_gets(Ledger *ledger, const MilterFrame *frame);
/* What a child gets, that negotiated STEPS; and what it answers to the end of message. */
void ledger_child_gets(Ledger *ledger, guint child, guint32 steps, const MilterFrame *frame);
void ledger_child_says(Ledger *ledger, guint child, guint32 steps, const MilterFrame *frame);

#endif
