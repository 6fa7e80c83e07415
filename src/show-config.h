/* show-config.h - a configuration as text that can be loaded again */
#ifndef MM_SHOW_CONFIG_H
#define MM_SHOW_CONFIG_H

#include <glib.h>

#include "src/settings.h"

G_BEGIN_DECLS

/* Every item as Ruby, "manager.n_workers = 2 # FILE:LINE" or "# default".  CONDITIONS: text for
 * between the manager's items and the children that use what it defines.  WITH_SECRETS: passwords
 * are not hidden. */
char *mm_show_config(const MmSettings *settings, const char *conditions, gboolean with_secrets);

G_END_DECLS
#endif
