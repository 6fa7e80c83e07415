/* policy.h - what a child's failure means
 *
 * One place turns "this child failed at this step and its fallback is F" into the
 * reply it is taken to have given.  No I/O, no state. */
#ifndef MILTER_POLICY_H
#define MILTER_POLICY_H

#include <glib.h>

#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

typedef enum {
    MILTER_FALLBACK_ACCEPT,
    MILTER_FALLBACK_TEMPORARY_FAILURE,
    MILTER_FALLBACK_REJECT,
    MILTER_FALLBACK_DISCARD,
    MILTER_FALLBACK_QUARANTINE,
    MILTER_N_FALLBACKS,
} MilterFallback;

/* "accept", "temporary-failure", "reject", "discard", "quarantine"; a static string. */
const char *milter_fallback_name(MilterFallback fallback);

/* The fallback of a name as above ('_' and '-' alike, "tempfail" too); FALSE when there is none. */
gboolean milter_fallback_from_name(const char *name, MilterFallback *fallback);

G_END_DECLS
#endif
