/* test-session.c - the milter's side of an MTA's connection: order, replies, holding */
#include "config.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libmilter-client/session.h"
#include "test/support/packet.h"

typedef struct {
    MilterLoop *loop;
    MilterSession *session;
    int fd;
    GString *trace;
    guint32 steps; /* what is answered to the offer */
    gboolean frees;
} Fixture;

static void
on_negotiate(MilterSession *session, const MilterOption *offer, gpointer data)
{
    Fixture *f = data;
    MilterOption answer = { .version = offer->version,
                            .actions = offer->actions,
                            .steps = f->steps };

    g_string_append(f->trace, "negotiate ");
    milter_session_negotiate(session, &answer);
}

static void
on_macros(MilterSession *session, const MilterFrame *frame, gpointer data)
{
    g_string_append_printf(((Fixture *)data)->trace, "macros:%c ", frame->payload[0]);
}

static void
on_command(MilterSession *session, MilterStep step, const MilterFrame *frame, gboolean wants_reply,
           gpointer data)
{
    Fixture *f = data;

    g_string_append_printf(f->trace, "%s%s ", milter_step_name(step), wants_reply ? "?" : "");
    if (f->frees)
        milter_session_free(&f->session);
}

static void
on_abort(MilterSession *session, gpointer data)
{
    g_string_append(((Fixture *)data)->trace, "abort ");
}

static void
on_quit(MilterSession *session, gboolean is_reused, gpointer data)
{
    Fixture *f = data;

    g_string_append(f->trace, is_reused ? "quit_nc " : "quit ");
    if (!is_reused)
        milter_session_free(&f->session);
}

static void
on_close(MilterSession *session, const char *why, gpointer data)
{
    Fixture *f = data;

    g_string_append_printf(f->trace, "close(%s) ", why);
    milter_session_free(&f->session);
}

static const MilterSessionHandler handler = {
    .on_negotiate = on_negotiate,
    .on_macros = on_macros,
    .on_command = on_command,
    .on_abort = on_abort,
    .on_quit = on_quit,
    .on_close = on_close,
};

static void
set_up(Fixture *f, gconstpointer data)
{
    int fds[2];

    f->loop = milter_loop_new();
    f->trace = g_string_new(NULL);
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), ==, 0);
    f->session = milter_session_new(f->loop, fds[0], &handler, f);
    f->fd = fds[1];
}

static void
tear_down(Fixture *f, gconstpointer data)
{
    milter_session_free(&f->session);
    milter_loop_free(&f->loop);
    close(f->fd);
    g_string_free(f->trace, TRUE);
}

/* The MTA says LINE; the handler must then have been told EXPECTED, no more. */
static void
say(Fixture *f, const char *line, const char *expected)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, line);

    if (wire->len)
        g_assert_cmpint(write(f->fd, wire->data, wire->len), ==, wire->len);
    for (guint i = 0; i < 5; i++)
        milter_loop_turn(f->loop, FALSE);
    g_assert_cmpstr(f->trace->str, ==, expected);
    g_string_truncate(f->trace, 0);
}

static void
reply(Fixture *f, guint8 byte, const char *expected)
{
    milter_session_reply(f->session, byte, NULL, 0);
    say(f, "", expected);
}

static void
expect_sent(Fixture *f, const char *line)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_REPLY, line);
    guint8 buffer[1000];
    ssize_t n;

    milter_loop_turn(f->loop, FALSE);
    n = read(f->fd, buffer, sizeof(buffer));
    g_assert_cmpmem(buffer, MAX(n, 0), wire->data, wire->len);
}

static const char offer[] = "optneg version=6 actions=0x1ff steps=0x1fffff";

static void
test_dialogue(Fixture *f, gconstpointer data)
{
    g_assert_cmpint(milter_session_state(f->session), ==, MILTER_STATE_START);
    say(f, offer, "negotiate ");
    expect_sent(f, "optneg version=6 actions=0x1ff steps=0");
    g_assert_cmpuint(milter_session_option(f->session)->version, ==, 6);
    say(f, "macro connect j=x; connect h U", "macros:C connect? ");
    g_assert_cmpint(milter_session_owed(f->session), ==, MILTER_STEP_CONNECT);
    reply(f, SMFIR_CONTINUE, "");
    expect_sent(f, "continue");
    g_assert_cmpint(milter_session_owed(f->session), ==, MILTER_STEP_NONE);
    say(f, "mail <s@x>", "mail? ");
    milter_session_progress(f->session);
    reply(f, SMFIR_CONTINUE, "");
    expect_sent(f, "progress; continue");
    say(f, "eom", "eom? ");
    milter_session_edit(f->session, "\0\0\0\5hA\0b\0", 9);
    milter_session_replace_body(f->session, "body", 4);
    reply(f, SMFIR_ACCEPT, "");
    expect_sent(f, "addheader A=b; replbody body; accept");
    say(f, "quit", "quit ");
    g_assert_null(f->session);
}

/* While a reply is owed other packets wait, but for ABORT and QUIT. */
static void
test_one_at_a_time(Fixture *f, gconstpointer data)
{
    say(f, offer, "negotiate ");
    say(f, "connect h U; helo h; macro mail i=1; mail <s@x>", "connect? ");
    reply(f, SMFIR_CONTINUE, "helo? ");
    reply(f, SMFIR_CONTINUE, "macros:M mail? ");
    reply(f, SMFIR_CONTINUE, "");
    say(f, "rcpt <r@x>", "rcpt? ");
    say(f, "abort; mail <s2@x>", "abort mail? ");
    say(f, "quit_nc; connect h U", "quit_nc connect? ");
}

static void
test_no_reply_steps(Fixture *f, gconstpointer data)
{
    f->steps = SMFIP_NR_HDR | SMFIP_NR_EOH;
    say(f, offer, "negotiate ");
    say(f, "connect h U", "connect? ");
    reply(f, SMFIR_CONTINUE, "");
    say(f, "mail <s@x>", "mail? ");
    reply(f, SMFIR_CONTINUE, "");
    say(f, "header A=1; header B=2; eoh; body x", "header header eoh body? ");
}

static void
test_pause(Fixture *f, gconstpointer data)
{
    say(f, offer, "negotiate ");
    milter_session_pause(f->session);
    milter_session_pause(f->session);
    say(f, "connect h U", "");
    milter_session_resume(f->session);
    say(f, "", "");
    milter_session_resume(f->session);
    say(f, "", "connect? ");
}

static void
test_out_of_order(Fixture *f, gconstpointer data)
{
    say(f, "helo h", "close(broke the protocol: SMFIC_HELO (0x48) after start: out of order) ");
}

static void
test_second_negotiation(Fixture *f, gconstpointer data)
{
    say(f, offer, "negotiate ");
    say(f, offer, "close(broke the protocol: SMFIC_OPTNEG (0x4f) after ready: out of order) ");
}

static void
test_bad_form(Fixture *f, gconstpointer data)
{
    say(f, offer, "negotiate ");
    say(f, "packet C \"h\"",
        "close(broke the protocol: SMFIC_CONNECT (0x43) after ready: SMFIC_CONNECT: the host "
        "name does not end) ");
}

static void
test_bad_macros(Fixture *f, gconstpointer data)
{
    say(f, offer, "negotiate ");
    say(f, "packet D \"Cx\"",
        "close(broke the protocol: SMFIC_MACRO (0x44) after ready: SMFIC_MACRO: the last "
        "string does not end) ");
}

static void
test_freed_in_callback(Fixture *f, gconstpointer data)
{
    say(f, offer, "negotiate ");
    f->frees = TRUE;
    say(f, "connect h U; helo h", "connect? ");
}

static void
test_end(Fixture *f, gconstpointer data)
{
    shutdown(f->fd, SHUT_RDWR);
    say(f, "", "close(closed the connection) ");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(path, func) g_test_add("/session/" path, Fixture, NULL, set_up, func, tear_down)
    ADD("dialogue", test_dialogue);
    ADD("one-at-a-time", test_one_at_a_time);
    ADD("no-reply-steps", test_no_reply_steps);
    ADD("pause", test_pause);
    ADD("out-of-order", test_out_of_order);
    ADD("second-negotiation", test_second_negotiation);
    ADD("bad-form", test_bad_form);
    ADD("bad-macros", test_bad_macros);
    ADD("freed-in-callback", test_freed_in_callback);
    ADD("end", test_end);
    return g_test_run();
}
