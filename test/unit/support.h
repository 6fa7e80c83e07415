/* support.h - packets in exactly sized heap memory, for tests
 *
 * AddressSanitizer sees a read past a heap block, not one past a part of a larger
 * buffer; so every packet that a test gives to a parser gets a block of its own. */
#ifndef TEST_SUPPORT_H
#define TEST_SUPPORT_H

#include "libmilter-core/buffer.h"
#include "libmilter-core/frame.h"
#include "libmilter-core/protocol.h"

#include <string.h>

typedef struct {
    guint8 *wire; /* owned */
    MilterFrame frame;
} TestPacket;

/* A packet with a copy of the payload. */
static inline TestPacket
test_packet(guint8 command, const void *payload, gsize size)
{
    TestPacket packet = { .wire = g_malloc(MILTER_FRAME_HEAD + size) };

    milter_frame_head(packet.wire, command, size);
    if (size > 0)
        memcpy(packet.wire + MILTER_FRAME_HEAD, payload, size);
    g_assert_cmpint(
        milter_frame_peek(packet.wire, MILTER_FRAME_HEAD + size, G_MAXUINT32, &packet.frame), ==,
        MILTER_FRAME_OK);
    return packet;
}

/* The packet at the start of a buffer, copied out; the buffer is emptied. */
static inline TestPacket
test_packet_take(MilterBuffer *buffer)
{
    MilterFrame frame;
    TestPacket packet;

    g_assert_cmpint(milter_frame_peek(milter_buffer_bytes(buffer), milter_buffer_size(buffer),
                                      G_MAXUINT32, &frame),
                    ==, MILTER_FRAME_OK);
    g_assert_cmpuint(frame.wire_size, ==, milter_buffer_size(buffer));
    packet = test_packet(frame.command, frame.payload, frame.size);
    milter_buffer_clear(buffer);
    return packet;
}

static inline void
test_packet_clear(TestPacket *packet)
{
    g_clear_pointer(&packet->wire, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TestPacket, test_packet_clear)

/* A packet whose payload is a string literal, without the literal's own NUL. */
#define TEST_PACKET(command, literal) test_packet((command), (literal), sizeof(literal) - 1)

#endif
