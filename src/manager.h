/* manager.h - the sessions of one worker
 *
 * Accepts connections of MTAs from an inherited listening socket, gives each a
 * session and a relay, and counts them.  Knows nothing of processes, files or Ruby. */
#ifndef MM_MANAGER_H
#define MM_MANAGER_H

#include <glib.h>

#include "libmilter-core/loop.h"
#include "src/condition.h"
#include "src/presence.h"
#include "src/settings.h"
#include "src/stats.h"

G_BEGIN_DECLS

typedef struct _MmManager MmManager;

/* Called on the loop when a draining manager's last session has ended. */
typedef void (*MmManagerDrained)(MmManager *manager, gpointer data);

/* SETTINGS and STATS are borrowed and outlive it; LISTEN_FD (non-blocking) stays the caller's. */
MmManager *mm_manager_new(MilterLoop *loop, const MmSettings *settings, MmStats *stats,
                          int listen_fd);

/* Ask CONDITIONS (borrowed) which children take part in the sessions to come. */
void mm_manager_set_conditions(MmManager *manager, MmConditions *conditions);

/* Look after the clients of sessions to come with PRESENCE (borrowed, attached). */
void mm_manager_set_presence(MmManager *manager, MmPresence *presence);

/* Ask LAUNCH to start children that do not run. */
void mm_manager_set_launch(MmManager *manager, void (*launch)(const char *name, gpointer data),
                           gpointer data);

/* Have sessions counted in ENTRY of TALLY, too; ENTRY may be NULL. */
void mm_manager_set_tally(MmManager *manager, MmTally *tally, guint32 *entry);

/* Call MAINTAIN after every manager.maintenance_interval finished sessions. */
void mm_manager_set_maintenance(MmManager *manager, void (*maintain)(void));

/* No new connections; existing sessions go on.  DRAINED is called (from the loop, at once
 * when there is none) after the last has ended. */
void mm_manager_drain(MmManager *manager, MmManagerDrained drained, gpointer data);

guint mm_manager_n_sessions(const MmManager *manager);

/* Closes every session at once. */
void mm_manager_free(MmManager **manager_p);

G_END_DECLS
#endif
