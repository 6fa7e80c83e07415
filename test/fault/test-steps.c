/* test-steps.c - every child, failing in every way at every step, with every fallback
 *
 * The MTA must get what the fallback says, within its own patience, and never nothing;
 * with all children hung at all steps, too. */
#include "config.h"

#include <string.h>

#include "test/support/calls.h"
#include "test/support/rig.h"

#define N_CHILDREN 3
#define POSTFIX_TEMPFAIL "451 4.7.1 Service unavailable - try again later"
#define POSTFIX_REJECT "550 5.5.0 Service unavailable"

typedef enum {
    FAULT_CLOSE,   /* closes instead of answering */
    FAULT_HANG,    /* never answers */
    FAULT_GARBAGE, /* answers with bytes that are no packet */
    FAULT_UNKNOWN, /* answers with a reply that does not exist */
    FAULT_LATE,    /* answers when its time is over */
    FAULT_TWICE,   /* answers twice */
    FAULT_HALF,    /* answers with half a packet, then closes */
    N_FAULTS,
} Fault;

static const char *const fault_names[N_FAULTS] = {
    "close", "hang", "garbage", "unknown", "late", "twice", "half",
};

/* What a child of the test does. */
typedef struct {
    guint8 command; /* at which command it fails, 0 for none */
    Fault fault;
    gboolean has_failed;
} Plan;

typedef struct {
    MmMta mta;
    guint position; /* of the child that fails */
    guint8 command;
    Fault fault;
    MilterFallback fallback;
} Case;

/* A message, as the MTA sends it. */
static const char *const dialogue[] = {
    "connect client.example 4 25 192.0.2.1",
    "helo client.example",
    "mail <s@client.example>",
    "rcpt <r@example.org>",
    "data",
    "header Subject=hi",
    "eoh",
    "body \"text\\r\\n\"",
    "eom",
};

static void
answer(RigChild *child, const MilterFrame *frame)
{
    static const guint8 reply[] = { 0, 0, 0, 1, SMFIR_CONTINUE };
    static const guint8 unknown[] = { 0, 0, 0, 1, 'Z' };
    Plan *plan = child->data;

    if (frame->command != plan->command || plan->has_failed) {
        if (!plan->has_failed || plan->fault == FAULT_TWICE)
            rig_answer_continue(child, frame);
        return;
    }
    plan->has_failed = TRUE;
    switch (plan->fault) {
    case FAULT_CLOSE:
        rig_close(&child->end);
        break;
    case FAULT_GARBAGE:
        rig_send(&child->end, "550 I am no milter\r\n", 20);
        break;
    case FAULT_UNKNOWN:
        rig_send(&child->end, unknown, sizeof(unknown));
        break;
    case FAULT_TWICE:
        rig_answer_continue(child, frame);
        rig_send(&child->end, reply, sizeof(reply));
        break;
    case FAULT_HALF:
        rig_send(&child->end, reply, sizeof(reply) - 2);
        rig_close(&child->end);
        break;
    default:
        break; /* hang, late: later or never */
    }
}

/* The MTA's next packet that is no progress. */
static GBytes *
take_answer(Rig *rig)
{
    GBytes *packet;

    while ((packet = rig_take(&rig->mta))) {
        const guint8 *wire = g_bytes_get_data(packet, NULL);

        if (wire[4] != SMFIR_PROGRESS)
            break;
        g_bytes_unref(packet);
    }
    return packet;
}

/* Send LINE as the MTA and give it back what it gets, waiting as long as the MTA would. "" for
 * a step without reply. */
static char *
ask(Rig *rig, const char *line)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_COMMAND, line);
    MilterStep step = milter_step_of_command(wire->data[4]);
    double wait = rig_patience(rig, step);
    GBytes *packet;
    char *text;

    rig_mta_send(rig, wire->data, wire->len);
    rig_settle(rig);
    if (step != MILTER_STEP_NONE &&
        (rig->agreed.steps & (milter_step_nr_bit(step) | milter_step_no_bit(step))))
        return g_strdup("");
    packet = take_answer(rig);
    for (double waited = 0; !packet && waited < wait;) {
        double next = milter_loop_next_timer(rig->loop);

        if (next < 0 || waited + next > wait)
            break;
        rig_pass(rig, next);
        waited += next;
        packet = take_answer(rig);
    }
    if (!packet)
        return g_strdup("nothing");
    text = packet_text(PACKET_REPLY, g_bytes_get_data(packet, NULL), g_bytes_get_size(packet));
    if (wire->data[4] == SMFIC_OPTNEG) {
        MilterFrame frame;

        g_assert_cmpint(milter_frame_peek(g_bytes_get_data(packet, NULL), g_bytes_get_size(packet),
                                          G_MAXUINT32, &frame),
                        ==, MILTER_FRAME_OK);
        (void)milter_option_parse(&frame, &rig->agreed, NULL);
    }
    g_bytes_unref(packet);
    /* Behind an edit comes the final reply. */
    if (g_str_has_prefix(text, "quarantine")) {
        packet = take_answer(rig);
        g_assert_nonnull(packet);
        g_assert_cmpuint(((const guint8 *)g_bytes_get_data(packet, NULL))[4], ==, SMFIR_CONTINUE);
        g_bytes_unref(packet);
    }
    return text;
}

static Rig *
new_rig(MmMta mta, Plan plans[N_CHILDREN], guint32 offered_steps)
{
    Rig *rig = rig_new(mta);

    rig->offer.steps = offered_steps;
    for (guint i = 0; i < N_CHILDREN; i++) {
        char name[] = { (char)('a' + i), '\0' };
        RigChild *child = rig_add(rig, name);

        child->is_auto = TRUE;
        child->answer = answer;
        child->data = &plans[i];
        child->config->fallback = MILTER_FALLBACK_ACCEPT;
    }
    return rig;
}

static char *
negotiate(Rig *rig)
{
    g_autofree char *offer =
        g_strdup_printf("optneg version=6 actions=0x1ff steps=0x%x", rig->offer.steps);

    return ask(rig, offer);
}

/* Whether TEXT is what a fallback comes to at a step. */
static gboolean
is_fallback(const char *text, MilterFallback fallback, MmMta mta, guint8 command)
{
    gboolean is_connection =
        command == SMFIC_CONNECT || command == SMFIC_HELO || command == SMFIC_OPTNEG;

    switch (fallback) {
    case MILTER_FALLBACK_TEMPORARY_FAILURE:
        return mta == MM_MTA_POSTFIX ? strstr(text, POSTFIX_TEMPFAIL) != NULL
                                     : strcmp(text, "tempfail") == 0;
    case MILTER_FALLBACK_REJECT:
        return mta == MM_MTA_POSTFIX ? strstr(text, POSTFIX_REJECT) != NULL
                                     : strcmp(text, "reject") == 0;
    case MILTER_FALLBACK_DISCARD:
        return is_connection ? strcmp(text, "continue") == 0 : strcmp(text, "discard") == 0;
    default:
        return strcmp(text, "continue") == 0 || strcmp(text, "accept") == 0;
    }
}

static gboolean
is_friendly(const char *text)
{
    return strcmp(text, "continue") == 0 || strcmp(text, "accept") == 0 || !*text;
}

static void
describe(const Case *c, const char *line, const char *text)
{
    g_test_message("mta=%s child=%u command=%c fault=%s fallback=%s: \"%s\" got \"%s\"",
                   mm_mta_name(c->mta), c->position, c->command, fault_names[c->fault],
                   milter_fallback_name(c->fallback), line, text);
}

/* The warning must name the child; and the step, where it is known. */
static void
check_log(Rig *rig, const Case *c)
{
    char part[] = "child=a ";
    const char *parts[] = { part, "failure=", "fallback=", "cause=" };

    part[6] = (char)('a' + c->position);
    if (!rig_take_log(rig, "warning", parts, G_N_ELEMENTS(parts))) {
        describe(c, "log", "no such line");
        g_test_fail();
    }
    if (rig->log->len) {
        describe(c, "log", rig->log->pdata[0]);
        g_test_fail();
    }
}

/* A second answer is taken for that to the next question, if there is one at once: the child is
 * out of step to the end, and its surplus answer meets nothing. */
static gboolean
may_pass(const Case *c)
{
    MilterStep step = milter_step_of_command(c->command);

    return c->fault == FAULT_TWICE && step >= MILTER_STEP_HEADER && step <= MILTER_STEP_EOM;
}

/* Which answer settles a message whose child failed at COMMAND: the first step with a reply
 * from there on at which the MTA is refused. */
static void
run_case(const Case *c, guint32 offered_steps)
{
    Plan plans[N_CHILDREN] = { { 0 } };
    Rig *rig;
    gboolean is_settled = FALSE, has_failed = FALSE;
    g_autofree char *option = NULL;
    char *message;

    calls_install();
    plans[c->position] = (Plan){ .command = c->command, .fault = c->fault };
    rig = new_rig(c->mta, plans, offered_steps);
    ((RigChild *)rig->children->pdata[c->position])->config->fallback = c->fallback;
    rig_start(rig);
    option = negotiate(rig);
    if (!g_str_has_prefix(option, "optneg")) {
        describe(c, "optneg", option);
        g_test_fail();
    }
    for (guint i = 0; i < G_N_ELEMENTS(dialogue) && !is_settled; i++) {
        g_autofree char *text = ask(rig, dialogue[i]);

        has_failed = has_failed || plans[c->position].has_failed;
        if (is_friendly(text))
            continue;
        is_settled = TRUE;
        if (!has_failed || strcmp(text, "nothing") == 0 ||
            !(is_fallback(text, c->fallback, c->mta, c->command) ||
              (c->fallback == MILTER_FALLBACK_DISCARD && strcmp(text, "discard") == 0) ||
              (c->fallback == MILTER_FALLBACK_QUARANTINE && strstr(text, "quarantine")))) {
            describe(c, dialogue[i], text);
            g_test_fail();
        }
    }
    if (!is_settled && c->fallback != MILTER_FALLBACK_ACCEPT && !may_pass(c)) {
        describe(c, "all", "no refusal");
        g_test_fail();
    }
    if (c->fault == FAULT_LATE && plans[c->position].has_failed) {
        static const guint8 reply[] = { 0, 0, 0, 1, SMFIR_REJECT };

        rig_send(&((RigChild *)rig->children->pdata[c->position])->end, reply, sizeof(reply));
        rig_settle(rig);
        g_assert_null(take_answer(rig));
    }
    if (!may_pass(c) || rig->log->len)
        check_log(rig, c);
    message = rig_free(&rig);
    if (message) {
        describe(c, "end", message);
        g_test_fail();
    }
    g_free(message);
    calls_remove();
}

static const guint8 all_commands[] = {
    SMFIC_OPTNEG, SMFIC_CONNECT, SMFIC_HELO, SMFIC_MAIL, SMFIC_RCPT,
    SMFIC_DATA,   SMFIC_HEADER,  SMFIC_EOH,  SMFIC_BODY, SMFIC_BODYEOB,
};

static void
test_one_child(gconstpointer data)
{
    Case c = { .mta = GPOINTER_TO_INT(data) };

    for (c.position = 0; c.position < N_CHILDREN; c.position++)
        for (guint i = 0; i < G_N_ELEMENTS(all_commands); i++)
            for (c.fault = 0; c.fault < N_FAULTS; c.fault++)
                for (c.fallback = 0; c.fallback < MILTER_N_FALLBACKS; c.fallback++) {
                    c.command = all_commands[i];
                    run_case(&c, c.fallback % 2 ? 0 : 0x1fffff);
                }
}

/* All children hang at every step, one after another: their fallbacks decide before the MTA
 * does, at whichever step the first of them is asked. */
static void
test_all_hung(gconstpointer data)
{
    MmMta mta = GPOINTER_TO_INT(data);

    for (guint i = 0; i < G_N_ELEMENTS(all_commands); i++)
        for (guint last = 0; last < 2; last++) {
            Plan plans[N_CHILDREN] = { { 0 } };
            Case c = { .mta = mta, .command = all_commands[i], .fault = FAULT_HANG };
            Rig *rig;
            gboolean is_settled = FALSE;
            g_autofree char *option = NULL;
            char *message;

            calls_install();
            for (guint j = 0; j < N_CHILDREN; j++)
                plans[j] = (Plan){ .command = c.command, .fault = FAULT_HANG };
            rig = new_rig(mta, plans, last ? 0 : 0x1fffff);
            for (guint j = 0; j < N_CHILDREN; j++) {
                MmChild *config = ((RigChild *)rig->children->pdata[j])->config;

                config->reading_timeout = 10000;
                config->connection_timeout = 10000;
                config->end_of_message_timeout = 10000;
            }
            c.position = N_CHILDREN - 1;
            c.fallback = MILTER_FALLBACK_REJECT;
            ((RigChild *)rig->children->pdata[c.position])->config->fallback = c.fallback;
            rig_start(rig);
            option = negotiate(rig);
            g_assert_true(g_str_has_prefix(option, "optneg"));
            for (guint j = 0; j < G_N_ELEMENTS(dialogue) && !is_settled; j++) {
                g_autofree char *text = ask(rig, dialogue[j]);

                if (is_friendly(text))
                    continue;
                is_settled = TRUE;
                if (!is_fallback(text, c.fallback, mta, c.command)) {
                    describe(&c, dialogue[j], text);
                    g_test_fail();
                }
            }
            g_assert_true(is_settled);
            g_ptr_array_set_size(rig->log, 0);
            message = rig_free(&rig);
            g_assert_cmpstr(message, ==, NULL);
            calls_remove();
        }
}

/* Nobody listens at all. */
static void
test_all_down(gconstpointer data)
{
    MmMta mta = GPOINTER_TO_INT(data);
    Plan plans[N_CHILDREN] = { { 0 } };
    Rig *rig;
    g_autofree char *option = NULL, *text = NULL;
    char *message;

    calls_install();
    rig = new_rig(mta, plans, 0x1fffff);
    for (guint j = 0; j < N_CHILDREN; j++)
        ((RigChild *)rig->children->pdata[j])->listen_fd = -2;
    ((RigChild *)rig->children->pdata[2])->config->fallback = MILTER_FALLBACK_TEMPORARY_FAILURE;
    rig_start(rig);
    option = negotiate(rig);
    g_assert_true(g_str_has_prefix(option, "optneg"));
    text = ask(rig, dialogue[0]);
    g_assert_true(is_fallback(text, MILTER_FALLBACK_TEMPORARY_FAILURE, mta, SMFIC_CONNECT));
    message = rig_free(&rig);
    g_assert_cmpstr(message, ==, NULL);
    calls_remove();
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/fault/postfix/one", GINT_TO_POINTER(MM_MTA_POSTFIX), test_one_child);
    g_test_add_data_func("/fault/sendmail/one", GINT_TO_POINTER(MM_MTA_SENDMAIL), test_one_child);
    g_test_add_data_func("/fault/postfix/all-hung", GINT_TO_POINTER(MM_MTA_POSTFIX), test_all_hung);
    g_test_add_data_func("/fault/sendmail/all-hung", GINT_TO_POINTER(MM_MTA_SENDMAIL),
                         test_all_hung);
    g_test_add_data_func("/fault/postfix/all-down", GINT_TO_POINTER(MM_MTA_POSTFIX), test_all_down);
    g_test_add_data_func("/fault/sendmail/all-down", GINT_TO_POINTER(MM_MTA_SENDMAIL),
                         test_all_down);
    return g_test_run();
}
