/* protocol.h - the constants of the milter protocol, our names and our limits
 *
 * The numbers come from <libmilter/mfdef.h>.  Added here: MilterStep, our word
 * for "where in the SMTP dialogue", tables that tie command bytes, steps,
 * SMFIP_* bits and macro stages together, names for logs, and every ceiling
 * that input from outside can meet. */
#ifndef MILTER_PROTOCOL_H
#define MILTER_PROTOCOL_H

#include <glib.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>

G_BEGIN_DECLS

/* Data sizes; mfdef.h names them only with _FFR_MDS_NEGOTIATE. */
#define MILTER_DATA_SIZE_64K ((64 * 1024) - 1)
#define MILTER_DATA_SIZE_256K ((256 * 1024) - 1)
#define MILTER_DATA_SIZE_1M ((1024 * 1024) - 1)
#define MILTER_MDS_BITS (SMFIP_MDS_256K | SMFIP_MDS_1M)

/* Largest packet body (command byte and data) accepted from anybody.  Postfix
 * sends headers of up to header_size_limit (102,400) bytes whatever the
 * negotiated data size, so the negotiated size is no ceiling for receiving. */
#define MILTER_PACKET_MAX (1024 * 1024)

#define MILTER_VERSION_MIN 2
#define MILTER_VERSION_MAX 6
#define MILTER_MACRO_NAMES_MAX 50 /* names in one requested list (Sendmail's MAXFILTERMACROS) */

/* The steps of an SMTP dialogue that a milter is asked about. */
typedef enum {
    MILTER_STEP_CONNECT,
    MILTER_STEP_HELO,
    MILTER_STEP_MAIL,
    MILTER_STEP_RCPT,
    MILTER_STEP_DATA,
    MILTER_STEP_HEADER,
    MILTER_STEP_EOH,
    MILTER_STEP_BODY,
    MILTER_STEP_EOM,
    MILTER_STEP_UNKNOWN,
    MILTER_N_STEPS,
    MILTER_STEP_NONE = MILTER_N_STEPS, /* OPTNEG, MACRO, ABORT, QUIT, QUIT_NC and no command */
} MilterStep;

/* The stages a filter may name a macro list for, as numbered on the wire. */
typedef enum {
    MILTER_STAGE_CONNECT = SMFIM_CONNECT,
    MILTER_STAGE_HELO = SMFIM_HELO,
    MILTER_STAGE_MAIL = SMFIM_ENVFROM,
    MILTER_STAGE_RCPT = SMFIM_ENVRCPT,
    MILTER_STAGE_DATA = SMFIM_DATA,
    MILTER_STAGE_EOM = SMFIM_EOM,
    MILTER_STAGE_EOH = SMFIM_EOH,
    MILTER_N_STAGES = 7,
    MILTER_STAGE_NONE = MILTER_N_STAGES,
} MilterStage;

/* Whether the step is part of the message's content: HEADER, EOH, BODY or EOM. */
static inline gboolean
milter_step_is_content(MilterStep step)
{
    return step >= MILTER_STEP_HEADER && step <= MILTER_STEP_EOM;
}

/* The step a command byte belongs to, or MILTER_STEP_NONE. */
MilterStep milter_step_of_command(guint8 command);

/* The command byte of a step (SMFIC_*). */
guint8 milter_step_command(MilterStep step);

/* The SMFIP_NOxxx bit that declines a step; 0 for EOM, which cannot be declined. */
guint32 milter_step_no_bit(MilterStep step);

/* The SMFIP_NR_xxx bit that promises no reply at a step; 0 for EOM. */
guint32 milter_step_nr_bit(MilterStep step);

/* "connect", "helo", … "unknown", "none"; a static string. */
const char *milter_step_name(MilterStep step);

/* The lowest protocol version that has the step (UNKNOWN 3, DATA 4, others 2). */
guint32 milter_step_version(MilterStep step);

/* The macro stage of a command byte; MILTER_STAGE_NONE for commands that have none
 * (UNKNOWN, HEADER, BODY, ABORT …).  Postfix sends macros with those too. */
MilterStage milter_stage_of_command(guint8 command);

/* The command byte whose macros a stage names. */
guint8 milter_stage_command(MilterStage stage);

/* The protocol name of a command byte ("SMFIC_MAIL") or reply byte ("SMFIR_REJECT");
 * "unknown" for any other byte.  Static strings. */
const char *milter_command_name(guint8 command);
const char *milter_reply_name(guint8 reply);

/* The step bits (SMFIP_*) and action bits (SMFIF_*) that exist in a protocol version.
 * Version 2 knows SMFI_V2_PROT and SMFI_V2_ACTS; SKIP, NR_* other than NR_HDR, and
 * HDR_LEADSPC came with version 6. */
guint32 milter_version_steps(guint32 version);
guint32 milter_version_actions(guint32 version);

/* The data size that the SMFIP_MDS_* bits among STEPS stand for. */
guint32 milter_data_size(guint32 steps);

G_END_DECLS
#endif
