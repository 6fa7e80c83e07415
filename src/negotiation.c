/* negotiation.c - options and macro lists between the MTA and the children
 *
 * The children are offered what the MTA offered; the MTA is asked for what at least
 * one child needs.  All children connect at once and side by side; the MTA is answered
 * when the last has answered or failed, within the MTA's own patience.  A child in evaluation
 * mode is not waited for: it is taken to need what it negotiated last, or everything. */
#include "config.h"
#include "src/relay-internal.h"

#include <string.h>

#include "libmilter-core/log.h"

#define KNOWN_STEPS (SMFI_CURR_PROT | MILTER_MDS_BITS)

/* What the MTAs send when nobody asks: Postfix' milter_*_macros and Sendmail's
 * confMILTER_MACROS_*, as shipped. */
static const char *const documented_macros[MM_N_MTAS][MILTER_N_STAGES] = {
    [MM_MTA_POSTFIX] = {
        [MILTER_STAGE_CONNECT] = "j {daemon_name} {daemon_addr} v _",
        [MILTER_STAGE_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
        [MILTER_STAGE_MAIL] = "i {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_host} "
                              "{mail_mailer}",
        [MILTER_STAGE_RCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
        [MILTER_STAGE_DATA] = "i",
        [MILTER_STAGE_EOM] = "i",
        [MILTER_STAGE_EOH] = "i",
    },
    [MM_MTA_SENDMAIL] = {
        [MILTER_STAGE_CONNECT] = "j _ {daemon_name} {if_name} {if_addr}",
        [MILTER_STAGE_HELO] = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer}",
        [MILTER_STAGE_MAIL] = "i {auth_type} {auth_authen} {auth_ssf} {auth_author} {mail_mailer} "
                              "{mail_host} {mail_addr}",
        [MILTER_STAGE_RCPT] = "{rcpt_mailer} {rcpt_host} {rcpt_addr}",
        [MILTER_STAGE_EOM] = "{msg_id}",
    },
};

/* What the manager itself looks at. */
static const char *const own_macros[MILTER_N_STAGES] = {
    [MILTER_STAGE_CONNECT] = "v",
    [MILTER_STAGE_MAIL] = "i",
    [MILTER_STAGE_DATA] = "i",
    [MILTER_STAGE_EOM] = "i",
};

/* LIST and what both MTAs send at the stage; takes over LIST. */
static char *
merge_documented(char *list, MilterStage stage, guint *dropped)
{
    for (guint mta = 0; mta < MM_N_MTAS; mta++)
        if (documented_macros[mta][stage])
            list = milter_macro_list_merge(list, documented_macros[mta][stage], dropped);
    return list;
}

char *
mm_negotiation_host_macros(const MmSettings *settings, MmMta mta, MilterStage stage)
{
    char *list = g_strdup(documented_macros[mta][stage]);

    if (settings->extra_macros)
        list = milter_macro_list_merge(list, settings->extra_macros, NULL);
    return list ? list : g_strdup("");
}

const char *
mm_negotiation_default_macros(const MmRelay *relay, MilterStage stage)
{
    /* Where we asked for nothing, all that comes is the MTA's default. */
    return relay->lists_macros[stage] ? relay->host->default_macros[relay->mta][stage] : NULL;
}

/* What the child negotiated; of one that no session waits for, what it did last; NULL when
 * nothing is known of it or it has failed. */
static const MilterOption *
option_of(const MmMember *member)
{
    const MmChildMemory *memory = &member->relay->host->memories[member->child->index];

    if (member->state == MM_MEMBER_ACTIVE)
        return milter_peer_option(member->peer);
    return member->state == MM_MEMBER_CONNECTING && memory->has_option ? &memory->option : NULL;
}

/* A child in evaluation mode of which nothing is known yet. */
static gboolean
is_unknown(const MmMember *member)
{
    return member->state == MM_MEMBER_CONNECTING && !option_of(member);
}

static const char *
list_of(const MmMember *member, MilterStage stage)
{
    const MilterOption *option = option_of(member);
    const char *list = option ? option->macros[stage] : NULL;

    return list && *list ? list : NULL;
}

/* One stage's list for the MTA: NULL where no child names one; the union where all do; with
 * the defaults where some do. */
static char *
merge_list(MmRelay *relay, MilterStage stage)
{
    const char *extra = relay->host->settings->extra_macros;
    gboolean some = FALSE, all = TRUE;
    guint dropped = 0;
    char *list = NULL;

    for (guint i = 0; i < relay->n_members; i++) {
        MmMember *member = &relay->members[i];

        if (!option_of(member) && !is_unknown(member))
            continue;
        if (!list_of(member, stage)) {
            all = FALSE;
            continue;
        }
        some = TRUE;
        /* Sendmail gives a child that names a list for EOM only its default there. */
        if (stage == MILTER_STAGE_EOM && !option_of(member)->macros[MILTER_STAGE_EOH])
            all = FALSE;
        list = milter_macro_list_merge(list, list_of(member, stage), &dropped);
    }
    if (!some)
        return NULL;
    if (own_macros[stage])
        list = milter_macro_list_merge(list, own_macros[stage], &dropped);
    /* Conditions look at whatever the MTA has. */
    if (!all || relay->host->conditions)
        list = merge_documented(list, stage, &dropped);
    if (extra)
        list = milter_macro_list_merge(list, extra, &dropped);
    if (dropped)
        milter_warning("session=%u stage=%d macros_dropped=%u reason=\"more than %d names in a "
                       "macro list\"", relay->tag, stage, dropped, MILTER_MACRO_NAMES_MAX);
    return list;
}

static void
merge_lists(MmRelay *relay, MilterOption *answer)
{
    if (answer->version < 6)
        return;
    for (guint stage = 0; stage < MILTER_N_STAGES; stage++)
        answer->macros[stage] = merge_list(relay, stage);
    /* Sendmail tests the flag of EOH at EOM: naming one names both. */
    if (answer->macros[MILTER_STAGE_EOM] && !answer->macros[MILTER_STAGE_EOH])
        answer->macros[MILTER_STAGE_EOH] = merge_documented(NULL, MILTER_STAGE_EOH, NULL);
    if (answer->macros[MILTER_STAGE_EOH] && !answer->macros[MILTER_STAGE_EOM])
        answer->macros[MILTER_STAGE_EOM] = merge_documented(NULL, MILTER_STAGE_EOM, NULL);
    for (guint stage = 0; stage < MILTER_N_STAGES; stage++)
        relay->lists_macros[stage] = answer->macros[stage] != NULL;
}

static gboolean
somebody_wants(MmRelay *relay, MilterStep step)
{
    for (guint i = 0; i < relay->n_members; i++) {
        const MilterOption *option = option_of(&relay->members[i]);

        if (option ? milter_option_wants(option, step) : is_unknown(&relay->members[i]))
            return TRUE;
    }
    return mm_condition_any(relay, step);
}

static guint32
union_of_steps(MmRelay *relay)
{
    guint32 bits = 0;

    for (guint i = 0; i < relay->n_members; i++) {
        const MilterOption *option = option_of(&relay->members[i]);

        if (option)
            bits |= option->steps;
    }
    return bits;
}

/* Steps nobody needs.  Never CONNECT, HELO, MAIL, RCPT: Sendmail sends ABORT only to a
 * filter that got MAIL, and the dialogue is ours to know. */
static guint32
declined_steps(MmRelay *relay)
{
    guint32 steps = 0;

    if (!somebody_wants(relay, MILTER_STEP_HEADER) && !somebody_wants(relay, MILTER_STEP_EOH) &&
        !mm_condition_any(relay, MILTER_STEP_BODY) && !mm_condition_any(relay, MILTER_STEP_EOM))
        steps |= SMFIP_NOHDRS | SMFIP_NOEOH;
    if (!somebody_wants(relay, MILTER_STEP_BODY))
        steps |= SMFIP_NOBODY;
    if (!somebody_wants(relay, MILTER_STEP_UNKNOWN))
        steps |= SMFIP_NOUNKNOWN;
    if (!somebody_wants(relay, MILTER_STEP_DATA))
        steps |= SMFIP_NODATA;
    return steps;
}

/* Whether no child answers STEP, though some want it. */
static gboolean
is_unanswered(MmRelay *relay, MilterStep step)
{
    if (step == MILTER_STEP_RCPT && relay->host->settings->split_recipients)
        return FALSE; /* we do */
    if (mm_condition_may_refuse(relay, step))
        return FALSE;
    for (guint i = 0; i < relay->n_members; i++) {
        const MmMember *member = &relay->members[i];

        /* A failed one answers with its fallback; one that only evaluates never does. */
        if (member->state != MM_MEMBER_ACTIVE && !member->shadow)
            return FALSE;
        if (member->state == MM_MEMBER_ACTIVE && !member->shadow &&
            milter_peer_wants(member->peer, step) && milter_peer_answers(member->peer, step))
            return FALSE;
    }
    return somebody_wants(relay, step);
}

/* The reply bits of steps that no child will answer: then the MTA need not wait either. */
static guint32
unanswered_steps(MmRelay *relay)
{
    static const MilterStep steps[] = { MILTER_STEP_CONNECT, MILTER_STEP_HELO, MILTER_STEP_MAIL,
                                        MILTER_STEP_RCPT, MILTER_STEP_DATA, MILTER_STEP_UNKNOWN,
                                        MILTER_STEP_BODY };
    guint32 bits = 0;

    for (gsize i = 0; i < G_N_ELEMENTS(steps); i++)
        if (is_unanswered(relay, steps[i]))
            bits |= milter_step_nr_bit(steps[i]);
    return bits;
}

static guint32
answer_steps(MmRelay *relay)
{
    guint32 asked = union_of_steps(relay);
    guint32 steps = declined_steps(relay);

    /* Their replies are held for the next step that has one: fewer packets for the MTA. */
    steps |= SMFIP_NR_HDR | SMFIP_NR_EOH;
    steps |= unanswered_steps(relay);
    steps |= asked & (SMFIP_HDR_LEADSPC | SMFIP_RCPT_REJ | SMFIP_SKIP);
    if (relay->host->settings->rejected_recipients)
        steps |= SMFIP_RCPT_REJ;
    /* Sendmail lowers the data size for all filters unless the answer repeats its bit. */
    steps |= MILTER_MDS_BITS;
    return steps & relay->offer.steps;
}

static void
ask_for_rcpt_macros(MilterOption *answer)
{
    /* Without {rcpt_mailer} a rejected recipient cannot be told from an accepted one. */
    if ((answer->steps & SMFIP_RCPT_REJ) && answer->macros[MILTER_STAGE_RCPT])
        answer->macros[MILTER_STAGE_RCPT] = milter_macro_list_merge(
            answer->macros[MILTER_STAGE_RCPT], "{rcpt_mailer} {rcpt_host} {rcpt_addr}", NULL);
}

static void
finish(MmRelay *relay)
{
    MilterOption answer = { 0 };

    milter_timer_stop(&relay->negotiating);
    relay->is_negotiated = TRUE;
    answer.version = MIN(relay->offer.version, MILTER_VERSION_MAX);
    answer.actions = relay->offer.actions;
    answer.steps = answer_steps(relay);
    merge_lists(relay, &answer);
    ask_for_rcpt_macros(&answer);
    milter_debug("session=%u negotiated version=%u actions=0x%x steps=0x%x children=%u", relay->tag,
                 answer.version, answer.actions, answer.steps, relay->n_members);
    milter_session_negotiate(relay->session, &answer);
    milter_option_clear(&answer);
}

void
mm_negotiation_advance(MmRelay *relay)
{
    for (guint i = 0; i < relay->n_members; i++)
        if (relay->members[i].state == MM_MEMBER_CONNECTING && !relay->members[i].shadow)
            return;
    finish(relay);
}

/* Postfix offers no MDS bits and all actions; nothing else is known before CONNECT, so the
 * shorter patience counts. */
static double
negotiation_time(const MmRelay *relay)
{
    const MmMtaTimeouts *timeouts = relay->host->settings->timeouts;

    return 0.9 * MIN(timeouts[MM_MTA_POSTFIX].negotiation, timeouts[MM_MTA_SENDMAIL].negotiation);
}

void
mm_negotiation_start(MmRelay *relay, const MilterOption *offer)
{
    double time = negotiation_time(relay);

    milter_option_clear(&relay->offer);
    relay->offer.version = MIN(offer->version, MILTER_VERSION_MAX);
    relay->offer.actions = offer->actions & milter_version_actions(relay->offer.version);
    relay->offer.steps = offer->steps & KNOWN_STEPS;
    milter_timer_start(&relay->negotiating, time);
    for (guint i = 0; i < relay->n_members; i++)
        mm_member_connect(&relay->members[i], time);
    mm_relay_advance(relay);
}
