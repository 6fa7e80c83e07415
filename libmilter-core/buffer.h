/* buffer.h - bytes that come in at the end and go out at the start
 *
 * A MilterBuffer that holds nothing owns no memory, so that an idle connection
 * costs none.  Zero-initialised is a valid empty buffer.  It has no ceiling of
 * its own: whoever appends knows the limit. */
#ifndef MILTER_BUFFER_H
#define MILTER_BUFFER_H

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
    guint8 *data;   /* allocation, NULL when empty */
    gsize start;    /* first byte that is held */
    gsize end;      /* one past the last byte that is held */
    gsize capacity; /* size of the allocation */
} MilterBuffer;

/* Number of bytes held. */
static inline gsize
milter_buffer_size(const MilterBuffer *buffer)
{
    return buffer->end - buffer->start;
}

/* The first of them, NULL when there are none. */
static inline const guint8 *
milter_buffer_bytes(const MilterBuffer *buffer)
{
    return buffer->data ? buffer->data + buffer->start : NULL;
}

/* Append a copy of SIZE bytes. */
void milter_buffer_append(MilterBuffer *buffer, const void *bytes, gsize size);

/* Append one packet: head and a copy of the payload. */
void milter_buffer_append_packet(MilterBuffer *buffer, guint8 command, const void *payload,
                                 gsize size);

/* Append a packet whose payload the caller writes: SIZE bytes at the result, before anything
 * else is done with the buffer. */
guint8 *milter_buffer_begin_packet(MilterBuffer *buffer, guint8 command, gsize size);

/* Room for at least SIZE bytes at the end; write there, then commit what was written. */
guint8 *milter_buffer_reserve(MilterBuffer *buffer, gsize size);
void milter_buffer_commit(MilterBuffer *buffer, gsize size);

/* Bytes that can be written after a reserve. */
static inline gsize
milter_buffer_room(const MilterBuffer *buffer)
{
    return buffer->capacity - buffer->end;
}

/* Drop SIZE bytes from the start; frees the memory when that was all. */
void milter_buffer_consume(MilterBuffer *buffer, gsize size);

/* Drop everything and free the memory. */
void milter_buffer_clear(MilterBuffer *buffer);

G_END_DECLS
#endif
