/* explain.c - see explain.h
 *
 * What Ruby calls here may raise: nothing is held over a call that may. */
#include "config.h"
#include "binding/ruby/explain.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <ruby/thread.h>
#include <unistd.h>

#include "binding/ruby/convert.h"
#include "binding/ruby/decide.h"
#include "binding/ruby/gate.h"

static GAsyncQueue *answers; /* MmQuestion, and WOKEN; NULL while nothing is explained */
static MmQuestion woken;     /* Ruby wants its thread back */
static guint64 last_question;
static int end_fd = -1; /* written to, it ends the decider's loop */

/* --- from Ruby's decider --- */

static void
on_answered(MmQuestion *question, gpointer data)
{
    g_async_queue_push(answers, question);
}

static void
free_question(MmQuestion *question)
{
    g_clear_pointer(&question->facts, g_byte_array_unref);
    g_clear_pointer(&question->items, g_byte_array_unref);
    g_clear_pointer(&question->statuses, g_bytes_unref);
    g_clear_pointer(&question->asked, g_free);
    for (guint i = 0; question->macros && i < question->macros->len; i++) {
        g_free(g_array_index(question->macros, MmSetMacro, i).name);
        g_free(g_array_index(question->macros, MmSetMacro, i).value);
    }
    g_clear_pointer(&question->macros, g_array_unref);
    g_free(question);
}

/* --- from the thread that asks --- */

static GByteArray *
byte_array(VALUE string)
{
    GByteArray *bytes = g_byte_array_new();

    g_byte_array_append(bytes, (const guint8 *)RSTRING_PTR(string), (guint)RSTRING_LEN(string));
    return bytes;
}

/* explain_ask(step, facts, items or nil, statuses, limit, seen, children) */
static VALUE
native_ask(VALUE self, VALUE step, VALUE facts, VALUE items, VALUE statuses, VALUE limit,
           VALUE seen, VALUE children)
{
    MilterStep number = NUM2INT(step);
    double seconds = NUM2DBL(limit);
    guint64 bytes = NUM2ULL(seen);
    guint n_asked = (guint)RARRAY_LEN(children);
    MmAsked *asked;
    MmQuestion *question;

    Check_Type(facts, T_STRING);
    Check_Type(statuses, T_STRING);
    if (!NIL_P(items))
        Check_Type(items, T_STRING);
    for (guint i = 0; i < n_asked; i++)
        (void)NUM2UINT(rb_ary_entry(children, i));
    asked = g_new0(MmAsked, n_asked);
    for (guint i = 0; i < n_asked; i++)
        asked[i].child = NUM2UINT(rb_ary_entry(children, i));
    question = g_new0(MmQuestion, 1);
    *question = (MmQuestion){
        .id = ++last_question,
        .session = 1,
        .step = number,
        .facts = byte_array(facts),
        .items = NIL_P(items) ? NULL : byte_array(items),
        .statuses = g_bytes_new(RSTRING_PTR(statuses), (gsize)RSTRING_LEN(statuses)),
        .limit = seconds,
        .n_sessions = 1,
        .seen = bytes,
        .n_asked = n_asked,
        .asked = asked,
    };
    mm_decide_ask(question);
    return Qnil;
}

typedef struct {
    guint64 microseconds;
    MmQuestion *question;
} Wait;

static void *
wait_for_answer(void *argument)
{
    Wait *wait = argument;

    wait->question = g_async_queue_timeout_pop(answers, wait->microseconds);
    return NULL;
}

static void
wake(void *argument)
{
    g_async_queue_push(answers, &woken);
}

static VALUE
decisions_of(const MmQuestion *question)
{
    VALUE decisions = rb_ary_new(), macros = rb_ary_new();

    for (guint i = 0; i < question->n_asked; i++)
        rb_ary_push(decisions, INT2FIX(question->asked[i].decision));
    for (guint i = 0; question->macros && i < question->macros->len; i++) {
        const MmSetMacro *macro = &g_array_index(question->macros, MmSetMacro, i);

        rb_ary_push(macros,
                    rb_ary_new_from_args(3, UINT2NUM(macro->child), rb_str_new_cstr(macro->name),
                                         rb_str_new_cstr(macro->value)));
    }
    return rb_ary_new_from_args(2, decisions, macros);
}

/* explain_answer(seconds) -> [decisions, [[child, name, value], …]] of the last question, nil when
 * there is none in time */
static VALUE
native_answer(VALUE self, VALUE seconds)
{
    gint64 end = g_get_monotonic_time() + (gint64)(NUM2DBL(seconds) * G_USEC_PER_SEC);
    VALUE result = Qnil;

    for (;;) {
        gint64 left = end - g_get_monotonic_time();
        Wait wait = { .microseconds = (guint64)MAX(left, 0) };

        rb_thread_call_without_gvl(wait_for_answer, &wait, wake, NULL);
        if (wait.question && wait.question != &woken) {
            gboolean is_last = wait.question->id == last_question;

            if (is_last)
                result = decisions_of(wait.question);
            free_question(wait.question);
            if (is_last)
                return result;
        } else if (left <= 0) {
            mm_decide_cancel(last_question);
            return Qnil;
        }
    }
}

/* explain_end: the decider's loop ends */
static VALUE
native_end(VALUE self)
{
    (void)!write(end_fd, "", 1);
    return Qnil;
}

void
mm_explain_define(VALUE native)
{
    rb_define_singleton_method(native, "explain_ask", native_ask, 7);
    rb_define_singleton_method(native, "explain_answer", native_answer, 1);
    rb_define_singleton_method(native, "explain_end", native_end, 0);
}

/* --- what is to be explained, as Ruby --- */

static VALUE
text_or_nil(const char *text)
{
    return text ? mm_convert_text(text) : Qnil;
}

static VALUE
texts(char *const *all)
{
    VALUE array = rb_ary_new();

    for (guint i = 0; all && all[i]; i++)
        rb_ary_push(array, mm_convert_text(all[i]));
    return array;
}

static void
put(VALUE hash, const char *key, VALUE value)
{
    rb_hash_aset(hash, mm_convert_text(key), value);
}

static VALUE
describe_child(const MmChild *child)
{
    VALUE fallbacks = rb_ary_new(), values = rb_ary_new();

    for (guint step = 0; step < MILTER_N_STEPS; step++)
        rb_ary_push(fallbacks, INT2FIX(child->stopper_fallbacks[step]));
    rb_ary_push(values, mm_convert_text(child->name));
    rb_ary_push(values, child->enabled ? UINT2NUM(child->index) : Qnil);
    rb_ary_push(values, UINT2NUM(child->stopper_steps));
    rb_ary_push(values, fallbacks);
    rb_ary_push(values, child->evaluation_mode ? Qtrue : Qfalse);
    rb_ary_push(values, texts(child->applicable_conditions));
    return values;
}

typedef struct {
    const MmSettings *settings;
    const MmExplain *what;
} Request;

/* The arguments of Milter::Manager.explain. */
static VALUE
describe_body(VALUE argument)
{
    const Request *request = (const Request *)argument;
    const MmExplain *what = request->what;
    VALUE children = rb_ary_new(), given = rb_hash_new();
    gsize size;
    const void *mail = g_bytes_get_data(what->mail, &size);

    for (guint i = 0; i < request->settings->children->len; i++)
        rb_ary_push(children, describe_child(g_ptr_array_index(request->settings->children, i)));
    put(given, "file", text_or_nil(what->file));
    put(given, "mail", rb_str_new(mail, (long)size));
    put(given, "json", what->as_json ? Qtrue : Qfalse);
    put(given, "client_address", text_or_nil(what->client_address));
    put(given, "client_host", text_or_nil(what->client_host));
    put(given, "helo", text_or_nil(what->helo));
    put(given, "sender", text_or_nil(what->sender));
    put(given, "recipients", texts(what->recipients));
    put(given, "macros", texts(what->macros));
    put(given, "mta", mm_convert_text(mm_mta_name(request->settings->mta)));
    put(given, "split", request->settings->split_recipients ? Qtrue : Qfalse);
    put(given, "limit", DBL2NUM(request->settings->condition_timeout));
    return rb_ary_new_from_args(2, children, given);
}

char *
mm_explain_run(VALUE manager, const MmSettings *settings, const MmExplain *what, GError **error)
{
    Request request = { settings, what };
    VALUE arguments = Qnil, text = Qnil;
    int ends[2];
    gboolean ok;
    MmQuestion *question;

    if (!g_unix_open_pipe(ends, FD_CLOEXEC, error))
        return NULL;
    end_fd = ends[1];
    answers = g_async_queue_new();
    mm_decide_set_answered(on_answered, NULL);
    mm_decide_open(ends[0]);
    ok = mm_gate_run(describe_body, (VALUE)&request, &arguments, error) &&
         mm_gate_call(manager, "explain", 2, RARRAY_CONST_PTR(arguments), &text, error);
    RB_GC_GUARD(arguments);
    mm_decide_close();
    mm_decide_set_answered(NULL, NULL);
    while ((question = g_async_queue_try_pop(answers))) {
        if (question != &woken)
            free_question(question);
    }
    g_clear_pointer(&answers, g_async_queue_unref);
    close(ends[0]);
    close(ends[1]);
    return ok ? g_strndup(RSTRING_PTR(text), (gsize)RSTRING_LEN(text)) : NULL;
}
