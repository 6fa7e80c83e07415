/* test-settings.c - the settings table: defaults, values, packing, showing */
#include "config.h"

#include <string.h>

#include "src/logfile.h"
#include "src/settings-table.h"
#include "src/settings.h"
#include "src/show-config.h"

#include "libmilter-core/log.h"

static const MmItem *
find(MmScope scope, const char *name)
{
    const MmItem *item = mm_item_find(scope, name);

    g_assert_nonnull(item);
    return item;
}

/* Set from GVariant text; NULL or the error's message. */
static char *
set(gpointer target, MmScope scope, const char *name, const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *value = g_variant_parse(NULL, text, NULL, NULL, &error);

    g_assert_no_error(error);
    if (mm_item_set(find(scope, name), target, value, "file:1", &error)) {
        g_variant_unref(value);
        return NULL;
    }
    g_variant_unref(value);
    return g_strdup(error->message);
}

static void
test_table(void)
{
    for (guint i = 0; i < mm_n_items; i++) {
        const MmItem *item = &mm_items[i];
        g_autoptr(GVariant) initial = mm_item_initial(item);
        g_autofree char *literal = mm_value_literal(initial, item->type);

        g_assert_true(mm_item_find(item->scope, item->name) == item);
        g_assert_nonnull(item->doc);
        g_assert_null(strchr(item->doc, '\n'));
        g_assert_cmpstr(literal, !=, "");
        g_assert_cmpfloat(item->min, <=, item->max);
        g_assert_cmpstr(mm_item_nearest(item->scope, item->name), ==, item->name);
    }
    g_assert_null(mm_item_find(MM_SCOPE_MANAGER, "n_worker"));
    g_assert_cmpstr(mm_item_nearest(MM_SCOPE_MANAGER, "n_worker"), ==, "n_workers");
    g_assert_cmpstr(mm_item_nearest(MM_SCOPE_LOG, ""), ==, "path");
}

static void
test_defaults(void)
{
    MmSettings *settings = mm_settings_new();
    MmChild *child = mm_settings_define_child(settings, "a", "file:2");

    g_assert_cmpstr(settings->connection_spec, ==, "inet:10025@[127.0.0.1]");
    g_assert_cmpuint(settings->unix_socket_mode, ==, 0660);
    g_assert_cmpint(settings->fallback, ==, MILTER_FALLBACK_ACCEPT);
    g_assert_cmpint(settings->fallback_at_disconnect, ==, MILTER_FALLBACK_TEMPORARY_FAILURE);
    g_assert_cmpfloat(settings->timeouts[MM_MTA_POSTFIX].content, ==, 300);
    g_assert_cmpfloat(settings->timeouts[MM_MTA_SENDMAIL].command, ==, 10);
    g_assert_cmpuint(settings->spool_memory_limit, ==, 64 * 1024 * 1024);
    g_assert_cmpuint(settings->chunk_size, ==, 65535);
    g_assert_nonnull(settings->spool_directory);
    g_assert_cmpstr(settings->extra_macros, ==, "");
    g_assert_true(child->enabled);
    g_assert_null(child->spec);
    g_assert_cmpfloat(child->connection_timeout, ==, MM_CHILD_CONNECTION_TIMEOUT);
    g_assert_cmpfloat(child->writing_timeout, ==, MM_CHILD_WRITING_TIMEOUT);
    g_assert_cmpfloat(child->reading_timeout, ==, MM_CHILD_READING_TIMEOUT);
    g_assert_cmpfloat(child->end_of_message_timeout, ==, MM_CHILD_END_OF_MESSAGE_TIMEOUT);
    g_assert_null(mm_item_origin(find(MM_SCOPE_MANAGER, "n_workers"), settings));
    mm_settings_free(&settings);
    g_assert_null(settings);
    mm_settings_free(&settings);
}

/* Values that an item takes, and what they are then. */
static void
test_good_values(void)
{
    static const struct {
        MmScope scope;
        const char *name, *text, *literal;
    } cases[] = {
        { MM_SCOPE_MANAGER, "n_workers", "int64 0", "0" },
        { MM_SCOPE_MANAGER, "n_workers", "1000", "1000" },
        { MM_SCOPE_MANAGER, "n_workers", "7.0", "7" },
        { MM_SCOPE_MANAGER, "startup_grace", "0", "0.0" },
        { MM_SCOPE_MANAGER, "startup_grace", "1.25", "1.25" },
        { MM_SCOPE_MANAGER, "unix_socket_mode", "'0640'", "0640" },
        { MM_SCOPE_MANAGER, "unix_socket_mode", "0x180", "0600" },
        { MM_SCOPE_MANAGER, "pid_file", "()", "nil" },
        { MM_SCOPE_MANAGER, "pid_file", "'/a/../b'", "\"/b\"" },
        { MM_SCOPE_MANAGER, "extra_macros", "['a', 'b']", "\"a b\"" },
        { MM_SCOPE_MANAGER, "mta", "'sendmail'", "\"sendmail\"" },
        { MM_SCOPE_MANAGER, "fallback_status", "'temporary-failure'", "\"temporary-failure\"" },
        { MM_SCOPE_LOG, "level", "'all|none'", "\"all|none\"" },
        { MM_SCOPE_LOG, "path", "'-'", "\"-\"" },
        { MM_SCOPE_MANAGER, "event_loop_backend", "'glib'", "\"glib\"" },
        { MM_SCOPE_MANAGER, "maintenance_interval", "()", "0" },
        { MM_SCOPE_PACKAGE, "options", "'prefix=/a b,rcddir=c'", "\"prefix=/a b,rcddir=c\"" },
        { MM_SCOPE_PACKAGE, "options", "{'prefix': <'/a'>}", "\"prefix=/a\"" },
        { MM_SCOPE_PACKAGE, "options", "@a{sv} {}", "\"\"" },
        { MM_SCOPE_CONTROLLER, "unix_socket_mode", "0x1b0", "0660" },
    };
    MmSettings *settings = mm_settings_new();

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const MmItem *item = find(cases[i].scope, cases[i].name);
        g_autofree char *error = set(settings, cases[i].scope, cases[i].name, cases[i].text);
        g_autoptr(GVariant) value = mm_item_get(item, settings);
        g_autofree char *literal = mm_value_literal(value, item->type);

        g_assert_cmpstr(error, ==, NULL);
        g_assert_cmpstr(literal, ==, cases[i].literal);
        g_assert_cmpstr(mm_item_origin(item, settings), ==, "file:1");
    }
    mm_settings_free(&settings);
}

/* Values that it does not take leave everything as it was. */
static void
test_bad_values(void)
{
    static const struct {
        MmScope scope;
        const char *name, *text, *part;
    } cases[] = {
        { MM_SCOPE_MANAGER, "n_workers", "-1", "-1 is not a whole number (0 to 1000 processes)" },
        { MM_SCOPE_MANAGER, "n_workers", "'1'", "\"1\" is not a whole number" },
        { MM_SCOPE_MANAGER, "n_workers", "true", "true is not" },
        { MM_SCOPE_MANAGER, "n_workers", "nan", "is not" },
        { MM_SCOPE_MANAGER, "n_workers", "()", "nil is not" },
        { MM_SCOPE_MANAGER, "chunk_size", "65536", "(1 to 65535 bytes)" },
        { MM_SCOPE_MANAGER, "spool_limit", "1", "(65536 to 1099511627776 bytes)" },
        { MM_SCOPE_MANAGER, "unix_socket_mode", "010000", "10000 is not" },
        { MM_SCOPE_MANAGER, "unix_socket_mode", "'8'", "\"8\" is not a permission mode" },
        { MM_SCOPE_MANAGER, "connection_spec", "'25'", "unix:PATH" },
        { MM_SCOPE_MANAGER, "pid_file", "''", "is not a name, or nil" },
        { MM_SCOPE_MANAGER, "extra_macros", "[<1>]", "is not a string or an array" },
        { MM_SCOPE_MANAGER, "mta_timeouts", "{'postfix': <1>}", "1 is not a hash" },
        { MM_SCOPE_MANAGER, "mta_timeouts",
          "{'postfix': <{'eom': <5>}>, 'sendmail': <{'eom': <0>}>}", "0 is not a number" },
        { MM_SCOPE_LOG, "level", "''", "is not made of" },
        { MM_SCOPE_MANAGER, "event_loop_backend", "'poll'",
          "\"poll\" is not \"glib\" or \"libev\"" },
        { MM_SCOPE_PACKAGE, "options", "'prefix'", "is not \"name=value,…\" or a hash" },
        { MM_SCOPE_PACKAGE, "options", "'a b=c'", "is not" },
        { MM_SCOPE_PACKAGE, "options", "{'a': <'b,c'>}", "is not" },
        { MM_SCOPE_PACKAGE, "options", "{'a': <1>}", "is not" },
        { MM_SCOPE_CONTROLLER, "connection_spec", "'x'", "unix:PATH" },
    };
    MmSettings *settings = mm_settings_new();

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const MmItem *item = find(cases[i].scope, cases[i].name);
        g_autoptr(GVariant) before = mm_item_get(item, settings);
        g_autofree char *error = set(settings, cases[i].scope, cases[i].name, cases[i].text);
        g_autoptr(GVariant) after = mm_item_get(item, settings);

        g_assert_nonnull(error);
        if (!strstr(error, cases[i].part))
            g_error("%s does not contain %s", error, cases[i].part);
        g_assert_true(g_variant_equal(before, after));
        g_assert_null(mm_item_origin(item, settings));
    }
    mm_settings_free(&settings);
}

static MmSettings *
make_some(void)
{
    MmSettings *settings = mm_settings_new();
    MmChild *a = mm_settings_define_child(settings, "a \"b\"", "file:3");
    MmChild *off = mm_settings_define_child(settings, "off", "file:4");
    MmChild *z = mm_settings_define_child(settings, "z", "file:5");

    g_assert_null(set(settings, MM_SCOPE_MANAGER, "n_workers", "4"));
    g_assert_null(set(settings, MM_SCOPE_MANAGER, "max_connections", "10"));
    g_assert_null(set(settings, MM_SCOPE_MANAGER, "mta_timeouts",
                      "{'sendmail': <{'eom': <1.5>}>}"));
    g_assert_null(set(a, MM_SCOPE_CHILD, "connection_spec", "'inet:1@127.0.0.1'"));
    g_assert_null(set(a, MM_SCOPE_CHILD, "applicable_conditions", "['x', 'y']"));
    g_assert_null(set(a, MM_SCOPE_CHILD, "description", "'tab\\t#{no} \\u0001'"));
    g_assert_null(set(off, MM_SCOPE_CHILD, "enabled", "false"));
    g_assert_null(set(z, MM_SCOPE_CHILD, "connection_spec", "'unix:/z'"));
    return settings;
}

static void
test_finish(void)
{
    MmSettings *settings = make_some();
    g_autofree const char **names = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_true(mm_settings_finish(settings, &error));
    g_assert_no_error(error);
    names = mm_settings_child_names(settings);
    g_assert_cmpstr(names[0], ==, "a \"b\"");
    g_assert_cmpstr(names[1], ==, "z");
    g_assert_null(names[2]);
    g_assert_cmpuint(mm_settings_child(settings, "z")->index, ==, 1);
    g_assert_nonnull(mm_settings_child(settings, "z")->endpoint);
    g_assert_null(mm_settings_child(settings, "off")->endpoint);
    g_assert_cmpuint(settings->max_connections, ==, 3);
    g_assert_false(mm_settings_remove_child(settings, "none"));
    g_assert_true(mm_settings_remove_child(settings, "z"));
    g_assert_null(mm_settings_child(settings, "z"));
    mm_settings_define_child(settings, "no spec", "file:9");
    g_assert_false(mm_settings_finish(settings, &error));
    g_assert_cmpstr(error->message, ==, "file:9: milter \"no spec\" has no connection_spec");
    mm_settings_free(&settings);
}

static void
test_pack(void)
{
    MmSettings *settings = make_some();
    g_autoptr(GBytes) packed = mm_settings_pack(settings);
    g_autoptr(GError) error = NULL;
    MmSettings *again = mm_settings_unpack(packed, &error);
    g_autofree char *before = mm_show_config(settings, "", TRUE);
    g_autofree char *after = NULL;

    g_assert_no_error(error);
    after = mm_show_config(again, "", TRUE);
    g_assert_cmpstr(before, ==, after);
    g_assert_nonnull(strstr(after, "define_milter(\"a \\\"b\\\"\") do |milter| # file:3\n"));
    g_assert_nonnull(strstr(after, "milter.description = \"tab\\t\\#{no} \\x01\" # file:1\n"));
    g_assert_nonnull(strstr(after, "milter.applicable_conditions = [\"x\", \"y\"] # file:1\n"));
    mm_settings_free(&settings);
    mm_settings_free(&again);
}

/* Whatever bytes come, nothing but an error comes of it. */
static void
test_unpack_garbage(void)
{
    MmSettings *settings = make_some();
    g_autoptr(GBytes) packed = mm_settings_pack(settings);
    gsize size;
    const guint8 *bytes = g_bytes_get_data(packed, &size);
    guint n_refused = 0;

    for (gsize i = 0; i < size; i += 1 + i % 3) {
        g_autofree guint8 *changed = g_memdup2(bytes, size);
        g_autoptr(GBytes) garbage = NULL;
        g_autoptr(GBytes) cut = g_bytes_new(bytes, i);
        MmSettings *unpacked;

        changed[i] ^= 1 << (i % 8);
        garbage = g_bytes_new(changed, size);
        unpacked = mm_settings_unpack(garbage, NULL);
        n_refused += unpacked == NULL;
        mm_settings_free(&unpacked);
        unpacked = mm_settings_unpack(cut, NULL);
        n_refused += unpacked == NULL;
        mm_settings_free(&unpacked);
    }
    g_assert_cmpuint(n_refused, >, 0);
    mm_settings_free(&settings);
}

static void
test_log_levels(void)
{
    guint levels = 0;

    g_assert_true(mm_log_levels_parse("default", &levels, NULL));
    g_assert_cmpuint(levels, ==, MILTER_LOG_DEFAULT);
    g_assert_true(mm_log_levels_parse("none", &levels, NULL));
    g_assert_cmpuint(levels, ==, 0);
    g_assert_true(mm_log_levels_parse(" Critical | trace", &levels, NULL));
    g_assert_cmpuint(levels, ==, MILTER_LOG_ERROR | MILTER_LOG_TRACE);
    g_assert_false(mm_log_levels_parse("error|", &levels, NULL));
    g_assert_cmpuint(levels, ==, MILTER_LOG_ERROR | MILTER_LOG_TRACE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/settings/table", test_table);
    g_test_add_func("/settings/defaults", test_defaults);
    g_test_add_func("/settings/good-values", test_good_values);
    g_test_add_func("/settings/bad-values", test_bad_values);
    g_test_add_func("/settings/finish", test_finish);
    g_test_add_func("/settings/pack", test_pack);
    g_test_add_func("/settings/unpack-garbage", test_unpack_garbage);
    g_test_add_func("/settings/log-levels", test_log_levels);
    return g_test_run();
}
