/* fuzz-relay.c - a whole session whose MTA and children do what the input says
 *
 * The MTA is a legal one (but for some garbage, after which its connection must be closed);
 * children are anything.  Checked: the MTA gets exactly one final reply for each command
 * that wants one, within its patience, and nothing else but what belongs there; children
 * are spoken to only as an MTA would; nothing is left in the end. */
#include "config.h"

#include "test/fuzz/fuzz-relay.h"

#include "test/support/calls.h"

#define ACTIONS_MAX 60

Fuzz *fuzz;

const char *const fuzz_recipients[FUZZ_RECIPIENTS] = { "<r@x>", "<r2@x>" };

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

void
fuzz_trace(PacketKind kind, const char *who, const void *wire, gsize size)
{
    g_autofree char *text = NULL;

    if (!g_getenv("FUZZ_TRACE"))
        return;
    text = packet_text(kind, wire, size);
    g_printerr("# %s %s\n", who, text);
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
        fuzz_trace(PACKET_REPLY, "mta got", wire, size);
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
    fuzz_trace(PACKET_COMMAND, "mta says", wire->data, wire->len);
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
        child->answer = fuzz_child_answer;
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
        rig_rule(child, MILTER_STEP_RCPT, fuzz_recipients[kind & 1], decision, "{r}", "1");
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
