/* explain.h - the options of --explain, and the mail it is about
 *
 * What the configuration's conditions say of the mail is rules.h's business. */
#ifndef MM_EXPLAIN_H
#define MM_EXPLAIN_H

#include <glib.h>

#include "src/rules.h"

G_BEGIN_DECLS

/* Add the options to GROUP; parsing it fills WHAT, which is all zero before. */
void mm_explain_add_options(MmExplain *what, GOptionGroup *group);

/* Whether what was given can be meant.  Addresses are brought into their usual form. */
gboolean mm_explain_check(MmExplain *what, GError **error);

/* Read the mail; relative paths are below DIRECTORY. */
gboolean mm_explain_read(MmExplain *what, const char *directory, GError **error);

/* Free what WHAT owns. */
void mm_explain_clear(MmExplain *what);

G_END_DECLS
#endif
