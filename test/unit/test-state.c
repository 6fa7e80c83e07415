/* test-state.c - the table of what may follow what, written a second time as words */
#include "config.h"

#include "libmilter-core/state.h"

#include <string.h>

/* For each state, the commands that may come and where they lead: "COMMAND:state …". */
static const char *const expected[MILTER_N_STATES] = {
    [MILTER_STATE_START] = "O:ready Q:quit",
    [MILTER_STATE_READY] = "C:connect D:ready U:ready A:ready K:ready Q:quit",
    [MILTER_STATE_CONNECT] = "H:helo M:mail D:connect U:connect A:connect K:ready Q:quit",
    [MILTER_STATE_HELO] = "H:helo M:mail D:helo U:helo A:helo K:ready Q:quit",
    [MILTER_STATE_MAIL] = "H:helo M:mail R:rcpt T:data L:header N:eoh B:body E:eom D:mail U:mail "
                          "A:helo K:ready Q:quit",
    [MILTER_STATE_RCPT] = "H:helo M:mail R:rcpt T:data L:header N:eoh B:body E:eom D:rcpt U:rcpt "
                          "A:helo K:ready Q:quit",
    [MILTER_STATE_DATA] = "H:helo M:mail R:rcpt T:data L:header N:eoh B:body E:eom D:data U:data "
                          "A:helo K:ready Q:quit",
    [MILTER_STATE_HEADER] = "H:helo M:mail L:header N:eoh B:body E:eom D:header U:header "
                            "A:helo K:ready Q:quit",
    [MILTER_STATE_EOH] = "H:helo M:mail B:body E:eom D:eoh U:eoh A:helo K:ready Q:quit",
    [MILTER_STATE_BODY] = "H:helo M:mail B:body E:eom D:body U:body A:helo K:ready Q:quit",
    [MILTER_STATE_EOM] = "H:helo M:mail D:eom U:eom A:helo K:ready Q:quit",
    [MILTER_STATE_QUIT] = "",
};

/* The state that EXPECTED names for a command, "bad" where it names none. */
static const char *
expected_next(MilterState now, guint8 command)
{
    static char state[16];
    g_auto(GStrv) words = g_strsplit(expected[now], " ", -1);

    for (char **word = words; *word; word++) {
        if (**word == '\0' || (guint8)(*word)[0] != command)
            continue;
        g_strlcpy(state, *word + 2, sizeof(state));
        return state;
    }
    return "bad";
}

static void
test_table(void)
{
    for (MilterState now = 0; now < MILTER_N_STATES; now++)
        for (guint command = 0; command < 256; command++)
            g_assert_cmpstr(milter_state_name(milter_state_next(now, (guint8)command)), ==,
                            expected_next(now, (guint8)command));
}

static void
test_out_of_range(void)
{
    for (guint command = 0; command < 256; command++)
        g_assert_cmpint(milter_state_next(MILTER_STATE_BAD, (guint8)command), ==, MILTER_STATE_BAD);
    g_assert_cmpstr(milter_state_name(MILTER_STATE_BAD), ==, "bad");
}

static void
test_in_transaction(void)
{
    for (MilterState state = 0; state < MILTER_N_STATES; state++) {
        const char *name = milter_state_name(state);

        g_assert_cmpint(milter_state_in_transaction(state), ==,
                        strstr(" mail rcpt data header eoh body ", name) != NULL);
    }
    g_assert_false(milter_state_in_transaction(MILTER_STATE_BAD));
}

/* Whole dialogues, as MTAs send them; '!' marks the first command that is out of order. */
static void
test_dialogues(void)
{
    static const char *const dialogues[] = {
        "OCHMRTLNBEQ", /* everything once */
        "OCMRLNEQ",    /* no HELO, nothing declined but DATA, no body */
        "ODCDHDMDRDTDLLLDNDBBDEAQ",
        "OCHMRRMRTLNBEMRTLNBEQ", /* a MAIL that ends a transaction, two messages */
        "OCHMRHAMRTLNBEQ",       /* Postfix: HELO in a transaction, then the ABORT */
        "OCHMRTRTLNEQ",          /* RCPT after a refused DATA */
        "OCHMRTLNBEAAUAQ",       /* redundant aborts */
        "OCHMRTLNBEKCHMEQ",      /* QUIT_NC and the next session */
        "OCUHUMURUTULUNUBUEUQ",
        "OQ",
        "OAKCQ",
        "!C",
        "!M",
        "!D",
        "!A",
        "!K",
        "OC!C",
        "OCH!E",
        "OCH!R",
        "OCHME!E",
        "OCHMN!L",
        "OCHMB!N",
        "OCHML!T",
        "OCHML!R",
        "OCHMRTLNBE!R",
        "OQ!Q",
        "OC!O",
        "O!H",
        "O!M",
        "OCHMA!R",
        "OCHMH!R",
    };

    for (guint i = 0; i < G_N_ELEMENTS(dialogues); i++) {
        MilterState state = MILTER_STATE_START;
        gboolean is_bad_next = FALSE;

        for (const char *p = dialogues[i]; *p; p++) {
            if (*p == '!') {
                is_bad_next = TRUE;
                continue;
            }
            g_test_message("%s at %c", dialogues[i], *p);
            state = milter_state_next(state, (guint8)*p);
            g_assert_cmpint(state == MILTER_STATE_BAD, ==, is_bad_next);
        }
    }
}

/* A filter that declined CONNECT or MAIL sees what follows them first. */
static void
test_declined(void)
{
    static const struct {
        MilterState now;
        guint8 command;
        guint32 declined;
        MilterState next;
    } rows[] = {
        { MILTER_STATE_READY, 'H', 0, MILTER_STATE_BAD },
        { MILTER_STATE_READY, 'H', SMFIP_NOCONNECT, MILTER_STATE_HELO },
        { MILTER_STATE_READY, 'M', SMFIP_NOCONNECT, MILTER_STATE_MAIL },
        { MILTER_STATE_READY, 'R', SMFIP_NOCONNECT, MILTER_STATE_BAD },
        { MILTER_STATE_READY, 'R', SMFIP_NOCONNECT | SMFIP_NOMAIL, MILTER_STATE_RCPT },
        { MILTER_STATE_READY, 'E', SMFIP_NOCONNECT | SMFIP_NOMAIL, MILTER_STATE_EOM },
        { MILTER_STATE_START, 'H', SMFIP_NOCONNECT, MILTER_STATE_BAD },
        { MILTER_STATE_CONNECT, 'C', SMFIP_NOCONNECT, MILTER_STATE_BAD },
        { MILTER_STATE_HELO, 'R', SMFIP_NOMAIL, MILTER_STATE_RCPT },
        { MILTER_STATE_HELO, 'R', SMFIP_NOHELO, MILTER_STATE_BAD },
        { MILTER_STATE_CONNECT, 'L', SMFIP_NOMAIL, MILTER_STATE_HEADER },
        { MILTER_STATE_EOM, 'R', SMFIP_NOMAIL, MILTER_STATE_RCPT },
        { MILTER_STATE_EOM, 'E', SMFIP_NOMAIL, MILTER_STATE_EOM },
        { MILTER_STATE_BODY, 'L', SMFIP_NOMAIL, MILTER_STATE_BAD },
        { MILTER_STATE_EOH, 'R', SMFIP_NOMAIL, MILTER_STATE_BAD },
        { MILTER_STATE_QUIT, 'R', SMFIP_NOMAIL, MILTER_STATE_BAD },
        { MILTER_STATE_HELO, 'Z', SMFIP_NOMAIL, MILTER_STATE_BAD },
        { MILTER_STATE_BAD, 'M', SMFIP_NOMAIL, MILTER_STATE_BAD },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_test_message("row %u", i);
        g_assert_cmpint(milter_state_next_declined(rows[i].now, rows[i].command, rows[i].declined),
                        ==, rows[i].next);
    }
    /* What is legal without it stays as it is. */
    for (MilterState now = 0; now < MILTER_N_STATES; now++)
        for (guint command = 0; command < 256; command++)
            if (milter_state_next(now, (guint8)command) != MILTER_STATE_BAD)
                g_assert_cmpint(milter_state_next_declined(now, (guint8)command, 0xffffffff), ==,
                                milter_state_next(now, (guint8)command));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/state/table", test_table);
    g_test_add_func("/state/out-of-range", test_out_of_range);
    g_test_add_func("/state/in-transaction", test_in_transaction);
    g_test_add_func("/state/dialogues", test_dialogues);
    g_test_add_func("/state/declined", test_declined);
    return g_test_run();
}
