/* gate.c - see gate.h */
#include "config.h"
#include "binding/ruby/gate.h"

#include <stdarg.h>

#define ARGUMENTS_MAX 4

typedef struct {
    VALUE receiver;
    ID method;
    int argc;
    const VALUE *argv;
} Call;

G_DEFINE_QUARK(mm - rules - error - quark, mm_rules_error)

static VALUE
call_body(VALUE argument)
{
    const Call *call = (const Call *)argument;

    return rb_funcallv(call->receiver, call->method, call->argc, call->argv);
}

/* "FILE:LINE: reason", by the part of us that is written in Ruby. */
static VALUE
describe_body(VALUE raised)
{
    VALUE failure = rb_path2class("Milter::Manager::Failure");

    return rb_obj_as_string(rb_funcall(failure, rb_intern("describe"), 1, raised));
}

/* What the exception says itself: for when that part is what could not be loaded. */
static VALUE
message_body(VALUE raised)
{
    return rb_obj_as_string(raised);
}

/* Turn the pending exception into a GError.  Asking what it is runs user code again, so
 * that too is protected. */
static void
take_exception(GError **error)
{
    VALUE raised = rb_errinfo();
    int raised_again = 0;
    VALUE text;

    rb_set_errinfo(Qnil);
    text = rb_protect(describe_body, raised, &raised_again);
    if (raised_again)
        text = rb_protect(message_body, raised, &raised_again);
    rb_set_errinfo(Qnil);
    if (raised_again || !RB_TYPE_P(text, T_STRING))
        g_set_error_literal(error, MM_RULES_ERROR, MM_RULES_ERROR_RAISED, rb_obj_classname(raised));
    else
        g_set_error(error, MM_RULES_ERROR, MM_RULES_ERROR_RAISED, "%.*s", (int)RSTRING_LEN(text),
                    RSTRING_PTR(text));
}

gboolean
mm_gate_run(VALUE (*body)(VALUE argument), VALUE argument, VALUE *result, GError **error)
{
    int raised = 0;
    VALUE value = rb_protect(body, argument, &raised);

    if (raised) {
        take_exception(error);
        return FALSE;
    }
    if (result)
        *result = value;
    return TRUE;
}

gboolean
mm_gate_call(VALUE receiver, const char *method, int argc, const VALUE *argv, VALUE *result,
             GError **error)
{
    Call call = { receiver, rb_intern(method), argc, argv };

    return mm_gate_run(call_body, (VALUE)&call, result, error);
}

void
mm_gate_keep(VALUE *place)
{
    *place = Qnil;
    rb_gc_register_address(place);
}

VALUE
mm_gate_send(VALUE receiver, ID method, int argc, ...)
{
    VALUE argv[ARGUMENTS_MAX];
    va_list arguments;

    g_assert(argc <= ARGUMENTS_MAX);
    va_start(arguments, argc);
    for (int i = 0; i < argc; i++)
        argv[i] = va_arg(arguments, VALUE);
    va_end(arguments);
    return rb_funcallv(receiver, method, argc, argv);
}
