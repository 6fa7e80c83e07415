/* action.h - what the actions of a script do
 *
 * Edits are carried out one after the other and recorded with libmilter's result; the first
 * action that is a reply ends the step. */
#ifndef E2E_ACTION_H
#define E2E_ACTION_H

#include "record.h"
#include "script.h"

/* Play all rules that apply to this call of STEP; returns what the callback has to return. */
sfsistat action_play(SMFICTX *ctx, const Script *script, Record *record, const char *step,
                     guint msg, guint nth, const char *arg);

/* What a script asks for at the negotiation. */
typedef struct {
    unsigned long actions; /* SMFIF_* */
    unsigned long steps;   /* SMFIP_* */
    sfsistat result;       /* SMFIS_CONTINUE, SMFIS_ALL_OPTS or SMFIS_REJECT */
} Negotiation;

/* Play the rules of the step "negotiate".  *asked holds the defaults, which they change. */
void action_negotiate(SMFICTX *ctx, const Script *script, Record *record, Negotiation *asked);

#endif
