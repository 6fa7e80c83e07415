/* state.h - where an MTA is in the protocol, and what may come next
 *
 * One table answers "may X follow Y?" for both sides: what an MTA may send us
 * (session) and what we may send a child (peer).  No I/O. */
#ifndef MILTER_STATE_H
#define MILTER_STATE_H

#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

typedef enum {
    MILTER_STATE_START,   /* connected; OPTNEG must come */
    MILTER_STATE_READY,   /* negotiated, or QUIT_NC came: CONNECT may come */
    MILTER_STATE_CONNECT, /* CONNECT was sent; no transaction */
    MILTER_STATE_HELO,
    MILTER_STATE_MAIL, /* in a transaction from here on */
    MILTER_STATE_RCPT,
    MILTER_STATE_DATA,
    MILTER_STATE_HEADER,
    MILTER_STATE_EOH,
    MILTER_STATE_BODY,
    MILTER_STATE_EOM,  /* end of message was sent; the transaction is over with its answer */
    MILTER_STATE_QUIT, /* nothing may follow */
    MILTER_STATE_BAD,  /* not a state: the command is out of order */
    MILTER_N_STATES = MILTER_STATE_BAD,
} MilterState;

/* The state that COMMAND leads to, or MILTER_STATE_BAD where no MTA sends it.  Any
 * declined step may be missing; HELO, MAIL, ABORT, UNKNOWN and MACRO rules are those of
 * real MTAs: HELO anywhere after CONNECT (ends a transaction), MAIL right after CONNECT
 * and inside a transaction (ends it), DATA twice, RCPT after a refused DATA, ABORT,
 * UNKNOWN and MACRO anywhere after the negotiation. */
MilterState milter_state_next(MilterState now, guint8 command);

/* The same for a filter that declined CONNECT or MAIL (SMFIP_NOCONNECT, SMFIP_NOMAIL among
 * DECLINED) and so sees HELO or MAIL first, or RCPT … EOM without a MAIL. */
MilterState milter_state_next_declined(MilterState now, guint8 command, guint32 declined);

/* Whether a transaction is open in the state (MAIL … BODY). */
gboolean milter_state_in_transaction(MilterState state);

/* "start", "ready", "connect", …; a static string. */
const char *milter_state_name(MilterState state);

G_END_DECLS
#endif
