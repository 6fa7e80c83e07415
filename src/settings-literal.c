/* settings-literal.c - see settings-table.h: values as Ruby */
#include "config.h"
#include "src/settings-table.h"

#include <math.h>
#include <string.h>

static void
append_text(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (const char *p = text; *p; p++) {
        guchar c = (guchar)*p;

        if (c == '\n')
            g_string_append(out, "\\n");
        else if (c == '\t')
            g_string_append(out, "\\t");
        else if (c < 0x20 || c == 0x7f)
            g_string_append_printf(out, "\\x%02X", c);
        else if (c == '"' || c == '\\' || (c == '#' && strchr("{$@", p[1]) && p[1]))
            g_string_append_printf(out, "\\%c", c);
        else
            g_string_append_c(out, *p);
    }
    g_string_append_c(out, '"');
}

static void
append_number(GString *out, double number)
{
    char digits[G_ASCII_DTOSTR_BUF_SIZE];

    g_ascii_dtostr(digits, sizeof(digits), number);
    g_string_append(out, digits);
    if (isfinite(number) && !strpbrk(digits, ".e"))
        g_string_append(out, ".0");
}

/* Whether what goes by this name is a password or the like. */
static gboolean
is_secret(const char *key)
{
    static const char *const words[] = { "password", "passwd", "passphrase", "secret", "token" };
    g_autofree char *name = g_ascii_strdown(key, -1);

    for (guint i = 0; i < G_N_ELEMENTS(words); i++)
        if (strstr(name, words[i]))
            return TRUE;
    return FALSE;
}

/* The text without the password of a URL. */
static void
append_url(GString *out, const char *text)
{
    static GRegex *in_url;
    g_autofree char *hidden = NULL;

    if (!in_url)
        in_url = g_regex_new("(//[^:/@\\s]*):[^/@\\s]*@", G_REGEX_RAW, 0, NULL);
    hidden = g_regex_replace(in_url, text, -1, 0, "\\1:***@", 0, NULL);
    append_text(out, hidden ? hidden : "***");
}

static void append_literal(GString *out, GVariant *value, MmType type);

static void
append_integer(GString *out, gint64 number, MmType type)
{
    g_string_append_printf(
        out, type == MM_TYPE_MODE ? "0%" G_GINT64_MODIFIER "o" : "%" G_GINT64_FORMAT, number);
}

static void
append_hash(GString *out, GVariant *value, MmType type)
{
    GVariantIter iter;
    const char *key, *separator = "{ ";
    GVariant *inner;

    g_variant_iter_init(&iter, value);
    while (g_variant_iter_loop(&iter, "{&sv}", &key, &inner)) {
        g_string_append(out, separator);
        append_text(out, key);
        g_string_append(out, " => ");
        if (type == MM_TYPE_HASH && is_secret(key) && !mm_value_is_nil(inner))
            append_text(out, "***");
        else
            append_literal(out, inner, type);
        separator = ", ";
    }
    g_string_append(out, *separator == '{' ? "{}" : " }");
}

static void
append_array(GString *out, GVariant *value, MmType type)
{
    g_string_append_c(out, '[');
    for (gsize i = 0; i < g_variant_n_children(value); i++) {
        g_autoptr(GVariant) inner = g_variant_get_child_value(value, i);

        g_string_append(out, i > 0 ? ", " : "");
        append_literal(out, inner, type);
    }
    g_string_append_c(out, ']');
}

static void
append_literal(GString *out, GVariant *value, MmType type)
{
    if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
        g_autoptr(GVariant) inner = g_variant_get_variant(value);

        append_literal(out, inner, type);
    } else if (mm_value_is_nil(value)) {
        g_string_append(out, "nil");
    } else if (type == MM_TYPE_SECRET) {
        append_text(out, "***");
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_BOOLEAN)) {
        g_string_append(out, g_variant_get_boolean(value) ? "true" : "false");
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_STRING)) {
        if (type == MM_TYPE_HASH)
            append_url(out, g_variant_get_string(value, NULL));
        else
            append_text(out, g_variant_get_string(value, NULL));
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_DOUBLE)) {
        append_number(out, g_variant_get_double(value));
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT64)) {
        append_integer(out, g_variant_get_int64(value), type);
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_INT32)) {
        append_integer(out, g_variant_get_int32(value), type);
    } else if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARDICT)) {
        append_hash(out, value, type);
    } else {
        append_array(out, value, type);
    }
}

char *
mm_value_literal(GVariant *value, MmType type)
{
    GString *out = g_string_new(NULL);

    append_literal(out, value, type);
    return g_string_free(out, FALSE);
}

char *
mm_origin_text(const char *origin)
{
    char *text = g_strdup(origin ? origin : "default");

    /* A comment ends with the line: names of files may hold anything. */
    for (char *c = text; *c; c++) {
        if (g_ascii_iscntrl(*c))
            *c = '?';
    }
    return text;
}

char *
mm_item_text(const MmItem *item, gconstpointer target, gboolean with_secrets)
{
    g_autoptr(GVariant) value = mm_item_get(item, target);
    /* What may hold a secret hides it, other types do not. */
    gboolean hides = item->type == MM_TYPE_SECRET || item->type == MM_TYPE_HASH;
    MmType type = hides && with_secrets ? MM_TYPE_STRING : item->type;
    g_autofree char *literal = mm_value_literal(value, type);
    g_autofree char *origin = mm_origin_text(mm_item_origin(item, target));

    return g_strdup_printf("%s.%s = %s # %s", mm_scope_name(item->scope), item->name, literal,
                           origin);
}
