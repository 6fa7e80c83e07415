/* condition-effect.c - what a decision means to a child
 *
 * connect, helo      the child is out for the connection
 * mail, data, content  for the message: a child that saw MAIL gets ABORT
 * rcpt               the child does not see that recipient; one that has seen none when DATA
 *                    or the content comes is out for the message
 *
 * Never to another child. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"

void
mm_condition_stop(MmMember *member, MmStopped scope)
{
    member->stopped = scope;
    if (member->shadow) {
        if (mm_member_is_reading(member)) {
            /* At a message of the past: the one that comes is not concerned. */
            member->stopped = scope == MM_STOPPED_SESSION ? scope : MM_STOPPED_NOT;
            member->state = MM_MEMBER_ACCEPTED_MESSAGE;
            if (member->peer)
                milter_peer_abort(member->peer);
        } else if (member->in_transaction) {
            mm_shadow_abort(member);
        }
    } else if (member->in_transaction) {
        mm_member_abort(member);
    }
    member->in_transaction = FALSE;
    member->was_aborted = TRUE;
    if (!member->shadow)
        mm_member_forget_message(member);
}

void
mm_condition_apply(MmMember *member, MilterStep step, MmDecision decision)
{
    if (decision == MM_DECISION_TEMPFAIL && member->shadow)
        decision = MM_DECISION_STOP; /* a child that only evaluates has no say in the answer */
    member->decision = decision;
    if (milter_step_is_content(step))
        member->is_approved = decision == MM_DECISION_APPLY;
    if (decision == MM_DECISION_APPLY)
        return;
    milter_debug("session=%u child=%s step=%s condition=%s", member->relay->tag,
                 member->child->name, milter_step_name(step),
                 decision == MM_DECISION_STOP ? "stop" : "temporary-failure");
    if (decision == MM_DECISION_TEMPFAIL)
        return;
    switch (step) {
    case MILTER_STEP_CONNECT:
    case MILTER_STEP_HELO:
        mm_condition_stop(member, MM_STOPPED_SESSION);
        break;
    case MILTER_STEP_RCPT:
        break; /* recipient.c */
    default:
        mm_condition_stop(member, MM_STOPPED_MESSAGE);
    }
}

void
mm_condition_begin_step(MmRelay *relay)
{
    relay->decision = MM_ASKED_NOT;
    for (guint i = 0; i < relay->n_members; i++)
        relay->members[i].decision = MM_DECISION_APPLY;
}

void
mm_condition_verdict(const MmMember *member, MilterStep step, MmVerdict *verdict)
{
    mm_verdict_of_fallback(verdict, MILTER_FALLBACK_TEMPORARY_FAILURE, member->relay->mta, step, FALSE);
}

void
mm_condition_forget(MmMember *member, MmStopped scope)
{
    if (member->stopped <= scope)
        member->stopped = MM_STOPPED_NOT;
    member->n_recipients = 0;
    member->n_hidden = 0;
    member->discards = FALSE;
    member->has_late_macros = FALSE;
    member->decision = MM_DECISION_APPLY;
    for (guint i = 0; member->set_macros && i < member->set_macros->len;) {
        const MmOwnMacro *macro = &g_array_index(member->set_macros, MmOwnMacro, i);

        if (scope == MM_STOPPED_SESSION || macro->step > MILTER_STEP_HELO)
            g_array_remove_index(member->set_macros, i);
        else
            i++;
    }
}

void
mm_condition_forget_reading(MmMember *member)
{
    if (member->question)
        mm_condition_cancel(member->relay, &member->question);
    g_clear_pointer(&member->unasked, g_byte_array_unref);
    member->is_approved = FALSE;
    member->n_approved = 0;
}

/* --- macros --- */

static void
clear_macro(gpointer data)
{
    MmOwnMacro *macro = data;

    g_free(macro->name);
    g_free(macro->value);
}

/* "{x}" is "x": how libmilter looks up names. */
static char *
spell(const char *name)
{
    gsize size = strlen(name);

    if (size > 2 && name[0] == '{' && name[size - 1] == '}') {
        name++;
        size -= 2;
    }
    return size == 1 ? g_strndup(name, 1) : g_strdup_printf("{%.*s}", (int)size, name);
}

/* libmilter passes over the macros of headers and of body chunks: what is set there goes with
 * those of EOH, which it takes at any time.  Before version 4 there are none of EOH. */
guint8
mm_condition_late_command(const MmMember *member)
{
    return member->peer && milter_peer_option(member->peer)->version >= 4 ? SMFIC_EOH : SMFIC_RCPT;
}

/* Whether no macros of its own command will bring it to the child. */
static gboolean
is_late(const MmMember *member, MilterStep step)
{
    if (step == MILTER_STEP_HEADER || step == MILTER_STEP_BODY)
        return TRUE;
    /* What is decided at DATA may have to be decided without one. */
    return step == MILTER_STEP_DATA &&
           (member->relay->step != MILTER_STEP_DATA ||
            (member->peer && milter_peer_option(member->peer)->version < 4));
}

static gboolean
goes_with(const MmMember *member, const MmOwnMacro *macro, guint8 command)
{
    return milter_step_command(macro->step) == command ||
           (macro->is_late && command == mm_condition_late_command(member));
}

void
mm_condition_set_macro(MmMember *member, MilterStep step, const MmSetMacro *set)
{
    MmOwnMacro macro = { .step = step, .name = spell(set->name), .value = g_strdup(set->value) };

    macro.is_late = is_late(member, step);
    member->has_late_macros |= macro.is_late;
    member->sent_field_macros &= step != MILTER_STEP_HEADER;
    member->sent_chunk_macros &= step != MILTER_STEP_BODY;

    if (!member->set_macros) {
        member->set_macros = g_array_new(FALSE, FALSE, sizeof(MmOwnMacro));
        g_array_set_clear_func(member->set_macros, clear_macro);
    }
    for (guint i = 0; i < member->set_macros->len; i++) {
        MmOwnMacro *old = &g_array_index(member->set_macros, MmOwnMacro, i);

        if (strcmp(old->name, macro.name) == 0 && old->step == step) {
            clear_macro(old);
            *old = macro;
            return;
        }
    }
    g_array_append_val(member->set_macros, macro);
}

gboolean
mm_condition_has_macros(const MmMember *member, guint8 command)
{
    for (guint i = 0; member->set_macros && i < member->set_macros->len; i++)
        if (goes_with(member, &g_array_index(member->set_macros, MmOwnMacro, i), command))
            return TRUE;
    return FALSE;
}

/* The newest value that a condition set under this name. */
static const char *
own_value(const MmMember *member, const char *name)
{
    g_autofree char *spelled = spell(name);

    for (guint i = member->set_macros->len; i > 0; i--) {
        const MmOwnMacro *macro = &g_array_index(member->set_macros, MmOwnMacro, i - 1);

        if (strcmp(macro->name, spelled) == 0)
            return macro->value;
    }
    return NULL;
}

void
mm_condition_merge_macros(const MmMember *member, guint8 command, MilterBuffer *packet,
                          MilterBuffer *out)
{
    g_autoptr(GByteArray) payload = g_byte_array_new();
    g_autoptr(GHashTable) done = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const char *at = (const char *)milter_buffer_bytes(packet);
    const char *end = at ? at + milter_buffer_size(packet) : NULL;

    g_byte_array_append(payload, &command, 1);
    /* Behind the packet's head, which is length, 'D' and the command. */
    for (at = at ? at + 6 : NULL; at && at < end;) {
        const char *name = at, *value = name + strlen(name) + 1;
        const char *own = own_value(member, name);

        at = value + strlen(value) + 1;
        g_hash_table_add(done, spell(name));
        value = own ? own : value;
        g_byte_array_append(payload, (const guint8 *)name, strlen(name) + 1);
        g_byte_array_append(payload, (const guint8 *)value, strlen(value) + 1);
    }
    for (guint i = 0; i < member->set_macros->len; i++) {
        const MmOwnMacro *macro = &g_array_index(member->set_macros, MmOwnMacro, i);

        if (!goes_with(member, macro, command) ||
            !g_hash_table_add(done, g_strdup(macro->name)))
            continue;
        g_byte_array_append(payload, (const guint8 *)macro->name, strlen(macro->name) + 1);
        g_byte_array_append(payload, (const guint8 *)macro->value, strlen(macro->value) + 1);
    }
    milter_buffer_append_packet(out, SMFIC_MACRO, payload->data, payload->len);
}
