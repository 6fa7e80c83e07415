/* settings-pack.c - see settings.h: settings to and from bytes */
#include "config.h"
#include "src/settings.h"

#include "src/settings-table.h"

/* The manager's items, then per child its name, the place of its definition and its items,
 * then the watched paths.  An item is its full name, its value and its origin ("" = default). */
#define ITEMS_TYPE "a(svs)"
#define WATCHED_TYPE "a(ayay)"
#define PACKED_TYPE "(" ITEMS_TYPE "a(ss" ITEMS_TYPE ")" WATCHED_TYPE ")"

static GVariant *
pack_items(gboolean is_child, gconstpointer target)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(ITEMS_TYPE));
    for (guint i = 0; i < mm_n_items; i++) {
        const MmItem *item = &mm_items[i];
        g_autofree char *name = NULL;
        g_autoptr(GVariant) value = NULL;
        const char *origin;

        if ((item->scope == MM_SCOPE_CHILD) != is_child)
            continue;
        name = g_strconcat(mm_scope_name(item->scope), ".", item->name, NULL);
        value = mm_item_get(item, target);
        origin = mm_item_origin(item, target);
        g_variant_builder_add(&builder, "(svs)", name, value, origin ? origin : "");
    }
    return g_variant_builder_end(&builder);
}

static GVariant *
pack_watched(const MmSettings *settings)
{
    GVariantBuilder builder;

    g_variant_builder_init(&builder, G_VARIANT_TYPE(WATCHED_TYPE));
    for (guint i = 0; i < settings->watched->len; i++) {
        const MmWatched *watched = g_ptr_array_index(settings->watched, i);

        g_variant_builder_add(&builder, "(^ay^ay)", watched->path, watched->fingerprint);
    }
    return g_variant_builder_end(&builder);
}

GBytes *
mm_settings_pack(const MmSettings *settings)
{
    GVariantBuilder children;
    g_autoptr(GVariant) packed = NULL;

    g_variant_builder_init(&children, G_VARIANT_TYPE("a(ss" ITEMS_TYPE ")"));
    for (guint i = 0; i < settings->children->len; i++) {
        const MmChild *child = g_ptr_array_index(settings->children, i);

        g_variant_builder_add(&children, "(ss@" ITEMS_TYPE ")", child->name,
                              child->origin ? child->origin : "", pack_items(TRUE, child));
    }
    packed = g_variant_new("(@" ITEMS_TYPE "a(ss" ITEMS_TYPE ")@" WATCHED_TYPE ")",
                           pack_items(FALSE, settings), &children, pack_watched(settings));
    g_variant_ref_sink(packed);
    return g_variant_get_data_as_bytes(packed);
}

static const MmItem *
find_by_full_name(const char *full, gboolean is_child)
{
    for (guint i = 0; i < mm_n_items; i++) {
        const char *scope = mm_scope_name(mm_items[i].scope);
        const char *rest = full;

        if ((mm_items[i].scope == MM_SCOPE_CHILD) == is_child && g_str_has_prefix(full, scope)) {
            rest += strlen(scope);
            if (*rest == '.' && strcmp(rest + 1, mm_items[i].name) == 0)
                return &mm_items[i];
        }
    }
    return NULL;
}

static gboolean
unpack_items(GVariant *items, gboolean is_child, gpointer target, GError **error)
{
    GVariantIter iter;
    const char *name, *origin;
    GVariant *inner;

    g_variant_iter_init(&iter, items);
    while (g_variant_iter_next(&iter, "(&sv&s)", &name, &inner, &origin)) {
        g_autoptr(GVariant) value = inner;
        const MmItem *item = find_by_full_name(name, is_child);

        if (!item) {
            g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_PACKED,
                        "packed settings: no item %s", name);
            return FALSE;
        }
        if (!mm_item_set(item, target, value, *origin ? origin : NULL, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
unpack_watched(MmSettings *settings, GVariant *packed, GError **error)
{
    GVariantIter iter;
    char *path, *fingerprint;

    g_variant_iter_init(&iter, packed);
    while (g_variant_iter_next(&iter, "(^ay^ay)", &path, &fingerprint)) {
        MmWatched *watched = g_new0(MmWatched, 1);

        watched->path = path;
        watched->fingerprint = fingerprint;
        g_ptr_array_add(settings->watched, watched);
        if (!g_path_is_absolute(path) || settings->watched->len > MM_SETTINGS_WATCHED_MAX) {
            g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_PACKED,
                        "packed settings: a path that cannot be watched");
            return FALSE;
        }
    }
    return TRUE;
}

static gboolean
unpack_into(MmSettings *settings, GVariant *packed, GError **error)
{
    g_autoptr(GVariant) items = g_variant_get_child_value(packed, 0);
    g_autoptr(GVariant) children = g_variant_get_child_value(packed, 1);
    g_autoptr(GVariant) watched = g_variant_get_child_value(packed, 2);
    GVariantIter iter;
    const char *name, *origin;
    GVariant *inner;

    if (!unpack_items(items, FALSE, settings, error))
        return FALSE;
    g_variant_iter_init(&iter, children);
    while (g_variant_iter_next(&iter, "(&s&s@" ITEMS_TYPE ")", &name, &origin, &inner)) {
        g_autoptr(GVariant) child_items = inner;
        MmChild *child = mm_settings_define_child(settings, name, *origin ? origin : NULL);

        if (!unpack_items(child_items, TRUE, child, error))
            return FALSE;
    }
    return unpack_watched(settings, watched, error);
}

MmSettings *
mm_settings_unpack(GBytes *bytes, GError **error)
{
    g_autoptr(GVariant) packed = NULL;
    MmSettings *settings;

    packed = g_variant_new_from_bytes(G_VARIANT_TYPE(PACKED_TYPE), bytes, FALSE);
    g_variant_ref_sink(packed);
    if (g_bytes_get_size(bytes) > MM_SETTINGS_PACKED_MAX || !g_variant_is_normal_form(packed)) {
        g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_PACKED,
                    "packed settings: not in the right form");
        return NULL;
    }
    settings = mm_settings_new();
    if (!unpack_into(settings, packed, error))
        mm_settings_free(&settings);
    return settings;
}
