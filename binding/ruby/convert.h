/* convert.h - values of settings between Ruby and the settings table
 *
 * nil true false Integer Float String Symbol Array Hash, and nothing else.  Never raises,
 * but for no memory.  For files in binding/ruby/ only. */
#ifndef MM_CONVERT_H
#define MM_CONVERT_H

#include <glib.h>
#include <ruby.h>

G_BEGIN_DECLS

/* A new reference, or NULL: the error reads well behind "ITEM: ". */
GVariant *mm_convert_from_ruby(VALUE value, GError **error);

/* Frozen. */
VALUE mm_convert_to_ruby(GVariant *value);

/* A String in UTF-8. */
VALUE mm_convert_text(const char *text);

G_END_DECLS
#endif
