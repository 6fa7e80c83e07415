/* context.c - see context.h
 *
 * Ruby may raise in any call: what is held belongs to the object. */
#include "config.h"
#include "binding/ruby/context.h"

#include <ruby/encoding.h>
#include <string.h>

#include "binding/ruby/gate.h"
#include "binding/ruby/session.h"
#include "src/rules.h"

#define MACROS_MAX 32768 /* bytes of the macros that conditions set for a child */

struct _MmContext {
    VALUE session, decision;
    VALUE own_macros; /* { name => [value, step] }; nil, as the next three, until there is one */
    VALUE new_macros; /* { name => value } */
    VALUE headers;    /* [[name, value], …] */
    VALUE hidden;     /* recipients */
    guint child;
    guint transaction; /* what is the message's belongs to */
    MilterStep step;
    guint depth;
    gboolean is_personal; /* something of this child was looked at */
    gboolean has_read_macros;
};

static VALUE context_class, names;

static void
mark(void *data)
{
    const MmContext *context = data;

    rb_gc_mark(context->session);
    rb_gc_mark(context->decision);
    rb_gc_mark(context->own_macros);
    rb_gc_mark(context->new_macros);
    rb_gc_mark(context->headers);
    rb_gc_mark(context->hidden);
}

static const rb_data_type_t type = {
    .wrap_struct_name = "Milter::Manager::ChildContext",
    .function = { .dmark = mark, .dfree = RUBY_TYPED_DEFAULT_FREE },
    .flags = RUBY_TYPED_FREE_IMMEDIATELY,
};

MmContext *
mm_context_of(VALUE context)
{
    return rb_check_typeddata(context, &type);
}

static MmSession *
session_of(const MmContext *context)
{
    return mm_session_of(context->session);
}

static VALUE
allocate(VALUE class)
{
    MmContext *context;
    VALUE object = TypedData_Make_Struct(class, MmContext, &type, context);

    context->session = context->decision = context->own_macros = context->new_macros = Qnil;
    context->headers = context->hidden = Qnil;
    return object;
}

VALUE
mm_context_get(VALUE session, guint child)
{
    VALUE contexts = mm_session_contexts(mm_session_of(session));
    VALUE object = rb_ary_entry(contexts, child);

    if (NIL_P(object)) {
        MmContext *context;

        object = allocate(context_class);
        context = mm_context_of(object);
        context->session = session;
        context->child = child;
        context->transaction = mm_session_transaction(mm_session_of(session));
        rb_ary_store(contexts, child, object);
    }
    return object;
}

MmContext *
mm_context_find(VALUE session, guint child)
{
    VALUE object = rb_ary_entry(mm_session_contexts(mm_session_of(session)), child);

    return NIL_P(object) ? NULL : mm_context_of(object);
}

/* --- what is of one message --- */

/* Whether a macro was set for a message, which is over. */
static int
forget_macro(VALUE name, VALUE entry, VALUE unused)
{
    return NUM2INT(rb_ary_entry(entry, 1)) > MILTER_STEP_HELO ? ST_DELETE : ST_CONTINUE;
}

/* Forget what belongs to a message before. */
static void
keep_up(MmContext *context)
{
    guint transaction = mm_session_transaction(session_of(context));

    if (context->transaction == transaction)
        return;
    context->transaction = transaction;
    context->headers = context->hidden = Qnil;
    if (!NIL_P(context->own_macros))
        rb_hash_foreach(context->own_macros, forget_macro, Qnil);
}

void
mm_context_take_header(MmContext *context, VALUE name, VALUE value)
{
    keep_up(context);
    if (NIL_P(context->headers))
        context->headers = rb_ary_new();
    rb_ary_push(context->headers, rb_ary_new_from_args(2, name, value));
}

void
mm_context_hide_recipient(MmContext *context)
{
    keep_up(context);
    if (NIL_P(context->hidden))
        context->hidden = rb_ary_new();
    rb_ary_push(context->hidden, mm_session_recipient(session_of(context)));
}

/* --- for the engine --- */

void
mm_context_set_decision(MmContext *context, VALUE decision, MilterStep step)
{
    context->decision = decision;
    context->step = step;
}

VALUE
mm_context_decision(const MmContext *context)
{
    return context->decision;
}

void
mm_context_watch(MmContext *context)
{
    context->is_personal = context->has_read_macros = FALSE;
}

gboolean
mm_context_has_macros(MmContext *context)
{
    keep_up(context);
    return !NIL_P(context->own_macros) && RHASH_SIZE(context->own_macros) > 0;
}

gboolean
mm_context_is_shareable(MmContext *context)
{
    return !context->is_personal && !(context->has_read_macros && mm_context_has_macros(context));
}

gboolean
mm_context_has_read_macros(const MmContext *context)
{
    return context->has_read_macros;
}

VALUE
mm_context_take_macros(MmContext *context)
{
    VALUE macros = context->new_macros;

    context->new_macros = Qnil;
    return macros;
}

guint
mm_context_depth(const MmContext *context)
{
    return context->depth;
}

void
mm_context_enter_combination(MmContext *context)
{
    context->depth = 1;
}

void
mm_context_leave_combination(MmContext *context)
{
    context->depth = 0;
    context->is_personal = TRUE;
}

/* --- for conditions: macros --- */

/* A name without braces, as bytes. */
static VALUE
bare(MmView name)
{
    if (name.size > 1 && name.text[0] == '{' && name.text[name.size - 1] == '}')
        name = (MmView){ name.text + 1, name.size - 2 };
    return mm_packets_string(name);
}

/* The value of a macro that the MTA, or a condition, has set. */
static VALUE
macro(MmContext *context, MmView name)
{
    context->has_read_macros = TRUE;
    if (mm_context_has_macros(context)) {
        VALUE own = rb_hash_lookup(context->own_macros, bare(name));

        if (!NIL_P(own))
            return rb_ary_entry(own, 0);
    }
    return mm_session_macro(session_of(context), name);
}

static MmView
view_of(VALUE text)
{
    return (MmView){ RSTRING_PTR(text), (gsize)RSTRING_LEN(text) };
}

/* self[name] -> String or nil; braces are optional */
static VALUE
context_get_macro(VALUE self, VALUE name)
{
    VALUE text = rb_obj_as_string(name), value;

    value = macro(mm_context_of(self), view_of(text));
    RB_GC_GUARD(text);
    return value;
}

static gboolean
has_nul(VALUE text)
{
    return memchr(RSTRING_PTR(text), '\0', (size_t)RSTRING_LEN(text)) != NULL;
}

typedef struct {
    VALUE name; /* that is not counted */
    long bytes;
} Space;

static int
add_space(VALUE name, VALUE macro, VALUE data)
{
    Space *space = (Space *)data;

    if (!RTEST(rb_str_equal(name, space->name)))
        space->bytes += RSTRING_LEN(name) + RSTRING_LEN(rb_ary_entry(macro, 0));
    return ST_CONTINUE;
}

/* A child takes 64 KB at once, with the MTA's own. */
static void
check_space(const MmContext *context, VALUE name, VALUE text)
{
    Space space = { name, RSTRING_LEN(name) + RSTRING_LEN(text) };

    rb_hash_foreach(context->own_macros, add_space, (VALUE)&space);
    if (space.bytes > MACROS_MAX)
        rb_raise(rb_eArgError, "a macro of %ld bytes is too much: a child takes %d of them all",
                 RSTRING_LEN(text), MACROS_MAX);
}

/* self[name] = value: exactly this child gets the macro, from the command on that is being
 * decided on */
static VALUE
context_set_macro(VALUE self, VALUE given, VALUE value)
{
    MmContext *context = mm_context_of(self);
    VALUE full = rb_obj_as_string(given), name = bare(view_of(full));
    VALUE bytes = rb_obj_as_string(value), text = mm_packets_string(view_of(bytes)), wire;

    RB_GC_GUARD(full);
    RB_GC_GUARD(bytes);
    context->is_personal = TRUE;
    if (RSTRING_LEN(name) == 0 || has_nul(name) || has_nul(text))
        rb_raise(rb_eArgError, "%+" PRIsVALUE " cannot be a macro with the value %+" PRIsVALUE,
                 given, text);
    keep_up(context);
    if (NIL_P(context->own_macros))
        context->own_macros = rb_hash_new();
    check_space(context, name, text);
    rb_hash_aset(context->own_macros, name,
                 rb_ary_new_from_args(2, text, INT2FIX((int)context->step)));
    if (NIL_P(context->new_macros))
        context->new_macros = rb_hash_new();
    wire = RSTRING_LEN(name) == 1 ? name : rb_sprintf("{%" PRIsVALUE "}", name);
    rb_hash_aset(context->new_macros, wire, text);
    return value;
}

static gboolean
is_given(VALUE text)
{
    return !NIL_P(text) && RSTRING_LEN(text) > 0;
}

/* authenticated? */
static VALUE
context_is_authenticated(VALUE self)
{
    MmContext *context = mm_context_of(self);
    MmView type_name = { "auth_type", 9 }, user_name = { "auth_authen", 11 };

    return is_given(macro(context, type_name)) || is_given(macro(context, user_name)) ? Qtrue
                                                                                      : Qfalse;
}

/* --- for conditions: facts of the session --- */

/* client_host -> String or nil */
static VALUE
context_client_host(VALUE self)
{
    return mm_session_host(session_of(mm_context_of(self)));
}

/* client_address -> Milter::SocketAddress or nil */
static VALUE
context_client_address(VALUE self)
{
    return mm_session_address(session_of(mm_context_of(self)));
}

/* helo -> String or nil */
static VALUE
context_helo(VALUE self)
{
    return mm_session_helo(session_of(mm_context_of(self)));
}

/* sender -> String or nil */
static VALUE
context_sender(VALUE self)
{
    return mm_session_sender(session_of(mm_context_of(self)));
}

/* recipients -> Array of Strings */
static VALUE
context_recipients(VALUE self)
{
    return rb_ary_dup(mm_session_recipients(session_of(mm_context_of(self))));
}

/* rejected_recipients -> Array of Strings */
static VALUE
context_rejected_recipients(VALUE self)
{
    return rb_ary_dup(mm_session_rejected_recipients(session_of(mm_context_of(self))));
}

/* sender_parameters -> ESMTP parameters of MAIL, as "KEYWORD=value" */
static VALUE
context_sender_parameters(VALUE self)
{
    return rb_ary_dup(mm_session_sender_parameters(session_of(mm_context_of(self))));
}

/* recipient_parameters -> those of RCPT, by recipient */
static VALUE
context_recipient_parameters(VALUE self)
{
    return mm_session_recipient_parameters(session_of(mm_context_of(self)));
}

/* seen_size -> bytes of the message that have come */
static VALUE
context_seen_size(VALUE self)
{
    return ULL2NUM(mm_session_seen(session_of(mm_context_of(self))));
}

/* n_processing_sessions: sessions at once, of all workers */
static VALUE
context_n_processing_sessions(VALUE self)
{
    return UINT2NUM(mm_session_n_sessions(session_of(mm_context_of(self))));
}

/* --- for conditions: what is this child's, or may change while others look at it --- */

static MmContext *
personal(VALUE self)
{
    MmContext *context = mm_context_of(self);

    context->is_personal = TRUE;
    return context;
}

/* index -> the child's; for the engine, so that it is no answer of its own */
static VALUE
context_index(VALUE self)
{
    return UINT2NUM(mm_context_of(self)->child);
}

static VALUE
copy_of(VALUE object)
{
    return NIL_P(object) ? Qnil : rb_obj_dup(object);
}

/* initialize_copy(other): a copy sees what there is; macros that are set in it are nobody's */
static VALUE
context_initialize_copy(VALUE self, VALUE other)
{
    MmContext *context = mm_context_of(self);
    const MmContext *from = personal(other);

    if (context == from)
        return self;
    *context = *from;
    context->new_macros = Qnil;
    context->own_macros = copy_of(from->own_macros);
    context->headers = copy_of(from->headers);
    context->hidden = copy_of(from->hidden);
    return self;
}

/* name -> the child's */
static VALUE
context_name(VALUE self)
{
    return rb_ary_entry(names, personal(self)->child);
}

/* children -> their contexts by name */
static VALUE
context_children(VALUE self)
{
    const MmContext *context = personal(self);
    VALUE children = rb_hash_new();

    for (long i = 0; i < RARRAY_LEN(names); i++)
        rb_hash_aset(children, rb_ary_entry(names, i), mm_context_get(context->session, (guint)i));
    return children;
}

/* headers -> [[name, value], …] that this child has been shown */
static VALUE
context_headers(VALUE self)
{
    MmContext *context = personal(self);

    keep_up(context);
    return NIL_P(context->headers) ? rb_ary_new() : rb_ary_dup(context->headers);
}

/* shown_recipients -> those of the message that the child sees */
static VALUE
context_shown_recipients(VALUE self)
{
    MmContext *context = personal(self);
    VALUE recipients = mm_session_recipients(session_of(context));

    keep_up(context);
    return NIL_P(context->hidden) ? rb_ary_dup(recipients)
                                  : mm_gate_send(recipients, '-', 1, context->hidden);
}

/* mail_transaction_shelf: key/value store that lives as long as the transaction, shared by all
 * children */
static VALUE
context_mail_transaction_shelf(VALUE self)
{
    return mm_session_shelf(session_of(personal(self)));
}

static guint8
status_of(VALUE self)
{
    const MmContext *context = personal(self);

    return mm_session_status(session_of(context), context->child);
}

static VALUE
has_status(VALUE self, guint8 reply)
{
    return (status_of(self) & ~MM_STATUS_QUITTED) == reply ? Qtrue : Qfalse;
}

/* reject? */
static VALUE
context_is_reject(VALUE self)
{
    return has_status(self, SMFIR_REJECT);
}

/* temporary_failure? */
static VALUE
context_is_temporary_failure(VALUE self)
{
    return has_status(self, SMFIR_TEMPFAIL);
}

/* accept? */
static VALUE
context_is_accept(VALUE self)
{
    return has_status(self, SMFIR_ACCEPT);
}

/* discard? */
static VALUE
context_is_discard(VALUE self)
{
    return has_status(self, SMFIR_DISCARD);
}

/* quitted?: it takes no part any more */
static VALUE
context_is_quitted(VALUE self)
{
    return status_of(self) & MM_STATUS_QUITTED ? Qtrue : Qfalse;
}

void
mm_context_open(VALUE children)
{
    names = children;
}

/* The guide has them all. */
static void
define_for_conditions(VALUE class)
{
    rb_define_method(class, "[]", context_get_macro, 1);
    rb_define_method(class, "[]=", context_set_macro, 2);
    rb_define_method(class, "authenticated?", context_is_authenticated, 0);
    rb_define_method(class, "client_host", context_client_host, 0);
    rb_define_method(class, "client_address", context_client_address, 0);
    rb_define_method(class, "helo", context_helo, 0);
    rb_define_method(class, "sender", context_sender, 0);
    rb_define_method(class, "recipients", context_recipients, 0);
    rb_define_method(class, "rejected_recipients", context_rejected_recipients, 0);
    rb_define_method(class, "sender_parameters", context_sender_parameters, 0);
    rb_define_method(class, "recipient_parameters", context_recipient_parameters, 0);
    rb_define_method(class, "seen_size", context_seen_size, 0);
    rb_define_method(class, "n_processing_sessions", context_n_processing_sessions, 0);
    rb_define_method(class, "name", context_name, 0);
    rb_define_method(class, "children", context_children, 0);
    rb_define_method(class, "headers", context_headers, 0);
    rb_define_method(class, "mail_transaction_shelf", context_mail_transaction_shelf, 0);
    rb_define_method(class, "reject?", context_is_reject, 0);
    rb_define_method(class, "temporary_failure?", context_is_temporary_failure, 0);
    rb_define_method(class, "accept?", context_is_accept, 0);
    rb_define_method(class, "discard?", context_is_discard, 0);
    rb_define_method(class, "quitted?", context_is_quitted, 0);
}

static void
define_for_engine(VALUE class)
{
    rb_define_method(class, "index", context_index, 0);
    rb_define_method(class, "initialize_copy", context_initialize_copy, 1);
    rb_define_method(class, "shown_recipients", context_shown_recipients, 0);
}

void
mm_context_define(VALUE manager)
{
    context_class = rb_define_class_under(manager, "ChildContext", rb_cObject);
    names = rb_ary_new();
    rb_gc_register_address(&names);
    rb_define_alloc_func(context_class, allocate);
    rb_undef_method(rb_singleton_class(context_class), "new");
    define_for_conditions(context_class);
    define_for_engine(context_class);
}
