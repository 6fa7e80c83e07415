/* test-message.c - versions of a message, places, fields' memory */
#include "config.h"

#include <string.h>

#include "libmilter-core/message.h"

static MilterSpoolBudget budget = { 1000000, 0, 1000000, "/tmp" };

static MilterField *
field(const char *name, const char *value)
{
    return milter_field_new(&budget, name, strlen(name), value, strlen(value));
}

static void
add(MilterMessage *message, guint position, const char *name, gboolean is_shown)
{
    milter_message_insert(message, position, field(name, "v"), is_shown, 0);
}

/* The names of all places, those not shown in brackets. */
static char *
names(const MilterMessage *message)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < message->places->len; i++) {
        const MilterPlace *place = milter_message_place(message, i);

        g_string_append_printf(text, place->is_shown ? "%s " : "(%s) ", place->field->wire);
    }
    return g_string_free(text, FALSE);
}

static void
assert_names(const MilterMessage *message, const char *expected)
{
    g_autofree char *text = names(message);

    g_assert_cmpstr(text, ==, expected);
}

static void
test_field(void)
{
    MilterField *one = field("Name", "value");
    MilterField *same = milter_field_ref(one);

    g_assert_cmpmem(one->wire, milter_field_wire_size(one), "Name\0value", 11);
    g_assert_cmpstr(milter_field_value(one), ==, "value");
    g_assert_cmpuint(budget.memory_used, >, 0);
    milter_field_unref(one);
    g_assert_cmpuint(budget.memory_used, >, 0);
    milter_field_unref(same);
    g_assert_cmpuint(budget.memory_used, ==, 0);
}

static void
test_places(void)
{
    MilterMessage *message = milter_message_new(TRUE);

    add(message, G_MAXUINT, "A", TRUE);
    add(message, 99, "B", FALSE);
    add(message, 0, "C", TRUE);
    add(message, 1, "D", TRUE);
    assert_names(message, "C D A (B) ");
    milter_message_remove(message, 1);
    milter_message_set(message, 2, field("E", "e"));
    assert_names(message, "C A E ");
    milter_message_place(message, 0)->is_shown = FALSE;
    g_assert_cmpuint(milter_message_next_field(message, 0), ==, 1);
    g_assert_cmpuint(milter_message_next_field(message, 3), ==, 3);
    milter_message_forget_fields(message, 2);
    assert_names(message, "E ");
    milter_message_forget_fields(message, 100);
    assert_names(message, "");
    milter_message_forget_fields(message, 1);
    milter_message_unref(&message);
    g_assert_null(message);
    milter_message_unref(&message);
    g_assert_cmpuint(budget.memory_used, ==, 0);
}

/* Whoever edits while others read works on a copy. */
static void
test_versions(void)
{
    MilterMessage *message = milter_message_new(FALSE);
    MilterMessage *reader;

    add(message, 0, "A", TRUE);
    message->body = milter_spool_new(&budget);
    message->has_eoh = message->headers_over = message->is_complete = TRUE;
    g_assert_true(milter_message_edit(&message) == message);
    reader = milter_message_ref(message);
    add(milter_message_edit(&message), 0, "B", TRUE);
    g_assert_true(message != reader);
    assert_names(message, "B A ");
    assert_names(reader, "A ");
    g_assert_true(message->body == reader->body);
    g_assert_true(message->is_complete && message->has_eoh && message->headers_over);
    milter_message_set_body(message, NULL);
    g_assert_nonnull(reader->body);
    milter_message_unref(&message);
    assert_names(reader, "A ");
    milter_message_unref(&reader);
    g_assert_cmpuint(budget.memory_used, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/message/field", test_field);
    g_test_add_func("/message/places", test_places);
    g_test_add_func("/message/versions", test_versions);
    return g_test_run();
}
