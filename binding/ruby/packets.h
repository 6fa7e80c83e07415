/* packets.h - what the MTA sent, taken apart: packets, strings, macros, addresses
 *
 * A view borrows; nothing here is copied.  For files in binding/ruby/ only. */
#ifndef MM_PACKETS_H
#define MM_PACKETS_H

#include <glib.h>
#include <ruby.h>

/* Bytes of somebody else's; TEXT is NULL for none. */
typedef struct {
    const char *text;
    gsize size;
} MmView;

/* One packet: its command and what follows that. */
typedef struct {
    guint8 command;
    MmView payload;
} MmPacket;

/* Take the next packet from the beginning of PACKETS, which then begins behind it.  FALSE at the
 * end.  Raises ArgumentError where a packet is longer than what is left. */
gboolean mm_packets_next(MmView *packets, MmPacket *packet);

/* The same for a string with its NUL; what has none goes to the end. */
gboolean mm_packets_next_string(MmView *strings, MmView *string);

/* The value of macro NAME in a payload of SMFIC_MACRO, the last one where there are several;
 * braces are optional on both sides. */
MmView mm_packets_macro(MmView payload, MmView name);

/* A frozen String: bytes; what is valid UTF-8 where the configuration has such letters itself. */
VALUE mm_packets_string(MmView view);

/* Add what Ruby calls to NATIVE. */
void mm_packets_define(VALUE native);

#endif
