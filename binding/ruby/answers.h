/* answers.h - answers to one question that may hold for several children
 *
 * The first child that wants one computes it; others that want it meanwhile wait, as long as it
 * looks as if it will hold for them, too.  For files in binding/ruby/ only; functions may raise. */
#ifndef MM_ANSWERS_H
#define MM_ANSWERS_H

#include <glib.h>
#include <ruby.h>

/* An answer: VALUE counts when it is done. */
typedef struct {
    VALUE key;     /* what was asked: Plan::Stopper, or a Condition::Stopper of a combination */
    VALUE context; /* in which it was computed */
    VALUE value;   /* what computed it says */
    VALUE waiting; /* Array of fibers that want it, or nil */
    guint depth;   /* of the context when it was begun */
    gboolean is_done, is_shareable, has_read_macros;
} MmAnswer;

/* Those of a question, in a struct that Ruby marks; { NULL } at first. */
typedef struct {
    GPtrArray *all; /* MmAnswer; NULL until there is one */
} MmAnswers;

void mm_answers_mark(const MmAnswers *answers);
void mm_answers_clear(MmAnswers *answers);

/* The answer to KEY to be used in CONTEXT: one that was computed in another, if it holds, or what
 * COMPUTE(DATA) says now, if this is the first to ask.  NULL: it has to be asked by itself. */
const MmAnswer *mm_answers_share(MmAnswers *answers, VALUE key, VALUE context,
                                 VALUE (*compute)(gpointer data), gpointer data);

#endif
