/* test-client-edit.c - what a milter of the public interface changes, as it comes to the MTA */
#include "config.h"

#include "test/unit/dialogue.h"

static void
edit_everything(MilterClientSession *session)
{
    g_assert_true(milter_client_add_header(session, "X-A", "1"));
    g_assert_true(milter_client_insert_header(session, 2, "X-B", "2\n 3"));
    g_assert_true(milter_client_change_header(session, "Subject", 1, "new"));
    g_assert_true(milter_client_replace_body(session, "one\r\n", 5));
    g_assert_true(milter_client_delete_header(session, "X-C", 3));
    g_assert_true(milter_client_add_recipient(session, "<x>", NULL));
    g_assert_true(milter_client_add_recipient(session, "<y>", "NOTIFY=NEVER"));
    g_assert_true(milter_client_progress(session));
    g_assert_true(milter_client_delete_recipient(session, "<b>"));
    g_assert_true(milter_client_change_sender(session, "<z>", NULL));
    g_assert_true(milter_client_change_sender(session, "<z>", "SIZE=1"));
    g_assert_true(milter_client_quarantine(session, "odd"));
    g_assert_true(milter_client_replace_body(session, "two\r\n", 5));
}

static void
test_edits(void)
{
    Dialogue test;

    dialogue_init(&test, &witness_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    test.milter.at_eom = edit_everything;
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_ADDHEADER,
           "X-A\0"
           "1\0");
    EXPECT(&test, SMFIR_INSHEADER,
           "\0\0\0\2X-B\0"
           "2\n 3\0");
    EXPECT(&test, SMFIR_CHGHEADER, "\0\0\0\1Subject\0new\0");
    EXPECT(&test, SMFIR_CHGHEADER, "\0\0\0\3X-C\0\0");
    EXPECT(&test, SMFIR_ADDRCPT, "<x>\0");
    EXPECT(&test, SMFIR_ADDRCPT_PAR, "<y>\0NOTIFY=NEVER\0");
    EXPECT(&test, SMFIR_PROGRESS, "");
    EXPECT(&test, SMFIR_DELRCPT, "<b>\0");
    EXPECT(&test, SMFIR_CHGFROM, "<z>\0");
    EXPECT(&test, SMFIR_CHGFROM, "<z>\0SIZE=1\0");
    EXPECT(&test, SMFIR_QUARANTINE, "odd\0");
    /* One unbroken run, whenever it was asked for. */
    EXPECT(&test, SMFIR_REPLBODY, "one\r\n");
    EXPECT(&test, SMFIR_REPLBODY, "two\r\n");
    EXPECT(&test, SMFIR_CONTINUE, "");
    expect_nothing(&test);
    /* The next message has nothing of it. */
    test.milter.at_eom = NULL;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    expect_nothing(&test);
    dialogue_clear(&test);
}

static void
edit_badly(MilterClientSession *session)
{
    g_autofree char *large = g_strnfill(MILTER_DATA_SIZE_64K, 'x');

    g_assert_false(milter_client_add_header(session, "", "1"));
    g_assert_false(milter_client_add_header(session, "X A", "1"));
    g_assert_false(milter_client_add_header(session, "X:", "1"));
    g_assert_false(milter_client_add_header(session, "X", large));
    g_assert_false(milter_client_add_recipient(session, "", NULL));
    g_assert_false(milter_client_quarantine(session, ""));
    /* Not negotiated. */
    g_assert_false(milter_client_change_sender(session, "<z>", NULL));
    /* One that can be sent, cut to what fits, and the empty body. */
    g_assert_true(milter_client_replace_body(session, large, MILTER_DATA_SIZE_64K));
    g_assert_true(milter_client_replace_body(session, "x", 1));
}

static void
empty_body(MilterClientSession *session)
{
    g_assert_true(milter_client_replace_body(session, NULL, 0));
    g_assert_true(milter_client_replace_body(session, NULL, 0));
}

static void
test_bad_edits(void)
{
    g_autofree char *large = g_strnfill(MILTER_DATA_SIZE_64K, 'x');
    Dialogue test;

    dialogue_init(&test, &witness_steps);
    negotiate(&test, 6, SMFI_V2_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    /* Not the time. */
    g_assert_false(milter_client_add_header(test.milter.session, "X", "1"));
    g_assert_false(milter_client_replace_body(test.milter.session, "x", 1));
    g_assert_false(milter_client_progress(test.milter.session));
    test.milter.at_eom = edit_badly;
    SEND(&test, SMFIC_BODYEOB, "");
    expect_packet(&test, SMFIR_REPLBODY, large, MILTER_DATA_SIZE_64K);
    EXPECT(&test, SMFIR_REPLBODY, "x");
    EXPECT(&test, SMFIR_CONTINUE, "");
    test.milter.at_eom = empty_body;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    EXPECT(&test, SMFIR_REPLBODY, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    expect_nothing(&test);
    dialogue_clear(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client-edit/edits", test_edits);
    g_test_add_func("/client-edit/bad-edits", test_bad_edits);
    return g_test_run();
}
