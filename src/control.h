/* control.h - the supervisor's control socket
 *
 * One request a connection: a line, "status", "status json", "reload", "get-configuration",
 * "reopen-log" or "shutdown".  The answer is a line, "ok" or "error", then text to the end of the
 * connection.  Who may connect is a matter of the socket file's mode and group. */
#ifndef MM_CONTROL_H
#define MM_CONTROL_H

#include <glib.h>

#include "src/listener.h"
#include "src/options.h"
#include "src/rules.h"

G_BEGIN_DECLS

typedef struct _MmControl MmControl;
struct _MmSupervisor;

/* Without a socket yet. */
MmControl *mm_control_new(struct _MmSupervisor *supervisor);
void mm_control_free(MmControl **control_p);

/* Listen on LISTENER (taken over; NULL: nowhere) from now on. */
void mm_control_listen(MmControl *control, MmListener *listener);
/* Where it listens, or NULL. */
MmListener *mm_control_listener(const MmControl *control);

/* A configuration is in use now, or REASON says why not: for those who asked to reload. */
void mm_control_loaded(MmControl *control, const char *reason);

/* What "status" answers.  Free with g_free. */
char *mm_control_status(struct _MmSupervisor *supervisor, gboolean as_json);

/* The other side, for --control: send the request and print the answer; an exit status. */
int mm_control_request(const MmOptions *options, const MmRules *rules);

G_END_DECLS
#endif
