/* test-frame.c - cutting packets: every split, every bad length */
#include "config.h"

#include "libmilter-core/frame.h"
#include "libmilter-core/protocol.h"

#include <string.h>

#define CEILING 100

static const guint8 wire[] = { 0, 0, 0, 6, 'L', 'S', 0, 'h', 'i', 0 };

/* Every prefix of a good packet says MORE; only the whole says OK. */
static void
test_every_split(void)
{
    MilterFrame frame;

    for (gsize n = 0; n < sizeof(wire); n++) {
        g_autofree guint8 *part = g_memdup2(wire, n); /* heap: ASan sees overreads */

        g_assert_cmpint(milter_frame_peek(part, n, CEILING, &frame), ==, MILTER_FRAME_MORE);
        g_assert_cmpuint(milter_frame_wanted(part, n, CEILING), ==, n < 4 ? 0 : sizeof(wire));
    }
    g_assert_cmpint(milter_frame_peek(wire, sizeof(wire), CEILING, &frame), ==, MILTER_FRAME_OK);
    g_assert_cmpint(frame.command, ==, 'L');
    g_assert_cmpmem(frame.payload, frame.size, "S\0hi", 5);
    g_assert_true(frame.wire == wire);
    g_assert_cmpuint(frame.wire_size, ==, sizeof(wire));
}

static void
test_no_payload(void)
{
    static const guint8 empty[] = { 0, 0, 0, 1, 'N' };
    MilterFrame frame;

    g_assert_cmpint(milter_frame_peek(empty, sizeof(empty), CEILING, &frame), ==, MILTER_FRAME_OK);
    g_assert_cmpint(frame.command, ==, 'N');
    g_assert_cmpuint(frame.size, ==, 0);
    g_assert_nonnull(frame.payload);
    g_assert_cmpuint(frame.wire_size, ==, 5);
}

/* Bytes after the packet are the next packet's. */
static void
test_two_in_a_row(void)
{
    static const guint8 two[] = { 0, 0, 0, 1, 'N', 0, 0, 0, 2, 'B', 'x' };
    MilterFrame frame;

    g_assert_cmpint(milter_frame_peek(two, sizeof(two), CEILING, &frame), ==, MILTER_FRAME_OK);
    g_assert_cmpuint(frame.wire_size, ==, 5);
    g_assert_cmpint(milter_frame_peek(two + 5, sizeof(two) - 5, CEILING, &frame), ==,
                    MILTER_FRAME_OK);
    g_assert_cmpint(frame.command, ==, 'B');
    g_assert_cmpmem(frame.payload, frame.size, "x", 1);
}

/* Lengths around the ceiling and the extremes, known from four bytes alone. */
static void
test_length(void)
{
    static const struct {
        guint32 length;
        gboolean is_good;
    } rows[] = {
        { 0, FALSE },           { 1, TRUE },           { CEILING - 1, TRUE }, { CEILING, TRUE },
        { CEILING + 1, FALSE }, { 0x7fffffff, FALSE }, { 0x80000000, FALSE }, { 0xffffffff, FALSE },
        { 0x01000000, FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint32 length = GUINT32_TO_BE(rows[i].length);
        g_autofree guint8 *head = g_memdup2(&length, 4);
        MilterFrame frame = { .command = '!' };

        g_assert_cmpint(milter_frame_peek(head, 4, CEILING, &frame), ==,
                        rows[i].is_good ? MILTER_FRAME_MORE : MILTER_FRAME_BAD);
        g_assert_cmpint(frame.command, ==, '!'); /* written only for OK */
        g_assert_cmpuint(milter_frame_wanted(head, 4, CEILING), ==,
                         rows[i].is_good ? rows[i].length + 4 : 0);
    }
}

/* The largest packets of the protocol, and one byte more. */
static void
test_packet_max(void)
{
    guint8 head[MILTER_FRAME_HEAD];
    MilterFrame frame;

    milter_frame_head(head, 'B', MILTER_PACKET_MAX - 1);
    g_assert_cmpint(milter_frame_peek(head, 5, MILTER_PACKET_MAX, &frame), ==, MILTER_FRAME_MORE);
    g_assert_cmpuint(milter_frame_wanted(head, 5, MILTER_PACKET_MAX), ==, MILTER_PACKET_MAX + 4);
    milter_frame_head(head, 'B', MILTER_PACKET_MAX);
    g_assert_cmpint(milter_frame_peek(head, 5, MILTER_PACKET_MAX, &frame), ==, MILTER_FRAME_BAD);
}

static void
test_head(void)
{
    guint8 head[MILTER_FRAME_HEAD];

    milter_frame_head(head, 'L', 5);
    g_assert_cmpmem(head, sizeof(head), wire, sizeof(head));
    milter_frame_head(head, 'B', 0x01020303);
    g_assert_cmpmem(head, sizeof(head), "\1\2\3\4B", 5);
}

/* Every byte is a possible command byte; the frame does not judge. */
static void
test_every_command(void)
{
    for (guint command = 0; command < 256; command++) {
        guint8 packet[MILTER_FRAME_HEAD + 1] = { 0 };
        MilterFrame frame;

        milter_frame_head(packet, (guint8)command, 1);
        g_assert_cmpint(milter_frame_peek(packet, sizeof(packet), CEILING, &frame), ==,
                        MILTER_FRAME_OK);
        g_assert_cmpuint(frame.command, ==, command);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/frame/every-split", test_every_split);
    g_test_add_func("/frame/no-payload", test_no_payload);
    g_test_add_func("/frame/two-in-a-row", test_two_in_a_row);
    g_test_add_func("/frame/length", test_length);
    g_test_add_func("/frame/packet-max", test_packet_max);
    g_test_add_func("/frame/head", test_head);
    g_test_add_func("/frame/every-command", test_every_command);
    return g_test_run();
}
