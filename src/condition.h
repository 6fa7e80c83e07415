/* condition.h - which children run, as the configuration decides while a session goes on
 *
 * A child with stoppers for a step is shown that step only when the Ruby thread has said
 * so.  This module collects what a session's MTA said (facts), asks one question a step
 * for all children together, or one a child for the content it is about to read, takes
 * the answers, and knows when to wait no longer.  It knows nothing of Ruby, and what
 * stopping means to a child is relay's (condition-effect.c).
 *
 * MmConditions is one worker's: made by its first thread, attached to the relay's loop by
 * the relay's thread, freed when the Ruby thread is through. */
#ifndef MM_CONDITION_H
#define MM_CONDITION_H

#include "libmilter-core/loop.h"
#include "src/rules.h"

G_BEGIN_DECLS

typedef struct _MmConditions MmConditions;

/* RULES answer; SETTINGS have the children.  NULL when no child has a stopper. */
MmConditions *mm_conditions_new(const MmRules *rules, const MmSettings *settings);
void mm_conditions_free(MmConditions **conditions_p);

/* Take answers on LOOP, from its thread; and no longer. */
void mm_conditions_attach(MmConditions *conditions, MilterLoop *loop);
void mm_conditions_detach(MmConditions *conditions);

/* Whether the Ruby thread has been silent for SECONDS beyond a question's time. */
gboolean mm_conditions_is_stuck(const MmConditions *conditions, double seconds);

G_END_DECLS
#endif
