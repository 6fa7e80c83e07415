/* watch.h - files and directories that were read: has one changed since?
 *
 * Whoever evaluates the configuration notes what it read with mm_settings_watch(); the
 * supervisor looks at the same paths from then on, through libev's stat watchers (inotify
 * where there is it).  A path that does not exist is watched for its appearance.  What is
 * done about a change is the owner's. */
#ifndef MM_WATCH_H
#define MM_WATCH_H

#include <glib.h>

#include "libmilter-core/loop.h"
#include "src/settings.h"

G_BEGIN_DECLS

/* What a path is now, without following a link: equal as long as it was not changed.  Empty
 * when it does not exist.  To be freed. */
char *mm_watch_fingerprint(const char *path);

typedef struct _MmWatch MmWatch;
typedef void (*MmWatchFunc)(gpointer data);

/* Nothing is watched yet.  ON_CHANGE is called when paths changed and then none did for a
 * while. */
MmWatch *mm_watch_new(MilterLoop *loop, MmWatchFunc on_change, gpointer data);
/* Watch what these settings name, if they want it, in place of what was watched. */
void mm_watch_use(MmWatch *watch, const MmSettings *settings);
/* Watch nothing. */
void mm_watch_stop(MmWatch *watch);
void mm_watch_free(MmWatch **watch_p);

G_END_DECLS
#endif
