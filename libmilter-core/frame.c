/* frame.c - packets in a byte stream */
#include "config.h"

#include "libmilter-core/frame.h"

#include <string.h>

#define LENGTH_SIZE 4

static guint32
length_at(const guint8 *data)
{
    guint32 length;

    memcpy(&length, data, LENGTH_SIZE);
    return GUINT32_FROM_BE(length);
}

MilterFrameResult
milter_frame_peek(const guint8 *data, gsize size, gsize max, MilterFrame *frame)
{
    guint32 length;

    if (size < LENGTH_SIZE)
        return MILTER_FRAME_MORE;
    length = length_at(data);
    if (length == 0 || length > max)
        return MILTER_FRAME_BAD;
    if (size - LENGTH_SIZE < length)
        return MILTER_FRAME_MORE;

    frame->wire = data;
    frame->wire_size = LENGTH_SIZE + (gsize)length;
    frame->command = data[LENGTH_SIZE];
    frame->payload = data + MILTER_FRAME_HEAD;
    frame->size = length - 1;
    return MILTER_FRAME_OK;
}

gsize
milter_frame_wanted(const guint8 *data, gsize size, gsize max)
{
    guint32 length;

    if (size < LENGTH_SIZE)
        return 0;
    length = length_at(data);
    if (length == 0 || length > max)
        return 0;
    return LENGTH_SIZE + (gsize)length;
}

void
milter_frame_head(guint8 head[MILTER_FRAME_HEAD], guint8 command, gsize size)
{
    guint32 length = GUINT32_TO_BE((guint32)(size + 1));

    g_assert(size < G_MAXUINT32);
    memcpy(head, &length, LENGTH_SIZE);
    head[LENGTH_SIZE] = command;
}
