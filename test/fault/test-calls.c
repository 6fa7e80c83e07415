/* test-calls.c - every system call of the manager, failing once
 *
 * One message through three children, its body partly in a file; the n-th call of a kind
 * fails in some way, n = 1, 2, 3 … until a run passes untouched.  The MTA must get what its
 * children or their fallbacks say or see its connection closed, and nothing may be left. */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "test/support/calls.h"
#include "test/support/rig.h"

#define RUNS_MAX 2000 /* far more calls than a message takes */

static const struct {
    int error;
    const char *name;
} errors[] = {
    { EINTR, "EINTR" },   { EAGAIN, "EAGAIN" }, { ECONNRESET, "ECONNRESET" },
    { EMFILE, "EMFILE" }, { ENOSPC, "ENOSPC" }, { CALLS_SHORT, "short" },
};

static const char *const dialogue[] = {
    "macro connect v=Postfix; connect client.example 4 25 192.0.2.1",
    "helo client.example",
    "mail <s@client.example>",
    "rcpt <r@example.org>",
    "data",
    "header Subject=hi; header X=y; eoh; body \"line of text\\r\\n\"*2000",
    "body \"other text\\r\\n\"*2000",
    "eom",
    "mail <s2@client.example>",
    "abort",
};

/* Some change at EOM: another header from each, another body from the second. */
static void
answer(RigChild *child, const MilterFrame *frame)
{
    if (frame->command == SMFIC_BODYEOB) {
        g_autoptr(GByteArray) edits = packet_line(
            PACKET_REPLY, child->config->index == 1
                              ? "addheader X=1; replbody \"new text\"*3000; replbody \"more\"*3000"
                              : "chgheader 1 X=z; addheader Y=1");

        rig_send(&child->end, edits->data, edits->len);
    }
    rig_answer_continue(child, frame);
}

static Rig *
new_rig(gboolean via_manager)
{
    static const MilterFallback fallbacks[] = {
        MILTER_FALLBACK_TEMPORARY_FAILURE,
        MILTER_FALLBACK_ACCEPT,
        MILTER_FALLBACK_REJECT,
    };
    Rig *rig = rig_new(MM_MTA_POSTFIX);

    rig->via_manager = via_manager;
    rig->settings.spool_memory_limit = 40000; /* the rest goes to a file */
    rig->settings.suspend_time = 1;
    for (guint i = 0; i < G_N_ELEMENTS(fallbacks); i++) {
        char name[] = { (char)('a' + i), '\0' };
        RigChild *child = rig_add(rig, name);

        child->is_auto = TRUE;
        child->answer = answer;
        child->config->fallback = fallbacks[i];
    }
    return rig;
}

static gboolean
is_legal(guint8 reply, const guint8 *payload, gsize size)
{
    static const char legal[] = { SMFIC_OPTNEG,   SMFIR_CONTINUE,  SMFIR_ACCEPT,
                                  SMFIR_PROGRESS, SMFIR_ADDHEADER, SMFIR_CHGHEADER,
                                  SMFIR_REPLBODY, SMFIR_TEMPFAIL,  0 };

    if (reply == SMFIR_REPLYCODE)
        return size > 3 &&
               (memcmp(payload, "451 4.7.1 ", 10) == 0 || memcmp(payload, "550 5.5.0 ", 10) == 0);
    return strchr(legal, reply) != NULL;
}

static gboolean
is_final(guint8 reply)
{
    return reply == SMFIC_OPTNEG || milter_reply_is_final(reply);
}

/* Read answers up to N final ones; how many came. */
static guint
take_answers(Rig *rig, guint n)
{
    guint n_final = 0;
    GBytes *packet;

    while (n_final < n && (packet = rig_take(&rig->mta))) {
        gsize size;
        const guint8 *wire = g_bytes_get_data(packet, &size);
        MilterFrame frame;

        /* Cut off by the end of the connection. */
        if (milter_frame_peek(wire, size, G_MAXUINT32, &frame) == MILTER_FRAME_OK) {
            if (!is_legal(frame.command, frame.payload, frame.size)) {
                g_autofree char *text = packet_text(PACKET_REPLY, wire, size);

                g_test_message("the MTA got %s", text);
                g_test_fail();
            }
            n_final += is_final(frame.command);
        }
        g_bytes_unref(packet);
    }
    return n_final;
}

/* How many replies are owed for the packets of a line. */
static guint
count_owed(Rig *rig, const GByteArray *wire)
{
    const guint8 *next = wire->data;
    gsize left = wire->len;
    MilterFrame frame;
    guint n = 0;

    while (milter_frame_peek(next, left, G_MAXUINT32, &frame) == MILTER_FRAME_OK) {
        MilterStep step = milter_step_of_command(frame.command);

        if (step != MILTER_STEP_NONE && frame.command != SMFIC_MACRO)
            n += !(rig->agreed.steps & milter_step_nr_bit(step));
        n += frame.command == SMFIC_OPTNEG;
        next += frame.wire_size;
        left -= frame.wire_size;
    }
    return n;
}

/* FALSE when the connection is closed. */
static gboolean
ask(Rig *rig, const char *line)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, line);
    guint owed = count_owed(rig, wire);

    rig_mta_send(rig, wire->data, wire->len);
    rig_settle(rig);
    owed -= take_answers(rig, owed);
    for (guint i = 0; owed && i < 120 && !rig->mta.is_eof; i++) {
        rig_pass(rig, 0.25);
        owed -= take_answers(rig, owed);
    }
    if (owed && !rig->mta.is_eof) {
        g_test_message("\"%s\": the MTA got no answer within its time", line);
        g_test_fail();
        return FALSE;
    }
    return !rig->mta.is_eof;
}

/* One run; how often the fault hit. */
static guint
run(Call call, int error, guint n, gboolean via_manager)
{
    guint n_fds = rig_count_fds(), n_faults;
    Rig *rig;
    gboolean is_open = TRUE;
    char *message;

    calls_install();
    calls.fault_call = call;
    calls.fault_error = error;
    calls.fault_at = n;
    rig = new_rig(via_manager);
    rig->agreed.steps = SMFIP_NR_HDR | SMFIP_NR_EOH;
    rig_start(rig);
    rig->agreed.steps = SMFIP_NR_HDR | SMFIP_NR_EOH; /* what it will be */
    is_open = ask(rig, "optneg version=6 actions=0x1ff steps=0x1fffff");
    for (guint i = 0; i < G_N_ELEMENTS(dialogue) && is_open; i++)
        is_open = ask(rig, dialogue[i]);
    n_faults = calls.n_faults;
    message = rig_free(&rig);
    calls_remove();
    if (message || rig_count_fds() != n_fds) {
        g_test_message("%s", message ? message : "descriptors are left open");
        g_test_fail();
    }
    g_free(message);
    return n_faults;
}

static void
loop(Call call, gboolean via_manager)
{
    for (guint i = 0; i < G_N_ELEMENTS(errors); i++) {
        guint n = 1;

        if (errors[i].error == CALLS_SHORT &&
            (call == CALL_CONNECT || call == CALL_ACCEPT4 || call == CALL_OPEN))
            continue;
        while (n < RUNS_MAX && run(call, errors[i].error, n, via_manager) && !g_test_failed())
            n++;
        g_test_message("%s %s: %u calls", calls_name(call), errors[i].name, n - 1);
        if (g_test_failed())
            g_test_message("failed at call %u", n);
        g_assert_cmpuint(n, <, RUNS_MAX);
        if (g_test_failed())
            return;
        g_assert_cmpuint(n, >, 1);
    }
}

static void
test_call(gconstpointer data)
{
    loop((Call)GPOINTER_TO_INT(data), FALSE);
}

static void
test_accept(void)
{
    loop(CALL_ACCEPT4, TRUE);
}

int
main(int argc, char **argv)
{
    static const Call tried[] = { CALL_READ, CALL_WRITEV, CALL_CONNECT,
                                  CALL_OPEN, CALL_PREAD,  CALL_PWRITE };

    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(tried); i++) {
        g_autofree char *path = g_strconcat("/calls/", calls_name(tried[i]), NULL);

        g_test_add_data_func(path, GINT_TO_POINTER(tried[i]), test_call);
    }
    g_test_add_func("/calls/accept4", test_accept);
    return g_test_run();
}
