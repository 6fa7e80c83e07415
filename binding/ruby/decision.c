/* decision.c - see decision.h
 *
 * Ruby may raise in any call: what is held belongs to the object. */
#include "config.h"
#include "binding/ruby/decision.h"

#include <unistd.h>

#include "binding/ruby/answers.h"
#include "binding/ruby/context.h"
#include "binding/ruby/fibers.h"
#include "binding/ruby/gate.h"
#include "binding/ruby/packets.h"
#include "binding/ruby/session.h"
#include "binding/ruby/stoppers.h"

#define ARGUMENTS_MAX 3 /* of a block */

/* What a block says, with the context it is asked in. */
typedef struct {
    VALUE block; /* a Proc */
    int n;
    VALUE arguments[ARGUMENTS_MAX]; /* the first is the context */
} Call;

typedef struct {
    MmQuestion *question; /* NULL when it is decided */
    guint64 id;
    MilterStep step;
    double limit;
    double deadline; /* s of the monotonic clock until which it may compute */
    VALUE session;
    VALUE waits, timer; /* of scheduler.rb and decider.rb, or nil */
    MmAnswers answers;
    guint n_taken, n_done;
    gboolean is_expired, is_closed;
    /* The stoppers whose answers hold for every child that has just these, what they come to,
     * and whether they looked at macros, of which a child may have its own. */
    const MmStopperList *common;
    int common_result;
    gboolean common_has_read_macros;
} Decision;

static VALUE decision_class, session_closed, condition_timeout;
static VALUE decider, watchdog; /* its thread */
static ID id_fail_with, id_log, id_answered, id_started;
static ID id_is_alive, id_watch;
static MmDecided decided_func;

/* --- the object --- */

static void
mark(void *data)
{
    const Decision *decision = data;

    rb_gc_mark(decision->session);
    rb_gc_mark(decision->waits);
    rb_gc_mark(decision->timer);
    mm_answers_mark(&decision->answers);
}

static void
free_decision(void *data)
{
    Decision *decision = data;

    mm_answers_clear(&decision->answers);
    xfree(decision);
}

static const rb_data_type_t type = {
    .wrap_struct_name = "Milter::Manager::Decision",
    .function = { .dmark = mark, .dfree = free_decision },
    .flags = RUBY_TYPED_FREE_IMMEDIATELY,
};

static Decision *
decision_of(VALUE self)
{
    return rb_check_typeddata(self, &type);
}

VALUE
mm_decision_new(MmQuestion *question, VALUE session)
{
    Decision *decision;
    VALUE self = TypedData_Make_Struct(decision_class, Decision, &type, decision);

    decision->session = session;
    decision->waits = decision->timer = Qnil;
    decision->question = question;
    decision->id = question->id;
    decision->step = question->step;
    decision->limit = question->limit;
    decision->deadline = mm_fibers_now() + question->limit;
    return self;
}

static gboolean
is_done(const Decision *decision)
{
    return !decision->question || decision->n_done == decision->question->n_asked;
}

static gboolean
is_pending(const Decision *decision)
{
    return decision->question && decision->n_taken < decision->question->n_asked;
}

static guint
child_at(const Decision *decision, guint position)
{
    return decision->question->asked[position].child;
}

static void
finish(Decision *decision, guint position, int result)
{
    decision->question->asked[position].decision = (MmDecision)result;
    decision->n_done++;
}

/* --- one block --- */

static VALUE
call_block(VALUE argument)
{
    const Call *call = (const Call *)argument;

    return rb_proc_call_with_block(call->block, call->n, call->arguments, Qnil);
}

/* The same as code of users: what the watchdog may end, and only that. */
static VALUE
call_exposed(VALUE argument)
{
    VALUE value;

    mm_fibers_set_exposed(TRUE);
    value = call_block(argument);
    rb_thread_check_ints(); /* what the watchdog has raised already belongs here */
    mm_fibers_set_exposed(FALSE);
    return value;
}

static Call
call_of(const MmStopper *stopper, VALUE context, const Decision *decision)
{
    MmSession *session = mm_session_of(decision->session);
    Call call = { .block = stopper->block, .n = 1, .arguments = { context } };

    switch (stopper->kind) {
    case MM_STOPPER_CONNECT:
        call.arguments[call.n++] = mm_session_host(session);
        call.arguments[call.n++] = mm_session_address(session);
        break;
    case MM_STOPPER_HELO:
        call.arguments[call.n++] = mm_session_helo(session);
        break;
    case MM_STOPPER_ENVELOPE_FROM:
        call.arguments[call.n++] = mm_session_sender(session);
        break;
    case MM_STOPPER_RECIPIENT:
        call.arguments[call.n++] = mm_session_recipient(session);
        break;
    case MM_STOPPER_ENVELOPE:
        call.arguments[call.n++] = mm_session_sender(session);
        call.arguments[call.n++] = rb_ary_dup(mm_session_recipients(session));
        break;
    case MM_STOPPER_PLAIN:
        break;
    }
    return call;
}

/* What raised in a block means. */
static int
fail(VALUE self, const MmStopper *stopper, int state)
{
    VALUE error = rb_errinfo();

    mm_fibers_set_exposed(FALSE);
    if (mm_fibers_are_forked())
        _exit(rb_obj_is_kind_of(error, session_closed) ? 0 : 1);
    if (!rb_obj_is_kind_of(error, rb_eException) || rb_obj_is_kind_of(error, session_closed))
        rb_jump_tag(state);
    rb_set_errinfo(Qnil);
    return NUM2INT(mm_gate_send(decider, id_fail_with, 3, self, stopper->object, error));
}

/* What it says for one child: MmDecision. */
static int
ask(VALUE self, const MmStopper *stopper, const Call *call)
{
    VALUE value;
    int state = 0;

    if (decision_of(self)->is_expired)
        return stopper->fallback;
    value = rb_protect(call_exposed, (VALUE)call, &state);
    if (state)
        return fail(self, stopper, state);
    if (mm_fibers_are_forked()) /* a fork that came back */
        _exit(0);
    return RTEST(value) ? MM_DECISION_STOP : MM_DECISION_APPLY;
}

/* How an answer is come by: from a stopper of the plan, or from a bare block. */
typedef struct {
    VALUE decision, context;
    const MmStopper *stopper; /* NULL: CALL is all there is */
    const Call *call;         /* NULL: made of STOPPER */
} Inquiry;

/* An MmDecision; for a bare block, what it says. */
static VALUE
inquire(gpointer data)
{
    const Inquiry *inquiry = data;
    Call call;

    if (!inquiry->stopper)
        return call_block((VALUE)inquiry->call);
    call = call_of(inquiry->stopper, inquiry->context, decision_of(inquiry->decision));
    return INT2FIX(ask(inquiry->decision, inquiry->stopper, &call));
}

/* --- one child --- */

static int
decide_envelope(VALUE self, VALUE context, const MmStopperList *stoppers)
{
    Decision *decision = decision_of(self);
    gboolean is_common = decision->question->n_asked > 1, has_read_macros = FALSE;
    int worst = MM_DECISION_APPLY;

    for (guint i = 0; i < stoppers->n && worst != MM_DECISION_STOP; i++) {
        const MmStopper *stopper = stoppers->all[i];
        Inquiry inquiry = { .decision = self, .context = context, .stopper = stopper };
        const MmAnswer *answer =
            decision->question->n_asked > 1
                ? mm_answers_share(&decision->answers, stopper->object, context, inquire, &inquiry)
                : NULL;
        int result = FIX2INT(answer ? answer->value : inquire(&inquiry));

        is_common = is_common && answer && answer->is_shareable;
        has_read_macros = has_read_macros || (answer && answer->has_read_macros);
        if (result > worst || result == MM_DECISION_STOP)
            worst = result;
    }
    if (worst == MM_DECISION_STOP && decision->step == MILTER_STEP_RCPT)
        mm_context_hide_recipient(mm_context_of(context));
    if (is_common) {
        decision->common = stoppers;
        decision->common_result = worst;
        decision->common_has_read_macros = has_read_macros;
    }
    return worst;
}

/* The call for a packet of content; a header field is noted. */
static Call
content_call(VALUE context, const MmPacket *packet)
{
    Call call = { .n = 1, .arguments = { context } };
    MmView rest = packet->payload, name = { "", 0 }, value = { "", 0 };

    if (packet->command == SMFIC_HEADER) {
        (void)mm_packets_next_string(&rest, &name);
        (void)mm_packets_next_string(&rest, &value);
        call.arguments[call.n++] = mm_packets_string(name);
        call.arguments[call.n++] = mm_packets_string(value);
        mm_context_take_header(mm_context_of(context), call.arguments[1], call.arguments[2]);
    } else if (packet->command == SMFIC_BODY) {
        call.arguments[call.n++] = mm_packets_string(packet->payload);
    }
    return call;
}

static int
decide_content(VALUE self, VALUE context, const MmStopperList *stoppers)
{
    const Decision *decision = decision_of(self);
    const GByteArray *items = decision->question->items;
    MmView packets = { (const char *)items->data, items->len };
    MmPacket packet;
    int worst = MM_DECISION_APPLY;

    while (mm_packets_next(&packets, &packet)) {
        Call call = content_call(context, &packet);

        if (packet.command == SMFIC_HEADER && decision->step != MILTER_STEP_HEADER)
            continue;
        for (guint i = 0; i < stoppers->n; i++) {
            int result;

            call.block = stoppers->all[i]->block;
            result = ask(self, stoppers->all[i], &call);
            if (result == MM_DECISION_STOP)
                return result;
            worst = MAX(worst, result);
        }
    }
    return worst;
}

/* Whether what was decided for one child holds for this one. */
static gboolean
is_common_for(const Decision *decision, guint child, const MmStopperList *stoppers)
{
    MmContext *context;

    if (decision->common != stoppers)
        return FALSE;
    if (!decision->common_has_read_macros)
        return TRUE;
    context = mm_context_find(decision->session, child);
    return !context || !mm_context_has_macros(context);
}

static void
take_macros(MmQuestion *question, guint child, VALUE macros)
{
    VALUE names = mm_gate_send(macros, rb_intern("keys"), 0);

    for (long i = 0; i < RARRAY_LEN(names); i++) {
        VALUE name = rb_ary_entry(names, i), value = rb_hash_lookup(macros, name);
        MmSetMacro macro = { .child = child };

        /* Checked in context.c: without NUL. */
        macro.name = g_strndup(RSTRING_PTR(name), (gsize)RSTRING_LEN(name));
        macro.value = g_strndup(RSTRING_PTR(value), (gsize)RSTRING_LEN(value));
        if (!question->macros)
            question->macros = g_array_new(FALSE, FALSE, sizeof(MmSetMacro));
        g_array_append_val(question->macros, macro);
    }
}

typedef struct {
    VALUE decision;
    guint position;
} Part;

static VALUE
decide_child(VALUE argument)
{
    const Part *part = (const Part *)argument;
    Decision *decision = decision_of(part->decision);
    guint child = child_at(decision, part->position);
    const MmStopperList *stoppers = mm_stoppers_of(child, decision->step);
    VALUE context, macros;
    int result;

    if (is_common_for(decision, child, stoppers))
        return INT2FIX(decision->common_result);
    context = mm_context_get(decision->session, child);
    mm_context_set_decision(mm_context_of(context), part->decision, decision->step);
    result = decision->question->items ? decide_content(part->decision, context, stoppers)
                                       : decide_envelope(part->decision, context, stoppers);
    macros = mm_context_take_macros(mm_context_of(context));
    if (!NIL_P(macros))
        take_macros(decision->question, child, macros);
    return INT2FIX(result);
}

/* --- all children --- */

/* Whether what was decided for one child holds for all that are asked about. */
static gboolean
are_all_alike(const Decision *decision)
{
    if (!decision->common || !mm_stoppers_are_uniform(decision->step))
        return FALSE;
    for (guint i = 0; i < decision->question->n_asked; i++)
        if (!is_common_for(decision, child_at(decision, i), decision->common))
            return FALSE;
    return TRUE;
}

static VALUE
log_body(VALUE argument)
{
    const VALUE *about = (const VALUE *)argument;

    return mm_gate_send(decider, id_log, 2, about[0], about[1]);
}

/* Whatever that raises: the answer is not lost. */
static void
log_failure(VALUE self, VALUE error)
{
    VALUE about[] = { self, error };
    int state = 0;

    rb_protect(log_body, (VALUE)about, &state);
    if (state)
        rb_set_errinfo(Qnil);
}

/* Fiber after fiber comes here: each takes children that nobody works on yet. */
static VALUE
decision_work(VALUE self)
{
    Decision *decision = decision_of(self);

    while (is_pending(decision)) {
        Part part = { self, decision->n_taken++ };
        const MmStopperList *stoppers =
            mm_stoppers_of(child_at(decision, part.position), decision->step);
        int state = 0;
        VALUE result = rb_protect(decide_child, (VALUE)&part, &state), error = Qnil;

        if (state) {
            error = rb_errinfo();
            result =
                INT2FIX(rb_obj_is_kind_of(error, session_closed) ? MM_DECISION_APPLY
                                                                 : mm_stoppers_fallback(stoppers));
        }
        finish(decision, part.position, FIX2INT(result));
        if (state && !rb_obj_is_kind_of(error, rb_eException))
            rb_jump_tag(state); /* the thread is killed */
        if (state)
            rb_set_errinfo(Qnil);
        /* A time limit: while it waited for what is being computed for another child. */
        if (state && !rb_obj_is_kind_of(error, session_closed) &&
            !rb_obj_is_kind_of(error, condition_timeout))
            log_failure(self, error);
        if (is_pending(decision) && are_all_alike(decision)) {
            while (is_pending(decision))
                finish(decision, decision->n_taken++, decision->common_result);
        }
    }
    if (is_done(decision) && decision->question) {
        if (!NIL_P(decision->timer))
            mm_gate_send(decider, id_answered, 1, self);
        decided_func(g_steal_pointer(&decision->question));
    }
    return Qnil;
}

static VALUE
start_body(VALUE self)
{
    if (NIL_P(watchdog) || !RTEST(mm_gate_send(watchdog, id_is_alive, 0)))
        watchdog = mm_gate_send(decider, id_watch, 0);
    while (is_pending(decision_of(self)))
        mm_fibers_start(self, Qnil);
    return Qnil;
}

void
mm_decision_start(VALUE self)
{
    VALUE error;
    int state = 0;

    rb_protect(start_body, self, &state);
    if (!state && is_done(decision_of(self)))
        return;
    error = state ? rb_errinfo() : Qnil;
    if (state && !rb_obj_is_kind_of(error, rb_eException))
        rb_jump_tag(state);
    rb_set_errinfo(Qnil);
    mm_gate_send(decider, id_started, 2, self, error);
}

/* --- for Ruby --- */

static VALUE
decision_id(VALUE self)
{
    return ULL2NUM(decision_of(self)->id);
}

static VALUE
decision_session(VALUE self)
{
    return decision_of(self)->session;
}

static VALUE
decision_limit(VALUE self)
{
    return DBL2NUM(decision_of(self)->limit);
}

static VALUE
decision_deadline(VALUE self)
{
    return DBL2NUM(decision_of(self)->deadline);
}

static VALUE
decision_set_deadline(VALUE self, VALUE deadline)
{
    decision_of(self)->deadline = NUM2DBL(deadline);
    return deadline;
}

static VALUE
decision_timer(VALUE self)
{
    return decision_of(self)->timer;
}

static VALUE
decision_set_timer(VALUE self, VALUE timer)
{
    return decision_of(self)->timer = timer;
}

static VALUE
decision_is_expired(VALUE self)
{
    return decision_of(self)->is_expired ? Qtrue : Qfalse;
}

static VALUE
decision_set_expired(VALUE self, VALUE value)
{
    decision_of(self)->is_expired = RTEST(value);
    return value;
}

static VALUE
decision_is_closed(VALUE self)
{
    return decision_of(self)->is_closed ? Qtrue : Qfalse;
}

static VALUE
decision_set_closed(VALUE self, VALUE value)
{
    decision_of(self)->is_closed = RTEST(value);
    return value;
}

static VALUE
decision_is_pending(VALUE self)
{
    return is_pending(decision_of(self)) ? Qtrue : Qfalse;
}

static VALUE
decision_is_done(VALUE self)
{
    return is_done(decision_of(self)) ? Qtrue : Qfalse;
}

/* waits: Scheduler::Task's */
static VALUE
decision_waits(VALUE self)
{
    Decision *decision = decision_of(self);

    if (NIL_P(decision->waits))
        decision->waits = rb_ary_new();
    return decision->waits;
}

typedef struct {
    Inquiry inquiry;
    VALUE stopper;
    MmContext *context;
} Combined;

static VALUE
combined_body(VALUE argument)
{
    Combined *combined = (Combined *)argument;
    Inquiry *inquiry = &combined->inquiry;
    const MmAnswer *answer =
        mm_answers_share(&decision_of(inquiry->decision)->answers, combined->stopper,
                         inquiry->context, inquire, inquiry);

    return answer ? answer->value : inquire(inquiry);
}

static VALUE
combined_end(VALUE argument)
{
    mm_context_leave_combination(((const Combined *)argument)->context);
    return Qnil;
}

/* answer_of(stopper, arguments): what a block says that a combination asks: once for all children
 * of a question, if it looked only at facts of the session */
static VALUE
context_answer_of(VALUE self, VALUE stopper, VALUE arguments)
{
    MmContext *context = mm_context_of(self);
    VALUE decision = mm_context_decision(context);
    Call call = { .block = rb_struct_getmember(stopper, rb_intern("block")),
                  .n = 1,
                  .arguments = { self } };
    Combined combined = { .inquiry = { .decision = decision, .context = self, .call = &call },
                          .stopper = stopper,
                          .context = context };
    const MmQuestion *question;

    Check_Type(arguments, T_ARRAY);
    if (!RTEST(rb_obj_is_proc(call.block)))
        rb_raise(rb_eTypeError, "%+" PRIsVALUE " is not a block", call.block);
    for (long i = 0; i < RARRAY_LEN(arguments) && call.n < ARGUMENTS_MAX; i++)
        call.arguments[call.n++] = rb_ary_entry(arguments, i);
    /* A context that was kept is asked when nothing is decided any more. */
    question = NIL_P(decision) ? NULL : decision_of(decision)->question;
    if (!question || question->items || question->n_asked == 1)
        return call_block((VALUE)&call);
    mm_context_enter_combination(context);
    return rb_ensure(combined_body, (VALUE)&combined, combined_end, (VALUE)&combined);
}

/* open_decisions(decider, names of children, stoppers of children) */
static VALUE
native_open_decisions(VALUE self, VALUE a_decider, VALUE names, VALUE stoppers)
{
    decider = a_decider;
    session_closed = rb_path2class("Milter::Manager::SessionClosed");
    condition_timeout = rb_path2class("Milter::Manager::ConditionTimeout");
    mm_context_open(names);
    mm_stoppers_open(stoppers);
    return Qnil;
}

void
mm_decision_open(MmDecided decided)
{
    decided_func = decided;
}

static void
define_methods(VALUE class)
{
    rb_define_method(class, "work", decision_work, 0);
    rb_define_method(class, "id", decision_id, 0);
    rb_define_method(class, "session", decision_session, 0);
    rb_define_method(class, "limit", decision_limit, 0);
    rb_define_method(class, "deadline", decision_deadline, 0);
    rb_define_method(class, "deadline=", decision_set_deadline, 1);
    rb_define_method(class, "timer", decision_timer, 0);
    rb_define_method(class, "timer=", decision_set_timer, 1);
    rb_define_method(class, "is_expired", decision_is_expired, 0);
    rb_define_method(class, "is_expired=", decision_set_expired, 1);
    rb_define_method(class, "is_closed", decision_is_closed, 0);
    rb_define_method(class, "is_closed=", decision_set_closed, 1);
    rb_define_method(class, "pending?", decision_is_pending, 0);
    rb_define_method(class, "done?", decision_is_done, 0);
    rb_define_method(class, "waits", decision_waits, 0);
}

void
mm_decision_define(VALUE manager, VALUE native)
{
    VALUE *const kept[] = { &decider, &watchdog, &session_closed, &condition_timeout };

    decision_class = rb_define_class_under(manager, "Decision", rb_cObject);
    rb_undef_alloc_func(decision_class);
    define_methods(decision_class);
    rb_define_method(rb_const_get(manager, rb_intern("ChildContext")), "answer_of",
                     context_answer_of, 2);
    id_fail_with = rb_intern("fail_with");
    id_log = rb_intern("log");
    id_answered = rb_intern("answered");
    id_started = rb_intern("started");
    id_is_alive = rb_intern("alive?");
    id_watch = rb_intern("watch");
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++)
        mm_gate_keep(kept[i]);
    rb_define_singleton_method(native, "open_decisions", native_open_decisions, 3);
}
