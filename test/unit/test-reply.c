/* test-reply.c - what an MTA takes as an answer: every byte at every step, every bad value */
#include "config.h"

#include "libmilter-core/reply.h"
#include "test/unit/support.h"

#define ALL 0xffffffff

static gboolean
check(guint8 reply, const void *payload, gsize size, MilterStep step, guint32 actions)
{
    g_auto(TestPacket) packet = test_packet(reply, payload, size);
    g_autoptr(GError) error = NULL;
    gboolean is_good = milter_reply_check(&packet.frame, step, actions, &error);

    g_assert_cmpint(is_good, ==, error == NULL);
    return is_good;
}

static gboolean
has(const char *set, guint byte)
{
    return byte != 0 && strchr(set, (int)byte) != NULL;
}

/* A payload that is well-formed for the reply. */
static void
good_payload(guint byte, const char **payload, gsize *size)
{
#define SET(literal) (*payload = (literal), *size = sizeof(literal) - 1)
    if (has("+-2e", byte))
        SET("<a@b>\0");
    else if (byte == 'h')
        SET("Name\0value\0");
    else if (has("im", byte))
        SET("\0\0\0\1Name\0value\0");
    else if (byte == 'q')
        SET("reason\0");
    else if (byte == 'y')
        SET("550 5.7.1 no\0");
    else if (byte == 'b')
        SET("line\r\n");
    else
        SET("");
#undef SET
}

static void
test_kinds(void)
{
    for (guint byte = 0; byte < 256; byte++) {
        g_assert_cmpint(milter_reply_is_final((guint8)byte), ==, has("cartdys4f", byte));
        g_assert_cmpint(milter_reply_is_edit((guint8)byte), ==, has("+2-ehimbq", byte));
        g_assert_cmpint(milter_reply_action((guint8)byte) != 0, ==, has("+2-ehimbq", byte));
    }
    g_assert_cmphex(milter_reply_action('+'), ==, SMFIF_ADDRCPT);
    g_assert_cmphex(milter_reply_action('2'), ==, SMFIF_ADDRCPT_PAR);
    g_assert_cmphex(milter_reply_action('-'), ==, SMFIF_DELRCPT);
    g_assert_cmphex(milter_reply_action('e'), ==, SMFIF_CHGFROM);
    g_assert_cmphex(milter_reply_action('h'), ==, SMFIF_ADDHDRS);
    g_assert_cmphex(milter_reply_action('i'), ==, SMFIF_ADDHDRS);
    g_assert_cmphex(milter_reply_action('m'), ==, SMFIF_CHGHDRS);
    g_assert_cmphex(milter_reply_action('b'), ==, SMFIF_CHGBODY);
    g_assert_cmphex(milter_reply_action('q'), ==, SMFIF_QUARANTINE);
}

/* Every reply byte, well-formed, at every step. */
static void
test_every_reply_at_every_step(void)
{
    for (MilterStep step = 0; step < MILTER_N_STEPS; step++) {
        for (guint byte = 0; byte < 256; byte++) {
            const char *payload;
            gsize size;
            gboolean is_legal = has("cartdy4ps", byte) ||
                                (has("+2-ehimbq", byte) && step == MILTER_STEP_EOM);

            good_payload(byte, &payload, &size);
            g_test_message("%s at %s", milter_reply_name((guint8)byte), milter_step_name(step));
            g_assert_cmpint(check((guint8)byte, payload, size, step, ALL), ==, is_legal);
            g_assert_false(check((guint8)byte, payload, size, MILTER_STEP_NONE, ALL));
        }
    }
}

/* Each edit needs its own action, and no other. */
static void
test_actions(void)
{
    for (const char *edit = "+2-ehimbq"; *edit; edit++) {
        const char *payload;
        gsize size;

        good_payload((guint8)*edit, &payload, &size);
        for (guint32 bit = 1; bit != 0; bit <<= 1)
            g_assert_cmpint(check((guint8)*edit, payload, size, MILTER_STEP_EOM, bit), ==,
                            bit == milter_reply_action((guint8)*edit));
        g_assert_false(check((guint8)*edit, payload, size, MILTER_STEP_EOM, 0));
    }
}

/* Postfix and Sendmail take it at every step; what they make of it differs. */
static void
test_skip(void)
{
    for (MilterStep step = 0; step < MILTER_N_STEPS; step++)
        g_assert_true(check('s', NULL, 0, step, 0));
    g_assert_false(check('s', NULL, 0, MILTER_STEP_NONE, ALL));
}

static void
test_data_where_none_belongs(void)
{
    for (const char *p = "cartds4pf"; *p; p++) {
        g_assert_false(check((guint8)*p, "x", 1, MILTER_STEP_BODY, ALL));
        g_assert_false(check((guint8)*p, "\0", 1, MILTER_STEP_BODY, ALL));
    }
}

static void
test_codes(void)
{
    static const struct {
        const char *text;
        gboolean is_good;
    } rows[] = {
        { "550 5.7.1 no", TRUE },
        { "450 4.7.1 later", TRUE },
        { "550 no enhanced code", TRUE },
        { "550 ", TRUE },
        { "550 5", TRUE },
        { "421 4.3.2 closing", TRUE },
        { "599 text", TRUE },
        { "550-5.7.1 one\r\n550 5.7.1 two", TRUE },
        { "550-one\r\n550 two", TRUE },
        { "550-", TRUE },
        { "550 I am 100%% sure", TRUE },
        { "550 I am 100% sure", TRUE },
        { "550-5.7.1 one\r\n650 the second line is nobody's business", TRUE },
        { "", FALSE },
        { "5", FALSE },
        { "55", FALSE },
        { "550", FALSE },
        { "250 2.0.0 ok", FALSE },
        { "354 go", FALSE },
        { "650 no", FALSE },
        { "x50 no", FALSE },
        { "5x0 no", FALSE },
        { "55x no", FALSE },
        { "5 0 no", FALSE },
        { "550.no", FALSE },
        { "550\tno", FALSE },
        { "5500 no", FALSE },
        { "550 4.7.1 no", FALSE },
        { "450 5.7.1 no", FALSE },
        { "550-4.7.1 no", FALSE },
        { "550 2 no", FALSE },
        { "550 100 reasons", FALSE }, /* so it is in Postfix */
        { " 550 no", FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        gsize size = strlen(rows[i].text);

        for (MilterStep step = 0; step < MILTER_N_STEPS; step++) {
            g_test_message("\"%s\" at %s", rows[i].text, milter_step_name(step));
            g_assert_cmpint(check('y', rows[i].text, size + 1, step, 0), ==, rows[i].is_good);
            g_assert_false(check('y', rows[i].text, size, step, 0)); /* without its NUL */
        }
    }
}

/* Every byte at each of the places that are looked at. */
static void
test_code_bytes(void)
{
    for (guint byte = 0; byte < 256; byte++) {
        static const char *const allowed[] = { "5", "0123456789", "0123456789", " -" };

        for (guint place = 0; place < G_N_ELEMENTS(allowed); place++) {
            char text[] = "550 5.7.1 no";

            text[place] = (char)byte;
            g_assert_cmpint(check('y', text, sizeof(text), MILTER_STEP_MAIL, 0), ==,
                            has(allowed[place], byte));
        }
    }
}

static void
test_indexes(void)
{
    static const guint32 indexes[] = { 0, 1, 0x7fffffff, 0x80000000, 0xffffffff };

    for (guint i = 0; i < G_N_ELEMENTS(indexes); i++) {
        for (const char *p = "im"; *p; p++) {
            MilterBuffer buffer = { 0 };

            MilterHeaderEdit edit;

            milter_reply_build_header(&buffer, (guint8)*p, indexes[i], "A", "b");
            g_auto(TestPacket) packet = test_packet_take(&buffer);
            g_assert_true(milter_reply_check(&packet.frame, MILTER_STEP_EOM, ALL, NULL));
            g_assert_true(milter_reply_parse_header(&packet.frame, &edit, NULL));
            g_assert_cmphex(edit.index, ==, indexes[i]);
        }
    }
}

/* Every truncation of an edit is bad but for those that are another good edit. */
static void
test_edit_truncations(void)
{
    static const struct {
        guint8 reply;
        const char *payload;
        gsize size;
        gsize other; /* another good size, or G_MAXSIZE */
    } rows[] = {
#define ROW(reply, literal, other) { reply, literal, sizeof(literal) - 1, other }
        ROW('h', "A\0b\0", G_MAXSIZE),         ROW('h', "A\0\0", G_MAXSIZE),
        ROW('i', "\0\0\0\2A\0b\0", G_MAXSIZE), ROW('m', "\0\0\0\2A\0\0", G_MAXSIZE),
        ROW('+', "<a@b>\0", G_MAXSIZE),        ROW('-', "\0", G_MAXSIZE),
        ROW('2', "<a@b>\0NOTIFY=NEVER\0", 6),  ROW('2', "<a@b>\0\0", 6),
        ROW('e', "<>\0SIZE=3 BODY=7BIT\0", 3), ROW('q', "why\0", 0),
#undef ROW
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *longer = g_malloc(rows[i].size + 1);

        for (gsize size = 0; size <= rows[i].size; size++) {
            g_test_message("row %u, %c, first %" G_GSIZE_FORMAT " bytes", i, rows[i].reply, size);
            g_assert_cmpint(check(rows[i].reply, rows[i].payload, size, MILTER_STEP_EOM, ALL),
                            ==, size == rows[i].size || size == rows[i].other);
        }
        memcpy(longer, rows[i].payload, rows[i].size);
        longer[rows[i].size] = 'x';
        g_assert_false(check(rows[i].reply, longer, rows[i].size + 1, MILTER_STEP_EOM, ALL));
        longer[rows[i].size] = '\0';
        g_assert_cmpint(check(rows[i].reply, longer, rows[i].size + 1, MILTER_STEP_EOM, ALL), ==,
                        rows[i].reply == 'q');
    }
}

/* What an MTA makes of them is for its dialect to know. */
static void
test_odd_header_edits(void)
{
    g_assert_true(check('h', "\0v\0", 3, MILTER_STEP_EOM, ALL));
    g_assert_true(check('i', "\0\0\0\1\0v\0", 7, MILTER_STEP_EOM, ALL));
    g_assert_true(check('m', "\377\377\377\377X\0v\0", 8, MILTER_STEP_EOM, ALL));
}

/* The message names the reply and says what is wrong. */
static void
test_messages(void)
{
    g_auto(TestPacket) code = TEST_PACKET('y', "250 ok\0");
    g_auto(TestPacket) unknown = TEST_PACKET('Z', "");
    g_auto(TestPacket) early = TEST_PACKET('h', "A\0b\0");
    g_auto(TestPacket) fail = TEST_PACKET('f', "");
    GError *error = NULL;

    g_assert_false(milter_reply_check(&code.frame, MILTER_STEP_MAIL, 0, &error));
    g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE);
    g_assert_cmpstr(error->message, ==, "SMFIR_REPLYCODE: the code does not begin with 4 or 5");
    g_clear_error(&error);
    g_assert_false(milter_reply_check(&unknown.frame, MILTER_STEP_MAIL, 0, &error));
    g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT);
    g_assert_cmpstr(error->message, ==, "unknown reply 0x5a");
    g_clear_error(&error);
    g_assert_false(milter_reply_check(&early.frame, MILTER_STEP_BODY, ALL, &error));
    g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_ORDER);
    g_clear_error(&error);
    g_assert_false(milter_reply_check(&early.frame, MILTER_STEP_EOM, 0, &error));
    g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_ORDER);
    g_assert_cmpstr(error->message, ==, "SMFIR_ADDHEADER: the action was not offered");
    g_clear_error(&error);
    g_assert_false(milter_reply_check(&fail.frame, MILTER_STEP_EOM, ALL, &error));
    g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT);
    g_clear_error(&error);
}

static void
test_headers_both_ways(void)
{
    MilterBuffer buffer = { 0 };
    MilterHeaderEdit edit;

    for (const char *p = "him"; *p; p++) {
        milter_reply_build_header(&buffer, (guint8)*p, 7, "Name", " value");
        g_auto(TestPacket) packet = test_packet_take(&buffer);
        g_assert_cmpint(packet.frame.command, ==, *p);
        g_assert_true(milter_reply_parse_header(&packet.frame, &edit, NULL));
        g_assert_cmpuint(edit.index, ==, *p == 'h' ? 0 : 7);
        g_assert_cmpmem(edit.name, edit.name_size, "Name", 4);
        g_assert_cmpmem(edit.value, edit.value_size, " value", 6);
    }
    milter_reply_build_header(&buffer, 'm', 0x01020304, "A", "");
    g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer),
                    "\0\0\0\10m\1\2\3\4A\0\0", 12);
    milter_buffer_clear(&buffer);
}

static void
test_addresses_both_ways(void)
{
    MilterBuffer buffer = { 0 };
    MilterAddressEdit edit;

    for (const char *p = "+-2e"; *p; p++) {
        milter_reply_build_address(&buffer, (guint8)*p, "<a>", NULL);
        g_auto(TestPacket) bare = test_packet_take(&buffer);
        g_assert_true(milter_reply_parse_address(&bare.frame, &edit, NULL));
        g_assert_cmpstr(edit.address, ==, "<a>");
        g_assert_null(edit.parameters);
        milter_reply_build_address(&buffer, (guint8)*p, "<a>", "X=1 Y=2");
        g_auto(TestPacket) full = test_packet_take(&buffer);
        g_assert_cmpint(milter_reply_parse_address(&full.frame, &edit, NULL), ==, has("2e", *p));
        if (has("2e", *p))
            g_assert_cmpstr(edit.parameters, ==, "X=1 Y=2");
    }
}

static void
test_builders(void)
{
    MilterBuffer buffer = { 0 };

    milter_reply_build_plain(&buffer, 'c');
    milter_reply_build_code(&buffer, "550 no");
    milter_reply_build_quarantine(&buffer, "q");
    milter_reply_build_body(&buffer, "a\0", 2);
    milter_reply_build_body(&buffer, NULL, 0);
    g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer),
                    "\0\0\0\1c"
                    "\0\0\0\10y550 no\0"
                    "\0\0\0\3qq\0"
                    "\0\0\0\3ba\0"
                    "\0\0\0\1b",
                    36);
    milter_buffer_clear(&buffer);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/reply/kinds", test_kinds);
    g_test_add_func("/reply/every-reply-at-every-step", test_every_reply_at_every_step);
    g_test_add_func("/reply/actions", test_actions);
    g_test_add_func("/reply/skip", test_skip);
    g_test_add_func("/reply/data-where-none-belongs", test_data_where_none_belongs);
    g_test_add_func("/reply/codes", test_codes);
    g_test_add_func("/reply/code-bytes", test_code_bytes);
    g_test_add_func("/reply/indexes", test_indexes);
    g_test_add_func("/reply/edit-truncations", test_edit_truncations);
    g_test_add_func("/reply/odd-header-edits", test_odd_header_edits);
    g_test_add_func("/reply/messages", test_messages);
    g_test_add_func("/reply/headers-both-ways", test_headers_both_ways);
    g_test_add_func("/reply/addresses-both-ways", test_addresses_both_ways);
    g_test_add_func("/reply/builders", test_builders);
    return g_test_run();
}
