/* show-config.c - see show-config.h */
#include "config.h"
#include "src/show-config.h"

#include "src/settings-table.h"

/* What is being written, and how. */
typedef struct {
    GString *out;
    gboolean with_secrets;
} Show;

static void
append_scope(Show *show, const char *indent, MmScope scope, gconstpointer target)
{
    for (guint i = 0; i < mm_n_items; i++) {
        g_autofree char *text = NULL;

        if (mm_items[i].scope != scope)
            continue;
        text = mm_item_text(&mm_items[i], target, show->with_secrets);
        g_string_append_printf(show->out, "%s%s\n", indent, text);
    }
}

static void
append_child(Show *show, const MmChild *child)
{
    g_autoptr(GVariant) name = g_variant_ref_sink(g_variant_new_string(child->name));
    g_autofree char *literal = mm_value_literal(name, MM_TYPE_STRING);
    g_autofree char *origin = mm_origin_text(child->origin);

    g_string_append_printf(show->out, "\ndefine_milter(%s) do |milter| # %s\n", literal, origin);
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
