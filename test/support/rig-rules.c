/* rig-rules.c - conditions of a rig's children, without Ruby: what rig_rule() says
 *
 * One rig at a time has rules; questions are answered at once, the answers arrive with the
 * loop's next turn, as from the Ruby thread. */
#include "config.h"
#include "test/support/rig-private.h"

#include <string.h>

typedef struct {
    MilterStep step;
    char *recipient;     /* of RCPT: only for this one; NULL for any; owned */
    MmDecision decision;
    char *name, *value;  /* a macro that it sets; owned, or NULL */
} Rule;

static struct {
    Rig *rig; /* borrowed */
    MmAnswered answered;
    gpointer data; /* of ANSWERED */
    char *recipient; /* the last; owned */
} asked;

static void
free_rule(gpointer data)
{
    Rule *rule = data;

    g_free(rule->recipient);
    g_free(rule->name);
    g_free(rule->value);
    g_free(rule);
}

static void
learn_recipient(const GByteArray *facts)
{
    const guint8 *at = facts->data;
    gsize left = facts->len;
    MilterFrame frame;

    while (left && milter_frame_peek(at, left, G_MAXUINT32, &frame) == MILTER_FRAME_OK) {
        if (frame.command == SMFIC_RCPT) {
            g_free(asked.recipient);
            asked.recipient = g_strdup((const char *)frame.payload);
        }
        at += frame.wire_size;
        left -= frame.wire_size;
    }
}

static void
apply(const Rule *rule, MmQuestion *question, MmAsked *about)
{
    MmSetMacro macro = { .child = about->child };

    if (rule->step != question->step ||
        (rule->recipient && strcmp(rule->recipient, asked.recipient) != 0))
        return;
    about->decision = MAX(about->decision, rule->decision);
    if (!rule->name)
        return;
    if (!question->macros)
        question->macros = g_array_new(FALSE, FALSE, sizeof(MmSetMacro));
    macro.name = g_strdup(rule->name);
    macro.value = g_strdup(rule->value);
    g_array_append_val(question->macros, macro);
}

static void
ask(MmQuestion *question)
{
    if (question->facts)
        learn_recipient(question->facts);
    for (guint i = 0; i < question->n_asked; i++) {
        const RigChild *child = asked.rig->children->pdata[question->asked[i].child];

        for (guint j = 0; child->rules && j < child->rules->len; j++)
            apply(child->rules->pdata[j], question, &question->asked[i]);
    }
    asked.answered(question, asked.data);
}

static void
cancel(guint64 question)
{
}

static void
set_answered(MmAnswered answered, gpointer data)
{
    asked.answered = answered;
    asked.data = data;
}

void
rig_rule(RigChild *child, MilterStep step, const char *recipient, MmDecision decision,
         const char *name, const char *value)
{
    Rule *rule = g_new0(Rule, 1);

    rule->step = step;
    rule->recipient = g_strdup(recipient);
    rule->decision = decision;
    rule->name = g_strdup(name);
    rule->value = g_strdup(value);
    if (!child->rules)
        child->rules = g_ptr_array_new_with_free_func(free_rule);
    g_ptr_array_add(child->rules, rule);
    child->config->stopper_steps |= 1u << step;
    if (decision == MM_DECISION_TEMPFAIL)
        child->config->stopper_fallbacks[step] = MM_DECISION_TEMPFAIL;
}

void
rig_rules_start(Rig *rig)
{
    static const MmRules rules = {
        .set_answered = set_answered, .ask = ask, .cancel = cancel, .close_session = cancel
    };

    rig->host.conditions = mm_conditions_new(&rules, &rig->settings);
    if (!rig->host.conditions)
        return;
    asked.rig = rig;
    mm_conditions_attach(rig->host.conditions, rig->loop);
}

void
rig_rules_stop(Rig *rig)
{
    if (!rig->host.conditions)
        return;
    mm_conditions_detach(rig->host.conditions);
    mm_conditions_free(&rig->host.conditions);
    g_clear_pointer(&asked.recipient, g_free);
    asked.rig = NULL;
}
