/* packets.h - Ruby functions that read what the MTA sent: packets, macros, addresses
 *
 * For files in binding/ruby/ only. */
#ifndef MM_PACKETS_H
#define MM_PACKETS_H

#include <ruby.h>

/* Define them in NATIVE. */
void mm_packets_define(VALUE native);

#endif
