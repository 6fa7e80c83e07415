/* settings.c - see settings.h and child.h */
#include "config.h"
#include "src/settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "src/settings-table.h"
#include "src/watch.h"

G_DEFINE_QUARK(mm - settings - error - quark, mm_settings_error)

const char *
mm_mta_name(MmMta mta)
{
    return mta == MM_MTA_SENDMAIL ? "sendmail" : "postfix";
}

MmChild *
mm_child_new(const char *name)
{
    MmChild *child = g_new0(MmChild, 1);

    child->name = g_strdup(name);
    child->origins = g_new0(const char *, mm_n_items);
    mm_items_init(TRUE, child);
    return child;
}

void
mm_child_free(MmChild *child)
{
    if (!child)
        return;
    mm_items_clear(TRUE, child);
    milter_endpoint_free(&child->endpoint);
    g_free(child->origins);
    g_free(child->name);
    g_free(child);
}

static void
watched_free(gpointer data)
{
    MmWatched *watched = data;

    g_free(watched->path);
    g_free(watched->fingerprint);
    g_free(watched);
}

char **
mm_child_command(const MmChild *child, GError **error)
{
    g_autofree char *line = g_strjoin(" ", child->command, child->command_options, NULL);
    g_autoptr(GError) wrong = NULL;
    char **arguments = NULL;

    if (!g_shell_parse_argv(line, NULL, &arguments, &wrong))
        g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE,
                    "milter.command and milter.command_options: %s: %s", line, wrong->message);
    return arguments;
}

/* What may be started must be something that can be. */
static gboolean
check_command(const MmChild *child, GError **error)
{
    const char *name = child->command_options ? "command_options" : "command";
    const char *origin = mm_item_origin(mm_item_find(MM_SCOPE_CHILD, name), child);
    g_auto(GStrv) arguments = NULL;

    if (!child->command)
        return TRUE;
    arguments = mm_child_command(child, error);
    if (!arguments)
        g_prefix_error(error, "%s: milter \"%s\": ", origin ? origin : "?", child->name);
    return arguments != NULL;
}

MmSettings *
mm_settings_new(void)
{
    MmSettings *settings = g_new0(MmSettings, 1);

    settings->children = g_ptr_array_new_with_free_func((GDestroyNotify)mm_child_free);
    settings->origins = g_new0(const char *, mm_n_items);
    settings->watched = g_ptr_array_new_with_free_func(watched_free);
    settings->notes = g_ptr_array_new_with_free_func(g_free);
    settings->news = g_ptr_array_new_with_free_func(g_free);
    mm_items_init(FALSE, settings);
    return settings;
}

void
mm_settings_free(MmSettings **settings_p)
{
    MmSettings *settings = g_steal_pointer(settings_p);

    if (!settings)
        return;
    mm_items_clear(FALSE, settings);
    g_ptr_array_unref(settings->children);
    g_ptr_array_unref(settings->watched);
    g_ptr_array_unref(settings->notes);
    g_ptr_array_unref(settings->news);
    g_free(settings->origins);
    g_free(settings);
}

void
mm_settings_note(MmSettings *settings, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(settings->notes, g_strdup_vprintf(format, args));
    va_end(args);
}

static gboolean
is_watched(const MmSettings *settings, const char *path)
{
    for (guint i = 0; i < settings->watched->len; i++) {
        if (strcmp(((MmWatched *)g_ptr_array_index(settings->watched, i))->path, path) == 0)
            return TRUE;
    }
    return FALSE;
}

static void
add_watched(MmSettings *settings, const char *path)
{
    MmWatched *watched;

    if (settings->watched->len >= MM_SETTINGS_WATCHED_MAX || is_watched(settings, path))
        return;
    watched = g_new0(MmWatched, 1);
    watched->path = g_strdup(path);
    watched->fingerprint = mm_watch_fingerprint(path);
    g_ptr_array_add(settings->watched, watched);
}

void
mm_settings_watch(MmSettings *settings, const char *path)
{
    g_autofree char *end = NULL;

    add_watched(settings, path);
    if (g_file_test(path, G_FILE_TEST_IS_SYMLINK) && (end = realpath(path, NULL)))
        add_watched(settings, end);
}

void
mm_settings_announce(MmSettings *settings, const char *text)
{
    g_ptr_array_add(settings->news, g_strdup(text));
}

MmChild *
mm_settings_child(const MmSettings *settings, const char *name)
{
    for (guint i = 0; i < settings->children->len; i++) {
        MmChild *child = g_ptr_array_index(settings->children, i);

        if (strcmp(child->name, name) == 0)
            return child;
    }
    return NULL;
}

MmChild *
mm_settings_define_child(MmSettings *settings, const char *name, const char *origin)
{
    MmChild *child = mm_settings_child(settings, name);

    if (!child) {
        child = mm_child_new(name);
        child->origin = g_intern_string(origin);
        g_ptr_array_add(settings->children, child);
    }
    return child;
}

gboolean
mm_settings_remove_child(MmSettings *settings, const char *name)
{
    MmChild *child = mm_settings_child(settings, name);

    return child && g_ptr_array_remove(settings->children, child);
}

void
mm_settings_order_children(MmSettings *settings, const char *const *names)
{
    g_autoptr(GPtrArray) wanted = g_ptr_array_new();
    guint next = 0;

    for (guint i = 0; names[i]; i++) {
        MmChild *child = mm_settings_child(settings, names[i]);

        if (child && !g_ptr_array_find(wanted, child, NULL))
            g_ptr_array_add(wanted, child);
    }
    /* Each place of one of them is given to the next one. */
    for (guint i = 0; i < settings->children->len; i++) {
        if (g_ptr_array_find(wanted, settings->children->pdata[i], NULL))
            settings->children->pdata[i] = wanted->pdata[next++];
    }
}

static gboolean
finish_child(MmChild *child, guint index, GError **error)
{
    const MmItem *item = mm_item_find(MM_SCOPE_CHILD, "connection_spec");
    const char *origin = mm_item_origin(item, child);

    if (!child->spec) {
        g_set_error(error, MM_SETTINGS_ERROR, MM_SETTINGS_ERROR_VALUE,
                    "%s: milter \"%s\" has no connection_spec", child->origin ? child->origin : "?",
                    child->name);
        return FALSE;
    }
    child->index = index;
    milter_endpoint_free(&child->endpoint);
    child->endpoint = milter_endpoint_parse(child->spec, error);
    if (!child->endpoint)
        g_prefix_error(error, "%s: milter \"%s\": connection_spec: ", origin ? origin : "?",
                       child->name);
    return child->endpoint && check_command(child, error);
}

/* Whether a child that cannot be used may be left out: where detection found its socket, the
 * operator may know nothing of it. */
static gboolean
leave_out(MmSettings *settings, MmChild *child, GError **error)
{
    const char *origin = mm_item_origin(mm_item_find(MM_SCOPE_CHILD, "connection_spec"), child);

    if (!origin || !g_str_has_prefix(origin, MM_ORIGIN_DETECTED))
        return FALSE;
    mm_settings_note(settings, "%s; it is left out", (*error)->message);
    g_clear_error(error);
    child->enabled = FALSE;
    return TRUE;
}

/* Tell of values that were set and are not used. */
static void
note_unused(MmSettings *settings, gboolean is_child, gconstpointer target)
{
    for (guint i = 0; i < mm_n_items; i++) {
        const MmItem *item = &mm_items[i];
        g_autoptr(GVariant) value = NULL, initial = NULL;
        g_autofree char *given = NULL, *usual = NULL;
        const char *origin;

        if (item->standing != MM_STANDING_NO_EFFECT ||
            (item->scope == MM_SCOPE_CHILD) != is_child)
            continue;
        origin = mm_item_origin(item, target);
        if (!origin || g_str_has_prefix(origin, MM_ORIGIN_DETECTED))
            continue;
        value = mm_item_get(item, target);
        initial = mm_item_initial(item);
        given = mm_value_literal(value, item->type);
        usual = mm_value_literal(initial, item->type);
        if (strcmp(given, usual) == 0)
            continue;
        mm_settings_note(settings, "%s: %s.%s has no effect: %s", origin,
                         mm_scope_name(item->scope), item->name, item->doc);
    }
}

static gboolean
check_endpoint(const MmSettings *settings, const MmItem *item, const char *spec, GError **error)
{
    const char *origin = mm_item_origin(item, settings);
    MilterEndpoint *endpoint = milter_endpoint_parse(spec, error);

    if (!endpoint) {
        g_prefix_error(error, "%s: %s.connection_spec: ", origin ? origin : "default",
                       mm_scope_name(item->scope));
        return FALSE;
    }
    milter_endpoint_free(&endpoint);
    return TRUE;
}

gboolean
mm_settings_finish(MmSettings *settings, GError **error)
{
    const MmItem *spec = mm_item_find(MM_SCOPE_MANAGER, "connection_spec");
    const MmItem *control = mm_item_find(MM_SCOPE_CONTROLLER, "connection_spec");
    guint index = 0, n_workers;

    if (!check_endpoint(settings, spec, settings->connection_spec, error) ||
        (settings->controller_spec &&
         !check_endpoint(settings, control, settings->controller_spec, error)))
        return FALSE;
    for (guint i = 0; i < settings->children->len; i++) {
        MmChild *child = g_ptr_array_index(settings->children, i);

        if (child->enabled && !finish_child(child, index, error) &&
            !leave_out(settings, child, error))
            return FALSE;
        index += child->enabled ? 1 : 0;
        note_unused(settings, TRUE, child);
    }
    note_unused(settings, FALSE, settings);
    n_workers = mm_settings_n_workers(settings);
    settings->max_connections = (settings->max_sessions + n_workers - 1) / n_workers;
    return TRUE;
}

guint
mm_settings_n_workers(const MmSettings *settings)
{
    guint n = settings->n_workers ? settings->n_workers : g_get_num_processors();

    /* A worker that may have no session would be of no use. */
    if (settings->max_sessions)
        n = MIN(n, settings->max_sessions);
    return n;
}

const char **
mm_settings_child_names(const MmSettings *settings)
{
    GPtrArray *names = g_ptr_array_new();

    for (guint i = 0; i < settings->children->len; i++) {
        MmChild *child = g_ptr_array_index(settings->children, i);

        if (child->enabled)
            g_ptr_array_add(names, child->name);
    }
    g_ptr_array_add(names, NULL);
    return (const char **)g_ptr_array_free(names, FALSE);
}
