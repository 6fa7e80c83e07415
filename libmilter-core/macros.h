/* macros.h - macro sets as they travel, and lists of macro names
 *
 * A MilterMacros keeps, per command byte, the payload of the last SMFIC_MACRO
 * packet as wire bytes: a new packet for a command replaces the earlier one.
 * Knows nothing of stages' order or of who asks. */
#ifndef MILTER_MACROS_H
#define MILTER_MACROS_H

#include "libmilter-core/buffer.h"
#include "libmilter-core/command.h"
#include "libmilter-core/frame.h"
#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

typedef struct _MilterMacros MilterMacros;

/* An empty set of sets. */
MilterMacros *milter_macros_new(void);
void milter_macros_free(MilterMacros **macros_p);

/* Check that a SMFIC_MACRO payload is a command byte and pairs of strings. */
gboolean milter_macros_check(const MilterFrame *frame, GError **error);

/* Keep the set of a SMFIC_MACRO packet (checked) in place of the command's earlier
 * one.  TRUE when that changed anything. */
gboolean milter_macros_set(MilterMacros *macros, const MilterFrame *frame);

/* Forget the sets of a command, of everything from MAIL on (a transaction ended), or all. */
void milter_macros_forget(MilterMacros *macros, guint8 command);
void milter_macros_end_transaction(MilterMacros *macros);
void milter_macros_clear(MilterMacros *macros);

/* Value of a macro: of the sets in force the one of the latest stage, as
 * smfi_getsymval looks them up.  NAME with or without braces.  NULL when not
 * defined.  Valid until the set is replaced. */
const char *milter_macros_get(const MilterMacros *macros, const char *name);

/* Value in one command's set only. */
const char *milter_macros_get_at(const MilterMacros *macros, guint8 command, const char *name);

/* Whether the MTA has sent a set for the command that is still in force. */
gboolean milter_macros_has(const MilterMacros *macros, guint8 command);

/* Append a SMFIC_MACRO packet for COMMAND with the names of LIST (separated by
 * spaces or commas), spelled and in order as the list has them, as far as they are defined
 * in that command's set; LIST NULL means the whole set as it came.  Like the MTAs, a packet
 * without names is sent when the set is there but has none of the list.  Nothing when there
 * is no set.  Of a list only the first MILTER_MACRO_NAMES_MAX names count, and no macro is
 * taken that would make the packet longer than MILTER_PACKET_MAX: a child's list must not
 * multiply what a client sent.  Returns whether a packet was appended. */
gboolean milter_macros_append_packet(const MilterMacros *macros, guint8 command, const char *list,
                                     MilterBuffer *buffer);

/* Append NAMES to LIST, each once, up to MILTER_MACRO_NAMES_MAX; names compare with
 * braces normalised ("{x}" is "x").  Both are space-separated; takes over LIST (may be
 * NULL), returns the new list.  *dropped, where given, counts names over the maximum. */
char *milter_macro_list_merge(char *list, const char *names, guint *dropped);

/* Whether a space-separated list has the name. */
gboolean milter_macro_list_has(const char *list, const char *name, gsize name_size);

G_END_DECLS
#endif
