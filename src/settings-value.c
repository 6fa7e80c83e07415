/* settings-value.c - see settings-value.h */
#include "config.h"
#include "src/settings-value.h"

#include <math.h>
#include <string.h>

#include "src/logfile.h"

GVariant *
mm_value_nil(void)
{
    return g_variant_new_tuple(NULL, 0);
}

gboolean
mm_value_is_nil(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE_UNIT);
}

static gboolean
number_of(GVariant *value, double *number)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE))
        *number = g_variant_get_double(value);
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64))
        *number = (double)g_variant_get_int64(value);
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT32))
        *number = g_variant_get_int32(value);
    else
        return FALSE;
    return isfinite(*number);
}

static gboolean
is_text(GVariant *value)
{
    return g_variant_is_of_type(value, G_VARIANT_TYPE_STRING);
}

/* Errors */

/* "ITEM: VALUE is not WHAT"; FALSE. */
static gboolean
refuse(const MmItem *item, GVariant *value, GError **error, const char *what)
{
    g_autofree char *literal = mm_value_literal(value, item->type);

    g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE, "%s.%s: %s is not %s%s",
                mm_scope_name(item->scope), item->name, literal, what,
                item->takes_nil ? ", or nil" : "");
    return FALSE;
}

/* The allowed range in words: "a number (0 to 1000)". */
static gboolean
refuse_number(const MmItem *item, GVariant *value, GError **error, const char *kind)
{
    char min[G_ASCII_DTOSTR_BUF_SIZE], max[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *what = g_strdup_printf("a %s (%s to %s%s%s)", kind,
                                            g_ascii_formatd(min, sizeof(min), "%.12g", item->min),
                                            g_ascii_formatd(max, sizeof(max), "%.15g", item->max),
                                            item->unit ? " " : "", item->unit ? item->unit : "");

    return refuse(item, value, error, what);
}

/* Storing, one function a kind of value */

static gboolean
take_number(const MmItem *item, GVariant *value, gboolean whole, double *number, GError **error)
{
    double n;

    if (!number_of(value, &n) || (whole && n != floor(n)) || n < item->min || n > item->max)
        return refuse_number(item, value, error, whole ? "whole number" : "number");
    *number = n;
    return TRUE;
}

static gboolean
take_mode(const MmItem *item, GVariant *value, guint *mode, GError **error)
{
    double number;

    if (is_text(value)) {
        const char *digits = g_variant_get_string(value, NULL);
        guint64 n;

        if (!g_ascii_string_to_unsigned(digits, 8, 0, 07777, &n, NULL))
            return refuse(item, value, error, "a permission mode such as 0660");
        *mode = (guint)n;
        return TRUE;
    }
    if (!number_of(value, &number) || number != floor(number) || number < 0 || number > 07777)
        return refuse(item, value, error, "a permission mode such as 0660");
    *mode = (guint)number;
    return TRUE;
}

static void
take_text(char **field, char *text)
{
    g_free(*field);
    *field = text;
}

static gboolean
take_string(const MmItem *item, GVariant *value, char **field, GError **error)
{
    const char *text;

    if (!is_text(value))
        return refuse(item, value, error, "a string");
    text = g_variant_get_string(value, NULL);
    if (*text == '\0' && item->type != MM_TYPE_STRING)
        return refuse(item, value, error, "a name");
    if (item->type == MM_TYPE_PATH && strcmp(text, "-") != 0)
        take_text(field, g_canonicalize_filename(text, NULL));
    else
        take_text(field, g_strdup(text));
    return TRUE;
}

static gboolean
take_spec(const MmItem *item, GVariant *value, char **field, GError **error)
{
    const char *text;

    if (!is_text(value))
        return refuse(item, value, error, "a connection spec such as \"inet:10025@127.0.0.1\"");
    text = g_variant_get_string(value, NULL);
    if (!g_str_has_prefix(text, "unix:") && !g_str_has_prefix(text, "local:") &&
        !g_str_has_prefix(text, "inet:") && !g_str_has_prefix(text, "inet6:") && *text != '/')
        return refuse(item, value, error, "unix:PATH, inet:PORT@HOST or inet6:PORT@HOST");
    take_text(field, g_strdup(text));
    return TRUE;
}

static gboolean
take_fallback(const MmItem *item, GVariant *value, MilterFallback *field, GError **error)
{
    MilterFallback fallback;
    gboolean may_quarantine = item->scope == MM_SCOPE_CHILD;

    if (!is_text(value) ||
        !milter_fallback_from_name(g_variant_get_string(value, NULL), &fallback) ||
        (fallback == MILTER_FALLBACK_QUARANTINE && !may_quarantine)) {
        return refuse(item, value, error,
                      may_quarantine
                          ? "one of accept, temporary-failure, reject, discard, quarantine"
                          : "one of accept, temporary-failure, reject, discard");
    }
    *field = fallback;
    return TRUE;
}

static gboolean
take_mta(const MmItem *item, GVariant *value, MmMta *field, GError **error)
{
    for (MmMta mta = 0; is_text(value) && mta < MM_N_MTAS; mta++) {
        if (strcmp(g_variant_get_string(value, NULL), mm_mta_name(mta)) == 0) {
            *field = mta;
            return TRUE;
        }
    }
    return refuse(item, value, error, "\"postfix\" or \"sendmail\"");
}

static const struct {
    const char *name;
    gsize offset;
} timeout_fields[] = {
    { "negotiation", G_STRUCT_OFFSET(MmMtaTimeouts, negotiation) },
    { "command", G_STRUCT_OFFSET(MmMtaTimeouts, command) },
    { "content", G_STRUCT_OFFSET(MmMtaTimeouts, content) },
    { "eom", G_STRUCT_OFFSET(MmMtaTimeouts, eom) },
};

/* The timeouts of one MTA: "command" => 30, … */
static gboolean
take_timeouts_of(const MmItem *item, GVariant *value, MmMtaTimeouts *timeouts, GError **error)
{
    GVariantIter iter;
    const char *key;
    GVariant *inner;

    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        return refuse(item, value, error, "a hash such as { \"command\" => 30 }");
    g_variant_iter_init(&iter, value);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &inner)) {
        g_autoptr(GVariant) seconds = inner;
        guint i = 0;

        while (i < G_N_ELEMENTS(timeout_fields) && strcmp(timeout_fields[i].name, key) != 0)
            i++;
        if (i == G_N_ELEMENTS(timeout_fields)) {
            g_autoptr(GVariant) name = g_variant_ref_sink(g_variant_new_string(key));

            return refuse(item, name, error, "one of negotiation, command, content, eom");
        }
        if (!take_number(item, seconds, FALSE,
                         G_STRUCT_MEMBER_P(timeouts, timeout_fields[i].offset), error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
take_timeouts(const MmItem *item, GVariant *value, MmMtaTimeouts *field, GError **error)
{
    MmMtaTimeouts all[MM_N_MTAS];
    GVariantIter iter;
    const char *key;
    GVariant *inner;

    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        return refuse(item, value, error,
                      "a hash such as { \"sendmail\" => { \"command\" => 10 } }");
    memcpy(all, field, sizeof(all));
    g_variant_iter_init(&iter, value);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &inner)) {
        g_autoptr(GVariant) timeouts = inner;
        g_autoptr(GVariant) name = g_variant_ref_sink(g_variant_new_string(key));
        MmMta mta;

        if (!take_mta(item, name, &mta, error) ||
            !take_timeouts_of(item, timeouts, &all[mta], error))
            return FALSE;
    }
    memcpy(field, all, sizeof(all));
    return TRUE;
}

static gboolean
take_levels(const MmItem *item, GVariant *value, char **field, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    guint levels;

    if (!is_text(value))
        return refuse(item, value, error, "a string such as \"default|debug\"");
    if (!mm_log_levels_parse(g_variant_get_string(value, NULL), &levels, &wrong))
        return refuse(item, value, error, wrong->message);
    take_text(field, g_variant_dup_string(value, NULL));
    return TRUE;
}

static gboolean
take_facility(const MmItem *item, GVariant *value, char **field, GError **error)
{
    int facility;

    if (!is_text(value) || !mm_log_facility_parse(g_variant_get_string(value, NULL), &facility))
        return refuse(item, value, error,
                      "one of authpriv, cron, daemon, kern, local0 … local7, lpr, mail, news, "
                      "user, uucp");
    take_text(field, g_variant_dup_string(value, NULL));
    return TRUE;
}

/* A string, or an array of strings that is joined: quoted for a shell, or as it is. */
static gboolean
take_words(const MmItem *item, GVariant *value, char **field, GError **error)
{
    gboolean is_command = item->type == MM_TYPE_COMMAND;

    if (is_text(value)) {
        take_text(field, g_variant_dup_string(value, NULL));
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY)) {
        g_auto(GStrv) words = g_variant_dup_strv(value, NULL);

        for (char **word = words; is_command && *word; word++)
            take_text(word, g_shell_quote(*word));
        take_text(field, g_strjoinv(" ", words));
    } else {
        return refuse(item, value, error, "a string or an array of strings");
    }
    return TRUE;
}

static gboolean
take_names(const MmItem *item, GVariant *value, char ***field, GError **error)
{
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_STRING_ARRAY))
        return refuse(item, value, error, "an array of names");
    g_strfreev(*field);
    *field = g_variant_n_children(value) > 0 ? g_variant_dup_strv(value, NULL) : NULL;
    return TRUE;
}

static gboolean
take_choice(const MmItem *item, GVariant *value, char **field, GError **error)
{
    g_auto(GStrv) words = g_strsplit(item->unit, "|", -1);
    g_autofree char *all = g_strjoinv("\" or \"", words);
    g_autofree char *allowed = g_strdup_printf("\"%s\"", all);

    if (!is_text(value) || !g_strv_contains((const char *const *)words,
                                            g_variant_get_string(value, NULL)))
        return refuse(item, value, error, allowed);
    take_text(field, g_variant_dup_string(value, NULL));
    return TRUE;
}

static gboolean
is_option(const char *name, gsize size)
{
    for (gsize i = 0; i < size; i++) {
        if (!g_ascii_isalnum(name[i]) && !strchr("_.-", name[i]))
            return FALSE;
    }
    return size > 0;
}

/* "name=value,…": what is in a hash as a string. */
static char *
join_options(GVariant *value)
{
    GString *text = g_string_new(NULL);
    GVariantIter iter;
    const char *name;
    GVariant *inner;

    g_variant_iter_init(&iter, value);
    while (g_variant_iter_loop(&iter, "{&sv}", &name, &inner)) {
        /* A "," in a value would begin another option. */
        if (!is_text(inner) || strchr(g_variant_get_string(inner, NULL), ',')) {
            g_variant_unref(inner);
            g_string_free(text, TRUE);
            return NULL;
        }
        g_string_append_printf(text, "%s%s=%s", text->len ? "," : "", name,
                               g_variant_get_string(inner, NULL));
    }
    return g_string_free(text, FALSE);
}

static gboolean
take_options(const MmItem *item, GVariant *value, char **field, GError **error)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) options = NULL;

    if (is_text(value))
        text = g_variant_dup_string(value, NULL);
    else if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        text = join_options(value);
    options = g_strsplit(text ? text : "", ",", -1);
    for (char **option = options; *option; option++) {
        const char *equals = strchr(*option, '=');

        if (!equals || !is_option(*option, (gsize)(equals - *option)))
            g_clear_pointer(&text, g_free);
    }
    if (!text)
        return refuse(item, value, error,
                      "\"name=value,…\" or a hash such as { \"prefix\" => \"/usr/pkg/etc\" }");
    take_text(field, g_steal_pointer(&text));
    return TRUE;
}

static gboolean
take_hash(const MmItem *item, GVariant *value, GVariant **field, GError **error)
{
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT))
        return refuse(item, value, error, "a hash such as { \"encoding\" => \"utf8mb4\" }");
    g_clear_pointer(field, g_variant_unref);
    *field = g_variant_ref(value);
    return TRUE;
}

gboolean
mm_value_store(const MmItem *item, gpointer field, GVariant *value, GError **error)
{
    double number;

    switch (item->type) {
    case MM_TYPE_BOOL:
        if (!g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN))
            return refuse(item, value, error, "true or false");
        *(gboolean *)field = g_variant_get_boolean(value);
        return TRUE;
    case MM_TYPE_UINT:
    case MM_TYPE_WHOLE_SECONDS:
        if (!take_number(item, value, TRUE, &number, error))
            return FALSE;
        *(guint *)field = (guint)number;
        return TRUE;
    case MM_TYPE_SIZE:
        if (!take_number(item, value, TRUE, &number, error))
            return FALSE;
        *(guint64 *)field = (guint64)number;
        return TRUE;
    case MM_TYPE_SECONDS:
        return take_number(item, value, FALSE, field, error);
    case MM_TYPE_MODE:
        return take_mode(item, value, field, error);
    case MM_TYPE_STRING:
    case MM_TYPE_SECRET:
    case MM_TYPE_PATH:
        return take_string(item, value, field, error);
    case MM_TYPE_SPEC:
        return take_spec(item, value, field, error);
    case MM_TYPE_FALLBACK:
        return take_fallback(item, value, field, error);
    case MM_TYPE_MTA:
        return take_mta(item, value, field, error);
    case MM_TYPE_TIMEOUTS:
        return take_timeouts(item, value, field, error);
    case MM_TYPE_LOG_LEVELS:
        return take_levels(item, value, field, error);
    case MM_TYPE_FACILITY:
        return take_facility(item, value, field, error);
    case MM_TYPE_WORDS:
    case MM_TYPE_COMMAND:
        return take_words(item, value, field, error);
    case MM_TYPE_NAMES:
        return take_names(item, value, field, error);
    case MM_TYPE_CHOICE:
        return take_choice(item, value, field, error);
    case MM_TYPE_OPTIONS:
        return take_options(item, value, field, error);
    case MM_TYPE_HASH:
        return take_hash(item, value, field, error);
    }
    g_assert_not_reached();
}

GVariant *
mm_value_of_timeouts(const MmMtaTimeouts *timeouts)
{
    GVariantBuilder all;

    g_variant_builder_init(&all, G_VARIANT_TYPE_VARDICT);
    for (MmMta mta = 0; mta < MM_N_MTAS; mta++) {
        GVariantBuilder one;

        g_variant_builder_init(&one, G_VARIANT_TYPE_VARDICT);
        for (guint i = 0; i < G_N_ELEMENTS(timeout_fields); i++) {
            double seconds = G_STRUCT_MEMBER(double, &timeouts[mta], timeout_fields[i].offset);

            g_variant_builder_add(&one, "{sv}", timeout_fields[i].name,
                                  g_variant_new_double(seconds));
        }
        g_variant_builder_add(&all, "{sv}", mm_mta_name(mta), g_variant_builder_end(&one));
    }
    return g_variant_builder_end(&all);
}
