/* fuzz-relay.h - what the MTA and the children of fuzz-relay share */
#ifndef TEST_FUZZ_RELAY_H
#define TEST_FUZZ_RELAY_H

#include "test/fuzz/fuzz.h"
#include "test/fuzz/ledger.h"
#include "test/support/packet.h"
#include "test/support/rig.h"

/* What a child was told, to see that it is what an MTA would say. */
typedef struct {
    MilterState state;
    MilterOption option; /* what it answered; lists are the rig's */
    guint n_owed;        /* replies it has not given */
    gboolean is_odd;     /* it has said what it should not: anything goes */
    int lag;             /* commands that it left unanswered: what it says is for earlier ones */
} Heard;

typedef struct {
    FuzzInput input;
    Rig *rig;
    Heard heard[LEDGER_CHILDREN];
    Ledger ledger;
    guint8 hidden[LEDGER_CHILDREN]; /* recipients that conditions hide from a child: bits */
    gboolean has_conditions;
    gboolean is_closed; /* the MTA's connection is over */
    gboolean body_began, had_final;
    gboolean may_hold; /* an unanswered envelope step came since the last reply */
} Fuzz;

extern Fuzz *fuzz; /* the run: children are called without it */

/* Those that the MTA names and conditions may hide. */
#define FUZZ_RECIPIENTS 2
extern const char *const fuzz_recipients[FUZZ_RECIPIENTS];

/* A RigAnswer: what came to a child is checked, and answered as the input says. */
void fuzz_child_answer(RigChild *child, const MilterFrame *frame);

/* With FUZZ_TRACE set: what goes where. */
void fuzz_trace(PacketKind kind, const char *who, const void *wire, gsize size);

#endif
