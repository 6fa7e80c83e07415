/* server.c - see server.h */
#include "config.h"
#include "libmilter-server/server.h"

#include <signal.h>
#include <string.h>

#include "libmilter-core/macros.h"
#include "libmilter-core/reply.h"
#include "libmilter-core/state.h"

static const MilterServerTimeouts postfix_timeouts = { 30, 30, 300 };

struct _MilterServer {
    MilterLoop *loop;         /* borrowed */
    MilterEndpoint *endpoint; /* owned; the peer borrows it */
    const MilterServerHandler *handler;
    gpointer data;    /* borrowed, for the handler */
    MilterPeer *peer; /* owned; NULL when it has failed */
    char *failure;    /* what was wrong; owned */
    MilterServerTimeouts timeouts;
    MilterMacros *macros; /* owned */
    MilterState state;    /* as the caller has gone through the dialogue */
    MilterStep asked;     /* the step that the caller waits for */
    MilterTask answer;    /* answers a step that the milter does not */
    MilterServerReply reply;
    char *text;   /* of the reply; owned */
    guint8 *rest; /* what is still to be sent of a body's chunk; owned */
    gsize rest_size, rest_sent;
    guint is_negotiating : 1;
    guint is_sending_body : 1;  /* waits until the milter has taken what is queued */
    guint has_left_session : 1; /* its last word was said for this session … */
    guint has_left_message : 1; /* … or for this message */
    guint skips_body : 1;
};

static void send_rest(MilterServer *server);

static void
forget_rest(MilterServer *server)
{
    g_clear_pointer(&server->rest, g_free);
    server->rest_size = server->rest_sent = 0;
    server->is_sending_body = FALSE;
}

static void
end_message(MilterServer *server)
{
    server->has_left_message = FALSE;
    server->skips_body = FALSE;
    milter_macros_end_transaction(server->macros);
}

/* Tell the caller the answer to the step it asked. */
static void
give_answer(MilterServer *server, guint8 reply, char *text)
{
    MilterStep step = server->asked;

    g_free(server->text);
    server->text = text;
    server->reply = (MilterServerReply){ reply, text };
    server->asked = MILTER_STEP_NONE;
    forget_rest(server);
    if (step == MILTER_STEP_EOM)
        end_message(server);
    if (server->handler && server->handler->answered)
        server->handler->answered(server, step, &server->reply, server->data);
}

static void
on_answer_due(gpointer data)
{
    give_answer(data, SMFIR_CONTINUE, NULL);
}

/* Answer continue from the loop. */
static gboolean
answer_later(MilterServer *server)
{
    milter_loop_queue(server->loop, &server->answer);
    return TRUE;
}

/* The text of a reply code as the SMTP client is to see it: '%' stands doubled on the wire. */
static char *
reply_text(const MilterFrame *frame)
{
    GString *text = g_string_sized_new(frame->size);

    for (const char *p = (const char *)frame->payload; *p; p++) {
        if (*p == '%' && *++p != '%')
            p--;
        else
            g_string_append_c(text, *p);
    }
    return g_string_free(text, FALSE);
}

/* Keep in mind what the milter need not be asked any more. */
static void
note_reply(MilterServer *server, MilterStep step, guint8 reply)
{
    gboolean is_for_session =
        step == MILTER_STEP_CONNECT || step == MILTER_STEP_HELO ||
        (step == MILTER_STEP_UNKNOWN && !milter_state_in_transaction(server->state));

    if (reply == SMFIR_CONTINUE)
        return;
    if (reply == SMFIR_SKIP) {
        server->skips_body = step == MILTER_STEP_BODY;
        return;
    }
    /* Only this recipient or this command is refused. */
    if ((step == MILTER_STEP_RCPT || step == MILTER_STEP_UNKNOWN) && reply != SMFIR_ACCEPT &&
        reply != SMFIR_DISCARD)
        return;
    if (is_for_session && reply == SMFIR_DISCARD)
        return;
    if (is_for_session)
        server->has_left_session = TRUE;
    else
        server->has_left_message = TRUE;
}

static void
on_negotiated(MilterPeer *peer, gpointer data)
{
    MilterServer *server = data;

    server->is_negotiating = FALSE;
    server->state = MILTER_STATE_READY;
    if (server->handler && server->handler->negotiated)
        server->handler->negotiated(server, server->data);
}

static void
on_reply(MilterPeer *peer, MilterStep step, const MilterFrame *frame, gpointer data)
{
    MilterServer *server = data;

    note_reply(server, step, frame->command);
    if (frame->command == SMFIR_CONTINUE && server->rest) {
        send_rest(server);
        return;
    }
    give_answer(server, frame->command,
                frame->command == SMFIR_REPLYCODE ? reply_text(frame) : NULL);
}

/* A header's value as after the colon. */
static char *
value_after_colon(const MilterServer *server, const char *value)
{
    if (value[0] == '\0' || (milter_peer_option(server->peer)->steps & SMFIP_HDR_LEADSPC))
        return g_strdup(value);
    return g_strconcat(" ", value, NULL);
}

static void
on_edit(MilterPeer *peer, const MilterFrame *frame, gpointer data)
{
    MilterServer *server = data;
    MilterServerEdit edit = { .kind = frame->command };
    MilterHeaderEdit header;
    MilterAddressEdit address;
    g_autofree char *value = NULL;

    if (!server->handler || !server->handler->edit)
        return;
    switch (frame->command) {
    case SMFIR_ADDHEADER:
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
        if (!milter_reply_parse_header(frame, &header, NULL))
            return;
        edit.index = header.index;
        edit.name = header.name;
        edit.value = value = value_after_colon(server, header.value);
        break;
    case SMFIR_QUARANTINE:
        edit.reason = (const char *)frame->payload;
        break;
    case SMFIR_REPLBODY:
        edit.chunk = frame->payload;
        edit.chunk_size = frame->size;
        break;
    default:
        if (!milter_reply_parse_address(frame, &address, NULL))
            return;
        edit.address = address.address;
        edit.parameters = address.parameters;
    }
    server->handler->edit(server, &edit, server->data);
}

static double
timeout_of(const MilterServer *server, MilterStep step)
{
    return milter_step_is_content(step) ? server->timeouts.content : server->timeouts.command;
}

static void
on_progress(MilterPeer *peer, gpointer data)
{
    MilterServer *server = data;

    milter_peer_extend(peer, timeout_of(server, server->asked));
    if (server->handler && server->handler->progress)
        server->handler->progress(server, server->data);
}

static void
on_drained(MilterPeer *peer, gpointer data)
{
    MilterServer *server = data;

    if (server->is_sending_body)
        send_rest(server);
}

static void
on_failed(MilterPeer *peer, MilterPeerFailure failure, const char *cause, gpointer data)
{
    MilterServer *server = data;

    server->failure = g_strdup_printf("%s: %s", server->endpoint->spec, cause);
    server->is_negotiating = FALSE;
    server->asked = MILTER_STEP_NONE;
    milter_loop_unqueue(server->loop, &server->answer);
    forget_rest(server);
    milter_peer_free(&server->peer);
    if (server->handler && server->handler->failed)
        server->handler->failed(server, failure, server->failure, server->data);
}

static const MilterPeerHandler peer_handler = {
    .on_negotiated = on_negotiated,
    .on_reply = on_reply,
    .on_edit = on_edit,
    .on_progress = on_progress,
    .on_drained = on_drained,
    .on_failed = on_failed,
};

static void
ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
}

MilterServer *
milter_server_new(MilterLoop *loop, const char *spec, const MilterOption *offer,
                  const MilterServerTimeouts *timeouts, const MilterServerHandler *handler,
                  gpointer data, GError **error)
{
    static const MilterOption everything = {
        .version = MILTER_VERSION_MAX,
        .actions = SMFI_CURR_ACTS,
        .steps = SMFI_CURR_PROT,
    };
    MilterEndpoint *endpoint = milter_endpoint_parse(spec, error);
    MilterServer *server;

    if (!endpoint)
        return NULL;
    ignore_sigpipe();
    server = g_new0(MilterServer, 1);
    server->loop = loop;
    server->endpoint = endpoint;
    server->handler = handler;
    server->data = data;
    server->timeouts = timeouts ? *timeouts : postfix_timeouts;
    server->macros = milter_macros_new();
    server->state = MILTER_STATE_START;
    server->asked = MILTER_STEP_NONE;
    server->answer = (MilterTask){ .func = on_answer_due, .data = server };
    server->reply.reply = SMFIR_CONTINUE;
    server->is_negotiating = TRUE;
    ev_now_update(milter_loop_ev(loop));
    server->peer =
        milter_peer_new(loop, endpoint, offer ? offer : &everything, server->timeouts.connect,
                        server->timeouts.command, 0, &peer_handler, server);
    return server;
}

static void
free_now(gpointer object)
{
    MilterServer *server = object;

    milter_endpoint_free(&server->endpoint);
    milter_macros_free(&server->macros);
    g_free(server->failure);
    g_free(server->text);
    g_free(server);
}

void
milter_server_free(MilterServer **server_p)
{
    MilterServer *server = g_steal_pointer(server_p);

    if (!server)
        return;
    milter_peer_free(&server->peer);
    milter_loop_unqueue(server->loop, &server->answer);
    forget_rest(server);
    milter_loop_free_later(server->loop, free_now, server);
}

gboolean
milter_server_wait(MilterServer *server)
{
    while (server->is_negotiating || server->asked != MILTER_STEP_NONE)
        milter_loop_turn(server->loop, !server->answer.is_queued);
    return server->peer != NULL;
}

const MilterServerReply *
milter_server_reply(const MilterServer *server)
{
    return &server->reply;
}

const char *
milter_server_failure(const MilterServer *server)
{
    return server->failure;
}

const MilterOption *
milter_server_option(const MilterServer *server)
{
    static const MilterOption none;

    return server->peer ? milter_peer_option(server->peer) : &none;
}

void
milter_server_set_macros(MilterServer *server, MilterStep step, const char *const *pairs)
{
    GString *set = g_string_new(NULL);
    MilterFrame frame = { .command = SMFIC_MACRO };

    g_return_if_fail(step < MILTER_N_STEPS);
    g_string_append_c(set, (char)milter_step_command(step));
    for (; pairs && pairs[0] && pairs[1]; pairs += 2) {
        gboolean is_bare = strlen(pairs[0]) > 1 && pairs[0][0] != '{';

        g_string_append_printf(set, is_bare ? "{%s}" : "%s", pairs[0]);
        g_string_append_c(set, '\0');
        g_string_append_len(set, pairs[1], (gssize)strlen(pairs[1]) + 1);
    }
    frame.payload = (const guint8 *)set->str;
    frame.size = set->len;
    if (set->len > 1)
        milter_macros_set(server->macros, &frame);
    else
        milter_macros_forget(server->macros, milter_step_command(step));
    g_string_free(set, TRUE);
}

/* The step's macros, as far as the milter wants them. */
static void
send_macros(MilterServer *server, MilterStep step)
{
    const MilterOption *option = milter_peer_option(server->peer);
    guint8 command = milter_step_command(step);
    MilterStage stage = milter_stage_of_command(command);
    const char *list = stage == MILTER_STAGE_NONE ? NULL : option->macros[stage];

    milter_macros_append_packet(server->macros, command, list && list[0] ? list : NULL,
                                milter_peer_out(server->peer));
}

static gboolean
may_ask(MilterServer *server, MilterStep step)
{
    MilterState next = milter_state_next(server->state, milter_step_command(step));

    g_return_val_if_fail(server->asked == MILTER_STEP_NONE && !server->is_negotiating, FALSE);
    if (!server->peer)
        return FALSE;
    g_return_val_if_fail(next != MILTER_STATE_BAD, FALSE);
    server->state = next;
    server->asked = step;
    /* The loop may not have run for long. */
    ev_now_update(milter_loop_ev(server->loop));
    return TRUE;
}

static gboolean
is_left_out(const MilterServer *server, MilterStep step)
{
    return server->has_left_session || server->has_left_message ||
           (step == MILTER_STEP_BODY && server->skips_body) ||
           !milter_peer_wants(server->peer, step);
}

/* Ask the milter about STEP, with a payload as on the wire. */
static gboolean
ask(MilterServer *server, MilterStep step, const void *payload, gsize size)
{
    if (!may_ask(server, step))
        return FALSE;
    if (step == MILTER_STEP_MAIL || step == MILTER_STEP_HELO) {
        server->has_left_message = FALSE;
        server->skips_body = FALSE;
    }
    if (!server->has_left_session && !server->has_left_message)
        send_macros(server, step);
    if (is_left_out(server, step) ||
        !milter_peer_send(server->peer, step, payload, size, timeout_of(server, step)))
        return answer_later(server);
    return TRUE;
}

/* The same with the packet that a builder of command.h made. */
static gboolean
ask_packet(MilterServer *server, MilterStep step, MilterBuffer *packet)
{
    gboolean is_asked = ask(server, step, milter_buffer_bytes(packet) + MILTER_FRAME_HEAD,
                            milter_buffer_size(packet) - MILTER_FRAME_HEAD);

    milter_buffer_clear(packet);
    return is_asked;
}

gboolean
milter_server_connect(MilterServer *server, const MilterConnect *connect)
{
    MilterBuffer packet = { 0 };

    milter_command_build_connect(&packet, connect);
    return ask_packet(server, MILTER_STEP_CONNECT, &packet);
}

gboolean
milter_server_helo(MilterServer *server, const char *name)
{
    return ask(server, MILTER_STEP_HELO, name, strlen(name) + 1);
}

gboolean
milter_server_mail(MilterServer *server, const char *address, const char *const *parameters)
{
    MilterBuffer packet = { 0 };

    milter_command_build_envelope(&packet, SMFIC_MAIL, address, parameters);
    return ask_packet(server, MILTER_STEP_MAIL, &packet);
}

gboolean
milter_server_rcpt(MilterServer *server, const char *address, const char *const *parameters)
{
    MilterBuffer packet = { 0 };

    milter_command_build_envelope(&packet, SMFIC_RCPT, address, parameters);
    return ask_packet(server, MILTER_STEP_RCPT, &packet);
}

gboolean
milter_server_data(MilterServer *server)
{
    return ask(server, MILTER_STEP_DATA, NULL, 0);
}

gboolean
milter_server_header(MilterServer *server, const char *name, const char *value)
{
    MilterBuffer packet = { 0 };

    if (value[0] == ' ' && !(milter_server_option(server)->steps & SMFIP_HDR_LEADSPC))
        value++;
    milter_command_build_header(&packet, name, value);
    return ask_packet(server, MILTER_STEP_HEADER, &packet);
}

gboolean
milter_server_eoh(MilterServer *server)
{
    return ask(server, MILTER_STEP_EOH, NULL, 0);
}

/* Send pieces until one will be answered, or the milter must first take what is queued. */
static void
send_rest(MilterServer *server)
{
    gsize size_max = milter_peer_data_size(server->peer);
    double timeout = server->timeouts.content;

    server->is_sending_body = FALSE;
    while (server->rest_sent < server->rest_size) {
        const guint8 *piece = server->rest + server->rest_sent;
        gsize size = MIN(server->rest_size - server->rest_sent, size_max);

        server->rest_sent += size;
        if (milter_peer_send(server->peer, MILTER_STEP_BODY, piece, size, timeout)) {
            if (server->rest_sent == server->rest_size)
                forget_rest(server);
            return;
        }
        if (milter_peer_is_full(server->peer)) {
            server->is_sending_body = TRUE;
            return;
        }
    }
    answer_later(server);
}

gboolean
milter_server_body(MilterServer *server, const void *bytes, gsize size)
{
    if (!may_ask(server, MILTER_STEP_BODY))
        return FALSE;
    if (size == 0 || is_left_out(server, MILTER_STEP_BODY))
        return answer_later(server);
    send_macros(server, MILTER_STEP_BODY);
    server->rest = g_memdup2(bytes, size);
    server->rest_size = size;
    server->rest_sent = 0;
    send_rest(server);
    return TRUE;
}

gboolean
milter_server_eom(MilterServer *server)
{
    return ask(server, MILTER_STEP_EOM, NULL, 0);
}

gboolean
milter_server_unknown(MilterServer *server, const char *command)
{
    return ask(server, MILTER_STEP_UNKNOWN, command, strlen(command) + 1);
}

/* The caller no longer waits for an answer. */
static void
take_back(MilterServer *server)
{
    milter_loop_unqueue(server->loop, &server->answer);
    server->asked = MILTER_STEP_NONE;
    forget_rest(server);
}

void
milter_server_abort(MilterServer *server)
{
    if (!server->peer || server->is_negotiating)
        return;
    take_back(server);
    server->state = milter_state_next(server->state, SMFIC_ABORT);
    if (!server->has_left_session)
        milter_peer_abort(server->peer);
    end_message(server);
}

void
milter_server_quit(MilterServer *server, gboolean is_reused)
{
    if (!server->peer || server->is_negotiating)
        return;
    take_back(server);
    server->state = is_reused ? MILTER_STATE_READY : MILTER_STATE_QUIT;
    milter_peer_quit(server->peer, is_reused);
    end_message(server);
    milter_macros_clear(server->macros);
    server->has_left_session = FALSE;
}
