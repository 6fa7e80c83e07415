/* presence.h - whether SMTP clients are still there
 *
 * An MTA that waits for us does not notice when its client goes away, and its process stays
 * for as long as a child lets it wait.  Every manager.connection_check_interval seconds all
 * clients of a worker are looked for: in the kernel's table of connections, read once, and
 * by the connection checkers of the configuration, in the Ruby thread.  Where a client has
 * gone, whatever the MTA waits for is answered with manager.fallback_status_at_disconnect.
 *
 * In the table only what was seen there before can be missed: a client of an MTA on another
 * machine, or behind a proxy, never is.
 *
 * MmPresence is one worker's, with the life of MmConditions: see condition.h. */
#ifndef MM_PRESENCE_H
#define MM_PRESENCE_H

#include "libmilter-core/frame.h"
#include "libmilter-core/loop.h"
#include "src/relay.h"
#include "src/rules.h"

G_BEGIN_DECLS

typedef struct _MmPresence MmPresence;

/* NULL when nothing is to be checked. */
MmPresence *mm_presence_new(const MmRules *rules, const MmSettings *settings);
void mm_presence_free(MmPresence **presence_p);

/* Check on LOOP, from its thread; and no longer. */
void mm_presence_attach(MmPresence *presence, MilterLoop *loop);
void mm_presence_detach(MmPresence *presence);

/* Learn the client of a session from CONNECT and its macros; forget it. */
void mm_presence_note(MmRelay *relay, const MilterFrame *frame);
void mm_presence_forget(MmRelay *relay);

G_END_DECLS
#endif
