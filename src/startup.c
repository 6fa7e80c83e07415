/* startup.c - children that do not listen yet: how long to try, and having them started
 *
 * After a start of the whole machine a child may need a moment.  One with milter.command is
 * started by the supervisor, with security.privilege_mode: the worker asks for it when nobody
 * listens where the child should, and tries to connect for manager.startup_grace. */
#include "config.h"
#include "src/relay-internal.h"

#include "libmilter-core/log.h"

#define ASK_INTERVAL 1. /* s */
#define PAUSE_MAX 600.  /* s from the end of one grace to the next start */

static gboolean
can_be_started(const MmMember *member)
{
    const MmHost *host = member->relay->host;

    return host->launch && host->settings->privilege_mode && member->child->command;
}

double
mm_startup_retry_for(const MmMember *member)
{
    const MmHost *host = member->relay->host;
    const MmChildMemory *memory = &host->memories[member->child->index];
    double until = memory->launched_at ? memory->launched_at + host->settings->startup_grace : 0;

    if (!memory->has_answered)
        until = MAX(until, host->started_at + host->settings->startup_grace);
    return MAX(0, until - milter_loop_now(host->loop));
}

void
mm_startup_note_answer(MmMember *member)
{
    MmChildMemory *memory = &member->relay->host->memories[member->child->index];

    memory->has_answered = TRUE;
    memory->launched_at = 0;
    memory->n_launches = 0;
}

/* A grace for it to begin; when that was of no use, another one only after a while that grows. */
static gboolean
begins_grace(MmChildMemory *memory, double now, double grace)
{
    double pause = MIN(PAUSE_MAX, grace * ((1u << MIN(memory->n_launches, 10)) - 1));

    if (memory->launched_at && now < memory->launched_at + grace + pause)
        return FALSE;
    memory->launched_at = now;
    memory->n_launches++;
    return TRUE;
}

void
mm_startup_on_refused(MmMember *member)
{
    MmHost *host = member->relay->host;
    MmChildMemory *memory = &host->memories[member->child->index];
    double now = milter_loop_now(host->loop), grace = host->settings->startup_grace;

    if (!can_be_started(member))
        return;
    if (begins_grace(memory, now, grace)) {
        milter_info("session=%u child=%s action=start reason=\"nobody listens at %s\"",
                    member->relay->tag, member->child->name, member->child->spec);
        milter_peer_retry(member->peer, grace);
    } else if (now >= memory->launched_at + grace || now < memory->asked_at + ASK_INTERVAL) {
        return;
    }
    /* Again and again: the supervisor may have to wait a moment before it does. */
    memory->asked_at = now;
    host->launch(member->child->name, host->launch_data);
}
