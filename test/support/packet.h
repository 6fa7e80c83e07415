/* packet.h - milter packets as text, for tests that people read
 *
 * "mail <a@b> SIZE=10; rcpt <c@d>": packets separated by ';', words by blanks.  A word
 * may have parts in double quotes with \r \n \t \0 \xNN \" \\ in them, and a quoted part
 * may be repeated: "ab"*1000.  '#' at the start of a word begins a comment.
 *
 *   commands  optneg version=6 actions=BITS steps=BITS STAGE=LIST…; macro CMD NAME=VALUE…;
 *             connect HOST U; connect HOST 4|6|L PORT ADDRESS; helo NAME; mail|rcpt ADDRESS
 *             PARAMETER…; data; header NAME=VALUE; eoh; body BYTES; eom [BYTES];
 *             unknown TEXT; abort; quit; quit_nc
 *   replies   optneg …; continue accept reject tempfail discard skip shutdown connfail
 *             progress; code TEXT; addheader NAME=VALUE; insheader|chgheader INDEX NAME=VALUE;
 *             addrcpt|delrcpt ADDRESS; addrcpt_par|chgfrom ADDRESS PARAMETERS;
 *             replbody BYTES; quarantine REASON
 *   both      packet C BYTES: any command byte; raw BYTES: no frame around them
 *   BITS      a number, or names of mfdef.h without their prefix joined by '|' */
#ifndef TEST_PACKET_H
#define TEST_PACKET_H

#include <glib.h>

#include "libmilter-core/frame.h"

typedef enum {
    PACKET_COMMAND, /* towards a milter */
    PACKET_REPLY,   /* from a milter */
} PacketKind;

/* Cut a line into words (GString *), ";" being a word of its own; a quoted word that
 * begins with ';' or '#' is none of these.  NULL with a message when a quote does not end. */
GPtrArray *packet_words(const char *line, char **message);

/* Append the packet of N words to WIRE.  FALSE with a message when there is no such one. */
gboolean packet_build(PacketKind kind, GString *const *words, guint n, GByteArray *wire,
                      char **message);

/* All packets of a line; aborts on a mistake: for tests written in C. */
GByteArray *packet_line(PacketKind kind, const char *line);

/* A packet on the wire in words, shortened.  Free with g_free. */
char *packet_text(PacketKind kind, const void *wire, gsize size);

/* A number or names of SMFIP_* (IS_STEP) or SMFIF_*. */
gboolean packet_bits(const char *text, gboolean is_step, guint32 *bits);

#endif
