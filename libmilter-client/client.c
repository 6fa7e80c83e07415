/* client.c - see client.h */
#include "config.h"
#include "libmilter-client/client.h"

#include <signal.h>
#include <string.h>

#include "libmilter-client/client-private.h"
#include "libmilter-client/listener.h"

struct _MilterClient {
    MilterLoop *loop; /* borrowed */
    const MilterClientSteps *steps;
    gpointer data;        /* borrowed, for the steps' functions */
    GPtrArray *listeners; /* MilterListener, owned */
    GQueue sessions;      /* MilterClientSession.link */
    MilterTimer grace;    /* runs after milter_client_stop() while sessions go on */
    ev_signal signals[2]; /* SIGTERM, SIGINT, while milter_client_run() runs */
    double run_grace;
    gboolean is_stopped;
    gboolean is_running; /* in milter_client_run() */
};

/* Empties the session of what belongs to a message. */
static void
forget_message(MilterClientSession *session)
{
    session->is_in_message = FALSE;
    session->skips_body = FALSE;
    milter_buffer_clear(&session->body);
    g_clear_pointer(&session->refusal, g_free);
    milter_macros_end_transaction(session->macros);
}

static void
end_message(MilterClientSession *session)
{
    const MilterClient *client = session->client;
    gboolean was_in_message = session->is_in_message;

    session->is_in_message = FALSE;
    if (was_in_message && client->steps->abort)
        client->steps->abort(session, client->data);
    forget_message(session);
}

/* The SMTP session is over; the connection need not be. */
static void
end_session(MilterClientSession *session, const char *why)
{
    const MilterClient *client = session->client;

    end_message(session);
    if (client->steps->close)
        client->steps->close(session, why, client->data);
    milter_client_set_data(session, NULL, NULL);
    milter_macros_clear(session->macros);
}

static void
free_session(gpointer object)
{
    MilterClientSession *session = object;

    milter_macros_free(&session->macros);
    g_free(session);
}

static void
check_stopped(MilterClient *client)
{
    if (client->is_stopped && client->is_running && g_queue_is_empty(&client->sessions))
        milter_loop_stop(client->loop);
}

static void
close_session(MilterClientSession *session, const char *why)
{
    MilterClient *client = session->client;

    /* First the socket: what the milter says in abort and close goes nowhere. */
    milter_session_free(&session->session);
    end_session(session, why);
    g_queue_unlink(&client->sessions, &session->link);
    milter_loop_free_later(client->loop, free_session, session);
    check_stopped(client);
}

/* The bits of the steps that the milter has no function for. */
static guint32
declined_steps(const MilterClientSteps *steps)
{
    return (steps->connect ? 0 : SMFIP_NOCONNECT) | (steps->helo ? 0 : SMFIP_NOHELO) |
           (steps->rcpt ? 0 : SMFIP_NORCPT) | (steps->data ? 0 : SMFIP_NODATA) |
           (steps->header ? 0 : SMFIP_NOHDRS) | (steps->eoh ? 0 : SMFIP_NOEOH) |
           (steps->body ? 0 : SMFIP_NOBODY) | (steps->unknown ? 0 : SMFIP_NOUNKNOWN);
}

#define SILENT_BITS \
    (SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_RCPT | SMFIP_NR_DATA | \
     SMFIP_NR_HDR | SMFIP_NR_EOH | SMFIP_NR_BODY | SMFIP_NR_UNKN)

/* Sendmail looks whether a list for EOH came when it chooses the macros for EOM. */
static void
complete_lists(MilterOption *request)
{
    if (request->macros[MILTER_STAGE_EOM] && !request->macros[MILTER_STAGE_EOH])
        request->macros[MILTER_STAGE_EOH] = g_strdup(request->macros[MILTER_STAGE_EOM]);
    if (request->macros[MILTER_STAGE_EOH] && !request->macros[MILTER_STAGE_EOM])
        request->macros[MILTER_STAGE_EOM] = g_strdup(request->macros[MILTER_STAGE_EOH]);
}

static void
on_negotiate(MilterSession *protocol, const MilterOption *offer, gpointer data)
{
    MilterClientSession *session = data;
    const MilterClient *client = session->client;
    MilterOption request = { .version = MIN(offer->version, MILTER_VERSION_MAX) };

    request.actions = client->steps->actions;
    request.steps = declined_steps(client->steps) | SMFIP_SKIP | (offer->steps & MILTER_MDS_BITS);
    if (client->steps->negotiate)
        client->steps->negotiate(session, offer, &request, client->data);
    session->silent = request.steps & SILENT_BITS;
    complete_lists(&request);
    for (guint i = 0; i < MILTER_N_STAGES; i++) {
        if (request.macros[i])
            request.actions |= SMFIF_SETSYMLIST;
    }
    request.version = MIN(request.version, offer->version);
    request.actions &= offer->actions;
    request.steps &= offer->steps;
    /* The begin of a message must be known: abort and the macros depend on it. */
    request.steps &= ~(guint32)SMFIP_NOMAIL;
    milter_session_negotiate(protocol, &request);
    milter_option_clear(&request);
}

static void
on_macros(MilterSession *protocol, const MilterFrame *frame, gpointer data)
{
    MilterClientSession *session = data;

    /* Those of the last message, where no ABORT told its end. */
    if (frame->payload[0] == SMFIC_MAIL)
        milter_macros_end_transaction(session->macros);
    milter_macros_set(session->macros, frame);
}

#define CALL(func, ...) \
    (steps->func ? steps->func(session, ##__VA_ARGS__, data) : MILTER_CLIENT_CONTINUE)

/* Ask the step's function.  The payload has its form: the session has checked it. */
static MilterClientAnswer
ask_envelope(MilterClientSession *session, MilterStep step, const MilterFrame *frame)
{
    const MilterClientSteps *steps = session->client->steps;
    gpointer data = session->client->data;
    MilterConnect connect;
    MilterEnvelope envelope;
    const char *text = "";

    switch (step) {
    case MILTER_STEP_CONNECT:
        (void)milter_command_parse_connect(frame, &connect, NULL);
        return CALL(connect, &connect);
    case MILTER_STEP_HELO:
        (void)milter_command_parse_helo(frame, &text, NULL);
        return CALL(helo, text);
    case MILTER_STEP_MAIL:
        (void)milter_command_parse_envelope(frame, &envelope, NULL);
        return CALL(mail, &envelope);
    case MILTER_STEP_RCPT:
        (void)milter_command_parse_envelope(frame, &envelope, NULL);
        return CALL(rcpt, &envelope);
    case MILTER_STEP_UNKNOWN:
        (void)milter_command_parse_unknown(frame, &text, NULL);
        return CALL(unknown, text);
    default:
        return MILTER_CLIENT_CONTINUE;
    }
}

static MilterClientAnswer
ask_content(MilterClientSession *session, MilterStep step, const MilterFrame *frame)
{
    const MilterClientSteps *steps = session->client->steps;
    gpointer data = session->client->data;
    MilterHeader header;

    switch (step) {
    case MILTER_STEP_DATA:
        return CALL(data);
    case MILTER_STEP_HEADER:
        (void)milter_command_parse_header(frame, &header, NULL);
        return CALL(header, &header);
    case MILTER_STEP_EOH:
        return CALL(eoh);
    case MILTER_STEP_BODY:
        return session->skips_body ? MILTER_CLIENT_CONTINUE
                                   : CALL(body, frame->payload, frame->size);
    case MILTER_STEP_EOM:
        /* The last chunk may come with it. */
        if (frame->size > 0 && !session->skips_body)
            (void)CALL(body, frame->payload, frame->size);
        return CALL(eom);
    default:
        return ask_envelope(session, step, frame);
    }
}

/* The reply byte of an answer to STEP. */
static guint8
reply_of(MilterClientSession *session, MilterStep step, MilterClientAnswer answer)
{
    guint32 steps = milter_session_option(session->session)->steps;

    switch (answer) {
    case MILTER_CLIENT_ACCEPT:
        return SMFIR_ACCEPT;
    case MILTER_CLIENT_REJECT:
        return SMFIR_REJECT;
    case MILTER_CLIENT_TEMPFAIL:
        return SMFIR_TEMPFAIL;
    case MILTER_CLIENT_DISCARD:
        return SMFIR_DISCARD;
    case MILTER_CLIENT_SHUTDOWN:
        return SMFIR_SHUTDOWN;
    case MILTER_CLIENT_REFUSED:
        return session->refusal ? SMFIR_REPLYCODE : SMFIR_REJECT;
    case MILTER_CLIENT_SKIP:
        if (step != MILTER_STEP_BODY)
            return SMFIR_CONTINUE;
        session->skips_body = TRUE;
        return steps & SMFIP_SKIP ? SMFIR_SKIP : SMFIR_CONTINUE;
    default:
        return SMFIR_CONTINUE;
    }
}

void
milter_client_answer(MilterClientSession *session, MilterClientAnswer answer)
{
    MilterStep step = milter_client_owed(session);
    guint8 reply;

    if (step == MILTER_STEP_NONE || answer == MILTER_CLIENT_LATER)
        return;
    if (session->silent & milter_step_nr_bit(step))
        answer = MILTER_CLIENT_CONTINUE;
    reply = reply_of(session, step, answer);
    if (step == MILTER_STEP_EOM && milter_buffer_size(&session->body))
        milter_session_edit(session->session, milter_buffer_bytes(&session->body),
                            milter_buffer_size(&session->body));
    if (reply == SMFIR_REPLYCODE)
        milter_session_reply(session->session, reply, session->refusal,
                             strlen(session->refusal) + 1);
    else
        milter_session_reply(session->session, reply, NULL, 0);
    if (step == MILTER_STEP_EOM)
        forget_message(session);
    g_clear_pointer(&session->refusal, g_free);
}

static void
on_command(MilterSession *protocol, MilterStep step, const MilterFrame *frame, gboolean wants_reply,
           gpointer data)
{
    MilterClientSession *session = data;
    MilterClientAnswer answer;

    if (step == MILTER_STEP_MAIL || step == MILTER_STEP_HELO) {
        /* The macros of this command came before it and stay. */
        if (session->is_in_message && session->client->steps->abort)
            session->client->steps->abort(session, session->client->data);
        session->is_in_message = step == MILTER_STEP_MAIL;
        session->skips_body = FALSE;
        milter_buffer_clear(&session->body);
    }
    answer = ask_content(session, step, frame);
    if (wants_reply && (session->silent & milter_step_nr_bit(step)))
        answer = MILTER_CLIENT_CONTINUE;
    else if (!wants_reply && answer == MILTER_CLIENT_SKIP && step == MILTER_STEP_BODY)
        session->skips_body = TRUE;
    milter_client_answer(session, answer);
}

static void
on_abort(MilterSession *protocol, gpointer data)
{
    end_message(data);
}

static void
on_quit(MilterSession *protocol, gboolean is_reused, gpointer data)
{
    if (is_reused)
        end_session(data, NULL);
    else
        close_session(data, NULL);
}

static void
on_close(MilterSession *protocol, const char *why, gpointer data)
{
    close_session(data, why);
}

static const MilterSessionHandler session_handler = {
    .on_negotiate = on_negotiate,
    .on_macros = on_macros,
    .on_command = on_command,
    .on_abort = on_abort,
    .on_quit = on_quit,
    .on_close = on_close,
};

static void
on_connection(MilterListener *listener, int fd, gpointer data)
{
    milter_client_add(data, fd);
}

static void
free_listener(gpointer object)
{
    MilterListener *listener = object;

    milter_listener_free(&listener);
}

static void
close_all(MilterClient *client, const char *why)
{
    GList *link;

    while ((link = g_queue_peek_head_link(&client->sessions)))
        close_session(link->data, why);
}

static void
on_grace_over(MilterTimer *timer, gpointer data)
{
    close_all(data, "the milter stops");
}

static void
on_signal(struct ev_loop *ev, ev_signal *watch, int events)
{
    MilterClient *client = watch->data;

    milter_client_stop(client, client->is_stopped ? 0 : client->run_grace);
}

static void
ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

MilterClient *
milter_client_new(MilterLoop *loop, const MilterClientSteps *steps, gpointer data)
{
    MilterClient *client = g_new0(MilterClient, 1);

    client->loop = loop;
    client->steps = steps;
    client->data = data;
    client->listeners = g_ptr_array_new_with_free_func(free_listener);
    milter_timer_init(&client->grace, loop, on_grace_over, client);
    ignore_sigpipe();
    return client;
}

void
milter_client_free(MilterClient **client_p)
{
    MilterClient *client = g_steal_pointer(client_p);

    if (!client)
        return;
    g_ptr_array_unref(client->listeners);
    close_all(client, "the milter stops");
    milter_timer_clear(&client->grace);
    g_free(client);
}

gboolean
milter_client_listen(MilterClient *client, const char *spec, GError **error)
{
    MilterListener *listener =
        milter_listener_new(client->loop, spec, on_connection, client, error);

    if (!listener)
        return FALSE;
    g_ptr_array_add(client->listeners, listener);
    return TRUE;
}

void
milter_client_add(MilterClient *client, int fd)
{
    MilterClientSession *session = g_new0(MilterClientSession, 1);

    session->client = client;
    session->macros = milter_macros_new();
    session->link.data = session;
    session->session = milter_session_new(client->loop, fd, &session_handler, session);
    g_queue_push_tail_link(&client->sessions, &session->link);
}

void
milter_client_stop(MilterClient *client, double grace)
{
    client->is_stopped = TRUE;
    g_ptr_array_set_size(client->listeners, 0);
    if (!milter_timer_is_running(&client->grace) ||
        client->grace.at > milter_loop_now(client->loop) + grace)
        milter_timer_start(&client->grace, grace);
    check_stopped(client);
}

void
milter_client_run(MilterClient *client, double grace)
{
    static const int numbers[] = { SIGTERM, SIGINT };
    struct ev_loop *ev = milter_loop_ev(client->loop);

    client->run_grace = grace;
    client->is_running = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        ev_signal_init(&client->signals[i], on_signal, numbers[i]);
        client->signals[i].data = client;
        ev_signal_start(ev, &client->signals[i]);
    }
    if (!client->is_stopped || client->sessions.length)
        milter_loop_run(client->loop);
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        ev_signal_stop(ev, &client->signals[i]);
    client->is_running = FALSE;
}

guint
milter_client_n_sessions(const MilterClient *client)
{
    return client->sessions.length;
}

MilterStep
milter_client_owed(const MilterClientSession *session)
{
    return session->session ? milter_session_owed(session->session) : MILTER_STEP_NONE;
}

void
milter_client_set_data(MilterClientSession *session, gpointer data, GDestroyNotify destroy)
{
    GDestroyNotify old_destroy = session->destroy;
    gpointer old = session->data;

    session->data = data;
    session->destroy = destroy;
    if (old_destroy && old)
        old_destroy(old);
}

gpointer
milter_client_data(const MilterClientSession *session)
{
    return session->data;
}

const char *
milter_client_macro(const MilterClientSession *session, const char *name)
{
    return milter_macros_get(session->macros, name);
}

void
milter_client_ask_macros(MilterOption *request, MilterStage stage, const char *names)
{
    g_return_if_fail(stage < MILTER_N_STAGES);
    g_free(request->macros[stage]);
    request->macros[stage] = g_strdup(names);
}

const MilterOption *
milter_client_option(const MilterClientSession *session)
{
    static const MilterOption none;

    return session->session ? milter_session_option(session->session) : &none;
}

gboolean
milter_client_progress(MilterClientSession *session)
{
    if (milter_client_owed(session) == MILTER_STEP_NONE)
        return FALSE;
    milter_session_progress(session->session);
    return TRUE;
}
