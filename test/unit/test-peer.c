/* test-peer.c - the MTA's side of a child's connection: replies, time, ends */
#include "config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libmilter-server/peer.h"
#include "test/support/packet.h"

typedef struct {
    MilterLoop *loop; /* virtual time */
    char *directory;
    MilterEndpoint *endpoint;
    MilterPeer *peer;
    int listener, fd; /* the child's; -1 for none */
    GString *trace;
    gboolean frees;
} Fixture;

static void
on_negotiated(MilterPeer *peer, gpointer data)
{
    g_string_append(((Fixture *)data)->trace, "negotiated ");
}

static void
on_reply(MilterPeer *peer, MilterStep step, const MilterFrame *frame, gpointer data)
{
    Fixture *f = data;

    g_string_append_printf(f->trace, "%s:%c ", milter_step_name(step), frame->command);
    if (f->frees)
        milter_peer_free(&f->peer);
}

static void
on_edit(MilterPeer *peer, const MilterFrame *frame, gpointer data)
{
    g_string_append_printf(((Fixture *)data)->trace, "edit:%c ", frame->command);
}

static void
on_progress(MilterPeer *peer, gpointer data)
{
    g_string_append(((Fixture *)data)->trace, "progress ");
}

static void
on_drained(MilterPeer *peer, gpointer data)
{
    g_string_append(((Fixture *)data)->trace, "drained ");
}

static void
on_failed(MilterPeer *peer, MilterPeerFailure failure, const char *cause, gpointer data)
{
    static const char *const names[] = {
        [MILTER_PEER_CONNECT] = "connect",   [MILTER_PEER_TIMEOUT] = "timeout",
        [MILTER_PEER_PROTOCOL] = "protocol", [MILTER_PEER_REPLY] = "reply",
        [MILTER_PEER_VALUE] = "value",       [MILTER_PEER_CLOSED] = "closed",
        [MILTER_PEER_LIMIT] = "limit",
    };
    Fixture *f = data;

    g_string_append_printf(f->trace, "failed:%s(%s) ", names[failure], cause);
    milter_peer_free(&f->peer);
}

static const MilterPeerHandler handler = {
    .on_negotiated = on_negotiated,
    .on_reply = on_reply,
    .on_edit = on_edit,
    .on_progress = on_progress,
    .on_drained = on_drained,
    .on_failed = on_failed,
};

static void
set_up(Fixture *f, gconstpointer data)
{
    g_autofree char *spec = NULL;

    f->loop = milter_loop_new_virtual();
    f->trace = g_string_new(NULL);
    f->directory = g_dir_make_tmp("peer-XXXXXX", NULL);
    spec = g_strdup_printf("unix:%s/s", f->directory);
    f->endpoint = milter_endpoint_parse(spec, NULL);
    f->listener = f->fd = -1;
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    milter_peer_free(&f->peer);
    milter_loop_free(&f->loop);
    if (f->listener >= 0)
        close(f->listener);
    if (f->fd >= 0)
        close(f->fd);
    (void)g_unlink(milter_endpoint_path(f->endpoint));
    (void)g_rmdir(f->directory);
    milter_endpoint_free(&f->endpoint);
    g_free(f->directory);
    g_string_free(f->trace, TRUE);
}

static void
turn(Fixture *f)
{
    for (guint i = 0; i < 10; i++)
        milter_loop_turn(f->loop, FALSE);
}

static void
expect(Fixture *f, const char *expected)
{
    turn(f);
    g_assert_cmpstr(f->trace->str, ==, expected);
    g_string_truncate(f->trace, 0);
}

/* The child says LINE. */
static void
say(Fixture *f, const char *line, const char *expected)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_REPLY, line);

    g_assert_cmpint(write(f->fd, wire->data, wire->len), ==, wire->len);
    expect(f, expected);
}

static void
expect_sent(Fixture *f, const char *line)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, line);
    guint8 buffer[2000];
    ssize_t n;

    turn(f);
    n = recv(f->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    g_assert_cmpmem(buffer, MAX(n, 0), wire->data, wire->len);
}

static void
new_peer(Fixture *f, double retry_for)
{
    MilterOption offer = { .version = 6, .actions = 0x1ff, .steps = 0x1fffff };

    f->peer = milter_peer_new(f->loop, f->endpoint, &offer, 10, 5, retry_for, &handler, f);
}

static void
listen_now(Fixture *f)
{
    f->listener = milter_endpoint_listen(f->endpoint, FALSE, NULL);
    g_assert_cmpint(f->listener, >=, 0);
}

static void
open_peer(Fixture *f, const char *answer)
{
    listen_now(f);
    new_peer(f, 0);
    turn(f);
    f->fd = accept(f->listener, NULL, NULL);
    g_assert_cmpuint(milter_peer_option(f->peer)->version, ==, 0);
    expect_sent(f, "optneg version=6 actions=0x1ff steps=0x1fffff");
    say(f, answer, "negotiated ");
}

static const char answer6[] = "optneg version=6 actions=0x1ff steps=0 mail=i";

static void
test_dialogue(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    g_assert_cmpstr(milter_peer_option(f->peer)->macros[MILTER_STAGE_MAIL], ==, "i");
    g_assert_true(milter_peer_wants(f->peer, MILTER_STEP_DATA));
    g_assert_true(milter_peer_send(f->peer, MILTER_STEP_HELO, "h", 2, 5));
    g_assert_cmpint(milter_peer_owes(f->peer), ==, MILTER_STEP_HELO);
    expect_sent(f, "helo h");
    say(f, "continue", "helo:c ");
    g_assert_cmpint(milter_peer_owes(f->peer), ==, MILTER_STEP_NONE);
    milter_peer_send(f->peer, MILTER_STEP_EOM, NULL, 0, 5);
    say(f, "addheader A=1; progress; replbody x; accept", "edit:h progress edit:b eom:a ");
    milter_peer_abort(f->peer);
    milter_peer_quit(f->peer, TRUE);
    milter_peer_quit(f->peer, FALSE);
    expect_sent(f, "eom; abort; quit_nc; quit");
}

static void
test_old_version(Fixture *f, gconstpointer data)
{
    open_peer(f, "optneg version=2 actions=1 steps=NOBODY");
    g_assert_false(milter_peer_wants(f->peer, MILTER_STEP_DATA));
    g_assert_false(milter_peer_wants(f->peer, MILTER_STEP_UNKNOWN));
    g_assert_false(milter_peer_wants(f->peer, MILTER_STEP_BODY));
    g_assert_true(milter_peer_wants(f->peer, MILTER_STEP_EOM));
    g_assert_cmpuint(milter_peer_data_size(f->peer), ==, 65535);
}

/* What is not answered goes with the next command that is. */
static void
test_no_reply(Fixture *f, gconstpointer data)
{
    open_peer(f, "optneg version=6 actions=0 steps=NR_HELO");
    g_assert_false(milter_peer_send(f->peer, MILTER_STEP_HELO, "h", 2, 5));
    expect_sent(f, "");
    g_assert_true(milter_peer_send(f->peer, MILTER_STEP_EOH, NULL, 0, 5));
    expect_sent(f, "helo h; eoh");
}

static void
test_timeout(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    milter_peer_send(f->peer, MILTER_STEP_MAIL, "<>", 3, 5);
    milter_loop_advance(f->loop, 4);
    milter_peer_extend(f->peer, 5);
    milter_loop_advance(f->loop, 4);
    milter_peer_limit(f->peer, 3); /* later than it is: nothing */
    expect(f, "");
    milter_peer_limit(f->peer, 0.5);
    milter_loop_advance(f->loop, 0.6);
    expect(f, "failed:timeout(no reply to mail in time) ");
    g_assert_null(f->peer);
}

static void
test_forget(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    milter_peer_send(f->peer, MILTER_STEP_EOM, NULL, 0, 5);
    milter_peer_abort(f->peer);
    milter_peer_send(f->peer, MILTER_STEP_MAIL, "<>", 3, 5);
    milter_loop_advance(f->loop, 4);
    say(f, "addheader A=1; reject", "");
    say(f, "continue", "mail:c ");
    milter_peer_forget(f->peer); /* nothing is owed */
    say(f, "continue",
        "failed:protocol(SMFIR_CONTINUE (0x63) to none: no reply was expected; data \"\") ");
}

static void
test_bad_reply(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    milter_peer_send(f->peer, MILTER_STEP_MAIL, "<>", 3, 5);
    say(f, "packet c x",
        "failed:reply(SMFIR_CONTINUE (0x63) to mail: SMFIR_CONTINUE: there is data where none "
        "belongs; data x) ");
}

static void
test_bad_code(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    milter_peer_send(f->peer, MILTER_STEP_MAIL, "<>", 3, 5);
    turn(f);
    say(f, "code \"250 no\"",
        "failed:value(SMFIR_REPLYCODE (0x79) to mail: SMFIR_REPLYCODE: the code does not begin "
        "with 4 "
        "or 5; data \"250 no\\x00\") ");
}

static void
test_lenient(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    milter_peer_set_lenient(f->peer, TRUE);
    milter_peer_send(f->peer, MILTER_STEP_MAIL, "<>", 3, 5);
    say(f, "code \"250 no\"", "mail:y ");
}

static void
test_end(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    close(f->fd);
    f->fd = -1;
    expect(f, "failed:closed(closed the connection) ");
}

static void
test_freed_in_callback(Fixture *f, gconstpointer data)
{
    open_peer(f, answer6);
    milter_peer_send(f->peer, MILTER_STEP_MAIL, "<>", 3, 5);
    f->frees = TRUE;
    say(f, "continue; continue", "mail:c ");
}

static void
test_nobody_there(Fixture *f, gconstpointer data)
{
    new_peer(f, 0);
    expect(f, "failed:connect(No such file or directory) ");
}

static void
test_retry(Fixture *f, gconstpointer data)
{
    new_peer(f, 5);
    turn(f);
    milter_loop_advance(f->loop, 2);
    expect(f, "");
    listen_now(f);
    milter_loop_advance(f->loop, 0.3);
    turn(f);
    f->fd = accept(f->listener, NULL, NULL);
    expect_sent(f, "optneg version=6 actions=0x1ff steps=0x1fffff");
}

static void
test_retry_ends(Fixture *f, gconstpointer data)
{
    new_peer(f, 1);
    for (guint i = 0; i < 20; i++) {
        turn(f);
        milter_loop_advance(f->loop, 0.1);
    }
    expect(f, "failed:connect(No such file or directory) ");
}

static void
test_silent(Fixture *f, gconstpointer data)
{
    listen_now(f);
    new_peer(f, 0);
    turn(f);
    milter_loop_advance(f->loop, 4.9);
    expect(f, "");
    milter_loop_advance(f->loop, 0.2);
    expect(f, "failed:timeout(no answer to the option negotiation in time) ");
}

static void
test_no_milter(Fixture *f, gconstpointer data)
{
    listen_now(f);
    new_peer(f, 0);
    turn(f);
    f->fd = accept(f->listener, NULL, NULL);
    say(f, "continue",
        "failed:protocol(did not answer the option negotiation with SMFIC_OPTNEG: not a milter?) ");
}

static void
test_greedy_answer(Fixture *f, gconstpointer data)
{
    listen_now(f);
    new_peer(f, 0);
    turn(f);
    f->fd = accept(f->listener, NULL, NULL);
    say(f, "optneg version=6 actions=0x1000 steps=0",
        "failed:protocol(option negotiation: SMFIC_OPTNEG: the answer asks for actions 0x1000, "
        "which "
        "were not offered) ");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, func) g_test_add("/peer/" path, Fixture, NULL, set_up, func, tear_down)
    ADD("dialogue", test_dialogue);
    ADD("old-version", test_old_version);
    ADD("no-reply", test_no_reply);
    ADD("timeout", test_timeout);
    ADD("forget", test_forget);
    ADD("bad-reply", test_bad_reply);
    ADD("bad-code", test_bad_code);
    ADD("lenient", test_lenient);
    ADD("end", test_end);
    ADD("freed-in-callback", test_freed_in_callback);
    ADD("nobody-there", test_nobody_there);
    ADD("retry", test_retry);
    ADD("retry-ends", test_retry_ends);
    ADD("silent", test_silent);
    ADD("no-milter", test_no_milter);
    ADD("greedy-answer", test_greedy_answer);
    return g_test_run();
}
