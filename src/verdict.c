/* verdict.c - see verdict.h */
#include "config.h"
#include "src/verdict.h"

#include <string.h>

#include "libmilter-core/log.h"
#include "libmilter-core/reply.h"

static gboolean
is_connection_step(MilterStep step)
{
    return step == MILTER_STEP_CONNECT || step == MILTER_STEP_HELO;
}

MmScope
mm_verdict_scope(guint8 reply, MilterStep step)
{
    switch (reply) {
    case SMFIR_SHUTDOWN:
        return MM_SCOPE_CONNECTION;
    case SMFIR_ACCEPT:
        return is_connection_step(step) ? MM_SCOPE_CONNECTION : MM_SCOPE_MESSAGE;
    case SMFIR_DISCARD:
        return is_connection_step(step) ? MM_SCOPE_NOTHING : MM_SCOPE_MESSAGE;
    case SMFIR_REJECT:
    case SMFIR_TEMPFAIL:
    case SMFIR_REPLYCODE:
        if (is_connection_step(step))
            return MM_SCOPE_CONNECTION;
        if (step == MILTER_STEP_RCPT || step == MILTER_STEP_UNKNOWN)
            return MM_SCOPE_NOTHING;
        return MM_SCOPE_MESSAGE;
    default:
        return MM_SCOPE_NOTHING;
    }
}

gboolean
mm_verdict_is_refusal(guint8 reply)
{
    return reply == SMFIR_REJECT || reply == SMFIR_TEMPFAIL || reply == SMFIR_REPLYCODE ||
           reply == SMFIR_SHUTDOWN;
}

gboolean
mm_verdict_ends_step(guint8 reply, MilterStep step, MmMta mta)
{
    if (reply == SMFIR_DISCARD)
        return !is_connection_step(step) || mta == MM_MTA_SENDMAIL;
    return mm_verdict_is_refusal(reply);
}

void
mm_verdict_set(MmVerdict *verdict, const MilterFrame *reply)
{
    mm_verdict_clear(verdict);
    verdict->reply = reply->command;
    if (reply->command != SMFIR_REPLYCODE)
        return;
    /* Sendmail answers a malformed code with its own words for a rejection. */
    if (milter_reply_check(reply, MILTER_STEP_MAIL, 0, NULL))
        verdict->text = g_strdup((const char *)reply->payload);
    else
        verdict->reply = SMFIR_REJECT;
}

void
mm_verdict_set_plain(MmVerdict *verdict, guint8 reply)
{
    mm_verdict_clear(verdict);
    verdict->reply = reply;
}

void
mm_verdict_copy(MmVerdict *to, const MmVerdict *from)
{
    mm_verdict_clear(to);
    to->reply = from->reply;
    to->text = g_strdup(from->text);
}

void
mm_verdict_clear(MmVerdict *verdict)
{
    g_clear_pointer(&verdict->text, g_free);
    verdict->reply = 0;
}

/* Postfix's own words for a milter that fails (milter_default_action). */
static const char *
postfix_text(guint8 reply, gboolean has_bad_reply)
{
    if (has_bad_reply)
        return "451 4.3.5 Server configuration problem - try again later";
    return reply == SMFIR_TEMPFAIL ? "451 4.7.1 Service unavailable - try again later"
                                   : "550 5.5.0 Service unavailable";
}

void
mm_verdict_of_fallback(MmVerdict *verdict, MilterFallback fallback, MmMta mta, MilterStep step,
                       gboolean has_bad_reply)
{
    mm_verdict_clear(verdict);
    switch (fallback) {
    case MILTER_FALLBACK_TEMPORARY_FAILURE:
        verdict->reply = SMFIR_TEMPFAIL;
        break;
    case MILTER_FALLBACK_REJECT:
        verdict->reply = SMFIR_REJECT;
        break;
    case MILTER_FALLBACK_DISCARD:
        if (!is_connection_step(step) && step != MILTER_STEP_UNKNOWN)
            verdict->reply = SMFIR_DISCARD;
        return;
    default:
        return;
    }
    if (mta == MM_MTA_POSTFIX) {
        verdict->text = g_strdup(postfix_text(verdict->reply, has_bad_reply));
        verdict->reply = SMFIR_REPLYCODE;
    }
}

char *
mm_verdict_text(const MmVerdict *verdict)
{
    static const struct {
        guint8 reply;
        const char *name;
    } names[] = {
        { SMFIR_CONTINUE, "continue" },  { SMFIR_ACCEPT, "accept" },
        { SMFIR_REJECT, "reject" },      { SMFIR_TEMPFAIL, "temporary-failure" },
        { SMFIR_DISCARD, "discard" },    { SMFIR_SHUTDOWN, "shutdown" },
        { SMFIR_SKIP, "skip" },
    };

    if (verdict->text)
        return milter_log_escape(verdict->text, strlen(verdict->text), 200);
    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        if (names[i].reply == verdict->reply)
            return g_strdup(names[i].name);
    return g_strdup("none");
}
