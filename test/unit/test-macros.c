/* test-macros.c - macro sets: forms, replacing, look-up, what a child gets; name lists */
#include "config.h"

#include "libmilter-core/macros.h"
#include "test/unit/support.h"

static void
set(MilterMacros *macros, const char *payload, gsize size, gboolean changes)
{
    g_auto(TestPacket) packet = test_packet('D', payload, size);

    g_assert_true(milter_macros_check(&packet.frame, NULL));
    g_assert_cmpint(milter_macros_set(macros, &packet.frame), ==, changes);
}
#define SET(macros, literal) set(macros, literal, sizeof(literal) - 1, TRUE)
#define SET_SAME(macros, literal) set(macros, literal, sizeof(literal) - 1, FALSE)

static void
test_check(void)
{
    static const struct {
        const char *payload;
        gsize size;
        const char *message;
    } rows[] = {
#define ROW(literal, message) { literal, sizeof(literal) - 1, message }
        ROW("", "SMFIC_MACRO: there is no command byte"),
        ROW("C", NULL),
        ROW("Cj", "SMFIC_MACRO: the last string does not end"),
        ROW("Cj\0", "SMFIC_MACRO: the last macro has no value"),
        ROW("Cj\0x", "SMFIC_MACRO: the last string does not end"),
        ROW("Cj\0x\0", NULL),
        ROW("Cj\0\0", NULL),
        ROW("C\0\0", NULL),
        ROW("C\0", "SMFIC_MACRO: the last macro has no value"),
        ROW("Cj\0x\0y\0", "SMFIC_MACRO: the last macro has no value"),
        ROW("Cj\0x\0y\0z\0", NULL),
        ROW("?j\0x\0", NULL),
        ROW("\0j\0x\0", NULL),
#undef ROW
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(TestPacket) packet = test_packet('D', rows[i].payload, rows[i].size);
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(milter_macros_check(&packet.frame, &error), ==, rows[i].message == NULL);
        if (rows[i].message) {
            g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT);
            g_assert_cmpstr(error->message, ==, rows[i].message);
        }
    }
}

static void
test_replace(void)
{
    MilterMacros *macros = milter_macros_new();
    const char *value;

    g_assert_false(milter_macros_has(macros, 'R'));
    SET(macros, "R{rcpt_addr}\0a@b\0i\0X\0");
    g_assert_true(milter_macros_has(macros, 'R'));
    value = milter_macros_get(macros, "rcpt_addr");
    g_assert_cmpstr(value, ==, "a@b");
    SET_SAME(macros, "R{rcpt_addr}\0a@b\0i\0X\0");
    g_assert_true(value == milter_macros_get(macros, "rcpt_addr")); /* not allocated anew */
    SET(macros, "R{rcpt_addr}\0c@d\0i\0X\0");
    g_assert_cmpstr(milter_macros_get(macros, "rcpt_addr"), ==, "c@d");
    SET(macros, "R{rcpt_addr}\0longer@example.com\0");
    g_assert_cmpstr(milter_macros_get(macros, "rcpt_addr"), ==, "longer@example.com");
    g_assert_null(milter_macros_get(macros, "i")); /* the whole set is replaced */
    SET(macros, "R");
    g_assert_true(milter_macros_has(macros, 'R'));
    g_assert_null(milter_macros_get(macros, "rcpt_addr"));
    SET_SAME(macros, "R");
    milter_macros_free(&macros);
    g_assert_null(macros);
    milter_macros_free(&macros);
}

static void
test_names(void)
{
    MilterMacros *macros = milter_macros_new();

    SET(macros, "Cj\0host\0{daemon_name}\0d\0{v}\0Postfix\0empty\0\0{\0open\0");
    g_assert_cmpstr(milter_macros_get(macros, "j"), ==, "host");
    g_assert_cmpstr(milter_macros_get(macros, "{j}"), ==, "host");
    g_assert_cmpstr(milter_macros_get(macros, "daemon_name"), ==, "d");
    g_assert_cmpstr(milter_macros_get(macros, "{daemon_name}"), ==, "d");
    g_assert_cmpstr(milter_macros_get(macros, "v"), ==, "Postfix");
    g_assert_cmpstr(milter_macros_get(macros, "empty"), ==, "");
    g_assert_cmpstr(milter_macros_get(macros, "{"), ==, "open");
    g_assert_null(milter_macros_get(macros, "host")); /* a value is not a name */
    g_assert_null(milter_macros_get(macros, "J"));
    g_assert_null(milter_macros_get(macros, "daemon_nam"));
    g_assert_null(milter_macros_get(macros, "{daemon_name"));
    g_assert_null(milter_macros_get(macros, ""));
    milter_macros_free(&macros);
}

/* The latest stage wins, as in libmilter; UNKNOWN, HEADER and BODY only where no stage has it. */
static void
test_order(void)
{
    static const char latest_first[] = "ENTRMHCLBU";
    MilterMacros *macros = milter_macros_new();

    for (const char *p = latest_first + strlen(latest_first) - 1; p >= latest_first; p--) {
        char payload[] = "?x\0?";

        payload[0] = payload[3] = *p;
        set(macros, payload, sizeof(payload), TRUE);
    }
    for (const char *p = latest_first; *p; p++) {
        char value[] = { *p, '\0' };

        g_assert_cmpstr(milter_macros_get(macros, "x"), ==, value);
        g_assert_cmpstr(milter_macros_get_at(macros, (guint8)*p, "{x}"), ==, value);
        milter_macros_forget(macros, (guint8)*p);
        g_assert_false(milter_macros_has(macros, (guint8)*p));
        g_assert_null(milter_macros_get_at(macros, (guint8)*p, "x"));
    }
    g_assert_null(milter_macros_get(macros, "x"));
    milter_macros_free(&macros);
}

/* Sets of bytes that are no step are dropped: nobody could ask for them. */
static void
test_every_command(void)
{
    MilterMacros *macros = milter_macros_new();

    for (guint byte = 0; byte < 256; byte++) {
        char payload[] = "?x\0v";
        gboolean is_kept = byte != 0 && strchr("CHMRTLNBEU", (int)byte) != NULL;

        payload[0] = (char)byte;
        set(macros, payload, sizeof(payload), is_kept);
        g_assert_cmpint(milter_macros_has(macros, (guint8)byte), ==, is_kept);
        milter_macros_forget(macros, (guint8)byte);
        g_assert_false(milter_macros_has(macros, (guint8)byte));
    }
    milter_macros_free(&macros);
}

static void
test_forget(void)
{
    static const char all[] = "CHMRTLNBEU";
    MilterMacros *macros = milter_macros_new();

    for (const char *p = all; *p; p++)
        set(macros, p, 1, TRUE);
    milter_macros_end_transaction(macros);
    for (const char *p = all; *p; p++)
        g_assert_cmpint(milter_macros_has(macros, (guint8)*p), ==, strchr("CHU", *p) != NULL);
    milter_macros_clear(macros);
    for (const char *p = all; *p; p++)
        g_assert_false(milter_macros_has(macros, (guint8)*p));
    milter_macros_free(&macros);
}

static void
assert_packet(const MilterMacros *macros, const char *list, const char *payload, gsize size)
{
    MilterBuffer buffer = { 0 };

    g_assert_true(milter_macros_append_packet(macros, 'C', list, &buffer));
    g_auto(TestPacket) packet = test_packet_take(&buffer);
    g_assert_cmpint(packet.frame.command, ==, 'D');
    g_assert_cmpmem(packet.frame.payload, packet.frame.size, payload, size);
    g_assert_true(milter_macros_check(&packet.frame, NULL));
}
#define ASSERT_PACKET(macros, list, literal) \
    assert_packet(macros, list, literal, sizeof(literal) - 1)

static void
test_append_packet(void)
{
    MilterMacros *macros = milter_macros_new();
    MilterBuffer buffer = { 0 };

    SET(macros, "Cj\0host\0{daemon_name}\0d\0v\0Postfix\0");
    ASSERT_PACKET(macros, NULL, "Cj\0host\0{daemon_name}\0d\0v\0Postfix\0");
    ASSERT_PACKET(macros, "v j", "Cv\0Postfix\0j\0host\0");
    ASSERT_PACKET(macros, "{v} daemon_name", "C{v}\0Postfix\0daemon_name\0d\0");
    ASSERT_PACKET(macros, "  v,j\t{no} {daemon_name} ", "Cv\0Postfix\0j\0host\0{daemon_name}\0d\0");
    ASSERT_PACKET(macros, "none of these", "C");
    ASSERT_PACKET(macros, "", "C");
    g_assert_false(milter_macros_append_packet(macros, 'M', NULL, &buffer));
    g_assert_false(milter_macros_append_packet(macros, 'M', "j", &buffer));
    g_assert_false(milter_macros_append_packet(macros, 'A', NULL, &buffer));
    g_assert_cmpuint(milter_buffer_size(&buffer), ==, 0);
    SET(macros, "C");
    ASSERT_PACKET(macros, NULL, "C");
    ASSERT_PACKET(macros, "j", "C");
    milter_macros_free(&macros);
}

/* A list cannot multiply what the MTA sent: neither by many names nor by large values. */
static void
test_list_ceilings(void)
{
    static const gsize value_size = 400 * 1024;
    MilterMacros *macros = milter_macros_new();
    MilterBuffer buffer = { 0 };
    g_autoptr(GString) many = g_string_new(NULL);
    g_autoptr(GString) payload = g_string_new("Cb");

    for (guint i = 0; i < 20000; i++)
        g_string_append(many, "a ");
    SET(macros, "Ca\0x\0");
    g_assert_true(milter_macros_append_packet(macros, 'C', many->str, &buffer));
    g_assert_cmpuint(milter_buffer_size(&buffer), ==,
                     MILTER_FRAME_HEAD + 1 + 4 * MILTER_MACRO_NAMES_MAX);
    milter_buffer_clear(&buffer);

    g_string_append_c(payload, '\0');
    g_string_set_size(payload, payload->len + value_size);
    memset(payload->str + payload->len - value_size, 'v', value_size);
    g_string_append_len(payload, "\0a\0x\0", 5);
    set(macros, payload->str, payload->len, TRUE);
    g_assert_true(milter_macros_append_packet(macros, 'C', "b b b b a", &buffer));
    g_assert_cmpuint(milter_buffer_size(&buffer), ==,
                     MILTER_FRAME_HEAD + 1 + 2 * (2 + value_size + 1) + 4);
    g_assert_cmpuint(milter_buffer_size(&buffer) - 4, <=, MILTER_PACKET_MAX);
    milter_buffer_clear(&buffer);
    milter_macros_free(&macros);
}

static void
test_list_has(void)
{
    static const struct {
        const char *list;
        const char *name;
        gboolean has;
    } rows[] = {
        { "j {daemon_name} v", "j", TRUE },
        { "j {daemon_name} v", "{j}", TRUE },
        { "j {daemon_name} v", "daemon_name", TRUE },
        { "j {daemon_name} v", "{daemon_name}", TRUE },
        { "j {daemon_name} v", "v", TRUE },
        { "j {daemon_name} v", "daemon", FALSE },
        { "j {daemon_name} v", "name}", FALSE },
        { "j {daemon_name} v", "V", FALSE },
        { "", "j", FALSE },
        { " , ", "j", FALSE },
        { "a,j", "j", TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++)
        g_assert_cmpint(milter_macro_list_has(rows[i].list, rows[i].name, strlen(rows[i].name)), ==,
                        rows[i].has);
    g_assert_true(milter_macro_list_has("ab", "abc", 2));
}

static void
test_list_merge(void)
{
    g_autofree char *list = NULL;
    guint dropped = 0;

    list = milter_macro_list_merge(list, "", &dropped);
    g_assert_cmpstr(list, ==, "");
    list = milter_macro_list_merge(list, "j {v}  j {j},i", &dropped);
    g_assert_cmpstr(list, ==, "j {v} i");
    list = milter_macro_list_merge(list, "v {auth_authen} {i}", NULL);
    g_assert_cmpstr(list, ==, "j {v} i {auth_authen}");
    g_assert_cmpuint(dropped, ==, 0);
}

static void
test_list_maximum(void)
{
    char *list = NULL;
    guint dropped = 0;

    for (guint i = 0; i < MILTER_MACRO_NAMES_MAX + 7; i++) {
        g_autofree char *name = g_strdup_printf("{m%u}", i);

        list = milter_macro_list_merge(list, name, &dropped);
    }
    g_assert_cmpuint(dropped, ==, 7);
    list = milter_macro_list_merge(list, "{m0} {m49} {m50}", &dropped); /* two are in it */
    g_assert_cmpuint(dropped, ==, 8);
    list = milter_macro_list_merge(list, "{x}", NULL);
    g_assert_true(milter_macro_list_has(list, "m49", 3));
    g_assert_false(milter_macro_list_has(list, "m50", 3));
    g_assert_false(milter_macro_list_has(list, "x", 1));
    g_free(list);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/macros/check", test_check);
    g_test_add_func("/macros/replace", test_replace);
    g_test_add_func("/macros/names", test_names);
    g_test_add_func("/macros/order", test_order);
    g_test_add_func("/macros/every-command", test_every_command);
    g_test_add_func("/macros/forget", test_forget);
    g_test_add_func("/macros/append-packet", test_append_packet);
    g_test_add_func("/macros/list-ceilings", test_list_ceilings);
    g_test_add_func("/macros/list-has", test_list_has);
    g_test_add_func("/macros/list-merge", test_list_merge);
    g_test_add_func("/macros/list-maximum", test_list_maximum);
    return g_test_run();
}
