/* settings-item.c - see settings-table.h: setting and reading items, their defaults, origins */
#include "config.h"
#include "src/settings-value.h"

#include <unistd.h>

static const char **
origins_of(const MmItem *item, gconstpointer target)
{
    return item->scope == MM_SCOPE_CHILD ? ((const MmChild *)target)->origins
                                         : ((const MmSettings *)target)->origins;
}

gboolean
mm_item_set(const MmItem *item, gpointer target, GVariant *value, const char *origin,
            GError **error)
{
    gpointer field = G_STRUCT_MEMBER_P(target, item->offset);
    gboolean is_set = TRUE;

    g_variant_ref_sink(value);
    /* What takes nil is a string, or a number for which it means 0. */
    if (mm_value_is_nil(value) && item->takes_nil && item->type == MM_TYPE_UINT)
        *(guint *)field = 0;
    else if (mm_value_is_nil(value) && item->takes_nil)
        g_clear_pointer((char **)field, g_free);
    else
        is_set = mm_value_store(item, field, value, error);
    g_variant_unref(value);
    if (is_set)
        origins_of(item, target)[item - mm_items] = origin ? g_intern_string(origin) : NULL;
    return is_set;
}

/* The value of a field; floating. */
static GVariant *
get_field(const MmItem *item, gconstpointer target)
{
    gconstpointer field = (const char *)target + item->offset;

    switch (item->type) {
    case MM_TYPE_BOOL:
        return g_variant_new_boolean(*(const gboolean *)field);
    case MM_TYPE_UINT:
    case MM_TYPE_WHOLE_SECONDS:
    case MM_TYPE_MODE:
        return g_variant_new_int64(*(const guint *)field);
    case MM_TYPE_SIZE:
        return g_variant_new_int64((gint64) * (const guint64 *)field);
    case MM_TYPE_SECONDS:
        return g_variant_new_double(*(const double *)field);
    case MM_TYPE_FALLBACK:
        return g_variant_new_string(milter_fallback_name(*(const MilterFallback *)field));
    case MM_TYPE_MTA:
        return g_variant_new_string(mm_mta_name(*(const MmMta *)field));
    case MM_TYPE_TIMEOUTS:
        return mm_value_of_timeouts(field);
    case MM_TYPE_NAMES: {
        const char *const *names = *(const char *const *const *)field;

        return g_variant_new_strv(names, names ? -1 : 0);
    }
    case MM_TYPE_STRING:
    case MM_TYPE_SPEC:
    case MM_TYPE_PATH:
    case MM_TYPE_LOG_LEVELS:
    case MM_TYPE_FACILITY:
    case MM_TYPE_WORDS:
    case MM_TYPE_CHOICE:
    case MM_TYPE_OPTIONS:
    case MM_TYPE_SECRET:
    case MM_TYPE_COMMAND: {
        const char *text = *(const char *const *)field;

        return text ? g_variant_new_string(text) : mm_value_nil();
    }
    case MM_TYPE_HASH:
        return g_variant_ref(*(GVariant *const *)field);
    }
    g_assert_not_reached();
}

GVariant *
mm_item_get(const MmItem *item, gconstpointer target)
{
    return g_variant_take_ref(get_field(item, target));
}

GVariant *
mm_item_initial(const MmItem *item)
{
    g_autoptr(GError) error = NULL;
    GVariant *value;

    /* The one default that is found out: manager.spool_directory. */
    if (item->type == MM_TYPE_PATH && !item->takes_nil && !item->initial) {
        value = g_variant_new_string(access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp");
        return g_variant_ref_sink(value);
    }
    if (!item->initial)
        return g_variant_ref_sink(mm_value_nil());
    value = g_variant_parse(NULL, item->initial, NULL, NULL, &error);
    if (!value)
        g_error("%s.%s: %s", mm_scope_name(item->scope), item->name, error->message);
    return value;
}

const char *
mm_item_origin(const MmItem *item, gconstpointer target)
{
    return origins_of(item, target)[item - mm_items];
}

void
mm_items_init(gboolean is_child, gpointer target)
{
    for (guint i = 0; i < mm_n_items; i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) initial = NULL;

        if ((mm_items[i].scope == MM_SCOPE_CHILD) != is_child)
            continue;
        initial = mm_item_initial(&mm_items[i]);
        if (!mm_item_set(&mm_items[i], target, initial, NULL, &error))
            g_error("default of %s", error->message);
    }
}

void
mm_items_clear(gboolean is_child, gpointer target)
{
    for (guint i = 0; i < mm_n_items; i++) {
        gpointer field = G_STRUCT_MEMBER_P(target, mm_items[i].offset);

        if ((mm_items[i].scope == MM_SCOPE_CHILD) != is_child)
            continue;
        switch (mm_items[i].type) {
        case MM_TYPE_STRING:
        case MM_TYPE_SPEC:
        case MM_TYPE_PATH:
        case MM_TYPE_LOG_LEVELS:
        case MM_TYPE_FACILITY:
        case MM_TYPE_WORDS:
        case MM_TYPE_CHOICE:
        case MM_TYPE_OPTIONS:
        case MM_TYPE_SECRET:
        case MM_TYPE_COMMAND:
            g_clear_pointer((char **)field, g_free);
            break;
        case MM_TYPE_NAMES:
            g_clear_pointer((char ***)field, g_strfreev);
            break;
        case MM_TYPE_HASH:
            g_clear_pointer((GVariant **)field, g_variant_unref);
            break;
        default:
            break;
        }
    }
}
