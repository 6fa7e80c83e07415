/* explain.h - --explain: questions from Ruby instead of a relay
 *
 * Adds to Milter::Manager::Native what lib/milter/manager/explain.rb needs to be to the decider
 * what a relay is: a thread that asks and gets answers.  For files in binding/ruby/ only. */
#ifndef MM_EXPLAIN_BRIDGE_H
#define MM_EXPLAIN_BRIDGE_H

#include <ruby.h>

#include "src/rules.h"

/* Add the functions to Native; the caller protects. */
void mm_explain_define(VALUE native);

/* rules.h: explain(); MANAGER is Milter::Manager. */
char *mm_explain_run(VALUE manager, const MmSettings *settings, const MmExplain *what,
                     GError **error);

#endif
