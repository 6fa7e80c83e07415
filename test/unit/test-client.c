/* test-client.c - the public way to write a milter, against an MTA of raw packets */
#include "config.h"

#include <unistd.h>

#include "test/unit/dialogue.h"

static void
test_negotiation(void)
{
    static const MilterClientSteps none = { .actions = SMFIF_ADDHDRS | SMFIF_CHGBODY };
    Dialogue test;
    MilterOption option;

    /* Without functions all is declined but MAIL; SKIP and the data sizes are taken. */
    dialogue_init(&test, &none);
    offer(&test, 6, SMFIF_ADDHDRS, SMFI_CURR_PROT | SMFIP_MDS_1M);
    option = take_option(&test);
    g_assert_cmpuint(option.version, ==, 6);
    g_assert_cmphex(option.actions, ==, SMFIF_ADDHDRS);
    g_assert_cmphex(option.steps, ==,
                    SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NORCPT | SMFIP_NODATA | SMFIP_NOHDRS |
                        SMFIP_NOEOH | SMFIP_NOBODY | SMFIP_NOUNKNOWN | SMFIP_SKIP | SMFIP_MDS_1M);
    /* The declined steps do not come; MAIL and EOM are answered. */
    SEND(&test, SMFIC_MACRO, "Cj\0host\0");
    SEND(&test, SMFIC_MAIL, "<a>\0");
    EXPECT(&test, SMFIR_CONTINUE, "");
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    dialogue_clear(&test);

    /* What was not offered is not asked for. */
    dialogue_init(&test, &witness_steps);
    test.milter.request.steps = SMFIP_NR_HDR | SMFIP_HDR_LEADSPC | SMFIP_NOMAIL;
    test.milter.request.macros[MILTER_STAGE_EOM] = g_strdup("i");
    offer(&test, 2, SMFI_V2_ACTS, SMFI_V2_PROT);
    option = take_option(&test);
    g_assert_cmpuint(option.version, ==, 2);
    g_assert_cmphex(option.steps, ==, 0);
    g_assert_cmphex(option.actions & ~(guint32)SMFI_V2_ACTS, ==, 0);
    g_assert_null(option.macros[MILTER_STAGE_EOM]);
    milter_option_clear(&option);
    dialogue_clear(&test);

    /* Lists: EOH and EOM together, and the action that goes with them. */
    dialogue_init(&test, &witness_steps);
    test.milter.request.macros[MILTER_STAGE_EOM] = g_strdup("i {x}");
    test.milter.request.macros[MILTER_STAGE_MAIL] = g_strdup("{auth_authen}");
    offer(&test, 7, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    option = take_option(&test);
    g_assert_cmpuint(option.version, ==, 6);
    g_assert_cmphex(option.actions, ==, SMFI_CURR_ACTS);
    g_assert_cmpstr(option.macros[MILTER_STAGE_EOM], ==, "i {x}");
    g_assert_cmpstr(option.macros[MILTER_STAGE_EOH], ==, "i {x}");
    g_assert_cmpstr(option.macros[MILTER_STAGE_MAIL], ==, "{auth_authen}");
    g_assert_null(option.macros[MILTER_STAGE_RCPT]);
    milter_option_clear(&option);
    dialogue_clear(&test);
}

static void
test_steps(void)
{
    Dialogue test;

    dialogue_init(&test, &witness_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    SEND(&test, SMFIC_CONNECT,
         "host\0"
         "4\0\x19"
         "192.0.2.1\0");
    SEND(&test, SMFIC_HELO, "me\0");
    SEND(&test, SMFIC_UNKNOWN, "FOO\0");
    SEND(&test, SMFIC_MAIL, "<a>\0SIZE=1\0BODY=8BITMIME\0");
    SEND(&test, SMFIC_RCPT, "<b>\0");
    SEND(&test, SMFIC_DATA, "");
    SEND(&test, SMFIC_HEADER, "Subject\0hi\n there\0");
    SEND(&test, SMFIC_EOH, "");
    SEND(&test, SMFIC_BODY, "one");
    SEND(&test, SMFIC_BODYEOB, "two");
    for (guint i = 0; i < 10; i++)
        EXPECT(&test, SMFIR_CONTINUE, "");
    SEND(&test, SMFIC_QUIT, "");
    expect_nothing(&test);
    witness_expect(&test.milter,
                   "connect host 4 25 192.0.2.1;helo me;unknown FOO;"
                   "mail <a> SIZE=1 BODY=8BITMIME;rcpt <b>;data;header Subject=hi\n there;"
                   "eoh;body one;body two;eom;close -;");
    g_assert_cmpuint(milter_client_n_sessions(test.milter.client), ==, 0);
    dialogue_clear(&test);
}

static void
test_answers(void)
{
    static const struct {
        MilterClientAnswer answer;
        guint8 reply;
    } rows[] = {
        { MILTER_CLIENT_CONTINUE, SMFIR_CONTINUE }, { MILTER_CLIENT_ACCEPT, SMFIR_ACCEPT },
        { MILTER_CLIENT_REJECT, SMFIR_REJECT },     { MILTER_CLIENT_TEMPFAIL, SMFIR_TEMPFAIL },
        { MILTER_CLIENT_DISCARD, SMFIR_DISCARD },   { MILTER_CLIENT_SHUTDOWN, SMFIR_SHUTDOWN },
        { MILTER_CLIENT_SKIP, SMFIR_CONTINUE },     { MILTER_CLIENT_REFUSED, SMFIR_REJECT },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Dialogue test;

        dialogue_init(&test, &witness_steps);
        negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
        begin_message(&test);
        test.milter.answers[MILTER_STEP_DATA] = rows[i].answer;
        SEND(&test, SMFIC_DATA, "");
        EXPECT(&test, rows[i].reply, "");
        expect_nothing(&test);
        dialogue_clear(&test);
    }
}

static void
test_refusals(void)
{
    static const char lines[] = "550-5.7.1 100%% sure\r\n550 5.7.1 no";
    Dialogue test;
    g_autofree char *long_line = g_strnfill(901, 'x');
    g_autofree char *many_lines = NULL;
    MilterClientSession *session;

    dialogue_init(&test, &witness_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    session = test.milter.session;
    many_lines = g_strnfill(32, '\n');
    g_assert_cmpint(milter_client_refuse(session, 550, NULL, many_lines), ==, MILTER_CLIENT_REJECT);
    g_assert_cmpint(milter_client_refuse(session, 550, NULL, long_line), ==, MILTER_CLIENT_REJECT);
    g_assert_cmpint(milter_client_refuse(session, 451, "5.7.1", "x"), ==, MILTER_CLIENT_TEMPFAIL);
    g_assert_cmpint(milter_client_refuse(session, 250, NULL, "x"), ==, MILTER_CLIENT_TEMPFAIL);
    g_assert_cmpint(milter_client_refuse(session, 600, NULL, "x"), ==, MILTER_CLIENT_REJECT);
    g_assert_cmpint(milter_client_refuse(session, 550, NULL, "x\ry"), ==, MILTER_CLIENT_REJECT);

    test.milter.answers[MILTER_STEP_RCPT] =
        milter_client_refuse(session, 550, "5.7.1", "100% sure\nno");
    g_assert_cmpint(test.milter.answers[MILTER_STEP_RCPT], ==, MILTER_CLIENT_REFUSED);
    SEND(&test, SMFIC_RCPT, "<c>\0");
    expect_packet(&test, SMFIR_REPLYCODE, lines, sizeof(lines));
    test.milter.answers[MILTER_STEP_RCPT] = milter_client_refuse(session, 451, NULL, "");
    SEND(&test, SMFIC_RCPT, "<d>\0");
    EXPECT(&test, SMFIR_REPLYCODE, "451  \0");
    dialogue_clear(&test);
}

static void
test_later(void)
{
    Dialogue test;

    dialogue_init(&test, &witness_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    test.milter.answers[MILTER_STEP_DATA] = MILTER_CLIENT_LATER;
    SEND(&test, SMFIC_DATA, "");
    expect_nothing(&test);
    g_assert_cmpint(milter_client_owed(test.milter.session), ==, MILTER_STEP_DATA);
    /* What the MTA sends meanwhile waits. */
    SEND(&test, SMFIC_EOH, "");
    witness_expect(&test.milter, "data;");
    g_assert_true(milter_client_progress(test.milter.session));
    milter_client_answer(test.milter.session,
                         milter_client_refuse(test.milter.session, 450, NULL, "wait"));
    settle(&test);
    EXPECT(&test, SMFIR_PROGRESS, "");
    EXPECT(&test, SMFIR_REPLYCODE, "450 wait\0");
    EXPECT(&test, SMFIR_CONTINUE, "");
    witness_expect(&test.milter, "eoh;");
    /* Nothing is owed. */
    milter_client_answer(test.milter.session, MILTER_CLIENT_REJECT);
    settle(&test);
    expect_nothing(&test);

    /* An answer that is not wanted any more. */
    test.milter.answers[MILTER_STEP_EOM] = MILTER_CLIENT_LATER;
    SEND(&test, SMFIC_BODYEOB, "");
    g_assert_true(milter_client_replace_body(test.milter.session, "x", 1));
    SEND(&test, SMFIC_ABORT, "");
    g_assert_cmpint(milter_client_owed(test.milter.session), ==, MILTER_STEP_NONE);
    milter_client_answer(test.milter.session, MILTER_CLIENT_REJECT);
    SEND(&test, SMFIC_ABORT, "");
    expect_nothing(&test);
    witness_expect(&test.milter, "eom;abort;");
    test.milter.answers[MILTER_STEP_EOM] = MILTER_CLIENT_ACCEPT;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    EXPECT(&test, SMFIR_ACCEPT, "");
    expect_nothing(&test);

    /* The MTA leaves while an answer is owed. */
    test.milter.answers[MILTER_STEP_MAIL] = MILTER_CLIENT_LATER;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    close(test.fd);
    test.fd = -1;
    settle(&test);
    witness_expect(&test.milter, "mail <a>;eom;mail <a>;abort;close closed the connection;");
    dialogue_clear(&test);
}

static void
count_destroyed(gpointer data)
{
    (*(guint *)data)++;
}

static void
test_sessions(void)
{
    Dialogue test;
    guint n_destroyed = 0;

    dialogue_init(&test, &witness_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    SEND(&test, SMFIC_MACRO, "Cj\0host\0{tls_version}\0TLSv1.3\0");
    begin_message(&test);
    SEND(&test, SMFIC_MACRO,
         "Mi\0"
         "1234\0");
    milter_client_set_data(test.milter.session, &n_destroyed, count_destroyed);
    g_assert_cmpstr(milter_client_macro(test.milter.session, "tls_version"), ==, "TLSv1.3");
    g_assert_cmpstr(milter_client_macro(test.milter.session, "{i}"), ==, "1234");
    g_assert_null(milter_client_macro(test.milter.session, "none"));
    /* A message that a MAIL ends, or HELO, or EOM; macros go with it. */
    SEND(&test, SMFIC_MAIL, "<c>\0");
    g_assert_cmpstr(milter_client_macro(test.milter.session, "i"), ==, "1234");
    SEND(&test, SMFIC_HELO, "again\0");
    SEND(&test, SMFIC_MACRO, "M{mail_addr}\0d\0");
    SEND(&test, SMFIC_MAIL, "<d>\0");
    g_assert_null(milter_client_macro(test.milter.session, "i"));
    g_assert_cmpstr(milter_client_macro(test.milter.session, "mail_addr"), ==, "d");
    SEND(&test, SMFIC_BODYEOB, "");
    g_assert_null(milter_client_macro(test.milter.session, "mail_addr"));
    SEND(&test, SMFIC_ABORT, "");
    witness_expect(&test.milter, "abort;mail <c>;abort;helo again;mail <d>;eom;");
    g_byte_array_set_size(test.in, 0);

    /* Another session on the same connection. */
    SEND(&test, SMFIC_MAIL, "<e>\0");
    SEND(&test, SMFIC_QUIT_NC, "");
    g_assert_cmpuint(n_destroyed, ==, 1);
    g_assert_null(milter_client_data(test.milter.session));
    g_assert_null(milter_client_macro(test.milter.session, "j"));
    witness_expect(&test.milter, "mail <e>;abort;close -;");
    SEND(&test, SMFIC_CONNECT, "other\0U");
    witness_expect(&test.milter, "connect other U 0 -;");
    g_assert_cmpuint(milter_client_n_sessions(test.milter.client), ==, 1);

    /* An MTA that breaks the protocol. */
    SEND(&test, SMFIC_BODYEOB, "");
    g_assert_true(
        g_str_has_prefix(test.milter.seen->str, "close broke the protocol: SMFIC_BODYEOB"));
    g_assert_cmpuint(milter_client_n_sessions(test.milter.client), ==, 0);
    dialogue_clear(&test);
}

static void
test_no_replies(void)
{
    static const guint32 offers[] = { SMFI_CURR_PROT, SMFI_CURR_PROT & ~(guint32)SMFIP_NR_HDR };

    /* Promised not to answer headers: with an MTA that does not know it they are continued. */
    for (guint i = 0; i < G_N_ELEMENTS(offers); i++) {
        Dialogue test;

        dialogue_init(&test, &witness_steps);
        test.milter.request.steps = SMFIP_NR_HDR;
        test.milter.answers[MILTER_STEP_HEADER] = MILTER_CLIENT_REJECT;
        negotiate(&test, 6, SMFI_CURR_ACTS, offers[i]);
        begin_message(&test);
        SEND(&test, SMFIC_HEADER, "X\0y\0");
        witness_expect(&test.milter, "header X=y;");
        if (i == 1)
            EXPECT(&test, SMFIR_CONTINUE, "");
        expect_nothing(&test);
        SEND(&test, SMFIC_EOH, "");
        EXPECT(&test, SMFIR_CONTINUE, "");
        expect_nothing(&test);
        dialogue_clear(&test);
    }
}

static void
test_skip(void)
{
    static const guint32 offers[] = { SMFI_CURR_PROT, SMFI_CURR_PROT & ~(guint32)SMFIP_SKIP };

    /* An MTA that does not know it sends on; the milter is spared. */
    for (guint i = 0; i < G_N_ELEMENTS(offers); i++) {
        Dialogue test;

        dialogue_init(&test, &witness_steps);
        test.milter.answers[MILTER_STEP_BODY] = MILTER_CLIENT_SKIP;
        negotiate(&test, 6, SMFI_CURR_ACTS, offers[i]);
        begin_message(&test);
        SEND(&test, SMFIC_BODY, "one");
        EXPECT(&test, i == 0 ? SMFIR_SKIP : SMFIR_CONTINUE, "");
        SEND(&test, SMFIC_BODY, "two");
        EXPECT(&test, SMFIR_CONTINUE, "");
        SEND(&test, SMFIC_BODYEOB, "three");
        EXPECT(&test, SMFIR_CONTINUE, "");
        witness_expect(&test.milter, "body one;eom;");
        /* For this message only. */
        SEND(&test, SMFIC_MAIL, "<a>\0");
        SEND(&test, SMFIC_BODY, "four");
        witness_expect(&test.milter, "mail <a>;body four;");
        dialogue_clear(&test);
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/client/negotiation", test_negotiation);
    g_test_add_func("/client/steps", test_steps);
    g_test_add_func("/client/answers", test_answers);
    g_test_add_func("/client/refusals", test_refusals);
    g_test_add_func("/client/later", test_later);
    g_test_add_func("/client/sessions", test_sessions);
    g_test_add_func("/client/no-replies", test_no_replies);
    g_test_add_func("/client/skip", test_skip);
    return g_test_run();
}
