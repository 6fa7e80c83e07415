/* option.h - option negotiation: SMFIC_OPTNEG, both ways
 *
 * Knows the packet and the rules that tie version, actions and steps together;
 * keeps no state. */
#ifndef MILTER_OPTION_H
#define MILTER_OPTION_H

#include "libmilter-core/buffer.h"
#include "libmilter-core/command.h"
#include "libmilter-core/frame.h"
#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

typedef struct {
    guint32 version; /* 2 … 6 */
    guint32 actions; /* SMFIF_* */
    guint32 steps;   /* SMFIP_* */
    /* Requested macro names, separated by spaces, one list a stage; NULL when the
     * stage was not named, "" when an empty list was.  Owned. */
    char *macros[MILTER_N_STAGES];
} MilterOption;

/* Read an OPTNEG payload (an offer or an answer).  RESULT must be empty (zeroed or
 * cleared).  Errors: too short, version below 2, a list that does not end, an unknown
 * stage.  A version above 6 is kept as it is: the caller takes the lower of both. */
gboolean milter_option_parse(const MilterFrame *frame, MilterOption *result, GError **error);

/* Append an OPTNEG packet.  Lists are written for version 6 only. */
void milter_option_build(MilterBuffer *buffer, const MilterOption *option);

/* Whether ANSWER asks only for what OFFER has: actions and steps are subsets and the
 * version is not above.  FALSE with the offending bits named. */
gboolean milter_option_check_answer(const MilterOption *offer, const MilterOption *answer,
                                    GError **error);

/* Whether STEP is sent to a filter that answered OPTION. */
gboolean milter_option_wants(const MilterOption *option, MilterStep step);

void milter_option_copy(MilterOption *to, const MilterOption *from);
/* Free the lists and zero everything. */
void milter_option_clear(MilterOption *option);

G_END_DECLS
#endif
