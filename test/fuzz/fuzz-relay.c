/* fuzz-relay.c - a whole session whose MTA and children do what the input says
 *
 * The MTA is a legal one (but for some garbage, after which its connection must be closed);
 * children are anything.  Checked: the MTA gets exactly one final reply for each command
 * that wants one, within its patience, and nothing else but what belongs there; children
 * are spoken to only as an MTA would; nothing is left in the end. */
#include "config.h"

#include "test/fuzz/fuzz.h"

#include "test/fuzz/ledger.h"
#include "test/support/calls.h"
#include "test/support/rig.h"

#define ACTIONS_MAX 60

/* What a child was told, to see that it is what an MTA would say. */
typedef struct {
    MilterState state;
    MilterOption option; /* what it answered; lists are the rig's */
    guint n_owed;        /* replies it has not given */
    gboolean is_odd;     /* it has said what it should not: anything goes */
    int lag;             /* commands that it left unanswered: what it says is for earlier ones */
} Heard;

typedef struct {
    FuzzInput input;
    Rig *rig;
    Heard heard[LEDGER_CHILDREN];
    Ledger ledger;
    guint8 hidden[LEDGER_CHILDREN]; /* recipients that conditions hide from a child: bits */
    gboolean has_conditions;
    gboolean is_closed; /* the MTA's connection is over */
    gboolean body_began, had_final;
    gboolean may_hold; /* an unanswered envelope step came since the last reply */
} Fuzz;

static Fuzz *fuzz; /* for the children's callback */

static const guint32 step_choices[] = {
    0,
    0,
    SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY,
    SMFIP_NOBODY,
    SMFIP_NOHDRS | SMFIP_NOEOH,
    SMFIP_SKIP,
    SMFIP_HDR_LEADSPC,
    SMFIP_NOMAIL | SMFIP_NORCPT,
    SMFIP_NODATA | SMFIP_NOUNKNOWN,
    0x1fffff & ~(guint32)(SMFIP_NR_CONN | SMFIP_NR_MAIL),
    SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | SMFIP_NR_UNKN,
    SMFIP_RCPT_REJ | SMFIP_NOCONNECT | SMFIP_NOHELO,
};

/* With FUZZ_TRACE set: what goes where. */
static void
trace(PacketKind kind, const char *who, const void *wire, gsize size)
{
    g_autofree char *text = NULL;

    if (!g_getenv("FUZZ_TRACE"))
        return;
    text = packet_text(kind, wire, size);
    g_printerr("# %s %s\n", who, text);
}

/* --- children --- */

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

    trace(PACKET_REPLY, child->config->name, wire->data, wire->len);
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

static const char *const recipients[] = { "<r@x>", "<r2@x>" };

static void
check_shown(const RigChild *child, const MilterFrame *frame)
{
    for (guint i = 0; i < G_N_ELEMENTS(recipients); i++)
        if (fuzz->hidden[child->config->index] & (1u << i))
            g_assert_cmpstr((const char *)frame->payload, !=, recipients[i]);
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

static void
answer(RigChild *child, const MilterFrame *frame)
{
    Heard *heard = &fuzz->heard[child->config->index];
    MilterStep step = milter_step_of_command(frame->command);
    guint choice;

    trace(PACKET_COMMAND, child->config->name, frame->wire, frame->wire_size);
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

/* --- the MTA --- */

/* Take what has come while the reply to STEP is owed (MILTER_N_STEPS + 1: nothing is).  TRUE
 * with the final reply. */
static gboolean
take_replies(MilterStep step, guint8 *final)
{
    Rig *rig = fuzz->rig;
    GBytes *packet;

    while (!fuzz->had_final && (packet = rig_take(&rig->mta))) {
        gsize size;
        const guint8 *wire = g_bytes_get_data(packet, &size);
        MilterFrame frame;

        g_assert_cmpint(milter_frame_peek(wire, size, G_MAXUINT32, &frame), ==, MILTER_FRAME_OK);
        if (step == MILTER_STEP_NONE) {
            g_assert_cmpint(frame.command, ==, SMFIC_OPTNEG);
            milter_option_clear(&rig->agreed);
            g_assert_true(milter_option_parse(&frame, &rig->agreed, NULL));
            g_assert_true(milter_option_check_answer(&rig->offer, &rig->agreed, NULL));
            fuzz->had_final = TRUE;
        } else {
            g_assert_true(milter_reply_check(&frame, step, rig->offer.actions, NULL));
            if (frame.command == SMFIR_PROGRESS) {
                g_assert_true(step == MILTER_STEP_EOM || rig->settings.mta == MM_MTA_POSTFIX);
                g_assert_false(fuzz->body_began);
            }
            /* The body comes last, in one run. */
            g_assert_true(!fuzz->body_began || frame.command == SMFIR_REPLBODY ||
                          milter_reply_is_final(frame.command));
            fuzz->body_began = fuzz->body_began || frame.command == SMFIR_REPLBODY;
            fuzz->had_final = milter_reply_is_final(frame.command);
            if (step == MILTER_STEP_EOM)
                ledger_mta_gets(&fuzz->ledger, &frame);
        }
        trace(PACKET_REPLY, "mta got", wire, size);
        *final = frame.command;
        g_bytes_unref(packet);
    }
    return fuzz->had_final;
}

static void
begin_wait(void)
{
    fuzz->had_final = FALSE;
    fuzz->body_began = FALSE;
}

/* What the MTA is about to send. */
static void
note_in_ledger(const GByteArray *wire)
{
    Rig *rig = fuzz->rig;
    MilterFrame frame;

    g_assert_cmpint(milter_frame_peek(wire->data, wire->len, G_MAXUINT32, &frame), ==,
                    MILTER_FRAME_OK);
    if (frame.command == SMFIC_MAIL)
        ledger_begin(&fuzz->ledger, rig->settings.mta == MM_MTA_SENDMAIL,
                     (rig->agreed.steps & SMFIP_HDR_LEADSPC) != 0, rig->offer.actions);
    /* The models know of no conditions. */
    fuzz->ledger.is_sure &= !fuzz->has_conditions;
    ledger_mta_says(&fuzz->ledger, &frame);
}

/* Send packets, the last of which may want a reply; wait for it, or not: then ABORT or QUIT
 * must follow.  FALSE when it was not waited for. */
static gboolean
ask(const char *line, guint8 *final)
{
    Rig *rig = fuzz->rig;
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, line);
    guint8 command = wire->data[4];
    MilterStep step = milter_step_of_command(command);
    gboolean wants_reply = step != MILTER_STEP_NONE || command == SMFIC_OPTNEG;
    double waited = 0;

    if (command == SMFIC_MACRO)
        wants_reply = FALSE;
    if (step != MILTER_STEP_NONE && (rig->agreed.steps & milter_step_nr_bit(step)))
        wants_reply = FALSE;
    *final = 0;
    note_in_ledger(wire);
    trace(PACKET_COMMAND, "mta says", wire->data, wire->len);
    rig_mta_send(rig, wire->data, wire->len);
    if (!wants_reply) {
        fuzz->may_hold |= step == MILTER_STEP_UNKNOWN ||
                          (step != MILTER_STEP_NONE && step <= MILTER_STEP_DATA);
        return TRUE;
    }
    rig_settle(rig);
    begin_wait();
    while (!take_replies(step, final)) {
        double timer = milter_loop_next_timer(rig->loop);

        g_assert_false(rig->mta.is_eof);
        if (command != SMFIC_OPTNEG && fuzz_next(&fuzz->input, 16) == 1)
            return FALSE;
        g_assert_cmpfloat(timer, >=, 0);
        waited += timer;
        /* Postfix counts anew from every sign of life. */
        g_assert_cmpfloat(waited, <=, rig_patience(fuzz->rig, step));
        rig_pass(rig, timer);
    }
    g_assert_false(rig_has_packet(&rig->mta));
    fuzz->may_hold = FALSE;
    return TRUE;
}

static const struct {
    guint8 command;
    const char *line;
} commands[] = {
    { SMFIC_CONNECT, "connect client.example 4 25 192.0.2.1" },
    { SMFIC_CONNECT, "connect unknown U" },
    { SMFIC_HELO, "helo client.example" },
    { SMFIC_MAIL, "mail <s@x> SIZE=10" },
    { SMFIC_MAIL, "mail <>" },
    { SMFIC_RCPT, "rcpt <r@x>" },
    { SMFIC_RCPT, "rcpt <r2@x> NOTIFY=NEVER" },
    { SMFIC_DATA, "data" },
    { SMFIC_HEADER, "header X=\" 1\"" },
    { SMFIC_HEADER, "header Subject=\" hi\"" },
    { SMFIC_HEADER, "header Y=\"z\"*3000" },
    { SMFIC_EOH, "eoh" },
    { SMFIC_BODY, "body \"text\\r\\n\"*300" },
    { SMFIC_BODY, "body \"x\"*65535" },
    { SMFIC_BODYEOB, "eom" },
    { SMFIC_BODYEOB, "eom" },
    { SMFIC_BODYEOB, "eom \"last\"" },
    { SMFIC_ABORT, "abort" },
    { SMFIC_UNKNOWN, "unknown \"VRFY x\"" },
    { SMFIC_QUIT_NC, "quit_nc" },
    { SMFIC_MACRO, "macro connect j=mx" },
    { SMFIC_MACRO, "macro mail i=Q1" },
    { SMFIC_MACRO, "macro rcpt {rcpt_mailer}=error i=Q1" },
    { SMFIC_MACRO, "macro header i=Q1" },
    { SMFIC_MACRO, "macro eom {msg_id}=m" },
};

/* What may follow now, chosen by the input; NULL when there is nothing. */
static const char *
choose_command(MilterState state, guint8 last)
{
    const char *possible[G_N_ELEMENTS(commands)];
    guint n = 0;

    for (guint i = 0; i < G_N_ELEMENTS(commands); i++) {
        MilterStep step = milter_step_of_command(commands[i].command);

        if (milter_state_next(state, commands[i].command) == MILTER_STATE_BAD)
            continue;
        if (commands[i].command != SMFIC_MACRO && step != MILTER_STEP_NONE &&
            ((fuzz->rig->agreed.steps & milter_step_no_bit(step)) ||
             fuzz->rig->agreed.version < milter_step_version(step)))
            continue;
        /* The table allows it, no MTA does it. */
        if (state == MILTER_STATE_READY && commands[i].command == SMFIC_UNKNOWN)
            continue;
        /* skip: no more chunks. */
        if (last == SMFIR_SKIP && commands[i].command == SMFIC_BODY)
            continue;
        possible[n++] = commands[i].line;
    }
    return n ? possible[fuzz_next(&fuzz->input, n)] : NULL;
}

/* What an MTA does next with a message. */
static const char *
usual_command(MilterState state)
{
    switch (state) {
    case MILTER_STATE_READY:
        return "connect client.example 4 25 192.0.2.1";
    case MILTER_STATE_CONNECT:
    case MILTER_STATE_HELO:
    case MILTER_STATE_EOM:
        return "mail <s@x>";
    case MILTER_STATE_MAIL:
        return "rcpt <r@x>";
    case MILTER_STATE_RCPT:
    case MILTER_STATE_DATA:
        return fuzz->rig->agreed.steps & SMFIP_NOHDRS ? "eom" : "header X=\" 1\"";
    case MILTER_STATE_HEADER:
        return fuzz_next(&fuzz->input, 2) ? "header X=\" 2\"" : "eoh";
    case MILTER_STATE_EOH:
        return fuzz->rig->agreed.steps & SMFIP_NOBODY ? "eom" : "body \"line\\r\\n\"*200";
    default:
        return "eom";
    }
}

/* Whether an MTA is through with the message after that reply. */
static gboolean
ends_message(guint8 reply, MilterState state)
{
    if (state == MILTER_STATE_RCPT && reply != SMFIR_ACCEPT && reply != SMFIR_DISCARD &&
        reply != SMFIR_SHUTDOWN)
        return FALSE;
    return reply != 0 && reply != SMFIR_CONTINUE && reply != SMFIR_SKIP &&
           reply != SMFIR_PROGRESS && reply != SMFIC_OPTNEG;
}

static void
close_mta(gboolean with_quit)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, "quit");

    if (with_quit)
        rig_mta_send(fuzz->rig, wire->data, wire->len);
    rig_settle(fuzz->rig);
    fuzz->is_closed = TRUE;
}

static void
send_garbage(void)
{
    static const char *const garbage[] = {
        "raw \"\\0\\0\\0\\0\"", "packet Z \"\"",  "packet C \"h\"", "raw \"EHLO x\\r\\n\"",
        "packet O \"\"",        "packet M \"x\"", "packet D \"\"",
    };
    g_autoptr(GByteArray) wire =
        packet_line(PACKET_COMMAND, garbage[fuzz_next(&fuzz->input, G_N_ELEMENTS(garbage))]);

    rig_send(&fuzz->rig->mta, wire->data, wire->len);
    rig_settle(fuzz->rig);
    if (fuzz->may_hold) /* not read yet */
        rig_pass(fuzz->rig, 2 * rig_patience(fuzz->rig, MILTER_STEP_EOM));
    g_assert_true(fuzz->rig->mta.is_eof);
    fuzz->is_closed = TRUE;
}

/* An MTA does not go on with a message that was refused, discarded or accepted. */
static void
end_message(void)
{
    guint8 final;

    if (milter_state_in_transaction(fuzz->rig->state))
        (void)ask("abort", &final);
}

static void
talk(void)
{
    Rig *rig = fuzz->rig;
    guint8 final = 0;
    g_autofree char *offer =
        g_strdup_printf("optneg version=%u actions=%u steps=%u", rig->offer.version,
                        rig->offer.actions, rig->offer.steps);

    (void)ask(offer, &final);
    for (guint i = 0; i < ACTIONS_MAX && fuzz->input.left && !fuzz->is_closed; i++) {
        guint choice = fuzz_next(&fuzz->input, 64);
        const char *line;

        if (choice == 1) {
            close_mta(TRUE);
        } else if (choice == 2) {
            send_garbage();
        } else if (choice == 3) {
            rig_pass(rig, fuzz_next(&fuzz->input, 20));
            g_assert_false(rig_has_packet(&rig->mta));
        } else if ((line = choice < 40 ? usual_command(rig->state)
                                       : choose_command(rig->state, final))) {
            MilterState before = rig->state;

            gboolean was_answered = ask(line, &final);

            /* Sendmail goes on with later filters that did not see the CONNECT or HELO. */
            if (final == SMFIR_DISCARD && !milter_state_in_transaction(rig->state))
                for (guint j = 0; j < G_N_ELEMENTS(fuzz->heard); j++)
                    fuzz->heard[j].is_odd = TRUE;
            if (!was_answered) {
                /* What is held is not read yet: its reply and the ABORT would cross. */
                if (rig->state < MILTER_STATE_MAIL || fuzz_next(&fuzz->input, 4) == 1 ||
                    fuzz->may_hold)
                    close_mta(TRUE);
                else
                    (void)ask("abort", &final);
            } else if (ends_message(final, rig->state) &&
                       g_str_has_prefix(line, "unknown") == FALSE &&
                       (milter_state_in_transaction(before) || rig->state == MILTER_STATE_MAIL)) {
                end_message();
            }
        }
    }
}

static void
configure(void)
{
    FuzzInput *input = &fuzz->input;
    Rig *rig = fuzz->rig;
    guint n_children = fuzz_next(input, 4);
    guint choice = fuzz_next(input, 4);

    rig->offer.steps = choice == 0 ? 0x301fffff : choice == 1 ? 0 : 0x1fffff;
    if (fuzz_next(input, 8) == 1) {
        rig->offer = (MilterOption){ .version = 2, .actions = 0x3f, .steps = 0x7f };
    }
    if (fuzz_next(input, 4) == 1)
        rig->settings.chunk_size = 1000;
    calls.read_max = (gsize[]){ 0, 0, 0, 0, 13, 4000 }[fuzz_next(input, 6)];
    calls.write_max = (gsize[]){ 0, 0, 0, 0, 29, 5000 }[fuzz_next(input, 6)];
    if (fuzz_next(input, 8) == 1)
        rig->settings.spool_memory_limit = 5000;
    if (fuzz_next(input, 8) == 1) {
        rig->settings.spool_limit = 70000;
        fuzz->ledger.body_limit = 60000;
    }
    for (guint i = 0; i < n_children; i++) {
        char name[] = { (char)('a' + i), '\0' };
        RigChild *child = rig_add(rig, name);

        child->is_auto = TRUE;
        child->answer = answer;
        child->config->fallback = fuzz_next(input, MILTER_N_FALLBACKS);
        child->config->evaluation_mode = fuzz_next(input, 5) == 1;
        child->listen_fd = fuzz_next(input, 16) == 1 ? -2 : -1;
        child->option.version = (guint32[]){ 6, 6, 6, 2, 3, 4 }[fuzz_next(input, 6)];
        child->option.steps = step_choices[fuzz_next(input, G_N_ELEMENTS(step_choices))] &
                              milter_version_steps(child->option.version);
        if (fuzz_next(input, 4) == 1 && child->option.version == 6)
            child->option.macros[MILTER_STAGE_MAIL] = g_strdup("i {mail_addr}");
        fuzz->heard[i].state = MILTER_STATE_START;
    }
}

/* The end of some inputs says what conditions decide, so that the others mean what they did. */
static void
configure_conditions(void)
{
    static const MilterStep steps[] = { MILTER_STEP_CONNECT, MILTER_STEP_HELO, MILTER_STEP_MAIL,
                                        MILTER_STEP_DATA, MILTER_STEP_HEADER, MILTER_STEP_EOH,
                                        MILTER_STEP_BODY, MILTER_STEP_EOM };
    FuzzInput *input = &fuzz->input;
    Rig *rig = fuzz->rig;
    guint n_rules;

    if (!rig->children->len || input->left < 16 || input->data[input->left - 1] % 3)
        return;
    fuzz->has_conditions = TRUE;
    n_rules = 1 + input->data[--input->left] / 3 % 4;
    rig->settings.split_recipients = input->data[--input->left] & 1;
    rig->settings.rejected_recipients = (input->data[input->left] & 2) != 0;
    if (g_getenv("FUZZ_TRACE"))
        g_printerr("# with conditions\n");
    for (; n_rules; n_rules--) {
        guint which = input->data[--input->left];
        guint kind = input->data[--input->left] % 16;
        RigChild *child = rig->children->pdata[which % rig->children->len];
        MmDecision decision = which & 64 ? MM_DECISION_STOP
                              : which & 32 ? MM_DECISION_TEMPFAIL : MM_DECISION_APPLY;

        if (kind < G_N_ELEMENTS(steps)) {
            rig_rule(child, steps[kind], NULL, decision, which & 16 ? "x" : NULL, "1");
            continue;
        }
        decision = kind < 14 ? MM_DECISION_STOP : MM_DECISION_TEMPFAIL;
        rig_rule(child, MILTER_STEP_RCPT, recipients[kind & 1], decision, "{r}", "1");
        fuzz->hidden[child->config->index] |= (decision == MM_DECISION_STOP) << (kind & 1);
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    Fuzz run = { .input = { data, size } };
    char *message;

    fuzz = &run;
    calls_install();
    ledger_init(&run.ledger);
    run.rig = rig_new(fuzz_next(&run.input, 2) ? MM_MTA_SENDMAIL : MM_MTA_POSTFIX);
    configure();
    configure_conditions();
    rig_start(run.rig);
    talk();
    message = rig_free(&run.rig);
    if (message)
        g_error("%s", message);
    ledger_clear(&run.ledger);
    calls_remove();
    return 0;
}
