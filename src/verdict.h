/* verdict.h - what a reply means, and to how much of a session
 *
 * Plain data and tables; no I/O.  "Verdict" is a final reply as it goes to the MTA. */
#ifndef MM_VERDICT_H
#define MM_VERDICT_H

#include <glib.h>

#include "libmilter-core/frame.h"
#include "libmilter-core/protocol.h"
#include "libmilter-server/policy.h"
#include "src/settings.h"

G_BEGIN_DECLS

/* Zeroed is "none". */
typedef struct {
    guint8 reply; /* SMFIR_*, 0 for none */
    char *text;   /* of SMFIR_REPLYCODE: as on the wire, without its NUL; owned */
} MmVerdict;

/* How a child's own part goes on after its reply. */
typedef enum {
    MM_SCOPE_NOTHING,    /* as before */
    MM_SCOPE_MESSAGE,    /* nothing more of this message for this child */
    MM_SCOPE_CONNECTION, /* nothing more on this connection for this child */
} MmScope;

/* The scope of a final reply at a step, as both MTAs treat it (protocol.md's table):
 * accept and refusals at connect and helo are for the connection, elsewhere for the
 * message; a refusal at RCPT and UNKNOWN is for that command only. */
MmScope mm_verdict_scope(guint8 reply, MilterStep step);

/* Whether a reply ends a step, so that later children are not asked: reject, tempfail, code,
 * shutdown, and discard.  Postfix ignores a discard at connect and helo; Sendmail asks no
 * other filter at that step. */
gboolean mm_verdict_ends_step(guint8 reply, MilterStep step, MmMta mta);

/* Whether it is a refusal: what ends a step, but discard. */
gboolean mm_verdict_is_refusal(guint8 reply);

void mm_verdict_set(MmVerdict *verdict, const MilterFrame *reply);
void mm_verdict_set_plain(MmVerdict *verdict, guint8 reply);
void mm_verdict_copy(MmVerdict *to, const MmVerdict *from);
void mm_verdict_clear(MmVerdict *verdict);
static inline gboolean
mm_verdict_is_set(const MmVerdict *verdict)
{
    return verdict->reply != 0;
}

/* What a child that failed is taken to answer at a step: none (it goes on without it),
 * or a refusal in the words the MTA would have used for it. HAS_BAD_REPLY: it failed by a
 * reply whose values Postfix blames on the filter's configuration. */
void mm_verdict_of_fallback(MmVerdict *verdict, MilterFallback fallback, MmMta mta,
                            MilterStep step, gboolean has_bad_reply);

/* "reject", "550 5.7.1 text", …, escaped for a log line.  Free with g_free. */
char *mm_verdict_text(const MmVerdict *verdict);

G_END_DECLS
#endif
