/* summary.c - the line that is logged of every message */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"

/* "a:continue+2 b:refuse": what each child made of the message, and how many changes. */
static char *
children_text(const MmRelay *relay)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < relay->n_members; i++) {
        const MmMember *member = &relay->members[i];

        g_string_append_printf(text, "%s%s:%s", i ? " " : "", member->child->name,
                               mm_member_state_name(member));
        if (member->n_edits)
            g_string_append_printf(text, "+%u", member->n_edits);
    }
    return g_string_free(text, FALSE);
}

void
mm_summary_log(MmRelay *relay, MilterStep step, const MmVerdict *verdict)
{
    MmTransaction *transaction = relay->transaction;
    const char *queue_id = milter_macros_get(relay->macros, "i");
    guint ms = 1000 * (milter_loop_now(relay->host->loop) - transaction->started_at);
    g_autofree char *id = milter_log_escape(queue_id ? queue_id : "-",
                                            queue_id ? strlen(queue_id) : 1, 40);
    g_autofree char *text = mm_verdict_text(verdict);
    g_autofree char *children = children_text(relay);

    milter_log_write(MILTER_LOG_INFO,
                     "session=%u message=%u queue_id=%s step=%s verdict=%s headers=%u "
                     "body_bytes=%" G_GUINT64_FORMAT " ms=%u children=\"%s\"",
                     relay->tag, relay->n_messages, id, milter_step_name(step), text,
                     transaction->n_headers, transaction->body_bytes, ms, children);
}
