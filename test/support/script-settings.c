/* script-settings.c - the settings at the start of a transcript; see its README.md */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "libmilter-core/log.h"
#include "test/support/script-private.h"

typedef gboolean (*Setter)(Script *script, RigChild *child, const char *key, const char *value);

gboolean
script_fail(Script *script, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    if (script->message)
        return FALSE;
    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    script->message = g_strdup_printf("%s:%u: %s", script->path, script->line, what);
    return FALSE;
}

static gboolean
set_offer(Script *script, RigChild *child, const char *key, const char *value)
{
    MilterOption *option = child ? &child->option : &script->rig->offer;
    static const char *const stages[MILTER_N_STAGES] = {
        [MILTER_STAGE_CONNECT] = "macros.connect", [MILTER_STAGE_HELO] = "macros.helo",
        [MILTER_STAGE_MAIL] = "macros.mail",       [MILTER_STAGE_RCPT] = "macros.rcpt",
        [MILTER_STAGE_DATA] = "macros.data",       [MILTER_STAGE_EOM] = "macros.eom",
        [MILTER_STAGE_EOH] = "macros.eoh",
    };

    if (strcmp(key, "version") == 0) {
        option->version = (guint32)atoi(value);
        return TRUE;
    }
    if (strcmp(key, "actions") == 0)
        return packet_bits(value, FALSE, &option->actions);
    if (strcmp(key, "steps") == 0)
        return packet_bits(value, TRUE, &option->steps);
    for (guint i = 0; i < MILTER_N_STAGES; i++)
        if (strcmp(key, stages[i]) == 0) {
            g_free(option->macros[i]);
            option->macros[i] = g_strdup(value);
            return TRUE;
        }
    return FALSE;
}

/* "STEP:NAME=VALUE" */
static gboolean
set_macro_rule(RigChild *child, const char *value)
{
    const char *colon = strchr(value, ':'), *equals = colon ? strchr(colon, '=') : NULL;
    g_autofree char *name = NULL;

    if (!equals)
        return FALSE;
    name = g_strndup(colon + 1, (gsize)(equals - colon - 1));
    for (MilterStep step = 0; step < MILTER_N_STEPS; step++)
        if (g_str_has_prefix(value, milter_step_name(step)) &&
            strlen(milter_step_name(step)) == (gsize)(colon - value)) {
            rig_rule(child, step, NULL, MM_DECISION_APPLY, name, equals + 1);
            return TRUE;
        }
    return FALSE;
}

static gboolean
set_rule(RigChild *child, const char *key, const char *value)
{
    if (strcmp(key, "hides") == 0)
        rig_rule(child, MILTER_STEP_RCPT, value, MM_DECISION_STOP, NULL, NULL);
    else if (strcmp(key, "fails") == 0)
        rig_rule(child, MILTER_STEP_RCPT, value, MM_DECISION_TEMPFAIL, NULL, NULL);
    else
        return strcmp(key, "sets") == 0 && set_macro_rule(child, value);
    return TRUE;
}

static gboolean
set_child(Script *script, RigChild *child, const char *key, const char *value)
{
    MmChild *config = child->config;

    if (strcmp(key, "fallback") == 0)
        return milter_fallback_from_name(value, &config->fallback);
    if (strcmp(key, "evaluation") == 0)
        config->evaluation_mode = strcmp(value, "yes") == 0;
    else if (strcmp(key, "down") == 0)
        child->listen_fd = strcmp(value, "yes") == 0 ? -2 : -1;
    else if (strcmp(key, "disabled") == 0)
        config->enabled = strcmp(value, "yes") != 0;
    else if (strcmp(key, "connect_timeout") == 0)
        config->connection_timeout = g_ascii_strtod(value, NULL);
    else if (strcmp(key, "timeout") == 0)
        config->reading_timeout = g_ascii_strtod(value, NULL);
    else if (strcmp(key, "write_timeout") == 0)
        config->writing_timeout = g_ascii_strtod(value, NULL);
    else if (strcmp(key, "eom_timeout") == 0)
        config->end_of_message_timeout = g_ascii_strtod(value, NULL);
    else
        return set_rule(child, key, value) || set_offer(script, child, key, value);
    return TRUE;
}

static gboolean
set_manager(Script *script, RigChild *child, const char *key, const char *value)
{
    MmSettings *settings = &script->rig->settings;

    if (strcmp(key, "chunk_size") == 0)
        settings->chunk_size = (guint)atoi(value);
    else if (strcmp(key, "spool_memory_limit") == 0)
        settings->spool_memory_limit = g_ascii_strtoull(value, NULL, 10);
    else if (strcmp(key, "spool_limit") == 0)
        settings->spool_limit = g_ascii_strtoull(value, NULL, 10);
    else if (strcmp(key, "startup_grace") == 0)
        settings->startup_grace = g_ascii_strtod(value, NULL);
    else if (strcmp(key, "extra_macros") == 0)
        settings->extra_macros = g_strdup(value);
    else if (strcmp(key, "log") == 0)
        script->rig->log_levels |= strcmp(value, "info") == 0 ? MILTER_LOG_INFO : 0;
    else if (strcmp(key, "split_recipients") == 0)
        settings->split_recipients = strcmp(value, "yes") == 0;
    else if (strcmp(key, "rejected_recipients") == 0)
        settings->rejected_recipients = strcmp(value, "yes") == 0;
    else
        return FALSE;
    return TRUE;
}

static gboolean
set_timeout(Script *script, RigChild *child, const char *key, const char *value)
{
    MmMtaTimeouts *timeouts = &script->rig->settings.timeouts[script->rig->settings.mta];
    double seconds = g_ascii_strtod(value, NULL);

    if (strcmp(key, "negotiation") == 0)
        timeouts->negotiation = seconds;
    else if (strcmp(key, "command") == 0)
        timeouts->command = seconds;
    else if (strcmp(key, "content") == 0)
        timeouts->content = seconds;
    else if (strcmp(key, "eom") == 0)
        timeouts->eom = seconds;
    else
        return FALSE;
    return TRUE;
}

static gboolean
set_all(Script *script, RigChild *child, GString *const *words, guint n, Setter setter)
{
    for (guint i = 0; i < n; i++) {
        const char *equals = strchr(words[i]->str, '=');
        g_autofree char *key =
            equals ? g_strndup(words[i]->str, (gsize)(equals - words[i]->str)) : NULL;

        if (!equals || !setter(script, child, key, equals + 1))
            return script_fail(script, "setting \"%s\" is not known", words[i]->str);
    }
    return TRUE;
}

static gboolean
set_mta(Script *script, GString *const *words, guint n)
{
    if (n != 1)
        return script_fail(script, "mta: postfix or sendmail");
    script->rig->settings.mta =
        strcmp(words[0]->str, "sendmail") == 0 ? MM_MTA_SENDMAIL : MM_MTA_POSTFIX;
    return TRUE;
}

gboolean
script_run_setting(Script *script, GPtrArray *words, gboolean *is_setting)
{
    GString **all = (GString **)words->pdata;
    const char *first = all[0]->str;
    guint n = words->len;

    *is_setting = TRUE;
    if (strcmp(first, "mta:") == 0)
        return set_mta(script, all + 1, n - 1);
    if (strcmp(first, "offer:") == 0)
        return set_all(script, NULL, all + 1, n - 1, set_offer);
    if (strcmp(first, "manager:") == 0)
        return set_all(script, NULL, all + 1, n - 1, set_manager);
    if (strcmp(first, "timeouts:") == 0)
        return set_all(script, NULL, all + 1, n - 1, set_timeout);
    if (strcmp(first, "cuts:") == 0) {
        script->is_uncut = TRUE;
        return TRUE;
    }
    if (strcmp(first, "children:") == 0) {
        for (guint i = 1; i < n; i++)
            rig_add(script->rig, all[i]->str);
        return TRUE;
    }
    if (strcmp(first, "child") == 0 && n > 1 && g_str_has_suffix(all[1]->str, ":")) {
        g_autofree char *name = g_strndup(all[1]->str, all[1]->len - 1);
        RigChild *child = rig_child(script->rig, name);

        if (!child)
            return script_fail(script, "there is no child %s", name);
        return set_all(script, child, all + 2, n - 2, set_child);
    }
    *is_setting = FALSE;
    return TRUE;
}
