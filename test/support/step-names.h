/* step-names.h - the step bits of a negotiation by name
 *
 * For texts in which tests and scripted milters say what a milter asks for: the names are
 * those of mfdef.h without "SMFIP_". */
#ifndef TEST_STEP_NAMES_H
#define TEST_STEP_NAMES_H

#include <glib.h>
#include <libmilter/mfdef.h>

/* A word and what it stands for on the wire. */
typedef struct {
    const char *name;
    guint32 value;
} Name;

static const Name step_names[] = {
    { "NOCONNECT", SMFIP_NOCONNECT },
    { "NOHELO", SMFIP_NOHELO },
    { "NOMAIL", SMFIP_NOMAIL },
    { "NORCPT", SMFIP_NORCPT },
    { "NOBODY", SMFIP_NOBODY },
    { "NOHDRS", SMFIP_NOHDRS },
    { "NOEOH", SMFIP_NOEOH },
    { "NOUNKNOWN", SMFIP_NOUNKNOWN },
    { "NODATA", SMFIP_NODATA },
    { "NR_HDR", SMFIP_NR_HDR },
    { "NR_CONN", SMFIP_NR_CONN },
    { "NR_HELO", SMFIP_NR_HELO },
    { "NR_MAIL", SMFIP_NR_MAIL },
    { "NR_RCPT", SMFIP_NR_RCPT },
    { "NR_DATA", SMFIP_NR_DATA },
    { "NR_UNKN", SMFIP_NR_UNKN },
    { "NR_EOH", SMFIP_NR_EOH },
    { "NR_BODY", SMFIP_NR_BODY },
    { "SKIP", SMFIP_SKIP },
    { "RCPT_REJ", SMFIP_RCPT_REJ },
    { "HDR_LEADSPC", SMFIP_HDR_LEADSPC },
    { "MDS_256K", SMFIP_MDS_256K },
    { "MDS_1M", SMFIP_MDS_1M },
    { NULL, 0 },
};

#endif
