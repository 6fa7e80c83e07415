/* test-client.c - the public way to write a milter, against an MTA of raw packets */
#include "config.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libmilter-client/client.h"

/* A milter that writes down what it is asked, and the MTA's end of one connection. */
typedef struct {
    MilterLoop *loop;
    MilterClient *client;
    MilterClientSteps steps;
    MilterClientSession *session; /* the latest */
    MilterClientAnswer answers[MILTER_N_STEPS];
    MilterOption request; /* bits and lists that negotiate adds; owned */
    void (*at_eom)(MilterClientSession *session);
    GString *seen;  /* what the functions were given */
    GByteArray *in; /* what came to the MTA */
    int fd;         /* the MTA's end */
    guint n_destroyed;
} Test;

static void
on_negotiate(MilterClientSession *session, const MilterOption *offer, MilterOption *request,
             gpointer data)
{
    Test *test = data;

    test->session = session;
    g_assert_cmpuint(milter_client_option(session)->version, ==, 0);
    request->steps |= test->request.steps;
    request->actions |= test->request.actions;
    for (guint i = 0; i < MILTER_N_STAGES; i++) {
        if (test->request.macros[i])
            milter_client_ask_macros(request, i, test->request.macros[i]);
    }
}

static MilterClientAnswer
on_connect(MilterClientSession *session, const MilterConnect *connect, gpointer data)
{
    Test *test = data;

    g_string_append_printf(test->seen, "connect %s %c %u %s;", connect->host, connect->family,
                           connect->port, connect->address ? connect->address : "-");
    return test->answers[MILTER_STEP_CONNECT];
}

static MilterClientAnswer
on_helo(MilterClientSession *session, const char *name, gpointer data)
{
    Test *test = data;

    g_string_append_printf(test->seen, "helo %s;", name);
    return test->answers[MILTER_STEP_HELO];
}

static void
see_envelope(Test *test, const char *step, const MilterEnvelope *envelope)
{
    const char *parameter = NULL;

    g_string_append_printf(test->seen, "%s %s", step, envelope->address);
    while ((parameter = milter_envelope_next_parameter(envelope, parameter)))
        g_string_append_printf(test->seen, " %s", parameter);
    g_string_append_c(test->seen, ';');
}

static MilterClientAnswer
on_mail(MilterClientSession *session, const MilterEnvelope *sender, gpointer data)
{
    Test *test = data;

    see_envelope(test, "mail", sender);
    return test->answers[MILTER_STEP_MAIL];
}

static MilterClientAnswer
on_rcpt(MilterClientSession *session, const MilterEnvelope *recipient, gpointer data)
{
    Test *test = data;

    see_envelope(test, "rcpt", recipient);
    return test->answers[MILTER_STEP_RCPT];
}

static MilterClientAnswer
on_data(MilterClientSession *session, gpointer data)
{
    Test *test = data;

    g_string_append(test->seen, "data;");
    return test->answers[MILTER_STEP_DATA];
}

static MilterClientAnswer
on_header(MilterClientSession *session, const MilterHeader *header, gpointer data)
{
    Test *test = data;

    g_string_append_printf(test->seen, "header %s=%s;", header->name, header->value);
    return test->answers[MILTER_STEP_HEADER];
}

static MilterClientAnswer
on_eoh(MilterClientSession *session, gpointer data)
{
    Test *test = data;

    g_string_append(test->seen, "eoh;");
    return test->answers[MILTER_STEP_EOH];
}

static MilterClientAnswer
on_body(MilterClientSession *session, const guint8 *chunk, gsize size, gpointer data)
{
    Test *test = data;

    g_string_append_printf(test->seen, "body %.*s;", (int)size, (const char *)chunk);
    return test->answers[MILTER_STEP_BODY];
}

static MilterClientAnswer
on_eom(MilterClientSession *session, gpointer data)
{
    Test *test = data;

    g_string_append(test->seen, "eom;");
    if (test->at_eom)
        test->at_eom(session);
    return test->answers[MILTER_STEP_EOM];
}

static MilterClientAnswer
on_unknown(MilterClientSession *session, const char *command, gpointer data)
{
    Test *test = data;

    g_string_append_printf(test->seen, "unknown %s;", command);
    return test->answers[MILTER_STEP_UNKNOWN];
}

static void
on_abort(MilterClientSession *session, gpointer data)
{
    Test *test = data;

    g_string_append(test->seen, "abort;");
}

static void
on_close(MilterClientSession *session, const char *why, gpointer data)
{
    Test *test = data;

    g_string_append_printf(test->seen, "close %s;", why ? why : "-");
}

static const MilterClientSteps all_steps = {
    .actions = SMFI_CURR_ACTS & ~SMFIF_SETSYMLIST,
    .negotiate = on_negotiate,
    .connect = on_connect,
    .helo = on_helo,
    .mail = on_mail,
    .rcpt = on_rcpt,
    .data = on_data,
    .header = on_header,
    .eoh = on_eoh,
    .body = on_body,
    .eom = on_eom,
    .abort = on_abort,
    .unknown = on_unknown,
    .close = on_close,
};

static void
test_init(Test *test, const MilterClientSteps *steps)
{
    int ends[2];

    *test = (Test){ .steps = *steps };
    for (guint i = 0; i < MILTER_N_STEPS; i++)
        test->answers[i] = MILTER_CLIENT_CONTINUE;
    test->loop = milter_loop_new_virtual();
    test->client = milter_client_new(test->loop, &test->steps, test);
    test->seen = g_string_new(NULL);
    test->in = g_byte_array_new();
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), ==,
                    0);
    test->fd = ends[0];
    milter_client_add(test->client, ends[1]);
}

static void
test_clear(Test *test)
{
    if (test->fd >= 0)
        close(test->fd);
    milter_client_free(&test->client);
    milter_option_clear(&test->request);
    milter_loop_free(&test->loop);
    g_string_free(test->seen, TRUE);
    g_byte_array_unref(test->in);
}

/* Until nothing moves any more: every packet in flight takes a turn or two. */
static void
settle(Test *test)
{
    guint8 part[65536];
    ssize_t n = 1;

    for (guint quiet = 0; quiet < 3;) {
        milter_loop_turn(test->loop, FALSE);
        n = test->fd >= 0 ? read(test->fd, part, sizeof(part)) : -1;
        if (n > 0)
            g_byte_array_append(test->in, part, (guint)n);
        quiet = n > 0 ? 0 : quiet + 1;
    }
}

static void
send_packet(Test *test, guint8 command, const void *payload, gsize size)
{
    MilterBuffer packet = { 0 };

    milter_buffer_append_packet(&packet, command, payload, size);
    g_assert_cmpint(write(test->fd, milter_buffer_bytes(&packet), milter_buffer_size(&packet)), ==,
                    (gssize)milter_buffer_size(&packet));
    milter_buffer_clear(&packet);
    settle(test);
}

#define SEND(test, command, literal) send_packet((test), (command), (literal), sizeof(literal) - 1)

/* The next packet that came to the MTA is this one. */
static void
expect_packet(Test *test, guint8 reply, const void *payload, gsize size)
{
    MilterFrame frame;

    g_assert_cmpint(milter_frame_peek(test->in->data, test->in->len, MILTER_PACKET_MAX, &frame), ==,
                    MILTER_FRAME_OK);
    g_assert_cmpint(frame.command, ==, reply);
    g_assert_cmpmem(frame.payload, frame.size, payload, size);
    g_byte_array_remove_range(test->in, 0, (guint)frame.wire_size);
}

#define EXPECT(test, reply, literal) expect_packet((test), (reply), (literal), sizeof(literal) - 1)

static void
expect_nothing(Test *test)
{
    g_assert_cmpuint(test->in->len, ==, 0);
}

static void
expect_seen(Test *test, const char *seen)
{
    g_assert_cmpstr(test->seen->str, ==, seen);
    g_string_truncate(test->seen, 0);
}

static void
offer(Test *test, guint32 version, guint32 actions, guint32 steps)
{
    const MilterOption option = { .version = version, .actions = actions, .steps = steps };
    MilterBuffer packet = { 0 };

    milter_option_build(&packet, &option);
    send_packet(test, SMFIC_OPTNEG, milter_buffer_bytes(&packet) + MILTER_FRAME_HEAD,
                milter_buffer_size(&packet) - MILTER_FRAME_HEAD);
    milter_buffer_clear(&packet);
}

/* The answer to the offer; to be cleared. */
static MilterOption
take_option(Test *test)
{
    MilterOption option = { 0 };
    MilterFrame frame;

    g_assert_cmpint(milter_frame_peek(test->in->data, test->in->len, MILTER_PACKET_MAX, &frame), ==,
                    MILTER_FRAME_OK);
    g_assert_cmpint(frame.command, ==, SMFIC_OPTNEG);
    g_assert_true(milter_option_parse(&frame, &option, NULL));
    g_byte_array_remove_range(test->in, 0, (guint)frame.wire_size);
    return option;
}

static void
negotiate(Test *test, guint32 version, guint32 actions, guint32 steps)
{
    MilterOption option;

    offer(test, version, actions, steps);
    option = take_option(test);
    g_assert_cmpuint(option.version, ==, version);
    milter_option_clear(&option);
}

/* Through the envelope, all with continue; what was seen is forgotten. */
static void
begin_message(Test *test)
{
    SEND(test, SMFIC_CONNECT, "host\0U");
    SEND(test, SMFIC_HELO, "me\0");
    SEND(test, SMFIC_MAIL, "<a>\0");
    SEND(test, SMFIC_RCPT, "<b>\0");
    for (guint i = 0; i < 4; i++)
        EXPECT(test, SMFIR_CONTINUE, "");
    g_string_truncate(test->seen, 0);
}

static void
test_negotiation(void)
{
    static const MilterClientSteps none = { .actions = SMFIF_ADDHDRS | SMFIF_CHGBODY };
    Test test;
    MilterOption option;

    /* Without functions all is declined but MAIL; SKIP and the data sizes are taken. */
    test_init(&test, &none);
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
    test_clear(&test);

    /* What was not offered is not asked for. */
    test_init(&test, &all_steps);
    test.request.steps = SMFIP_NR_HDR | SMFIP_HDR_LEADSPC | SMFIP_NOMAIL;
    test.request.macros[MILTER_STAGE_EOM] = g_strdup("i");
    offer(&test, 2, SMFI_V2_ACTS, SMFI_V2_PROT);
    option = take_option(&test);
    g_assert_cmpuint(option.version, ==, 2);
    g_assert_cmphex(option.steps, ==, 0);
    g_assert_cmphex(option.actions & ~(guint32)SMFI_V2_ACTS, ==, 0);
    g_assert_null(option.macros[MILTER_STAGE_EOM]);
    milter_option_clear(&option);
    test_clear(&test);

    /* Lists: EOH and EOM together, and the action that goes with them. */
    test_init(&test, &all_steps);
    test.request.macros[MILTER_STAGE_EOM] = g_strdup("i {x}");
    test.request.macros[MILTER_STAGE_MAIL] = g_strdup("{auth_authen}");
    offer(&test, 7, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    option = take_option(&test);
    g_assert_cmpuint(option.version, ==, 6);
    g_assert_cmphex(option.actions, ==, SMFI_CURR_ACTS);
    g_assert_cmpstr(option.macros[MILTER_STAGE_EOM], ==, "i {x}");
    g_assert_cmpstr(option.macros[MILTER_STAGE_EOH], ==, "i {x}");
    g_assert_cmpstr(option.macros[MILTER_STAGE_MAIL], ==, "{auth_authen}");
    g_assert_null(option.macros[MILTER_STAGE_RCPT]);
    milter_option_clear(&option);
    test_clear(&test);
}

static void
test_steps(void)
{
    Test test;

    test_init(&test, &all_steps);
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
    expect_seen(&test, "connect host 4 25 192.0.2.1;helo me;unknown FOO;"
                       "mail <a> SIZE=1 BODY=8BITMIME;rcpt <b>;data;header Subject=hi\n there;"
                       "eoh;body one;body two;eom;close -;");
    g_assert_cmpuint(milter_client_n_sessions(test.client), ==, 0);
    test_clear(&test);
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
        Test test;

        test_init(&test, &all_steps);
        negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
        begin_message(&test);
        test.answers[MILTER_STEP_DATA] = rows[i].answer;
        SEND(&test, SMFIC_DATA, "");
        EXPECT(&test, rows[i].reply, "");
        expect_nothing(&test);
        test_clear(&test);
    }
}

static void
test_refusals(void)
{
    static const char lines[] = "550-5.7.1 100%% sure\r\n550 5.7.1 no";
    Test test;
    g_autofree char *long_line = g_strnfill(901, 'x');
    g_autofree char *many_lines = NULL;
    MilterClientSession *session;

    test_init(&test, &all_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    session = test.session;
    many_lines = g_strnfill(32, '\n');
    g_assert_cmpint(milter_client_refuse(session, 550, NULL, many_lines), ==, MILTER_CLIENT_REJECT);
    g_assert_cmpint(milter_client_refuse(session, 550, NULL, long_line), ==, MILTER_CLIENT_REJECT);
    g_assert_cmpint(milter_client_refuse(session, 451, "5.7.1", "x"), ==, MILTER_CLIENT_TEMPFAIL);
    g_assert_cmpint(milter_client_refuse(session, 250, NULL, "x"), ==, MILTER_CLIENT_TEMPFAIL);
    g_assert_cmpint(milter_client_refuse(session, 600, NULL, "x"), ==, MILTER_CLIENT_REJECT);
    g_assert_cmpint(milter_client_refuse(session, 550, NULL, "x\ry"), ==, MILTER_CLIENT_REJECT);

    test.answers[MILTER_STEP_RCPT] = milter_client_refuse(session, 550, "5.7.1", "100% sure\nno");
    g_assert_cmpint(test.answers[MILTER_STEP_RCPT], ==, MILTER_CLIENT_REFUSED);
    SEND(&test, SMFIC_RCPT, "<c>\0");
    expect_packet(&test, SMFIR_REPLYCODE, lines, sizeof(lines));
    test.answers[MILTER_STEP_RCPT] = milter_client_refuse(session, 451, NULL, "");
    SEND(&test, SMFIC_RCPT, "<d>\0");
    EXPECT(&test, SMFIR_REPLYCODE, "451  \0");
    test_clear(&test);
}

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
    Test test;

    test_init(&test, &all_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    test.at_eom = edit_everything;
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
    test.at_eom = NULL;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    expect_nothing(&test);
    test_clear(&test);
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
    Test test;

    test_init(&test, &all_steps);
    negotiate(&test, 6, SMFI_V2_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    /* Not the time. */
    g_assert_false(milter_client_add_header(test.session, "X", "1"));
    g_assert_false(milter_client_replace_body(test.session, "x", 1));
    g_assert_false(milter_client_progress(test.session));
    test.at_eom = edit_badly;
    SEND(&test, SMFIC_BODYEOB, "");
    expect_packet(&test, SMFIR_REPLBODY, large, MILTER_DATA_SIZE_64K);
    EXPECT(&test, SMFIR_REPLBODY, "x");
    EXPECT(&test, SMFIR_CONTINUE, "");
    test.at_eom = empty_body;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    EXPECT(&test, SMFIR_REPLBODY, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    expect_nothing(&test);
    test_clear(&test);
}

static void
test_later(void)
{
    Test test;

    test_init(&test, &all_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    begin_message(&test);
    test.answers[MILTER_STEP_DATA] = MILTER_CLIENT_LATER;
    SEND(&test, SMFIC_DATA, "");
    expect_nothing(&test);
    g_assert_cmpint(milter_client_owed(test.session), ==, MILTER_STEP_DATA);
    /* What the MTA sends meanwhile waits. */
    SEND(&test, SMFIC_EOH, "");
    expect_seen(&test, "data;");
    g_assert_true(milter_client_progress(test.session));
    milter_client_answer(test.session, milter_client_refuse(test.session, 450, NULL, "wait"));
    settle(&test);
    EXPECT(&test, SMFIR_PROGRESS, "");
    EXPECT(&test, SMFIR_REPLYCODE, "450 wait\0");
    EXPECT(&test, SMFIR_CONTINUE, "");
    expect_seen(&test, "eoh;");
    /* Nothing is owed. */
    milter_client_answer(test.session, MILTER_CLIENT_REJECT);
    settle(&test);
    expect_nothing(&test);

    /* An answer that is not wanted any more. */
    test.answers[MILTER_STEP_EOM] = MILTER_CLIENT_LATER;
    SEND(&test, SMFIC_BODYEOB, "");
    g_assert_true(milter_client_replace_body(test.session, "x", 1));
    SEND(&test, SMFIC_ABORT, "");
    g_assert_cmpint(milter_client_owed(test.session), ==, MILTER_STEP_NONE);
    milter_client_answer(test.session, MILTER_CLIENT_REJECT);
    SEND(&test, SMFIC_ABORT, "");
    expect_nothing(&test);
    expect_seen(&test, "eom;abort;");
    test.answers[MILTER_STEP_EOM] = MILTER_CLIENT_ACCEPT;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    SEND(&test, SMFIC_BODYEOB, "");
    EXPECT(&test, SMFIR_CONTINUE, "");
    EXPECT(&test, SMFIR_ACCEPT, "");
    expect_nothing(&test);

    /* The MTA leaves while an answer is owed. */
    test.answers[MILTER_STEP_MAIL] = MILTER_CLIENT_LATER;
    SEND(&test, SMFIC_MAIL, "<a>\0");
    close(test.fd);
    test.fd = -1;
    settle(&test);
    expect_seen(&test, "mail <a>;eom;mail <a>;abort;close closed the connection;");
    test_clear(&test);
}

static void
count_destroyed(gpointer data)
{
    (*(guint *)data)++;
}

static void
test_sessions(void)
{
    Test test;

    test_init(&test, &all_steps);
    negotiate(&test, 6, SMFI_CURR_ACTS, SMFI_CURR_PROT);
    SEND(&test, SMFIC_MACRO, "Cj\0host\0{tls_version}\0TLSv1.3\0");
    begin_message(&test);
    SEND(&test, SMFIC_MACRO,
         "Mi\0"
         "1234\0");
    milter_client_set_data(test.session, &test.n_destroyed, count_destroyed);
    g_assert_cmpstr(milter_client_macro(test.session, "tls_version"), ==, "TLSv1.3");
    g_assert_cmpstr(milter_client_macro(test.session, "{i}"), ==, "1234");
    g_assert_null(milter_client_macro(test.session, "none"));
    /* A message that a MAIL ends, or HELO, or EOM; macros go with it. */
    SEND(&test, SMFIC_MAIL, "<c>\0");
    g_assert_cmpstr(milter_client_macro(test.session, "i"), ==, "1234");
    SEND(&test, SMFIC_HELO, "again\0");
    SEND(&test, SMFIC_MACRO, "M{mail_addr}\0d\0");
    SEND(&test, SMFIC_MAIL, "<d>\0");
    g_assert_null(milter_client_macro(test.session, "i"));
    g_assert_cmpstr(milter_client_macro(test.session, "mail_addr"), ==, "d");
    SEND(&test, SMFIC_BODYEOB, "");
    g_assert_null(milter_client_macro(test.session, "mail_addr"));
    SEND(&test, SMFIC_ABORT, "");
    expect_seen(&test, "abort;mail <c>;abort;helo again;mail <d>;eom;");
    g_byte_array_set_size(test.in, 0);

    /* Another session on the same connection. */
    SEND(&test, SMFIC_MAIL, "<e>\0");
    SEND(&test, SMFIC_QUIT_NC, "");
    g_assert_cmpuint(test.n_destroyed, ==, 1);
    g_assert_null(milter_client_data(test.session));
    g_assert_null(milter_client_macro(test.session, "j"));
    expect_seen(&test, "mail <e>;abort;close -;");
    SEND(&test, SMFIC_CONNECT, "other\0U");
    expect_seen(&test, "connect other U 0 -;");
    g_assert_cmpuint(milter_client_n_sessions(test.client), ==, 1);

    /* An MTA that breaks the protocol. */
    SEND(&test, SMFIC_BODYEOB, "");
    g_assert_true(g_str_has_prefix(test.seen->str, "close broke the protocol: SMFIC_BODYEOB"));
    g_assert_cmpuint(milter_client_n_sessions(test.client), ==, 0);
    test_clear(&test);
}

static void
test_no_replies(void)
{
    static const guint32 offers[] = { SMFI_CURR_PROT, SMFI_CURR_PROT & ~(guint32)SMFIP_NR_HDR };

    /* Promised not to answer headers: with an MTA that does not know it they are continued. */
    for (guint i = 0; i < G_N_ELEMENTS(offers); i++) {
        Test test;

        test_init(&test, &all_steps);
        test.request.steps = SMFIP_NR_HDR;
        test.answers[MILTER_STEP_HEADER] = MILTER_CLIENT_REJECT;
        negotiate(&test, 6, SMFI_CURR_ACTS, offers[i]);
        begin_message(&test);
        SEND(&test, SMFIC_HEADER, "X\0y\0");
        expect_seen(&test, "header X=y;");
        if (i == 1)
            EXPECT(&test, SMFIR_CONTINUE, "");
        expect_nothing(&test);
        SEND(&test, SMFIC_EOH, "");
        EXPECT(&test, SMFIR_CONTINUE, "");
        expect_nothing(&test);
        test_clear(&test);
    }
}

static void
test_skip(void)
{
    static const guint32 offers[] = { SMFI_CURR_PROT, SMFI_CURR_PROT & ~(guint32)SMFIP_SKIP };

    /* An MTA that does not know it sends on; the milter is spared. */
    for (guint i = 0; i < G_N_ELEMENTS(offers); i++) {
        Test test;

        test_init(&test, &all_steps);
        test.answers[MILTER_STEP_BODY] = MILTER_CLIENT_SKIP;
        negotiate(&test, 6, SMFI_CURR_ACTS, offers[i]);
        begin_message(&test);
        SEND(&test, SMFIC_BODY, "one");
        EXPECT(&test, i == 0 ? SMFIR_SKIP : SMFIR_CONTINUE, "");
        SEND(&test, SMFIC_BODY, "two");
        EXPECT(&test, SMFIR_CONTINUE, "");
        SEND(&test, SMFIC_BODYEOB, "three");
        EXPECT(&test, SMFIR_CONTINUE, "");
        expect_seen(&test, "body one;eom;");
        /* For this message only. */
        SEND(&test, SMFIC_MAIL, "<a>\0");
        SEND(&test, SMFIC_BODY, "four");
        expect_seen(&test, "mail <a>;body four;");
        test_clear(&test);
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
    g_test_add_func("/client/edits", test_edits);
    g_test_add_func("/client/bad-edits", test_bad_edits);
    g_test_add_func("/client/later", test_later);
    g_test_add_func("/client/sessions", test_sessions);
    g_test_add_func("/client/no-replies", test_no_replies);
    g_test_add_func("/client/skip", test_skip);
    return g_test_run();
}
