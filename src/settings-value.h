/* settings-value.h - checking a value and storing it in a field, one function a type
 *
 * Knows an item's type and limits, not the target of which the field is a part, nor where
 * the value comes from. */
#ifndef MM_SETTINGS_VALUE_H
#define MM_SETTINGS_VALUE_H

#include "src/settings-table.h"

G_BEGIN_DECLS

/* Check VALUE (borrowed; nil is refused) and store it in FIELD, whose C type is that of the item.
 * On errors nothing changes. */
gboolean mm_value_store(const MmItem *item, gpointer field, GVariant *value, GError **error);

/* The hash of MmMtaTimeouts[MM_N_MTAS]; floating. */
GVariant *mm_value_of_timeouts(const MmMtaTimeouts *timeouts);

G_END_DECLS
#endif
