/* action.c - what the actions of a script do */
#include "action.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "test/support/step-names.h"
#include "wire.h"

#define MOST_LINES 32 /* what smfi_setmlreply takes */

static const struct {
    const char *name;
    sfsistat status;
} replies[] = {
    { "continue", SMFIS_CONTINUE }, { "accept", SMFIS_ACCEPT },   { "reject", SMFIS_REJECT },
    { "tempfail", SMFIS_TEMPFAIL }, { "discard", SMFIS_DISCARD }, { "skip", SMFIS_SKIP },
    { "noreply", SMFIS_NOREPLY },   { "all", SMFIS_ALL_OPTS },
};

static void
die(const Rule *rule)
{
    fprintf(stderr, "scripted: cannot do \"%s\" at %s\n", rule->action, rule->step);
    exit(2);
}

static gboolean
find_reply(const char *name, sfsistat *status)
{
    for (guint i = 0; i < G_N_ELEMENTS(replies); i++) {
        if (strcmp(name, replies[i].name) == 0) {
            *status = replies[i].status;
            return TRUE;
        }
    }
    return FALSE;
}

/* setreply CODE [XCODE [LINE...]]; an XCODE of "-" is none. */
static int
set_reply(SMFICTX *ctx, const Rule *rule)
{
    const char *code = rule_text(rule, 0);
    const char *xcode = rule_text(rule, 1);
    char *l[MOST_LINES] = { NULL };
    guint lines = rule->args->len > 2 ? MIN(rule->args->len - 2, MOST_LINES) : 0;

    if (*xcode == '\0' || strcmp(xcode, "-") == 0)
        xcode = NULL;
    for (guint i = 0; i < lines; i++)
        l[i] = (char *)rule_text(rule, i + 2);
    if (lines <= 1)
        return smfi_setreply(ctx, (char *)code, (char *)xcode, l[0]);
    return smfi_setmlreply(ctx, code, xcode, l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7], l[8],
                           l[9], l[10], l[11], l[12], l[13], l[14], l[15], l[16], l[17], l[18],
                           l[19], l[20], l[21], l[22], l[23], l[24], l[25], l[26], l[27], l[28],
                           l[29], l[30], l[31], NULL);
}

/* replacebody BYTES [TIMES]: one call of smfi_replacebody with the bytes repeated. */
static int
replace_body(SMFICTX *ctx, const Rule *rule)
{
    const GString *bytes = rule->args->len > 0 ? g_ptr_array_index(rule->args, 0) : NULL;
    guint times = rule->args->len > 1 ? rule_number(rule, 1) : 1;
    GString *body = g_string_new(NULL);
    int result;

    for (guint i = 0; bytes != NULL && i < times; i++)
        g_string_append_len(body, bytes->str, (gssize)bytes->len);
    result = smfi_replacebody(ctx, (unsigned char *)body->str, (int)body->len);
    g_string_free(body, TRUE);
    return result;
}

/* An argument that may be missing: smfi_* take NULL for it. */
static char *
optional(const Rule *rule, guint i)
{
    return i < rule->args->len ? (char *)rule_text(rule, i) : NULL;
}

/* Carry out an edit; FALSE when the action is none. */
static gboolean
edit(SMFICTX *ctx, const Rule *rule, int *result)
{
    const char *action = rule->action;
    char *first = (char *)rule_text(rule, 0);
    char *second = (char *)rule_text(rule, 1);

    if (strcmp(action, "addheader") == 0)
        *result = smfi_addheader(ctx, first, second);
    else if (strcmp(action, "insheader") == 0)
        *result =
            smfi_insheader(ctx, (int)rule_number(rule, 0), second, (char *)rule_text(rule, 2));
    else if (strcmp(action, "chgheader") == 0)
        *result = smfi_chgheader(ctx, first, (int)rule_number(rule, 1), optional(rule, 2));
    else if (strcmp(action, "replacebody") == 0)
        *result = replace_body(ctx, rule);
    else if (strcmp(action, "addrcpt") == 0)
        *result = smfi_addrcpt(ctx, first);
    else if (strcmp(action, "addrcpt_par") == 0)
        *result = smfi_addrcpt_par(ctx, first, optional(rule, 1));
    else if (strcmp(action, "delrcpt") == 0)
        *result = smfi_delrcpt(ctx, first);
    else if (strcmp(action, "chgfrom") == 0)
        *result = smfi_chgfrom(ctx, first, optional(rule, 1));
    else if (strcmp(action, "quarantine") == 0)
        *result = smfi_quarantine(ctx, first);
    else if (strcmp(action, "progress") == 0)
        *result = smfi_progress(ctx);
    else if (strcmp(action, "setreply") == 0)
        *result = set_reply(ctx, rule);
    else
        return FALSE;
    return TRUE;
}

/* What libmilter does not offer; FALSE when the action is none of these. */
static gboolean
misbehave(const Rule *rule)
{
    if (strcmp(rule->action, "close") == 0)
        wire_close();
    else if (strcmp(rule->action, "exit") == 0)
        _exit(3);
    else if (strcmp(rule->action, "sleep") == 0)
        g_usleep((gulong)(g_ascii_strtod(rule_text(rule, 0), NULL) * G_USEC_PER_SEC));
    else if (strcmp(rule->action, "send") == 0 && rule->args->len > 0)
        wire_send(rule_text(rule, 0), ((GString *)g_ptr_array_index(rule->args, 0))->len);
    else if (strcmp(rule->action, "dropreply") == 0)
        wire_drop_reply();
    else
        return FALSE;
    return TRUE;
}

/* "reply CODE XCODE LINE..." is setreply and the status that fits. */
static gboolean
final_reply(SMFICTX *ctx, const Rule *rule, sfsistat *status)
{
    if (strcmp(rule->action, "reply") != 0)
        return find_reply(rule->action, status);
    if (set_reply(ctx, rule) != MI_SUCCESS)
        die(rule);
    *status = rule_text(rule, 0)[0] == '4' ? SMFIS_TEMPFAIL : SMFIS_REJECT;
    return TRUE;
}

sfsistat
action_play(SMFICTX *ctx, const Script *script, Record *record, const char *step, guint msg,
            guint nth, const char *arg)
{
    const Rule *rule;
    guint position = 0;
    sfsistat status = SMFIS_CONTINUE;
    int result;

    while ((rule = script_next(script, &position, step, msg, nth, arg)) != NULL) {
        if (edit(ctx, rule, &result)) {
            if (result != MI_SUCCESS)
                record_line(record, "  %s failed", rule->action);
        } else if (misbehave(rule)) {
            continue;
        } else if (final_reply(ctx, rule, &status)) {
            record_line(record, "  -> %s", rule->action);
            return status;
        } else {
            die(rule);
        }
    }
    return SMFIS_CONTINUE;
}

static unsigned long
bits_of(const Rule *rule)
{
    unsigned long bits = 0;

    for (guint i = 0; i < rule->args->len; i++) {
        const Name *step = step_names;

        while (step->name && strcmp(step->name, rule_text(rule, i)) != 0)
            step++;
        bits |= step->name ? step->value : rule_number(rule, i);
    }
    return bits;
}

void
action_negotiate(SMFICTX *ctx, const Script *script, Record *record, Negotiation *asked)
{
    const Rule *rule;
    guint position = 0;

    while ((rule = script_next(script, &position, "negotiate", 0, 1, NULL)) != NULL) {
        if (strcmp(rule->action, "steps") == 0)
            asked->steps |= bits_of(rule);
        else if (strcmp(rule->action, "actions") == 0)
            asked->actions = rule_number(rule, 0);
        else if (strcmp(rule->action, "version") == 0)
            wire_set_version(rule_number(rule, 0));
        else if (strcmp(rule->action, "symlist") == 0) {
            if (smfi_setsymlist(ctx, (int)rule_number(rule, 0), (char *)rule_text(rule, 1)) !=
                MI_SUCCESS)
                record_line(record, "  symlist failed");
        } else if (!misbehave(rule) && !find_reply(rule->action, &asked->result))
            die(rule);
    }
}
