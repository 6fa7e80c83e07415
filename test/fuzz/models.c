/* models.c - see models.h */
#include "config.h"
#include "test/fuzz/models.h"

#include <string.h>

#include "libmilter-core/protocol.h"

/* Sendmail's own fields, before those of the message (H lines of sendmail.cf). */
static const char *const sendmail_own[] = {
    "Return-Path", "Received",  "Resent-Date",       "Date",       "Resent-From",
    "From",        "Full-Name", "Resent-Message-Id", "Message-Id",
};

static gboolean
is_trace(const char *name)
{
    return g_ascii_strcasecmp(name, "received") == 0 || g_ascii_strcasecmp(name, "via") == 0 ||
           g_ascii_strcasecmp(name, "mail-from") == 0 ||
           g_ascii_strcasecmp(name, "x400-received") == 0;
}

/* Postfix' cleanup_out_header(): a line that follows without blank gets a tab. */
static char *
written(const Model *model, const char *value, gboolean leading_space)
{
    GString *out = g_string_new(leading_space ? "" : " ");

    for (; *value; value++) {
        g_string_append_c(out, *value);
        if (!model->is_sendmail && value[0] == '\n' && value[1] && value[1] != ' ' &&
            value[1] != '\t')
            g_string_append_c(out, '\t');
    }
    return g_string_free(out, FALSE);
}

static void
put(Model *model, guint at, const char *name, char *value, gboolean is_user)
{
    g_assert_cmpuint(model->n, <, MODEL_FIELDS_MAX);
    memmove(&model->fields[at + 1], &model->fields[at], (model->n - at) * sizeof(model->fields[0]));
    model->fields[at] = (ModelField){ g_strdup(name), value, is_user, is_trace(name) };
    model->n++;
}

static void
take(Model *model, guint at)
{
    g_free(model->fields[at].name);
    g_free(model->fields[at].value);
    model->n--;
    memmove(&model->fields[at], &model->fields[at + 1], (model->n - at) * sizeof(model->fields[0]));
}

void
model_init(Model *model, gboolean is_sendmail)
{
    model->is_sendmail = is_sendmail;
    model->n = 0;
    if (!is_sendmail)
        put(model, 0, "Received", g_strdup(" by us"), FALSE);
    for (guint i = 0; is_sendmail && i < G_N_ELEMENTS(sendmail_own); i++)
        put(model, i, sendmail_own[i], g_strdup(" default"), FALSE);
}

void
model_clear(Model *model)
{
    while (model->n)
        take(model, model->n - 1);
}

void
model_arrive(Model *model, const char *name, const char *value)
{
    for (guint i = 0; model->is_sendmail && i < model->n; i++)
        if (!model->fields[i].is_user && !model->fields[i].is_trace &&
            g_ascii_strcasecmp(model->fields[i].name, name) == 0)
            g_clear_pointer(&model->fields[i].value, g_free);
    put(model, model->n, name, g_strdup(value), TRUE);
}

void
model_show_begin(Model *model)
{
    for (guint i = 0; model->is_sendmail && i < model->n; i++)
        if (!model->fields[i].value)
            model->fields[i].is_user = FALSE;
}

const char *
model_shown(const Model *model, guint i, gboolean leading_space)
{
    const ModelField *field = &model->fields[i];

    if (!field->value || !field->is_user)
        return NULL;
    return leading_space || field->value[0] != ' ' ? field->value : field->value + 1;
}

static gboolean
has_name(const Model *model, guint i, const char *name)
{
    return g_ascii_strcasecmp(model->fields[i].name, name) == 0;
}

/* --- Postfix --- */

static void
postfix_change(Model *model, gint64 index, const char *name, char *value)
{
    for (guint i = 0; i < model->n; i++) {
        if (!model->fields[i].is_user || !has_name(model, i, name) || --index > 0)
            continue;
        take(model, i);
        if (value)
            put(model, i, name, value, TRUE);
        return;
    }
    if (value)
        put(model, model->n, name, value, TRUE);
}

static void
postfix_edit(Model *model, guint8 reply, guint32 index, const char *name, char *value)
{
    if (reply == SMFIR_ADDHEADER)
        put(model, model->n, name, value, TRUE);
    else if (reply == SMFIR_INSHEADER)
        put(model, MIN(index, model->n), name, value, TRUE);
    else
        postfix_change(model, index ? index : 1, name, value);
}

/* --- Sendmail --- */

static void
sendmail_addheader(Model *model, const char *name, char *value)
{
    guint at = 0;

    while (at < model->n && !has_name(model, at, name))
        at++;
    put(model, at, name, value, TRUE);
}

static void
fill(Model *model, guint at, char *value)
{
    g_free(model->fields[at].value);
    model->fields[at].value = value;
    if (value)
        model->fields[at].is_user = TRUE;
}

static void
sendmail_add(Model *model, const char *name, char *value)
{
    for (guint i = 0; i < model->n; i++)
        if (has_name(model, i, name) && !model->fields[i].is_user && !model->fields[i].is_trace) {
            fill(model, i, value);
            return;
        }
    sendmail_addheader(model, name, value);
}

/* insheader(): behind the field at the index, at the end when there is none. */
static void
sendmail_insert(Model *model, gint32 index, const char *name, char *value)
{
    guint at = 0;

    while (at < model->n && index > 0) {
        at++;
        index--;
    }
    put(model, at == model->n ? at : at + 1, name, value, TRUE);
}

static void
sendmail_change(Model *model, gint32 index, const char *name, char *value)
{
    int system = -1;

    for (guint i = 0; i < model->n; i++) {
        if (!has_name(model, i, name))
            continue;
        if (model->fields[i].is_user && --index <= 0) {
            fill(model, i, value);
            return;
        }
        if (!model->fields[i].is_user && !model->fields[i].is_trace)
            system = (int)i;
    }
    if (system >= 0)
        fill(model, (guint)system, value);
    else if (value)
        sendmail_addheader(model, name, value);
}

void
model_edit(Model *model, guint8 reply, guint32 index, const char *name, const char *value,
           gboolean leading_space)
{
    gboolean is_deletion = reply == SMFIR_CHGHEADER && !*value;
    char *text = is_deletion ? NULL : written(model, value, leading_space);

    if (!model->is_sendmail)
        postfix_edit(model, reply, index, name, text);
    else if (reply == SMFIR_ADDHEADER)
        sendmail_add(model, name, text);
    else if (reply == SMFIR_INSHEADER)
        sendmail_insert(model, (gint32)index, name, text);
    else
        sendmail_change(model, (gint32)index, name, text);
}
