/* session.c - see session.h */
#include "config.h"
#include "libmilter-client/session.h"

#include "libmilter-core/command.h"
#include "libmilter-core/macros.h"
#include "libmilter-core/reply.h"

struct _MilterSession {
    MilterLoop *loop; /* borrowed */
    const MilterSessionHandler *handler;
    gpointer data;    /* borrowed, for the handler */
    MilterConn *conn; /* owned */
    MilterOption option; /* in force */
    MilterState state;
    MilterStep owed; /* whose reply is owed */
    guint pauses;
    guint is_negotiating : 1; /* the offer is not yet answered */
    guint is_over : 1;
};

static void
free_now(gpointer object)
{
    MilterSession *session = object;

    milter_option_clear(&session->option);
    g_free(session);
}

static void
fail(MilterSession *session, const char *why)
{
    if (session->is_over)
        return;
    session->is_over = TRUE;
    milter_conn_free(&session->conn);
    session->handler->on_close(session, why, session->data);
}

static void
fail_with(MilterSession *session, const MilterFrame *frame, const GError *error)
{
    g_autofree char *why = g_strdup_printf(
        "broke the protocol: %s (0x%02x) after %s: %s", milter_command_name(frame->command),
        frame->command, milter_state_name(session->state), error->message);

    fail(session, why);
}

static void
on_offer(MilterSession *session, const MilterFrame *frame)
{
    MilterOption offer = { 0 };
    g_autoptr(GError) error = NULL;

    if (!milter_option_parse(frame, &offer, &error)) {
        fail_with(session, frame, error);
        return;
    }
    session->is_negotiating = TRUE;
    session->handler->on_negotiate(session, &offer, session->data);
    milter_option_clear(&offer);
}

/* Whether the MTA waits for a reply at STEP. */
static gboolean
wants_reply(const MilterSession *session, MilterStep step)
{
    return (session->option.steps & milter_step_nr_bit(step)) == 0;
}

static void
on_step(MilterSession *session, const MilterFrame *frame)
{
    MilterStep step = milter_step_of_command(frame->command);
    gboolean wants = wants_reply(session, step);

    if (wants)
        session->owed = step;
    session->handler->on_command(session, step, frame, wants, session->data);
}

static gboolean
check(MilterSession *session, const MilterFrame *frame, MilterState *next)
{
    g_autoptr(GError) error = NULL;

    *next = milter_state_next_declined(session->state, frame->command, session->option.steps);
    if (*next == MILTER_STATE_BAD)
        g_set_error_literal(&error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_ORDER,
                            "out of order");
    else if (frame->command == SMFIC_MACRO)
        (void)milter_macros_check(frame, &error);
    else if (frame->command != SMFIC_OPTNEG)
        (void)milter_command_check(frame, &error);
    if (error) {
        fail_with(session, frame, error);
        return FALSE;
    }
    return TRUE;
}

static gboolean
may_interrupt(guint8 command)
{
    return command == SMFIC_ABORT || command == SMFIC_QUIT || command == SMFIC_QUIT_NC;
}

static MilterConnVerdict
on_frame(MilterConn *conn, const MilterFrame *frame, gpointer data)
{
    MilterSession *session = data;
    MilterState next;

    if (session->is_negotiating ||
        ((session->owed != MILTER_STEP_NONE || session->pauses) && !may_interrupt(frame->command)))
        return MILTER_CONN_HOLD;
    if (!check(session, frame, &next))
        return MILTER_CONN_TAKEN;

    session->state = next;
    switch (frame->command) {
    case SMFIC_OPTNEG:
        on_offer(session, frame);
        break;
    case SMFIC_MACRO:
        session->handler->on_macros(session, frame, session->data);
        break;
    case SMFIC_ABORT:
        session->owed = MILTER_STEP_NONE;
        session->handler->on_abort(session, session->data);
        break;
    case SMFIC_QUIT:
    case SMFIC_QUIT_NC:
        session->owed = MILTER_STEP_NONE;
        session->handler->on_quit(session, frame->command == SMFIC_QUIT_NC, session->data);
        break;
    default:
        on_step(session, frame);
    }
    return MILTER_CONN_TAKEN;
}

static void
on_close(MilterConn *conn, MilterCloseReason reason, gpointer data)
{
    fail(data, milter_conn_close_text(conn, reason));
}

static void
on_drained(MilterConn *conn, gpointer data)
{
    MilterSession *session = data;

    if (session->handler->on_drained)
        session->handler->on_drained(session, session->data);
}

static const MilterConnHandler conn_handler = {
    .on_frame = on_frame,
    .on_close = on_close,
    .on_drained = on_drained,
};

MilterSession *
milter_session_new(MilterLoop *loop, int fd, const MilterSessionHandler *handler, gpointer data)
{
    MilterSession *session = g_new0(MilterSession, 1);

    session->loop = loop;
    session->handler = handler;
    session->data = data;
    session->owed = MILTER_STEP_NONE;
    session->conn = milter_conn_new(loop, fd, &conn_handler, session);
    return session;
}

void
milter_session_free(MilterSession **session_p)
{
    MilterSession *session = g_steal_pointer(session_p);

    if (!session)
        return;
    session->is_over = TRUE;
    milter_conn_free(&session->conn);
    milter_loop_free_later(session->loop, free_now, session);
}

/* Packets that were held may go on. */
static void
go_on(MilterSession *session)
{
    if (session->conn && session->owed == MILTER_STEP_NONE && !session->pauses)
        milter_conn_resume(session->conn);
}

void
milter_session_negotiate(MilterSession *session, const MilterOption *option)
{
    g_return_if_fail(session->is_negotiating);
    session->is_negotiating = FALSE;
    milter_option_clear(&session->option);
    milter_option_copy(&session->option, option);
    if (!session->conn)
        return;
    milter_option_build(milter_conn_out(session->conn), option);
    milter_conn_queue_flush(session->conn);
    go_on(session);
}

MilterStep
milter_session_owed(const MilterSession *session)
{
    return session->owed;
}

void
milter_session_reply(MilterSession *session, guint8 reply, const void *payload, gsize size)
{
    g_return_if_fail(session->owed != MILTER_STEP_NONE);
    session->owed = MILTER_STEP_NONE;
    if (!session->conn)
        return;
    milter_conn_send_packet(session->conn, reply, payload, size);
    go_on(session);
}

void
milter_session_edit(MilterSession *session, const void *wire, gsize size)
{
    g_return_if_fail(session->owed == MILTER_STEP_EOM);
    if (session->conn)
        milter_conn_send(session->conn, wire, size);
}

void
milter_session_replace_body(MilterSession *session, const void *chunk, gsize size)
{
    g_return_if_fail(session->owed == MILTER_STEP_EOM);
    if (session->conn)
        milter_conn_send_large(session->conn, SMFIR_REPLBODY, chunk, size);
}

void
milter_session_progress(MilterSession *session)
{
    g_return_if_fail(session->owed != MILTER_STEP_NONE);
    if (session->conn)
        milter_conn_send_packet(session->conn, SMFIR_PROGRESS, NULL, 0);
}

void
milter_session_pause(MilterSession *session)
{
    session->pauses++;
}

void
milter_session_resume(MilterSession *session)
{
    g_return_if_fail(session->pauses > 0);
    session->pauses--;
    go_on(session);
}

const MilterOption *
milter_session_option(const MilterSession *session)
{
    return &session->option;
}

MilterState
milter_session_state(const MilterSession *session)
{
    return session->state;
}

gsize
milter_session_unsent(const MilterSession *session)
{
    return session->conn ? milter_conn_unsent(session->conn) : 0;
}
