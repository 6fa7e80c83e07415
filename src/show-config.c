/* show-config.c - see show-config.h */
#include "config.h"
#include "src/show-config.h"

#include "src/settings-table.h"

/* What is being written, and how. */
typedef struct {
    GString *out;
    gboolean with_secrets;
} Show;

/* In a comment, which ends with the line: names of files may hold anything. */
static void
append_origin(Show *show, const char *origin)
{
    g_autofree char *text = g_strdup(origin ? origin : "default");

    for (char *c = text; *c; c++) {
        if (g_ascii_iscntrl(*c))
            *c = '?';
    }
    g_string_append_printf(show->out, " # %s\n", text);
}

/* As which type the item is printed: what may hold a secret hides it, other types do not. */
static MmType
shown_type(const Show *show, const MmItem *item)
{
    gboolean hides = item->type == MM_TYPE_SECRET || item->type == MM_TYPE_HASH;

    return hides && show->with_secrets ? MM_TYPE_STRING : item->type;
}

static void
append_item(Show *show, const char *indent, const MmItem *item, gconstpointer target)
{
    g_autoptr(GVariant) value = mm_item_get(item, target);
    g_autofree char *literal = mm_value_literal(value, shown_type(show, item));

    g_string_append_printf(show->out, "%s%s.%s = %s", indent, mm_scope_name(item->scope),
                           item->name, literal);
    append_origin(show, mm_item_origin(item, target));
}

static void
append_scope(Show *show, const char *indent, MmScope scope, gconstpointer target)
{
    for (guint i = 0; i < mm_n_items; i++) {
        if (mm_items[i].scope == scope)
            append_item(show, indent, &mm_items[i], target);
    }
}

static void
append_child(Show *show, const MmChild *child)
{
    g_autoptr(GVariant) name = g_variant_ref_sink(g_variant_new_string(child->name));
    g_autofree char *literal = mm_value_literal(name, MM_TYPE_STRING);

    g_string_append_printf(show->out, "\ndefine_milter(%s) do |milter|", literal);
    append_origin(show, child->origin);
    append_scope(show, "  ", MM_SCOPE_CHILD, child);
    g_string_append(show->out, "end\n");
}

char *
mm_show_config(const MmSettings *settings, const char *conditions, gboolean with_secrets)
{
    static const MmScope scopes[] = { MM_SCOPE_PACKAGE, MM_SCOPE_SECURITY, MM_SCOPE_LOG,
                                      MM_SCOPE_MANAGER, MM_SCOPE_CONTROLLER, MM_SCOPE_DATABASE,
                                      MM_SCOPE_DETECT };
    Show show = { g_string_new(NULL), with_secrets };

    for (guint i = 0; i < G_N_ELEMENTS(scopes); i++) {
        g_string_append(show.out, i > 0 ? "\n" : "");
        append_scope(&show, "", scopes[i], settings);
    }
    g_string_append(show.out, conditions);
    for (guint i = 0; i < settings->children->len; i++)
        append_child(&show, g_ptr_array_index(settings->children, i));
    return g_string_free(show.out, FALSE);
}
