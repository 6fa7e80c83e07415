/* buffer.c - growing and draining one allocation */
#include "config.h"

#include "libmilter-core/buffer.h"

#include "libmilter-core/frame.h"

#include <string.h>

#define CAPACITY_MIN 256 /* an answer or a few small commands */

/* A new allocation for what is held and SIZE bytes more. */
static void
grow(MilterBuffer *buffer, gsize held, gsize size)
{
    gsize capacity = MAX(buffer->capacity, CAPACITY_MIN / 2) * 2;
    guint8 *data;

    g_assert(size <= G_MAXSIZE / 2 - held);
    if (capacity < held + size)
        capacity = held + size;
    data = g_malloc(capacity);
    if (held > 0)
        memcpy(data, buffer->data + buffer->start, held);
    g_free(buffer->data);
    buffer->data = data;
    buffer->capacity = capacity;
    buffer->start = 0;
    buffer->end = held;
}

guint8 *
milter_buffer_reserve(MilterBuffer *buffer, gsize size)
{
    gsize held = milter_buffer_size(buffer);

    if (size > milter_buffer_room(buffer)) {
        /* Moving pays only while it is less work than a new allocation would be; else a
         * slow reader of a long queue would make every append move all of it. */
        if (size <= buffer->capacity - held && buffer->start >= held) {
            memmove(buffer->data, buffer->data + buffer->start, held);
            buffer->start = 0;
            buffer->end = held;
        } else {
            grow(buffer, held, size);
        }
    }
    return buffer->data ? buffer->data + buffer->end : NULL;
}

void
milter_buffer_commit(MilterBuffer *buffer, gsize size)
{
    g_assert(size <= milter_buffer_room(buffer));
    buffer->end += size;
    if (buffer->start == buffer->end)
        milter_buffer_clear(buffer);
}

void
milter_buffer_append(MilterBuffer *buffer, const void *bytes, gsize size)
{
    if (size == 0)
        return;
    memcpy(milter_buffer_reserve(buffer, size), bytes, size);
    buffer->end += size;
}

guint8 *
milter_buffer_begin_packet(MilterBuffer *buffer, guint8 command, gsize size)
{
    guint8 *room = milter_buffer_reserve(buffer, MILTER_FRAME_HEAD + size);

    milter_frame_head(room, command, size);
    buffer->end += MILTER_FRAME_HEAD + size;
    return room + MILTER_FRAME_HEAD;
}

void
milter_buffer_append_packet(MilterBuffer *buffer, guint8 command, const void *payload, gsize size)
{
    guint8 *room = milter_buffer_begin_packet(buffer, command, size);

    if (size > 0)
        memcpy(room, payload, size);
}

void
milter_buffer_consume(MilterBuffer *buffer, gsize size)
{
    g_assert(size <= milter_buffer_size(buffer));
    buffer->start += size;
    if (buffer->start == buffer->end)
        milter_buffer_clear(buffer);
}

void
milter_buffer_clear(MilterBuffer *buffer)
{
    g_free(buffer->data);
    *buffer = (MilterBuffer){ 0 };
}
