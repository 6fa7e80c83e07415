/* decision.h - Milter::Manager::Decision: one question, and what is decided for each child
 *
 * A decision is worked on in fibers: one takes child after child; when it waits, another takes the
 * rest (decider.rb).  For files in binding/ruby/ only; functions may raise. */
#ifndef MM_DECISION_H
#define MM_DECISION_H

#include <ruby.h>

#include "src/rules.h"

/* Takes the question back, once, with its answer. */
typedef void (*MmDecided)(MmQuestion *question);

/* Add the class to MANAGER; once. */
void mm_decision_define(VALUE manager, VALUE native);

/* Who is told, and who works: a Decider and its Scheduler. */
void mm_decision_open(MmDecided decided);

/* About QUESTION, which is the decision's until it is decided. */
VALUE mm_decision_new(MmQuestion *question, VALUE session);

/* Work on it until it is done or waits. */
void mm_decision_start(VALUE decision);

#endif
