/* fuzz-relay-child.c - what children say in fuzz-relay, and what they may be told */
#include "config.h"

#include "test/fuzz/fuzz-relay.h"

/* Others than to go on. */
static const char *const final_replies[] = {
    "accept",
    "reject",
    "tempfail",
    "code \"550 5.7.1 no\"",
    "code \"451 4.7.1 later\\r\\n451 4.7.1 yes\"",
    "discard",
    "skip",
};

static const char *const edits[] = {
    "addheader X=1",
    "chgheader 1 X=2",
    "chgheader 1 X=\"\"",
    "insheader 1 Y=3",
    "addrcpt <n@x>",
    "delrcpt <r@x>",
    "chgfrom <f@x>",
    "replbody \"new\\nbody\"",
    "replbody \"more\"*20000",
    "replbody \"\"",
    "replbody \"a\\r\"",
    "quarantine why",
    "progress",
    "addrcpt_par <p@x> NOTIFY=NEVER",
};

static const char *const odd_replies[] = {
    "shutdown",
    "connfail",
    "packet Z \"\"",
    "code \"250 fine\"",
    "code \"550\"",
    "raw \"220 hello\\r\\n\"",
    "raw \"\\xff\\xff\\xff\\xffc\"",
    "packet c \"x\"",
    "addheader A=1",
    "packet h \"x\"",
    "raw \"\\0\\0\\0\\0\"",
    "optneg version=6 actions=0 steps=0",
    "continue; continue",
    "addheader \"=\"",
};

static void
say(RigChild *child, const char *line)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_REPLY, line);

    fuzz_trace(PACKET_REPLY, child->config->name, wire->data, wire->len);
    rig_send(&child->end, wire->data, wire->len);
}

/* An answer to the end of message; a child that only evaluates changes nothing. */
static void
say_at_end(RigChild *child, const char *line)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_REPLY, line);
    const Heard *heard = &fuzz->heard[child->config->index];
    MilterFrame frame;

    say(child, line);
    g_assert_cmpint(milter_frame_peek(wire->data, wire->len, G_MAXUINT32, &frame), ==,
                    MILTER_FRAME_OK);
    /* One that is behind answers for a message that is over; one that is ahead has answered. */
    if (heard->lag < 0)
        fuzz->ledger.is_sure = FALSE;
    if (!child->config->evaluation_mode && heard->lag == 0)
        ledger_child_says(&fuzz->ledger, child->config->index, heard->option.steps, &frame);
}

static void
negotiate(RigChild *child, const MilterFrame *frame)
{
    Heard *heard = &fuzz->heard[child->config->index];
    MilterOption offer = { 0 };

    g_assert_true(milter_option_parse(frame, &offer, NULL));
    heard->state = MILTER_STATE_READY;
    heard->n_owed = 0;
    heard->lag = 0;
    heard->option.version = MIN(child->option.version, offer.version);
    heard->option.steps = child->option.steps & offer.steps;
    milter_option_clear(&offer);
    rig_answer_continue(child, frame);
}

static void
check_shown(const RigChild *child, const MilterFrame *frame)
{
    for (guint i = 0; i < FUZZ_RECIPIENTS; i++)
        if (fuzz->hidden[child->config->index] & (1u << i))
            g_assert_cmpstr((const char *)frame->payload, !=, fuzz_recipients[i]);
}

/* Whether an MTA would say this now to a child that declined some steps. */
static void
check_command(const RigChild *child, const MilterFrame *frame)
{
    Heard *heard = &fuzz->heard[child->config->index];
    MilterStep step = milter_step_of_command(frame->command);
    guint32 declined = heard->option.steps;
    MilterState state = milter_state_next_declined(heard->state, frame->command, declined);

    g_assert_true(milter_command_check(frame, NULL));
    if (frame->command == SMFIC_MACRO)
        return;
    if (frame->command == SMFIC_RCPT)
        check_shown(child, frame);
    /* A child that declined CONNECT and HELO hears of the session with its MAIL. */
    if (state == MILTER_STATE_BAD && (declined & SMFIP_NOCONNECT))
        state = milter_state_next_declined(MILTER_STATE_HELO, frame->command, declined);
    if (state != MILTER_STATE_BAD)
        heard->state = state;
    if (heard->is_odd)
        return;
    /* One that declined MAIL cannot see where messages begin; Sendmail sends it no ABORT. */
    g_assert_true(state != MILTER_STATE_BAD || (declined & SMFIP_NOMAIL));
    if (step == MILTER_STEP_NONE)
        return;
    g_assert_cmpuint(declined & milter_step_no_bit(step), ==, 0);
    g_assert_cmpuint(heard->option.version, >=, milter_step_version(step));
    /* After headers, which the MTA has no replies to, it may go on with the next message. */
    if (step == MILTER_STEP_MAIL || step == MILTER_STEP_HELO || (declined & SMFIP_NOMAIL))
        heard->n_owed = 0;
    g_assert_cmpuint(heard->n_owed, ==, 0);
}

static gboolean
is_answered(const RigChild *child, MilterStep step)
{
    return !(fuzz->heard[child->config->index].option.steps & milter_step_nr_bit(step));
}

void
fuzz_child_answer(RigChild *child, const MilterFrame *frame)
{
    Heard *heard = &fuzz->heard[child->config->index];
    MilterStep step = milter_step_of_command(frame->command);
    guint choice;

    fuzz_trace(PACKET_COMMAND, child->config->name, frame->wire, frame->wire_size);
    if (frame->command == SMFIC_OPTNEG) {
        choice = fuzz_next(&fuzz->input, 32);
        if (choice == 1)
            rig_close(&child->end);
        heard->is_odd = choice == 2;
        if (choice == 2)
            say(child, odd_replies[fuzz_next(&fuzz->input, G_N_ELEMENTS(odd_replies))]);
        else if (choice != 1 && choice != 3)
            negotiate(child, frame);
        return;
    }
    check_command(child, frame);
    /* One that is odd is as little checked as one that does not see where messages begin. */
    if (!child->config->evaluation_mode)
        ledger_child_gets(&fuzz->ledger, child->config->index,
                          heard->option.steps | (heard->is_odd ? SMFIP_NOMAIL : 0), frame);
    if (frame->command == SMFIC_ABORT)
        heard->n_owed = 0;
    if (frame->command == SMFIC_MACRO || step == MILTER_STEP_NONE || !is_answered(child, step))
        return;
    choice = fuzz_next(&fuzz->input, 64);
    if (choice == 1) {
        rig_close(&child->end);
    } else if (choice == 2) {
        const char *line = odd_replies[fuzz_next(&fuzz->input, G_N_ELEMENTS(odd_replies))];

        heard->is_odd = TRUE;
        heard->lag += g_str_has_prefix(line, "addheader");
        heard->lag -= strcmp(line, "continue; continue") == 0;
        fuzz->ledger.is_sure = FALSE;
        say(child, line);
    } else if (choice == 3) {
        heard->n_owed++; /* it hangs */
        heard->lag++;
    } else {
        guint which = fuzz_next(&fuzz->input, 64);
        const char *line = which < G_N_ELEMENTS(final_replies) ? final_replies[which] : "continue";

        /* Postfix then leaves out the next command of that kind, too. */
        if (step != MILTER_STEP_BODY && strcmp(line, "skip") == 0) {
            heard->is_odd = TRUE;
            fuzz->ledger.is_sure = FALSE;
        }
        if (strcmp(line, "skip") == 0)
            fuzz->ledger.children[child->config->index].has_skipped = TRUE;
        if (step == MILTER_STEP_EOM) {
            for (guint n = fuzz_next(&fuzz->input, 5); n; n--)
                say_at_end(child, edits[fuzz_next(&fuzz->input, G_N_ELEMENTS(edits))]);
            say_at_end(child, line);
            return;
        }
        if (choice == 4)
            say(child, "progress");
        say(child, line);
    }
}
