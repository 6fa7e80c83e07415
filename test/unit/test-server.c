/* test-server.c - the public way to drive a milter, against milters of this library
 *
 * The milter is a witness on the same loop; for what no such milter would do, a peer of raw
 * bytes takes its place. */
#include "config.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libmilter-client/listener.h"
#include "libmilter-server/server.h"
#include "test/unit/witness.h"

typedef struct {
    MilterLoop *loop;
    char *directory;
    char *spec;
    Witness milter;
    /* The raw one. */
    MilterListener *listener;
    GBytes *says; /* what it writes to everybody */
    GArray *fds;  /* its connections */
    /* The MTA's side. */
    MilterServer *server;
    GString *edits;
    guint n_answers;
    guint n_progress;
    int failure; /* MilterPeerFailure, -1: none */
} Test;

/* Macros as well; refuses with a text. */
static MilterClientAnswer
on_mail(MilterClientSession *session, const MilterEnvelope *sender, gpointer data)
{
    Witness *milter = data;
    const char *parameter = milter_envelope_next_parameter(sender, NULL);
    const char *one = milter_client_macro(session, "one");
    const char *two = milter_client_macro(session, "{two}");

    g_string_append_printf(milter->seen, "mail %s %s %s%s;", sender->address,
                           parameter ? parameter : "-", one ? one : "-", two ? two : "-");
    if (milter->answers[MILTER_STEP_MAIL] == MILTER_CLIENT_REFUSED)
        return milter_client_refuse(session, 550, "5.7.1", "100% no\nnever");
    return milter->answers[MILTER_STEP_MAIL];
}

/* The size will do. */
static MilterClientAnswer
on_body(MilterClientSession *session, const guint8 *chunk, gsize size, gpointer data)
{
    Witness *milter = data;

    g_string_append_printf(milter->seen, "body %" G_GSIZE_FORMAT ";", size);
    return milter->answers[MILTER_STEP_BODY];
}

/* Of all chunks that it has seen. */
static gsize
body_size(const Witness *milter)
{
    const char *at = milter->seen->str;
    gsize size = 0;

    while ((at = strstr(at, "body "))) {
        at += strlen("body ");
        size += strtoul(at, NULL, 10);
    }
    return size;
}

static void
edit_everything(MilterClientSession *session)
{
    milter_client_progress(session);
    milter_client_add_header(session, "X-A", "1");
    milter_client_insert_header(session, 2, "X-B", "2");
    milter_client_delete_header(session, "X-C", 3);
    milter_client_replace_body(session, "new", 3);
    milter_client_add_recipient(session, "<x>", "NOTIFY=NEVER");
    milter_client_delete_recipient(session, "<y>");
    milter_client_change_sender(session, "<z>", NULL);
    milter_client_quarantine(session, "odd");
}

static void
on_edit(MilterServer *server, const MilterServerEdit *edit, gpointer data)
{
    Test *test = data;
    const char *text = edit->name ? edit->name : edit->address ? edit->address : edit->reason;

    g_string_append_printf(test->edits, "%s %u %s", milter_reply_name(edit->kind) + 6, edit->index,
                           text ? text : "-");
    if (edit->value)
        g_string_append_printf(test->edits, ":%s", edit->value);
    if (edit->parameters)
        g_string_append_printf(test->edits, " %s", edit->parameters);
    if (edit->chunk)
        g_string_append_printf(test->edits, " %.*s", (int)edit->chunk_size,
                               (const char *)edit->chunk);
    g_string_append_c(test->edits, ';');
}

static void
on_answered(MilterServer *server, MilterStep step, const MilterServerReply *reply, gpointer data)
{
    Test *test = data;

    g_assert_true(reply == milter_server_reply(server));
    test->n_answers++;
}

static void
on_progress(MilterServer *server, gpointer data)
{
    Test *test = data;

    test->n_progress++;
}

static void
on_failed(MilterServer *server, MilterPeerFailure failure, const char *cause, gpointer data)
{
    Test *test = data;

    test->failure = (int)failure;
}

static const MilterServerHandler handler = {
    .answered = on_answered,
    .edit = on_edit,
    .progress = on_progress,
    .failed = on_failed,
};

static void
test_init(Test *test)
{
    *test = (Test){ .failure = -1 };
    test->loop = milter_loop_new();
    test->directory = g_dir_make_tmp("milter-test-server-XXXXXX", NULL);
    test->spec = g_strdup_printf("unix:%s/socket", test->directory);
    test->edits = g_string_new(NULL);
    witness_init(&test->milter, test->loop, &witness_steps);
    test->milter.steps.mail = on_mail;
    test->milter.steps.body = on_body;
    test->milter.steps.eoh = NULL; /* declined */
    test->fds = g_array_new(FALSE, FALSE, sizeof(int));
}

static void
test_clear(Test *test)
{
    milter_server_free(&test->server);
    witness_clear(&test->milter);
    milter_listener_free(&test->listener);
    for (guint i = 0; i < test->fds->len; i++)
        close(g_array_index(test->fds, int, i));
    g_array_unref(test->fds);
    milter_loop_free(&test->loop);
    g_assert_cmpint(g_rmdir(test->directory), ==, 0);
    g_free(test->directory);
    g_free(test->spec);
    g_string_free(test->edits, TRUE);
    g_clear_pointer(&test->says, g_bytes_unref);
}

static void
start_with(Test *test, const MilterOption *offer, const MilterServerTimeouts *timeouts)
{
    test->server = milter_server_new(test->loop, test->spec, offer, timeouts, &handler, test, NULL);
    g_assert_nonnull(test->server);
}

static void
start(Test *test)
{
    g_assert_true(milter_client_listen(test->milter.client, test->spec, NULL));
    start_with(test, NULL, NULL);
    g_assert_true(milter_server_wait(test->server));
}

static const MilterConnect client_host = { "host", SMFIA_INET, 25, "192.0.2.1" };

/* The answer to a step that was sent. */
static guint8
answer_to(Test *test, gboolean was_sent)
{
    g_assert_true(was_sent);
    g_assert_true(milter_server_wait(test->server));
    return milter_server_reply(test->server)->reply;
}

#define ASK(test, step, ...) answer_to((test), milter_server_##step((test)->server, ##__VA_ARGS__))
#define CONTINUES(test, step, ...) \
    g_assert_cmpint(ASK((test), step, ##__VA_ARGS__), ==, SMFIR_CONTINUE)

static void
begin_message(Test *test)
{
    CONTINUES(test, connect, &client_host);
    CONTINUES(test, helo, "me");
    CONTINUES(test, mail, "<a>", NULL);
    CONTINUES(test, rcpt, "<b>", NULL);
    witness_forget(&test->milter);
}

/* Until the milter has noticed that the session is over. */
static void
quit(Test *test, gboolean is_reused)
{
    milter_server_quit(test->server, is_reused);
    if (!is_reused)
        milter_server_free(&test->server);
    while (!strstr(test->milter.seen->str, "close "))
        milter_loop_turn(test->loop, TRUE);
}

static void
test_dialogue(void)
{
    static const char *const parameters[] = { "SIZE=1", NULL };
    Test test;

    test_init(&test);
    test.milter.answers[MILTER_STEP_EOM] = MILTER_CLIENT_ACCEPT;
    test.milter.at_eom = edit_everything;
    start(&test);
    g_assert_cmphex(milter_server_option(test.server)->steps, ==, SMFIP_NOEOH | SMFIP_SKIP);
    CONTINUES(&test, connect, &client_host);
    CONTINUES(&test, helo, "me");
    CONTINUES(&test, unknown, "FOO");
    CONTINUES(&test, mail, "<a>", parameters);
    CONTINUES(&test, rcpt, "<b>", NULL);
    CONTINUES(&test, data);
    CONTINUES(&test, header, "Subject", " hi");
    CONTINUES(&test, header, "X-C", "none");
    CONTINUES(&test, eoh);
    CONTINUES(&test, body, "x\r\n", 3);
    CONTINUES(&test, body, "", 0);
    g_assert_cmpint(ASK(&test, eom), ==, SMFIR_ACCEPT);
    g_assert_cmpuint(test.n_answers, ==, 12);
    g_assert_cmpuint(test.n_progress, ==, 1);
    witness_expect(&test.milter,
                   "connect host 4 25 192.0.2.1;helo me;unknown FOO;mail <a> SIZE=1 --;rcpt <b>;"
                   "data;header Subject=hi;header X-C=none;body 3;eom;");
    g_assert_cmpstr(test.edits->str, ==,
                    "ADDHEADER 0 X-A: 1;INSHEADER 2 X-B: 2;CHGHEADER 3 X-C:;"
                    "ADDRCPT_PAR 0 <x> NOTIFY=NEVER;DELRCPT 0 <y>;CHGFROM 0 <z>;"
                    "QUARANTINE 0 odd;REPLBODY 0 - new;");
    /* The accept was for that message. */
    CONTINUES(&test, mail, "<c>", NULL);
    quit(&test, FALSE);
    witness_expect(&test.milter, "mail <c> - --;abort;close -;");
    test_clear(&test);
}

/* What follows a reply that ends something; ACCEPTs and refusals of each scope. */
static void
test_scopes(void)
{
    Test test;

    test_init(&test);
    start(&test);
    /* This recipient only. */
    begin_message(&test);
    test.milter.answers[MILTER_STEP_RCPT] = MILTER_CLIENT_REJECT;
    g_assert_cmpint(ASK(&test, rcpt, "<c>", NULL), ==, SMFIR_REJECT);
    test.milter.answers[MILTER_STEP_UNKNOWN] = MILTER_CLIENT_TEMPFAIL;
    g_assert_cmpint(ASK(&test, unknown, "FOO"), ==, SMFIR_TEMPFAIL);
    CONTINUES(&test, data);
    witness_expect(&test.milter, "rcpt <c>;unknown FOO;data;");
    /* The message; the milter hears of it again when the next begins. */
    test.milter.answers[MILTER_STEP_HEADER] = MILTER_CLIENT_DISCARD;
    g_assert_cmpint(ASK(&test, header, "A", " b"), ==, SMFIR_DISCARD);
    CONTINUES(&test, header, "C", " d");
    CONTINUES(&test, eom);
    witness_expect(&test.milter, "header A=b;");
    test.milter.answers[MILTER_STEP_MAIL] = MILTER_CLIENT_REFUSED;
    g_assert_cmpint(ASK(&test, mail, "<d>", NULL), ==, SMFIR_REPLYCODE);
    g_assert_cmpstr(milter_server_reply(test.server)->text, ==,
                    "550-5.7.1 100% no\r\n550 5.7.1 never");
    CONTINUES(&test, rcpt, "<e>", NULL);
    witness_expect(&test.milter, "abort;mail <d> - --;");
    milter_server_abort(test.server);
    test.milter.answers[MILTER_STEP_MAIL] = MILTER_CLIENT_CONTINUE;
    test.milter.answers[MILTER_STEP_RCPT] = MILTER_CLIENT_ACCEPT;
    CONTINUES(&test, mail, "<f>", NULL);
    g_assert_cmpint(ASK(&test, rcpt, "<g>", NULL), ==, SMFIR_ACCEPT);
    CONTINUES(&test, data);
    CONTINUES(&test, eom);
    witness_expect(&test.milter, "abort;mail <f> - --;rcpt <g>;");

    /* The session, and the one after it on the same connection. */
    quit(&test, TRUE);
    witness_expect(&test.milter, "abort;close -;");
    test.milter.answers[MILTER_STEP_HELO] = MILTER_CLIENT_ACCEPT;
    CONTINUES(&test, connect, &client_host);
    g_assert_cmpint(ASK(&test, helo, "me"), ==, SMFIR_ACCEPT);
    CONTINUES(&test, mail, "<h>", NULL);
    CONTINUES(&test, body, "x", 1);
    CONTINUES(&test, eom);
    quit(&test, FALSE);
    witness_expect(&test.milter, "connect host 4 25 192.0.2.1;helo me;close -;");
    test_clear(&test);
}

static void
test_body(void)
{
    g_autofree char *large = g_strnfill(3 * MILTER_DATA_SIZE_64K + 1, 'x');
    Test test;

    /* Cut to the negotiated size, each piece with its answer. */
    test_init(&test);
    start(&test);
    begin_message(&test);
    CONTINUES(&test, body, large, strlen(large));
    witness_expect(&test.milter, "body 65535;body 65535;body 65535;body 1;");
    /* No more of it than the milter wants. */
    test.milter.answers[MILTER_STEP_BODY] = MILTER_CLIENT_SKIP;
    g_assert_cmpint(ASK(&test, body, large, strlen(large)), ==, SMFIR_SKIP);
    CONTINUES(&test, body, "x", 1);
    CONTINUES(&test, eom);
    witness_expect(&test.milter, "body 65535;eom;");
    test_clear(&test);

    /* Without answers it goes as fast as the milter takes it. */
    test_init(&test);
    test.milter.request.steps = SMFIP_NR_BODY | SMFIP_NR_HDR | SMFIP_HDR_LEADSPC;
    start(&test);
    begin_message(&test);
    CONTINUES(&test, header, "A", " b");
    for (guint i = 0; i < 20; i++)
        CONTINUES(&test, body, large, strlen(large));
    CONTINUES(&test, eom);
    g_assert_cmpuint(body_size(&test.milter), ==, 20 * strlen(large));
    g_assert_true(g_str_has_prefix(test.milter.seen->str, "header A= b;body 65535;"));
    test_clear(&test);
}

static void
test_macros(void)
{
    static const char *const pairs[] = { "one", "1", "{two}", "2", NULL };
    Test test;

    test_init(&test);
    start(&test);
    CONTINUES(&test, connect, &client_host);
    milter_server_set_macros(test.server, MILTER_STEP_MAIL, pairs);
    CONTINUES(&test, mail, "<a>", NULL);
    CONTINUES(&test, eom);
    /* Gone with the message, or taken back. */
    CONTINUES(&test, mail, "<b>", NULL);
    milter_server_abort(test.server);
    milter_server_set_macros(test.server, MILTER_STEP_MAIL, pairs);
    milter_server_set_macros(test.server, MILTER_STEP_MAIL, NULL);
    CONTINUES(&test, mail, "<c>", NULL);
    witness_expect(&test.milter,
                   "connect host 4 25 192.0.2.1;mail <a> - 12;eom;mail <b> - --;abort;"
                   "mail <c> - --;");
    test_clear(&test);

    test_init(&test);
    test.milter.request.macros[MILTER_STAGE_MAIL] = g_strdup("{two}");
    start(&test);
    CONTINUES(&test, connect, &client_host);
    milter_server_set_macros(test.server, MILTER_STEP_MAIL, pairs);
    CONTINUES(&test, mail, "<a>", NULL);
    witness_expect(&test.milter, "connect host 4 25 192.0.2.1;mail <a> - -2;");
    test_clear(&test);
}

static void
test_abort(void)
{
    Test test;

    /* The answer that was owed never comes, the next one is the next step's. */
    test_init(&test);
    start(&test);
    begin_message(&test);
    test.milter.answers[MILTER_STEP_DATA] = MILTER_CLIENT_REJECT;
    g_assert_true(milter_server_data(test.server));
    milter_server_abort(test.server);
    CONTINUES(&test, mail, "<c>", NULL);
    witness_expect(&test.milter, "data;abort;mail <c> - --;");
    g_assert_true(milter_server_eoh(test.server));
    milter_server_abort(test.server);
    test.n_answers = 0;
    CONTINUES(&test, mail, "<d>", NULL);
    g_assert_cmpuint(test.n_answers, ==, 1);
    test_clear(&test);
}

static void
on_raw_connection(MilterListener *listener, int fd, gpointer data)
{
    Test *test = data;
    gsize size;
    const void *bytes = g_bytes_get_data(test->says, &size);

    g_assert_cmpint(write(fd, bytes, size), ==, (gssize)size);
    g_array_append_val(test->fds, fd);
}

/* A milter that says SAYS to everybody and then no more. */
static void
start_raw(Test *test, const void *says, gsize size, const MilterServerTimeouts *timeouts)
{
    test->says = g_bytes_new(says, size);
    test->listener = milter_listener_new(test->loop, test->spec, on_raw_connection, test, NULL);
    g_assert_nonnull(test->listener);
    start_with(test, NULL, timeouts);
}

static const guint8 smtp_banner[] = "220 this is no milter\r\n";
/* Version 6, no actions, all steps; then nothing. */
static const guint8 only_option[] = { 0, 0, 0, 13, 'O', 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0 };

static void
test_failures(void)
{
    static const MilterServerTimeouts hasty = { 5, 0.05, 0.05 };
    g_autoptr(GError) error = NULL;
    Test test;

    test_init(&test);
    g_assert_null(milter_server_new(test.loop, "inet:x", NULL, NULL, NULL, NULL, &error));
    g_assert_error(error, MILTER_ENDPOINT_ERROR, MILTER_ENDPOINT_ERROR_SPEC);
    /* Nobody is there. */
    start_with(&test, NULL, NULL);
    g_assert_false(milter_server_wait(test.server));
    g_assert_cmpint(test.failure, ==, MILTER_PEER_CONNECT);
    g_assert_true(g_str_has_prefix(milter_server_failure(test.server), test.spec));
    g_assert_false(milter_server_connect(test.server, &client_host));
    milter_server_abort(test.server);
    milter_server_quit(test.server, FALSE);
    test_clear(&test);

    test_init(&test);
    start_raw(&test, smtp_banner, sizeof(smtp_banner) - 1, NULL);
    g_assert_false(milter_server_wait(test.server));
    g_assert_cmpint(test.failure, ==, MILTER_PEER_PROTOCOL);
    test_clear(&test);

    test_init(&test);
    start_raw(&test, "", 0, &hasty);
    g_assert_false(milter_server_wait(test.server));
    g_assert_cmpint(test.failure, ==, MILTER_PEER_TIMEOUT);
    test_clear(&test);

    /* It negotiates and does not answer. */
    test_init(&test);
    start_raw(&test, only_option, sizeof(only_option), &hasty);
    g_assert_true(milter_server_wait(test.server));
    g_assert_true(milter_server_connect(test.server, &client_host));
    g_assert_false(milter_server_wait(test.server));
    g_assert_cmpint(test.failure, ==, MILTER_PEER_TIMEOUT);
    g_assert_nonnull(strstr(milter_server_failure(test.server), "no reply to connect in time"));
    test_clear(&test);

    /* It goes away in the middle of a step. */
    test_init(&test);
    start_raw(&test, only_option, sizeof(only_option), NULL);
    g_assert_true(milter_server_wait(test.server));
    g_assert_true(milter_server_connect(test.server, &client_host));
    g_assert_cmpint(shutdown(g_array_index(test.fds, int, 0), SHUT_RDWR), ==, 0);
    g_assert_false(milter_server_wait(test.server));
    g_assert_cmpint(test.failure, ==, MILTER_PEER_CLOSED);
    test_clear(&test);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/server/dialogue", test_dialogue);
    g_test_add_func("/server/scopes", test_scopes);
    g_test_add_func("/server/body", test_body);
    g_test_add_func("/server/macros", test_macros);
    g_test_add_func("/server/abort", test_abort);
    g_test_add_func("/server/failures", test_failures);
    return g_test_run();
}
