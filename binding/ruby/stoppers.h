/* stoppers.h - plan.rb as C reads it: which blocks are asked for which child at which step
 *
 * For files in binding/ruby/ only. */
#ifndef MM_STOPPERS_H
#define MM_STOPPERS_H

#include <glib.h>
#include <ruby.h>

#include "libmilter-core/protocol.h"

/* What a block is given. */
typedef enum {
    MM_STOPPER_CONNECT,       /* host, address */
    MM_STOPPER_HELO,          /* name */
    MM_STOPPER_ENVELOPE_FROM, /* sender */
    MM_STOPPER_RECIPIENT,     /* recipient */
    MM_STOPPER_ENVELOPE,      /* sender, recipients */
    MM_STOPPER_PLAIN,         /* nothing, or what of the content it is asked about */
} MmStopperKind;

/* One block of one condition. */
typedef struct {
    VALUE object; /* Plan::Stopper */
    VALUE block;
    MmStopperKind kind;
    int fallback; /* MmDecision */
} MmStopper;

/* Those of a child at a step; children that have the same ones have the same list. */
typedef struct {
    guint n;
    MmStopper *const *all;
} MmStopperList;

/* Read CHILDREN, [[stoppers by step, …], …], for as long as the process lives.  Raises. */
void mm_stoppers_open(VALUE children);

/* Never NULL; empty where there are none. */
const MmStopperList *mm_stoppers_of(guint child, MilterStep step);

/* Whether all children that have blocks at STEP have the same ones. */
gboolean mm_stoppers_are_uniform(MilterStep step);

/* What counts when one of LIST could not be asked. */
int mm_stoppers_fallback(const MmStopperList *list);

#endif
