/* witness.c - see witness.h */
#include "config.h"
#include "test/unit/witness.h"

static void
on_negotiate(MilterClientSession *session, const MilterOption *offer, MilterOption *request,
             gpointer data)
{
    Witness *witness = data;

    witness->session = session;
    g_assert_cmpuint(milter_client_option(session)->version, ==, 0);
    request->steps |= witness->request.steps;
    request->actions |= witness->request.actions;
    for (guint i = 0; i < MILTER_N_STAGES; i++) {
        if (witness->request.macros[i])
            milter_client_ask_macros(request, i, witness->request.macros[i]);
    }
}

static MilterClientAnswer
on_connect(MilterClientSession *session, const MilterConnect *connect, gpointer data)
{
    Witness *witness = data;

    g_string_append_printf(witness->seen, "connect %s %c %u %s;", connect->host, connect->family,
                           connect->port, connect->address ? connect->address : "-");
    return witness->answers[MILTER_STEP_CONNECT];
}

static MilterClientAnswer
on_helo(MilterClientSession *session, const char *name, gpointer data)
{
    Witness *witness = data;

    g_string_append_printf(witness->seen, "helo %s;", name);
    return witness->answers[MILTER_STEP_HELO];
}

static void
see_envelope(Witness *witness, const char *step, const MilterEnvelope *envelope)
{
    const char *parameter = NULL;

    g_string_append_printf(witness->seen, "%s %s", step, envelope->address);
    while ((parameter = milter_envelope_next_parameter(envelope, parameter)))
        g_string_append_printf(witness->seen, " %s", parameter);
    g_string_append_c(witness->seen, ';');
}

static MilterClientAnswer
on_mail(MilterClientSession *session, const MilterEnvelope *sender, gpointer data)
{
    Witness *witness = data;

    see_envelope(witness, "mail", sender);
    return witness->answers[MILTER_STEP_MAIL];
}

static MilterClientAnswer
on_rcpt(MilterClientSession *session, const MilterEnvelope *recipient, gpointer data)
{
    Witness *witness = data;

    see_envelope(witness, "rcpt", recipient);
    return witness->answers[MILTER_STEP_RCPT];
}

static MilterClientAnswer
on_data(MilterClientSession *session, gpointer data)
{
    Witness *witness = data;

    g_string_append(witness->seen, "data;");
    return witness->answers[MILTER_STEP_DATA];
}

static MilterClientAnswer
on_header(MilterClientSession *session, const MilterHeader *header, gpointer data)
{
    Witness *witness = data;

    g_string_append_printf(witness->seen, "header %s=%s;", header->name, header->value);
    return witness->answers[MILTER_STEP_HEADER];
}

static MilterClientAnswer
on_eoh(MilterClientSession *session, gpointer data)
{
    Witness *witness = data;

    g_string_append(witness->seen, "eoh;");
    return witness->answers[MILTER_STEP_EOH];
}

static MilterClientAnswer
on_body(MilterClientSession *session, const guint8 *chunk, gsize size, gpointer data)
{
    Witness *witness = data;

    g_string_append_printf(witness->seen, "body %.*s;", (int)size, (const char *)chunk);
    return witness->answers[MILTER_STEP_BODY];
}

static MilterClientAnswer
on_eom(MilterClientSession *session, gpointer data)
{
    Witness *witness = data;

    g_string_append(witness->seen, "eom;");
    if (witness->at_eom)
        witness->at_eom(session);
    return witness->answers[MILTER_STEP_EOM];
}

static MilterClientAnswer
on_unknown(MilterClientSession *session, const char *command, gpointer data)
{
    Witness *witness = data;

    g_string_append_printf(witness->seen, "unknown %s;", command);
    return witness->answers[MILTER_STEP_UNKNOWN];
}

static void
on_abort(MilterClientSession *session, gpointer data)
{
    Witness *witness = data;

    g_string_append(witness->seen, "abort;");
}

static void
on_close(MilterClientSession *session, const char *why, gpointer data)
{
    Witness *witness = data;

    g_string_append_printf(witness->seen, "close %s;", why ? why : "-");
}

const MilterClientSteps witness_steps = {
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

void
witness_init(Witness *witness, MilterLoop *loop, const MilterClientSteps *steps)
{
    *witness = (Witness){ .steps = *steps };
    for (guint i = 0; i < MILTER_N_STEPS; i++)
        witness->answers[i] = MILTER_CLIENT_CONTINUE;
    witness->client = milter_client_new(loop, &witness->steps, witness);
    witness->seen = g_string_new(NULL);
}

void
witness_clear(Witness *witness)
{
    milter_client_free(&witness->client);
    milter_option_clear(&witness->request);
    g_string_free(witness->seen, TRUE);
}

void
witness_expect(Witness *witness, const char *seen)
{
    g_assert_cmpstr(witness->seen->str, ==, seen);
    witness_forget(witness);
}

void
witness_forget(Witness *witness)
{
    g_string_truncate(witness->seen, 0);
}
