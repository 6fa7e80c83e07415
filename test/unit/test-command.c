/* test-command.c - payloads of commands: every truncation, every bad form, both ways */
#include "config.h"

#include "libmilter-core/command.h"
#include "test/unit/support.h"

/* Good payloads and how many bytes at their end may be missing without harm are known;
 * everything here is good as a whole. */
static const struct {
    guint8 command;
    const char *payload;
    gsize size;
    const char *good_prefixes; /* sizes, other than the whole, that are good, too */
} good[] = {
#define GOOD(command, literal, prefixes) \
    { \
        command, literal, sizeof(literal) - 1, prefixes \
    }
    GOOD('C', "mx.example\0U", ""),
    GOOD('C', "\0U", ""),
    GOOD('C',
         "mx.example\0"
         "4\x30\x39"
         "192.0.2.1\0",
         ""),
    GOOD('C',
         "mx.example\0"
         "6\x00\x00"
         "IPv6:2001:db8::1\0",
         ""),
    GOOD('C',
         "mx.example\0"
         "6\xff\xff"
         "2001:db8::1\0",
         ""),
    GOOD('C', "localhost\0L\0\0/run/x\0", ""),
    GOOD('H', "me.example\0", ""),
    GOOD('H', "\0", ""),
    GOOD('M', "<a@b>\0", ""),
    GOOD('M', "\0", ""),
    GOOD('M', "<a@b>\0SIZE=10\0BODY=8BITMIME\0", "6 14"),
    GOOD('R', "<a@b>\0NOTIFY=NEVER\0\0", "6 19"),
    GOOD('L', "Subject\0 hi\n there\0", ""),
    GOOD('L', "\0\0", ""),
    GOOD('U', "XFOO bar\0", ""),
    GOOD('D', "C", ""),
    GOOD('D',
         "Mi\0"
         "4X\0{auth}\0\0",
         "1 6"),
    GOOD('O', "\0\0\0\2\0\0\0\77\0\0\0\177", ""),
    GOOD('O', "\0\0\0\6\0\0\1\377\0\37\377\377\0\0\0\0j {x}\0\0\0\0\6\0", "12 22"),
#undef GOOD
};

/* The whole is good; of its prefixes only those that are. */
static void
test_every_truncation(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        for (gsize size = 0; size <= good[i].size; size++) {
            g_auto(TestPacket) packet = test_packet(good[i].command, good[i].payload, size);
            g_autofree char *number = g_strdup_printf("%" G_GSIZE_FORMAT, size);
            g_auto(GStrv) prefixes = g_strsplit(good[i].good_prefixes, " ", -1);
            gboolean is_good =
                size == good[i].size || g_strv_contains((const char *const *)prefixes, number);
            g_autoptr(GError) error = NULL;

            g_test_message("row %u, %c, first %s bytes", i, good[i].command, number);
            g_assert_cmpint(milter_command_check(&packet.frame, &error), ==, is_good);
            g_assert_cmpint(error == NULL, ==, is_good);
            if (error)
                g_assert_cmpint(error->domain, ==, MILTER_PROTOCOL_ERROR);
        }
    }
}

/* One byte more is bad everywhere but where strings go on. */
static void
test_trailing_byte(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autofree char *payload = g_malloc(good[i].size + 1);

        memcpy(payload, good[i].payload, good[i].size);
        for (int last = 0; last <= 1; last++) {
            gboolean is_parameter = last == 0 && strchr("MR", good[i].command) != NULL;

            payload[good[i].size] = (char)last;
            g_auto(TestPacket) packet = test_packet(good[i].command, payload, good[i].size + 1);
            g_test_message("row %u, %c, last %d", i, good[i].command, last);
            g_assert_cmpint(milter_command_check(&packet.frame, NULL), ==, is_parameter);
        }
    }
}

static void
test_every_command_byte(void)
{
    for (guint byte = 0; byte < 256; byte++) {
        g_auto(TestPacket) plain = test_packet((guint8)byte, NULL, 0);
        g_auto(TestPacket) full = test_packet((guint8)byte, "x", 1);
        gboolean is_plain = byte != 0 && strchr("TNAQKBE", (int)byte) != NULL;
        /* A macro packet's one byte is the command it belongs to. */
        gboolean is_one_byte_good = byte == 'B' || byte == 'E' || byte == 'D';
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(milter_command_check(&plain.frame, NULL), ==, is_plain);
        g_assert_cmpint(milter_command_check(&full.frame, &error), ==, is_one_byte_good);
        if (byte == 0 || strchr("TNAQKBECHMRLUDO", (int)byte) == NULL) {
            g_autofree char *message = g_strdup_printf("unknown command 0x%02x", byte);

            g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE);
            g_assert_cmpstr(error->message, ==, message);
        }
    }
}

static void
test_connect(void)
{
    g_auto(TestPacket) inet = TEST_PACKET('C', "mx\0"
                                               "4\x30\x39"
                                               "192.0.2.1\0");
    g_auto(TestPacket) inet6 = TEST_PACKET('C', "mx\0"
                                                "6\0\x19ipv6:::1\0");
    g_auto(TestPacket) unknown = TEST_PACKET('C', "mx\0U");
    MilterConnect connect;

    g_assert_true(milter_command_parse_connect(&inet.frame, &connect, NULL));
    g_assert_cmpstr(connect.host, ==, "mx");
    g_assert_cmpint(connect.family, ==, SMFIA_INET);
    g_assert_cmpuint(connect.port, ==, 12345);
    g_assert_cmpstr(connect.address, ==, "192.0.2.1");
    g_assert_true(milter_command_parse_connect(&inet6.frame, &connect, NULL));
    g_assert_cmpuint(connect.port, ==, 25);
    g_assert_cmpstr(connect.address, ==, "::1");
    g_assert_true(milter_command_parse_connect(&unknown.frame, &connect, NULL));
    g_assert_cmpint(connect.family, ==, SMFIA_UNKNOWN);
    g_assert_null(connect.address);
    g_assert_cmpuint(connect.port, ==, 0);
}

/* Every family byte; on failure the result is left alone. */
static void
test_connect_families(void)
{
    for (guint family = 0; family < 256; family++) {
        char payload[] = "mx\0?\0\0a";
        MilterConnect connect = { .host = "untouched" };

        payload[3] = (char)family;
        g_auto(TestPacket) packet = test_packet('C', payload, sizeof(payload));
        if (milter_command_parse_connect(&packet.frame, &connect, NULL))
            g_assert_true(family == 'L' || family == '4' || family == '6');
        else
            g_assert_cmpstr(connect.host, ==, "untouched");
    }
}

static void
test_envelope(void)
{
    g_auto(TestPacket) packet = TEST_PACKET('M', "<a@b>\0SIZE=1\0\0RET=HDRS\0");
    g_auto(TestPacket) bare = TEST_PACKET('M', "<>\0");
    MilterEnvelope envelope;
    const char *parameter;

    g_assert_true(milter_command_parse_envelope(&packet.frame, &envelope, NULL));
    g_assert_cmpstr(envelope.address, ==, "<a@b>");
    g_assert_cmpuint(envelope.n_parameters, ==, 3);
    g_assert_cmpmem(envelope.parameters, envelope.parameters_size, "SIZE=1\0\0RET=HDRS", 17);
    parameter = milter_envelope_next_parameter(&envelope, NULL);
    g_assert_cmpstr(parameter, ==, "SIZE=1");
    parameter = milter_envelope_next_parameter(&envelope, parameter);
    g_assert_cmpstr(parameter, ==, "");
    parameter = milter_envelope_next_parameter(&envelope, parameter);
    g_assert_cmpstr(parameter, ==, "RET=HDRS");
    g_assert_null(milter_envelope_next_parameter(&envelope, parameter));

    g_assert_true(milter_command_parse_envelope(&bare.frame, &envelope, NULL));
    g_assert_cmpuint(envelope.n_parameters, ==, 0);
    g_assert_cmpuint(envelope.parameters_size, ==, 0);
    g_assert_cmpstr(envelope.parameters, ==, "");
    g_assert_null(milter_envelope_next_parameter(&envelope, NULL));
}

static void
test_header(void)
{
    g_auto(TestPacket) packet = TEST_PACKET('L', "Subject\0 a\n b\0");
    g_auto(TestPacket) three = TEST_PACKET('L', "a\0b\0c\0");
    MilterHeader header = { .name = "untouched" };
    g_autoptr(GError) error = NULL;

    g_assert_false(milter_command_parse_header(&three.frame, &header, &error));
    g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT);
    g_assert_cmpstr(error->message, ==, "SMFIC_HEADER: the header value is not one string");
    g_assert_cmpstr(header.name, ==, "untouched");
    g_assert_true(milter_command_parse_header(&packet.frame, &header, NULL));
    g_assert_cmpmem(header.name, header.name_size, "Subject", 7);
    g_assert_cmpmem(header.value, header.value_size, " a\n b", 5);
}

static void
test_strings(void)
{
    g_auto(TestPacket) helo = TEST_PACKET('H', "me\0");
    g_auto(TestPacket) unknown = TEST_PACKET('U', "XFOO\0");
    const char *string = NULL;

    g_assert_true(milter_command_parse_helo(&helo.frame, &string, NULL));
    g_assert_cmpstr(string, ==, "me");
    g_assert_true(milter_command_parse_unknown(&unknown.frame, &string, NULL));
    g_assert_cmpstr(string, ==, "XFOO");
}

/* What a builder wrote, byte for byte. */
static void
assert_built(MilterBuffer *buffer, guint8 command, const void *payload, gsize size)
{
    g_auto(TestPacket) packet = test_packet_take(buffer);

    g_assert_cmpint(packet.frame.command, ==, command);
    g_assert_cmpmem(packet.frame.payload, packet.frame.size, payload, size);
    g_assert_true(milter_command_check(&packet.frame, NULL));
}
#define ASSERT_BUILT(buffer, command, literal) \
    assert_built(buffer, command, literal, sizeof(literal) - 1)

static void
test_build(void)
{
    static const char *const parameters[] = { "SIZE=1", "BODY=7BIT", NULL };
    static const char *const none[] = { NULL };
    MilterConnect connect = { .host = "mx", .family = '4', .port = 25, .address = "192.0.2.1" };
    MilterBuffer buffer = { 0 };

    milter_command_build_connect(&buffer, &connect);
    ASSERT_BUILT(&buffer, 'C',
                 "mx\0"
                 "4\0\x19"
                 "192.0.2.1\0");
    connect = (MilterConnect){ .host = "", .family = 'U' };
    milter_command_build_connect(&buffer, &connect);
    ASSERT_BUILT(&buffer, 'C', "\0U");
    milter_command_build_helo(&buffer, "me");
    ASSERT_BUILT(&buffer, 'H', "me\0");
    milter_command_build_envelope(&buffer, 'M', "<a>", parameters);
    ASSERT_BUILT(&buffer, 'M', "<a>\0SIZE=1\0BODY=7BIT\0");
    milter_command_build_envelope(&buffer, 'R', "<a>", none);
    ASSERT_BUILT(&buffer, 'R', "<a>\0");
    milter_command_build_envelope(&buffer, 'R', "", NULL);
    ASSERT_BUILT(&buffer, 'R', "\0");
    milter_command_build_header(&buffer, "A", " b");
    ASSERT_BUILT(&buffer, 'L', "A\0 b\0");
    milter_command_build_header(&buffer, "", "");
    ASSERT_BUILT(&buffer, 'L', "\0\0");
    milter_command_build_body(&buffer, "a\0b", 3);
    ASSERT_BUILT(&buffer, 'B', "a\0b");
    milter_command_build_unknown(&buffer, "XFOO");
    ASSERT_BUILT(&buffer, 'U', "XFOO\0");
    for (const char *p = "TNEAQK"; *p; p++) {
        milter_command_build_plain(&buffer, (guint8)*p);
        ASSERT_BUILT(&buffer, (guint8)*p, "");
    }
}

/* Builders append: what was there stays. */
static void
test_build_appends(void)
{
    MilterBuffer buffer = { 0 };

    milter_command_build_helo(&buffer, "a");
    milter_command_build_plain(&buffer, 'N');
    g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer),
                    "\0\0\0\3Ha\0\0\0\0\1N", 12);
    milter_buffer_clear(&buffer);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/command/every-truncation", test_every_truncation);
    g_test_add_func("/command/trailing-byte", test_trailing_byte);
    g_test_add_func("/command/every-command-byte", test_every_command_byte);
    g_test_add_func("/command/connect", test_connect);
    g_test_add_func("/command/connect-families", test_connect_families);
    g_test_add_func("/command/envelope", test_envelope);
    g_test_add_func("/command/header", test_header);
    g_test_add_func("/command/strings", test_strings);
    g_test_add_func("/command/build", test_build);
    g_test_add_func("/command/build-appends", test_build_appends);
    return g_test_run();
}
