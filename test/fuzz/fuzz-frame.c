/* fuzz-frame.c - the input is a byte stream; its first two bytes choose the ceiling */
#include "config.h"

#include "libmilter-core/frame.h"
#include "test/fuzz/fuzz.h"

static void
check_frame(const guint8 *data, gsize size, gsize max, const MilterFrame *frame)
{
    guint8 head[MILTER_FRAME_HEAD];
    MilterFrame unused;

    g_assert_true(frame->wire == data);
    g_assert_true(fuzz_is_inside(frame->wire, frame->wire_size, data, size));
    g_assert_true(frame->payload == data + MILTER_FRAME_HEAD);
    g_assert_cmpuint(frame->wire_size, ==, MILTER_FRAME_HEAD + frame->size);
    g_assert_cmpuint(frame->size + 1, <=, max);
    g_assert_cmpuint(milter_frame_wanted(data, 4, max), ==, frame->wire_size);
    milter_frame_head(head, frame->command, frame->size);
    g_assert_cmpint(memcmp(head, data, sizeof(head)), ==, 0);
    /* One byte less is never the whole packet. */
    g_assert_cmpint(milter_frame_peek(data, frame->wire_size - 1, max, &unused), ==,
                    MILTER_FRAME_MORE);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    MilterFrame frame;
    MilterFrameResult result;
    gsize max;

    if (size < 2)
        return 0;
    max = (gsize)data[0] << 8 | data[1];
    data += 2;
    size -= 2;
    while ((result = milter_frame_peek(data, size, max, &frame)) == MILTER_FRAME_OK) {
        check_frame(data, size, max, &frame);
        data += frame.wire_size;
        size -= frame.wire_size;
    }
    if (result == MILTER_FRAME_BAD)
        g_assert_cmpuint(milter_frame_wanted(data, size, max), ==, 0);
    else if (size >= 4)
        g_assert_cmpuint(milter_frame_wanted(data, size, max), >, size);
    return 0;
}
