/* condition.c - see condition.h: facts, questions and answers */
#include "config.h"
#include "src/condition.h"

#include <string.h>

#include "libmilter-core/log.h"
#include "src/relay-internal.h"

#define LATE_SECONDS 1.0 /* beyond its limit, after which an answer is not waited for */
#define MTA_SHARE 0.8    /* of what is left of the MTA's wait; the rest is the children's */
#define FACTS_MAX (1024 * 1024) /* bytes of envelopes a session may hold for its conditions */

struct _MmConditions {
    const MmRules *rules;       /* borrowed */
    const MmSettings *settings; /* borrowed */
    guint32 steps;              /* of all children: at which there are stoppers */
    guint64 last_id;            /* of questions; the relay's thread only */
    guint64 last_session;
    double stuck_since; /* loop time at which an answer was missed, 0: all came since */
    MilterLoop *loop;           /* borrowed, NULL while detached */
    GMutex lock;                /* of ANSWERS and of LOOP's end */
    GQueue answers;             /* MmQuestion, from the Ruby thread */
    ev_async arrived;
};

/* A question that was asked; it is freed when its answer has come. */
typedef struct {
    MmQuestion question; /* first: one is the other */
    MmRelay *relay;      /* who waits; NULL when nobody does any more */
    MmMember *member;    /* for whose reading; NULL: an envelope step */
    MilterTimer late;
} Asking;

static void
free_question(Asking *asking)
{
    MmQuestion *question = &asking->question;

    g_clear_pointer(&question->facts, g_byte_array_unref);
    g_clear_pointer(&question->items, g_byte_array_unref);
    g_clear_pointer(&question->statuses, g_bytes_unref);
    g_clear_pointer(&question->asked, g_free);
    for (guint i = 0; question->macros && i < question->macros->len; i++) {
        MmSetMacro *macro = &g_array_index(question->macros, MmSetMacro, i);

        g_free(macro->name);
        g_free(macro->value);
    }
    g_clear_pointer(&question->macros, g_array_unref);
    g_free(asking);
}

/* --- answers --- */

/* In the Ruby thread. */
static void
on_answered(MmQuestion *question, gpointer data)
{
    MmConditions *conditions = data;

    g_mutex_lock(&conditions->lock);
    g_queue_push_tail(&conditions->answers, question);
    if (conditions->loop)
        ev_async_send(milter_loop_ev(conditions->loop), &conditions->arrived);
    g_mutex_unlock(&conditions->lock);
}

static MmMember *
member_of(MmRelay *relay, guint child)
{
    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].child->index == child)
            return &relay->members[i];
    return NULL;
}

/* Forget that the answer is awaited. */
static MmRelay *
let_go(Asking *asking)
{
    MmRelay *relay = g_steal_pointer(&asking->relay);

    milter_timer_clear(&asking->late);
    if (asking->member)
        asking->member->question = NULL;
    else
        relay->question = NULL;
    return relay;
}

static void
take_answer(Asking *asking)
{
    MmQuestion *question = &asking->question;
    MmMember *reader = asking->member;
    MmRelay *relay = let_go(asking);

    if (!reader)
        relay->decision = MM_ASKED_ANSWERED;
    for (guint i = 0; question->macros && i < question->macros->len; i++) {
        const MmSetMacro *macro = &g_array_index(question->macros, MmSetMacro, i);
        MmMember *member = member_of(relay, macro->child);

        if (member)
            mm_condition_set_macro(member, question->step, macro);
    }
    for (guint i = 0; i < question->n_asked; i++) {
        MmMember *member = member_of(relay, question->asked[i].child);

        if (member)
            mm_condition_apply(member, question->step, question->asked[i].decision);
    }
    mm_relay_advance(relay);
}

static void
on_arrived(struct ev_loop *ev, ev_async *watch, int events)
{
    MmConditions *conditions = watch->data;
    GQueue answers;
    Asking *asking;

    g_mutex_lock(&conditions->lock);
    answers = conditions->answers;
    g_queue_init(&conditions->answers);
    g_mutex_unlock(&conditions->lock);
    conditions->stuck_since = 0;
    while ((asking = g_queue_pop_head(&answers))) {
        if (asking->relay)
            take_answer(asking);
        free_question(asking);
    }
}

/* The Ruby thread has not answered by itself: what its conditions say when they fail. */
static void
on_late(MilterTimer *timer, gpointer data)
{
    Asking *asking = data;
    MmQuestion *question = &asking->question;
    MmConditions *conditions = asking->relay->host->conditions;
    MmMember *reader = asking->member;
    MmRelay *relay;

    if (!conditions->stuck_since)
        conditions->stuck_since = milter_loop_now(timer->loop);
    milter_warning("session=%u step=%s conditions=late reason=\"no answer within %.1f s; Ruby is "
                   "busy\" action=fallback", asking->relay->tag,
                   milter_step_name(question->step), question->limit + LATE_SECONDS);
    relay = let_go(asking);
    conditions->rules->cancel(question->id);
    if (!reader)
        relay->decision = MM_ASKED_ANSWERED;
    /* The question is the Ruby thread's until it answers: only what never changes is read. */
    for (guint i = 0; i < question->n_asked; i++) {
        MmMember *member = member_of(relay, question->asked[i].child);

        if (member)
            mm_condition_apply(member, question->step,
                               member->child->stopper_fallbacks[question->step]);
    }
    mm_relay_advance(relay);
}

gboolean
mm_conditions_is_stuck(const MmConditions *conditions, double seconds)
{
    return conditions->stuck_since &&
           milter_loop_now(conditions->loop) - conditions->stuck_since > seconds;
}

/* --- life --- */

MmConditions *
mm_conditions_new(const MmRules *rules, const MmSettings *settings)
{
    MmConditions *conditions;
    guint32 steps = 0;

    for (guint i = 0; i < settings->children->len; i++) {
        const MmChild *child = g_ptr_array_index(settings->children, i);

        if (child->enabled)
            steps |= child->stopper_steps;
    }
    if (!steps)
        return NULL;
    conditions = g_new0(MmConditions, 1);
    conditions->rules = rules;
    conditions->settings = settings;
    conditions->steps = steps;
    g_mutex_init(&conditions->lock);
    g_queue_init(&conditions->answers);
    rules->set_answered(on_answered, conditions);
    return conditions;
}

void
mm_conditions_attach(MmConditions *conditions, MilterLoop *loop)
{
    ev_async_init(&conditions->arrived, on_arrived);
    conditions->arrived.data = conditions;
    ev_async_start(milter_loop_ev(loop), &conditions->arrived);
    conditions->loop = loop;
}

void
mm_conditions_detach(MmConditions *conditions)
{
    MilterLoop *loop = conditions->loop;

    g_mutex_lock(&conditions->lock);
    conditions->loop = NULL;
    g_mutex_unlock(&conditions->lock);
    ev_async_stop(milter_loop_ev(loop), &conditions->arrived);
}

void
mm_conditions_free(MmConditions **conditions_p)
{
    MmConditions *conditions = g_steal_pointer(conditions_p);
    Asking *asking;

    if (!conditions)
        return;
    conditions->rules->set_answered(NULL, NULL);
    while ((asking = g_queue_pop_head(&conditions->answers)))
        free_question(asking);
    g_mutex_clear(&conditions->lock);
    g_free(conditions);
}

/* --- facts --- */

static gboolean
collects(const MmRelay *relay)
{
    return relay->host->conditions != NULL;
}

void
mm_condition_append(GByteArray *packets, guint8 command, const void *payload, gsize size)
{
    guint32 length = GUINT32_TO_BE((guint32)size + 1);

    g_byte_array_append(packets, (const guint8 *)&length, sizeof(length));
    g_byte_array_append(packets, &command, 1);
    if (size)
        g_byte_array_append(packets, payload, size);
}

void
mm_condition_note(MmRelay *relay, const MilterFrame *frame)
{
    guint8 command = frame->command == SMFIC_MACRO ? frame->payload[0] : frame->command;

    if (!collects(relay))
        return;
    if (!relay->facts)
        relay->facts = g_byte_array_new();
    if (command == SMFIC_MAIL && relay->transaction_fact < 0)
        relay->transaction_fact = relay->facts->len;
    else if (frame->command == SMFIC_MACRO && relay->transaction && relay->next_fact < 0 &&
             (command == SMFIC_MAIL || command == SMFIC_HELO))
        relay->next_fact = relay->facts->len;
    else if (frame->command != SMFIC_MACRO)
        relay->next_fact = -1; /* they were for another command after all */
    if (relay->facts->len + frame->size < FACTS_MAX)
        mm_condition_append(relay->facts, frame->command, frame->payload, frame->size);
}

void
mm_condition_note_fact(MmRelay *relay, guint8 fact)
{
    if (collects(relay) && relay->facts)
        mm_condition_append(relay->facts, fact, NULL, 0);
}

/* Take the macros of the MAIL or HELO that ends the transaction from the end of the facts. */
static GByteArray *
take_next_facts(MmRelay *relay)
{
    GByteArray *next = g_byte_array_new();

    if (relay->next_fact >= 0) {
        g_byte_array_append(next, relay->facts->data + relay->next_fact,
                            relay->facts->len - (guint)relay->next_fact);
        g_byte_array_set_size(relay->facts, (guint)relay->next_fact);
    }
    relay->next_fact = -1;
    return next;
}

void
mm_condition_end_transaction(MmRelay *relay)
{
    guint32 mail = 1u << (SMFIC_MAIL - 'A'), helo = 1u << (SMFIC_HELO - 'A');
    g_autoptr(GByteArray) next = NULL;

    if (!relay->facts || relay->transaction_fact < 0)
        return;
    next = take_next_facts(relay);
    /* What nobody has been told is forgotten, and the rest is declared over. */
    g_byte_array_set_size(relay->facts, (guint)relay->transaction_fact);
    if (relay->told_transaction)
        mm_condition_append(relay->facts, SMFIC_ABORT, NULL, 0);
    relay->transaction_fact = -1;
    relay->told_transaction = FALSE;
    /* After an ABORT there are none: that command did not come. */
    if (!next->len || !(relay->fresh & (mail | helo)))
        return;
    if (relay->fresh & mail)
        relay->transaction_fact = relay->facts->len;
    g_byte_array_append(relay->facts, next->data, next->len);
}

/* --- asking --- */

gboolean
mm_condition_asks(const MmMember *member, MilterStep step)
{
    return (member->child->stopper_steps & (1u << step)) && member->stopped == MM_STOPPED_NOT &&
           collects(member->relay);
}

gboolean
mm_condition_asks_content(const MmMember *member)
{
    return mm_condition_asks(member, MILTER_STEP_HEADER) ||
           mm_condition_asks(member, MILTER_STEP_EOH) ||
           mm_condition_asks(member, MILTER_STEP_BODY) ||
           mm_condition_asks(member, MILTER_STEP_EOM);
}

gboolean
mm_condition_any(const MmRelay *relay, MilterStep step)
{
    return collects(relay) && (relay->host->conditions->steps & (1u << step));
}

gboolean
mm_condition_may_refuse(const MmRelay *relay, MilterStep step)
{
    for (guint i = 0; i < relay->n_members; i++) {
        const MmMember *member = &relay->members[i];

        if (mm_condition_asks(member, step) && !member->shadow &&
            member->child->stopper_fallbacks[step] == MM_DECISION_TEMPFAIL)
            return TRUE;
    }
    return FALSE;
}

static guint8
status_of(const MmMember *member)
{
    gboolean is_out = member->state == MM_MEMBER_FAILED || member->state == MM_MEMBER_LEFT ||
                      member->stopped != MM_STOPPED_NOT;

    return member->last_reply | (is_out ? MM_STATUS_QUITTED : 0);
}

static GBytes *
statuses_of(const MmRelay *relay)
{
    guint8 *statuses = g_new0(guint8, relay->n_members);

    for (guint i = 0; i < relay->n_members; i++)
        statuses[i] = status_of(&relay->members[i]);
    return g_bytes_new_take(statuses, relay->n_members);
}

static double
limit_of(const MmRelay *relay)
{
    double limit = relay->host->settings->condition_timeout;

    if (relay->deadline)
        limit = MIN(limit, MTA_SHARE * (relay->deadline - milter_loop_now(relay->host->loop)));
    return MAX(limit, 0.01);
}

static void
ask(MmRelay *relay, MmMember *member, MilterStep step, GArray *asked, GByteArray *items)
{
    MmConditions *conditions = relay->host->conditions;
    Asking *asking = g_new0(Asking, 1);
    MmQuestion *question = &asking->question;
    GByteArray *next = relay->facts ? take_next_facts(relay) : g_byte_array_new();

    if (!relay->condition_session)
        relay->condition_session = ++conditions->last_session;
    question->id = ++conditions->last_id;
    question->session = relay->condition_session;
    question->step = step;
    question->facts = g_steal_pointer(&relay->facts);
    question->items = items;
    question->statuses = statuses_of(relay);
    question->limit = limit_of(relay);
    question->n_sessions = mm_host_n_all_sessions(relay->host);
    question->seen = relay->transaction ? relay->transaction->body_bytes +
                                              relay->transaction->header_bytes : 0;
    question->n_asked = asked->len;
    question->asked = (MmAsked *)(void *)g_array_free(asked, FALSE);
    asking->relay = relay;
    asking->member = member;
    milter_timer_init(&asking->late, relay->host->loop, on_late, asking);
    milter_timer_start(&asking->late, question->limit + LATE_SECONDS);
    relay->facts = next;
    if (relay->transaction_fact >= 0) {
        relay->transaction_fact = 0;
        relay->told_transaction = TRUE;
    }
    if (next->len)
        relay->next_fact = 0;
    if (member)
        member->question = question;
    else
        relay->question = question;
    conditions->rules->ask(question);
}

/* A child that is through with the connection, or whose shadow lost track, is not asked about. */
static gboolean
is_concerned(const MmMember *member, MilterStep step)
{
    return mm_condition_asks(member, step) && member->state != MM_MEMBER_LEFT &&
           (member->state != MM_MEMBER_ACCEPTED_MESSAGE || step == MILTER_STEP_HELO) &&
           (member->state != MM_MEMBER_FAILED || !member->shadow) &&
           (step != MILTER_STEP_RCPT || mm_recipient_is_for(member));
}

gboolean
mm_condition_waits(MmRelay *relay, MilterStep step)
{
    GArray *asked;

    if (relay->decision != MM_ASKED_NOT)
        return relay->decision == MM_ASKED_WAITING;
    relay->decision = MM_ASKED_ANSWERED;
    if (!mm_condition_any(relay, step))
        return FALSE;
    asked = g_array_new(FALSE, FALSE, sizeof(MmAsked));
    for (guint i = 0; i < relay->n_members; i++) {
        MmAsked about = { .child = relay->members[i].child->index };

        if (is_concerned(&relay->members[i], step))
            g_array_append_val(asked, about);
    }
    if (asked->len == 0) {
        g_array_free(asked, TRUE);
        return FALSE;
    }
    relay->decision = MM_ASKED_WAITING;
    ask(relay, NULL, step, asked, NULL);
    return TRUE;
}

void
mm_condition_ask_content(MmMember *member, MilterStep step, const void *payload, gsize size)
{
    GArray *asked = g_array_new(FALSE, FALSE, sizeof(MmAsked));
    MmAsked about = { .child = member->child->index };
    GByteArray *items =
        member->unasked ? g_steal_pointer(&member->unasked) : g_byte_array_new();

    g_array_append_val(asked, about);
    if (step != MILTER_STEP_HEADER)
        mm_condition_append(items, milter_step_command(step), payload, size);
    ask(member->relay, member, step, asked, items);
}

void
mm_condition_cancel(MmRelay *relay, MmQuestion **question_p)
{
    Asking *asking = (Asking *)*question_p;

    if (!asking)
        return;
    let_go(asking);
    relay->host->conditions->rules->cancel(asking->question.id);
}

void
mm_condition_close(MmRelay *relay)
{
    mm_condition_cancel(relay, &relay->question);
    if (relay->condition_session)
        relay->host->conditions->rules->close_session(relay->condition_session);
    relay->condition_session = 0;
    g_clear_pointer(&relay->facts, g_byte_array_unref);
    relay->transaction_fact = -1;
    relay->next_fact = -1;
    relay->told_transaction = FALSE;
}
