/* answers.c - see answers.h
 *
 * Ruby may raise in any call: what is held belongs to the answers. */
#include "config.h"
#include "binding/ruby/answers.h"

#include "binding/ruby/context.h"
#include "binding/ruby/fibers.h"

void
mm_answers_mark(const MmAnswers *answers)
{
    for (guint i = 0; answers->all && i < answers->all->len; i++) {
        const MmAnswer *answer = g_ptr_array_index(answers->all, i);

        rb_gc_mark(answer->key);
        rb_gc_mark(answer->context);
        rb_gc_mark(answer->value);
        rb_gc_mark(answer->waiting);
    }
}

void
mm_answers_clear(MmAnswers *answers)
{
    g_clear_pointer(&answers->all, g_ptr_array_unref);
}

static MmAnswer *
find(const MmAnswers *answers, VALUE key)
{
    for (guint i = 0; answers->all && i < answers->all->len; i++) {
        MmAnswer *answer = g_ptr_array_index(answers->all, i);

        if (answer->key == key)
            return answer;
    }
    return NULL;
}

static MmAnswer *
add(MmAnswers *answers, VALUE key, VALUE context)
{
    MmAnswer *answer = g_new0(MmAnswer, 1);

    *answer = (MmAnswer){ .key = key,
                          .context = context,
                          .value = Qnil,
                          .waiting = Qnil,
                          .depth = mm_context_depth(mm_context_of(context)) };
    if (!answers->all)
        answers->all = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(answers->all, answer);
    return answer;
}

/* --- computing --- */

typedef struct {
    MmAnswer *answer;
    VALUE (*compute)(gpointer data);
    gpointer data;
} Computing;

static VALUE
compute_body(VALUE argument)
{
    const Computing *computing = (const Computing *)argument;
    MmAnswer *answer = computing->answer;
    MmContext *context = mm_context_of(answer->context);

    mm_context_watch(context);
    answer->value = computing->compute(computing->data);
    answer->is_shareable = mm_context_is_shareable(context);
    answer->has_read_macros = mm_context_has_read_macros(context);
    return Qnil;
}

static VALUE
compute_end(VALUE argument)
{
    MmAnswer *answer = ((const Computing *)argument)->answer;

    answer->is_done = TRUE;
    for (long i = 0; !NIL_P(answer->waiting) && i < RARRAY_LEN(answer->waiting); i++)
        mm_fibers_unblock(rb_ary_entry(answer->waiting, i));
    return Qnil;
}

/* --- waiting --- */

/* Whether it is being computed, and nothing of its own child was looked at so far. */
static gboolean
is_promising(const MmAnswer *answer)
{
    MmContext *context = mm_context_of(answer->context);

    return !answer->is_done && mm_context_depth(context) == answer->depth &&
           mm_context_is_shareable(context);
}

static VALUE
wait_body(VALUE argument)
{
    MmAnswer *answer = (MmAnswer *)argument;

    if (NIL_P(answer->waiting))
        answer->waiting = rb_ary_new();
    rb_ary_push(answer->waiting, rb_fiber_current());
    mm_fibers_block(answer->key);
    return Qnil;
}

static VALUE
wait_end(VALUE argument)
{
    return rb_ary_delete(((const MmAnswer *)argument)->waiting, rb_fiber_current());
}

const MmAnswer *
mm_answers_share(MmAnswers *answers, VALUE key, VALUE context, VALUE (*compute)(gpointer data),
                 gpointer data)
{
    MmAnswer *answer = find(answers, key);

    if (!answer) {
        Computing computing = { add(answers, key, context), compute, data };

        rb_ensure(compute_body, (VALUE)&computing, compute_end, (VALUE)&computing);
        return computing.answer;
    }
    /* What turned out to be that child's own is not waited for. */
    if (is_promising(answer))
        rb_ensure(wait_body, (VALUE)answer, wait_end, (VALUE)answer);
    if (!answer->is_done || !answer->is_shareable ||
        (answer->has_read_macros && mm_context_has_macros(mm_context_of(context))))
        return NULL;
    return answer;
}
