/* frame.h - cut a byte stream into milter packets
 *
 * A packet on the wire is a 4-byte big-endian length, one command byte, and
 * length-1 bytes of payload.  This module knows that and nothing else: no
 * sockets, no session, no allocation.
 *
 * Ownership: a MilterFrame points into the caller's buffer.  It is valid
 * until that buffer is next written to or drained. */
#ifndef MILTER_FRAME_H
#define MILTER_FRAME_H

#include <glib.h>

G_BEGIN_DECLS

#define MILTER_FRAME_HEAD 5 /* length and command byte */

typedef struct {
    const guint8 *wire;    /* the packet as it is on the wire, from its length on */
    gsize wire_size;       /* size of the packet on the wire */
    const guint8 *payload; /* data after the command byte; never NULL */
    gsize size;            /* size of the payload, without the command byte */
    guint8 command;        /* command or reply byte */
} MilterFrame;

typedef enum {
    MILTER_FRAME_OK,
    MILTER_FRAME_MORE, /* not all here yet; read and call again */
    MILTER_FRAME_BAD,  /* length 0 or above the ceiling; close the connection */
} MilterFrameResult;

/* Look at the packet at the start of DATA.  MAX is the largest accepted length
 * (command byte and payload).  FRAME is written only for MILTER_FRAME_OK. */
MilterFrameResult milter_frame_peek(const guint8 *data, gsize size, gsize max, MilterFrame *frame);

/* Wire size of the packet that starts at DATA, as far as its head is there and
 * legal; 0 otherwise.  For sizing a receive buffer. */
gsize milter_frame_wanted(const guint8 *data, gsize size, gsize max);

/* Write the 5 bytes before a payload of SIZE bytes to HEAD. */
void milter_frame_head(guint8 head[MILTER_FRAME_HEAD], guint8 command, gsize size);

G_END_DECLS
#endif
