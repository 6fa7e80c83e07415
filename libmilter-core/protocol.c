/* protocol.c - tables of the protocol's constants */
#include "config.h"

#include "libmilter-core/protocol.h"

typedef struct {
    const char *name;
    guint32 no_bit;
    guint32 nr_bit;
    guint32 version; /* lowest that has the step */
    guint8 command;
} Step;

static const Step steps[MILTER_N_STEPS] = {
    [MILTER_STEP_CONNECT] = { "connect", SMFIP_NOCONNECT, SMFIP_NR_CONN, 2, SMFIC_CONNECT },
    [MILTER_STEP_HELO] = { "helo", SMFIP_NOHELO, SMFIP_NR_HELO, 2, SMFIC_HELO },
    [MILTER_STEP_MAIL] = { "mail", SMFIP_NOMAIL, SMFIP_NR_MAIL, 2, SMFIC_MAIL },
    [MILTER_STEP_RCPT] = { "rcpt", SMFIP_NORCPT, SMFIP_NR_RCPT, 2, SMFIC_RCPT },
    [MILTER_STEP_DATA] = { "data", SMFIP_NODATA, SMFIP_NR_DATA, 4, SMFIC_DATA },
    [MILTER_STEP_HEADER] = { "header", SMFIP_NOHDRS, SMFIP_NR_HDR, 2, SMFIC_HEADER },
    [MILTER_STEP_EOH] = { "eoh", SMFIP_NOEOH, SMFIP_NR_EOH, 2, SMFIC_EOH },
    [MILTER_STEP_BODY] = { "body", SMFIP_NOBODY, SMFIP_NR_BODY, 2, SMFIC_BODY },
    [MILTER_STEP_EOM] = { "eom", 0, 0, 2, SMFIC_BODYEOB },
    [MILTER_STEP_UNKNOWN] = { "unknown", SMFIP_NOUNKNOWN, SMFIP_NR_UNKN, 3, SMFIC_UNKNOWN },
};

static const guint8 stage_commands[MILTER_N_STAGES] = {
    [MILTER_STAGE_CONNECT] = SMFIC_CONNECT, [MILTER_STAGE_HELO] = SMFIC_HELO,
    [MILTER_STAGE_MAIL] = SMFIC_MAIL,       [MILTER_STAGE_RCPT] = SMFIC_RCPT,
    [MILTER_STAGE_DATA] = SMFIC_DATA,       [MILTER_STAGE_EOM] = SMFIC_BODYEOB,
    [MILTER_STAGE_EOH] = SMFIC_EOH,
};

MilterStep
milter_step_of_command(guint8 command)
{
    switch (command) {
    case SMFIC_CONNECT:
        return MILTER_STEP_CONNECT;
    case SMFIC_HELO:
        return MILTER_STEP_HELO;
    case SMFIC_MAIL:
        return MILTER_STEP_MAIL;
    case SMFIC_RCPT:
        return MILTER_STEP_RCPT;
    case SMFIC_DATA:
        return MILTER_STEP_DATA;
    case SMFIC_HEADER:
        return MILTER_STEP_HEADER;
    case SMFIC_EOH:
        return MILTER_STEP_EOH;
    case SMFIC_BODY:
        return MILTER_STEP_BODY;
    case SMFIC_BODYEOB:
        return MILTER_STEP_EOM;
    case SMFIC_UNKNOWN:
        return MILTER_STEP_UNKNOWN;
    default:
        return MILTER_STEP_NONE;
    }
}

guint8
milter_step_command(MilterStep step)
{
    g_assert(step < MILTER_N_STEPS);
    return steps[step].command;
}

guint32
milter_step_no_bit(MilterStep step)
{
    g_assert(step < MILTER_N_STEPS);
    return steps[step].no_bit;
}

guint32
milter_step_nr_bit(MilterStep step)
{
    g_assert(step < MILTER_N_STEPS);
    return steps[step].nr_bit;
}

const char *
milter_step_name(MilterStep step)
{
    return step < MILTER_N_STEPS ? steps[step].name : "none";
}

guint32
milter_step_version(MilterStep step)
{
    g_assert(step < MILTER_N_STEPS);
    return steps[step].version;
}

MilterStage
milter_stage_of_command(guint8 command)
{
    switch (command) {
    case SMFIC_CONNECT:
        return MILTER_STAGE_CONNECT;
    case SMFIC_HELO:
        return MILTER_STAGE_HELO;
    case SMFIC_MAIL:
        return MILTER_STAGE_MAIL;
    case SMFIC_RCPT:
        return MILTER_STAGE_RCPT;
    case SMFIC_DATA:
        return MILTER_STAGE_DATA;
    case SMFIC_BODYEOB:
        return MILTER_STAGE_EOM;
    case SMFIC_EOH:
        return MILTER_STAGE_EOH;
    default:
        return MILTER_STAGE_NONE;
    }
}

guint8
milter_stage_command(MilterStage stage)
{
    g_assert(stage < MILTER_N_STAGES);
    return stage_commands[stage];
}

#define NAME(constant) \
    case constant: \
        return #constant

const char *
milter_command_name(guint8 command)
{
    switch (command) {
        NAME(SMFIC_ABORT);
        NAME(SMFIC_BODY);
        NAME(SMFIC_CONNECT);
        NAME(SMFIC_MACRO);
        NAME(SMFIC_BODYEOB);
        NAME(SMFIC_HELO);
        NAME(SMFIC_QUIT_NC);
        NAME(SMFIC_HEADER);
        NAME(SMFIC_MAIL);
        NAME(SMFIC_EOH);
        NAME(SMFIC_OPTNEG);
        NAME(SMFIC_QUIT);
        NAME(SMFIC_RCPT);
        NAME(SMFIC_DATA);
        NAME(SMFIC_UNKNOWN);
    default:
        return "unknown";
    }
}

const char *
milter_reply_name(guint8 reply)
{
    switch (reply) {
        NAME(SMFIR_ADDRCPT);
        NAME(SMFIR_DELRCPT);
        NAME(SMFIR_ADDRCPT_PAR);
        NAME(SMFIR_SHUTDOWN);
        NAME(SMFIR_ACCEPT);
        NAME(SMFIR_REPLBODY);
        NAME(SMFIR_CONTINUE);
        NAME(SMFIR_DISCARD);
        NAME(SMFIR_CHGFROM);
        NAME(SMFIR_CONN_FAIL);
        NAME(SMFIR_ADDHEADER);
        NAME(SMFIR_INSHEADER);
        NAME(SMFIR_SETSYMLIST);
        NAME(SMFIR_CHGHEADER);
        NAME(SMFIR_PROGRESS);
        NAME(SMFIR_QUARANTINE);
        NAME(SMFIR_REJECT);
        NAME(SMFIR_SKIP);
        NAME(SMFIR_TEMPFAIL);
        NAME(SMFIR_REPLYCODE);
    default:
        return "unknown";
    }
}

guint32
milter_version_steps(guint32 version)
{
    if (version <= 2)
        return SMFI_V2_PROT;
    if (version == 3)
        return SMFI_V2_PROT | SMFIP_NR_HDR | SMFIP_NOUNKNOWN;
    if (version <= 5)
        return SMFI_V2_PROT | SMFIP_NR_HDR | SMFIP_NOUNKNOWN | SMFIP_NODATA;
    return SMFI_CURR_PROT | MILTER_MDS_BITS;
}

guint32
milter_version_actions(guint32 version)
{
    return version < 6 ? SMFI_V2_ACTS : SMFI_CURR_ACTS;
}

guint32
milter_data_size(guint32 step_bits)
{
    if (step_bits & SMFIP_MDS_1M)
        return MILTER_DATA_SIZE_1M;
    if (step_bits & SMFIP_MDS_256K)
        return MILTER_DATA_SIZE_256K;
    return MILTER_DATA_SIZE_64K;
}
