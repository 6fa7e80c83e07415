/* privilege.h - becoming the user that handles the mail */
#ifndef MM_PRIVILEGE_H
#define MM_PRIVILEGE_H

#include <glib.h>
#include <pwd.h>
#include <sys/types.h>

#include "src/settings.h"

G_BEGIN_DECLS

/* Become security.effective_user and effective_group for good.  Errors begin with where the
 * setting at fault was made. */
gboolean mm_privilege_drop(const MmSettings *settings, GError **error);

/* Whether these exist. */
gboolean mm_privilege_check(const MmSettings *settings, GError **error);

/* Let this process open as many files as manager.max_file_descriptors says. */
gboolean mm_privilege_raise_limits(const MmSettings *settings, GError **error);

/* The user of a name or number, or NULL; until the next call. */
const struct passwd *mm_privilege_user(const char *name);

/* The id of a group, by name or number. */
gboolean mm_privilege_group(const char *name, gid_t *gid);

G_END_DECLS
#endif
