/* member-send.c - what a child is sent: commands, and the macros that go with them */
#include "config.h"
#include "src/relay-internal.h"

static const MilterMacros *
macros_for(const MmMember *member)
{
    return member->shadow ? mm_shadow_macros(member) : member->relay->macros;
}

/* The names the child gets at a stage from this MTA; NULL for whatever comes.  FALSE when
 * it gets no macros there at all. */
static gboolean
names_at(const MmMember *member, MilterStage stage, const char **names)
{
    char *const *lists = milter_peer_option(member->peer)->macros;
    const char *list = stage == MILTER_STAGE_NONE ? NULL : lists[stage];

    *names = NULL;
    if (stage == MILTER_STAGE_NONE)
        return TRUE;
    if (member->relay->mta == MM_MTA_SENDMAIL) {
        /* It looks at EOM whether a list for EOH was named. */
        if (stage == MILTER_STAGE_EOM && lists[MILTER_STAGE_EOH] && !list)
            return FALSE;
        if (stage == MILTER_STAGE_EOM && !lists[MILTER_STAGE_EOH])
            list = NULL;
        /* An empty list asks for nothing; to Postfix it is none. */
        if (list && !*list)
            return FALSE;
    }
    *names = list && *list ? list : mm_negotiation_default_macros(member->relay, stage);
    return TRUE;
}

/* The macros of a command, as this child would get them from the MTA itself. */
static void
send_macros(MmMember *member, guint8 command)
{
    const char *names;
    MilterBuffer packet = { 0 };
    gboolean has_own = member->set_macros && member->set_macros->len > 0;
    gboolean is_rewritten = member->n_hidden > 0 && !member->shadow;
    MilterBuffer *out = has_own || is_rewritten ? &packet : milter_peer_out(member->peer);

    if (names_at(member, milter_stage_of_command(command), &names))
        (void)milter_macros_append_packet(macros_for(member), command, names, out);
    if (is_rewritten)
        mm_recipient_rewrite_macros(member, &packet);
    if (is_rewritten && !has_own)
        milter_buffer_append(milter_peer_out(member->peer), milter_buffer_bytes(&packet),
                             milter_buffer_size(&packet));
    if (!has_own) {
        milter_buffer_clear(&packet);
        return;
    }
    if (milter_buffer_size(&packet) || mm_condition_has_macros(member, command))
        mm_condition_merge_macros(member, command, &packet, milter_peer_out(member->peer));
    milter_buffer_clear(&packet);
}

void
mm_member_send_macros(MmMember *member, MilterStep step)
{
    if (milter_peer_option(member->peer)->version < milter_step_version(step))
        return;
    send_macros(member, milter_step_command(step));
}

/* Those that conditions set for a step whose command does not bring them to it. */
static void
send_late_macros(MmMember *member)
{
    if (!member->has_late_macros)
        return;
    member->has_late_macros = FALSE;
    send_macros(member, mm_condition_late_command(member));
}

static gboolean
has_macros_for(MmMember *member, MilterStep step, guint8 command)
{
    MmRelay *relay = member->relay;

    if (!milter_macros_has(macros_for(member), command) &&
        !mm_condition_has_macros(member, command))
        return FALSE;
    switch (step) {
    case MILTER_STEP_HEADER:
        return !member->sent_field_macros;
    case MILTER_STEP_BODY:
        return !member->sent_chunk_macros;
    case MILTER_STEP_EOH:
    case MILTER_STEP_EOM:
        return TRUE;
    default:
        return member->shadow || (relay->fresh & (1u << (command - 'A'))) ||
               mm_condition_has_macros(member, command);
    }
}

gboolean
mm_member_send(MmMember *member, MilterStep step, const void *payload, gsize size, double timeout)
{
    guint8 command = milter_step_command(step);

    if (milter_peer_option(member->peer)->version < milter_step_version(step))
        return FALSE;
    /* Of the content both MTAs send nothing at all where it was declined. */
    if (member->skipped == command ||
        (milter_step_is_content(step) && !milter_peer_wants(member->peer, step)))
        return FALSE;
    member->skipped = 0;
    if (milter_step_is_content(step))
        send_late_macros(member);
    if (has_macros_for(member, step, command)) {
        send_macros(member, command);
        member->sent_field_macros |= step == MILTER_STEP_HEADER;
        member->sent_chunk_macros |= step == MILTER_STEP_BODY;
    }
    /* The macros of a declined envelope step are sent: a later callback may look at them. */
    if (!milter_peer_wants(member->peer, step))
        return FALSE;
    mm_member_count(member, MM_CHILD_STAT_COMMANDS);
    return milter_peer_send(member->peer, step, payload, size, timeout);
}
