/* state.c - the table of what may follow what */
#include "config.h"

#include "libmilter-core/state.h"

/* Short names for the table's cells: a state plus one, so that what is not written is bad. */
enum {
    ___,
    RDY = MILTER_STATE_READY + 1,
    CON = MILTER_STATE_CONNECT + 1,
    HLO = MILTER_STATE_HELO + 1,
    MAI = MILTER_STATE_MAIL + 1,
    RCP = MILTER_STATE_RCPT + 1,
    DAT = MILTER_STATE_DATA + 1,
    HDR = MILTER_STATE_HEADER + 1,
    EOH = MILTER_STATE_EOH + 1,
    BDY = MILTER_STATE_BODY + 1,
    EOM = MILTER_STATE_EOM + 1,
    END = MILTER_STATE_QUIT + 1,
};

#define ROW(command) [(command) - 'A']

/* Which state a command leads to.  The only place that answers "may X follow Y?".
 * - HELO and MAIL inside a transaction end it: Postfix sends a second HELO before the ABORT.
 * - RCPT after DATA: DATA was refused and the client goes on.
 * - RCPT, DATA, HEADER, EOH and BODY may be missing (declined, or an empty part).
 * - ABORT comes at any time: Postfix sends it after a finished message too. */
/* clang-format off */
static const guint8 next_states['Z' - 'A' + 1][MILTER_N_STATES] = {
    /*                    start rdy  con  hlo  mai  rcp  dat  hdr  eoh  bdy  eom  quit */
    ROW(SMFIC_OPTNEG)  = { RDY, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___ },
    ROW(SMFIC_CONNECT) = { ___, CON, ___, ___, ___, ___, ___, ___, ___, ___, ___, ___ },
    ROW(SMFIC_HELO)    = { ___, ___, HLO, HLO, HLO, HLO, HLO, HLO, HLO, HLO, HLO, ___ },
    ROW(SMFIC_MAIL)    = { ___, ___, MAI, MAI, MAI, MAI, MAI, MAI, MAI, MAI, MAI, ___ },
    ROW(SMFIC_RCPT)    = { ___, ___, ___, ___, RCP, RCP, RCP, ___, ___, ___, ___, ___ },
    ROW(SMFIC_DATA)    = { ___, ___, ___, ___, DAT, DAT, DAT, ___, ___, ___, ___, ___ },
    ROW(SMFIC_HEADER)  = { ___, ___, ___, ___, HDR, HDR, HDR, HDR, ___, ___, ___, ___ },
    ROW(SMFIC_EOH)     = { ___, ___, ___, ___, EOH, EOH, EOH, EOH, ___, ___, ___, ___ },
    ROW(SMFIC_BODY)    = { ___, ___, ___, ___, BDY, BDY, BDY, BDY, BDY, BDY, ___, ___ },
    ROW(SMFIC_BODYEOB) = { ___, ___, ___, ___, EOM, EOM, EOM, EOM, EOM, EOM, ___, ___ },
    ROW(SMFIC_MACRO)   = { ___, RDY, CON, HLO, MAI, RCP, DAT, HDR, EOH, BDY, EOM, ___ },
    ROW(SMFIC_UNKNOWN) = { ___, RDY, CON, HLO, MAI, RCP, DAT, HDR, EOH, BDY, EOM, ___ },
    ROW(SMFIC_ABORT)   = { ___, RDY, CON, HLO, HLO, HLO, HLO, HLO, HLO, HLO, HLO, ___ },
    ROW(SMFIC_QUIT_NC) = { ___, RDY, RDY, RDY, RDY, RDY, RDY, RDY, RDY, RDY, RDY, ___ },
    ROW(SMFIC_QUIT)    = { END, END, END, END, END, END, END, END, END, END, END, ___ },
};
/* clang-format on */

static const char *const names[MILTER_N_STATES] = {
    [MILTER_STATE_START] = "start",     [MILTER_STATE_READY] = "ready",
    [MILTER_STATE_CONNECT] = "connect", [MILTER_STATE_HELO] = "helo",
    [MILTER_STATE_MAIL] = "mail",       [MILTER_STATE_RCPT] = "rcpt",
    [MILTER_STATE_DATA] = "data",       [MILTER_STATE_HEADER] = "header",
    [MILTER_STATE_EOH] = "eoh",         [MILTER_STATE_BODY] = "body",
    [MILTER_STATE_EOM] = "eom",         [MILTER_STATE_QUIT] = "quit",
};

MilterState
milter_state_next(MilterState now, guint8 command)
{
    guint8 cell;

    if (command < 'A' || command > 'Z' || now >= MILTER_N_STATES)
        return MILTER_STATE_BAD;
    cell = next_states[command - 'A'][now];
    return cell == ___ ? MILTER_STATE_BAD : (MilterState)(cell - 1);
}

MilterState
milter_state_next_declined(MilterState now, guint8 command, guint32 declined)
{
    MilterState next = milter_state_next(now, command);

    if (next == MILTER_STATE_BAD && now == MILTER_STATE_READY && (declined & SMFIP_NOCONNECT)) {
        now = MILTER_STATE_CONNECT;
        next = milter_state_next(now, command);
    }
    if (next == MILTER_STATE_BAD && (declined & SMFIP_NOMAIL) &&
        !milter_state_in_transaction(now) &&
        milter_state_next(now, SMFIC_MAIL) == MILTER_STATE_MAIL)
        next = milter_state_next(MILTER_STATE_MAIL, command);
    return next;
}

gboolean
milter_state_in_transaction(MilterState state)
{
    return state >= MILTER_STATE_MAIL && state <= MILTER_STATE_BODY;
}

const char *
milter_state_name(MilterState state)
{
    return state < MILTER_N_STATES ? names[state] : "bad";
}
