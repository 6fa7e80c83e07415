/* server.h - drive a milter in C, as an MTA does
 *
 * One MilterServer is one SMTP session with one milter.  Create it, wait until it has
 * negotiated, then call the functions of the steps in the order of an SMTP dialogue, each after
 * the answer to the one before.  Every step is answered, from the loop: by the milter, or with
 * continue where the milter declined the step, promised no reply, or has had the last word.
 *
 *     MilterServer *server = milter_server_new(loop, "inet:10026@127.0.0.1", NULL, NULL,
 *                                              &handler, NULL, &error);
 *     if (milter_server_wait(server) && milter_server_connect(server, &connect) &&
 *         milter_server_wait(server))
 *         reply = milter_server_reply(server);
 *
 * A program with a loop of its own uses the handler's functions instead of waiting.  To drive
 * several milters make one each, ask them in order at every step, stop at the first that
 * refuses, and play headers and body to the next one as the one before has changed them
 * (examples/milter-send.c does).
 *
 * The names here may still change until version 1.0 of this library. */
#ifndef MILTER_SERVER_H
#define MILTER_SERVER_H

#include "libmilter-core/command.h"
#include "libmilter-core/loop.h"
#include "libmilter-core/option.h"
#include "libmilter-core/protocol.h"
#include "libmilter-server/peer.h"

G_BEGIN_DECLS

typedef struct _MilterServer MilterServer;

/* Seconds to wait for the connection, for the answer to a command up to DATA, and from the
 * first header on; progress starts the wait anew. */
typedef struct {
    double connect;
    double command;
    double content;
} MilterServerTimeouts;

/* An answer to a step. */
typedef struct {
    guint8 reply;     /* SMFIR_CONTINUE, _ACCEPT, _REJECT, _TEMPFAIL, _REPLYCODE, _DISCARD, … */
    const char *text; /* of SMFIR_REPLYCODE: "550 5.7.1 text", lines joined by CRLF; else NULL */
} MilterServerReply;

/* A change to the message.  What does not belong to its kind is NULL or 0. */
typedef struct {
    guint8 kind;       /* SMFIR_ADDHEADER, _INSHEADER, _CHGHEADER, _REPLBODY, _ADDRCPT, … */
    guint32 index;     /* _INSHEADER: place from 0; _CHGHEADER: which of that name, from 1 */
    const char *name;  /* of a header */
    const char *value; /* as after the colon, with its blank; "" with _CHGHEADER: delete it */
    const char *address;
    const char *parameters; /* of the address; NULL when none came */
    const char *reason;     /* _QUARANTINE */
    const guint8 *chunk;    /* _REPLBODY: a part of the new body */
    gsize chunk_size;
} MilterServerEdit;

/* Any may be NULL.  Called from the loop; what they are given is valid during the call.  The
 * server may be freed in any of them, but not while milter_server_wait() runs. */
typedef struct {
    /* The milter has answered the offer: connect may follow. */
    void (*negotiated)(MilterServer *server, gpointer data);
    /* The answer to the step that was sent last. */
    void (*answered)(MilterServer *server, MilterStep step, const MilterServerReply *reply,
                     gpointer data);
    /* At EOM, before its answer; counts only if that is continue or accept. */
    void (*edit)(MilterServer *server, const MilterServerEdit *edit, gpointer data);
    /* The milter still works. */
    void (*progress)(MilterServer *server, gpointer data);
    /* The milter is lost: nothing more comes, every step returns FALSE. */
    void (*failed)(MilterServer *server, MilterPeerFailure failure, const char *cause,
                   gpointer data);
} MilterServerHandler;

/* Connect to SPEC and negotiate.  OFFER NULL: protocol version 6 with all actions and steps;
 * TIMEOUTS NULL: those of Postfix (30 s, 30 s, 300 s).  HANDLER (may be NULL) and DATA must
 * stay.  NULL with MILTER_ENDPOINT_ERROR when SPEC is none; all else comes as a failure.
 * SIGPIPE is ignored from now on where the program has no handler of its own. */
MilterServer *milter_server_new(MilterLoop *loop, const char *spec, const MilterOption *offer,
                                const MilterServerTimeouts *timeouts,
                                const MilterServerHandler *handler, gpointer data, GError **error);
/* Closes the connection; after milter_server_quit() in order.  NULL is fine; clears the
 * pointer. */
void milter_server_free(MilterServer **server_p);

/* Run the loop until the negotiation or the step is answered.  FALSE: the milter failed. */
gboolean milter_server_wait(MilterServer *server);
/* The latest answer; continue before the first.  Valid until the next step. */
const MilterServerReply *milter_server_reply(const MilterServer *server);
/* "inet:1@host: closed the connection"; NULL when it has not failed. */
const char *milter_server_failure(const MilterServer *server);
/* What is in force; version 0 before the negotiation. */
const MilterOption *milter_server_option(const MilterServer *server);

/* The macros that go with every command of STEP from now on: name, value, …, NULL; PAIRS NULL
 * for none.  Names of more than one character get their braces.  Only those that the milter
 * asked for are sent, all if it did not say.  Those of MAIL and later are forgotten with the
 * message. */
void milter_server_set_macros(MilterServer *server, MilterStep step, const char *const *pairs);

/* The steps.  FALSE when the milter has failed; else the answer will come.  Calling one out
 * of order, or before the answer to the last one, is a programming error. */
gboolean milter_server_connect(MilterServer *server, const MilterConnect *connect);
gboolean milter_server_helo(MilterServer *server, const char *name);
/* PARAMETERS: ESMTP parameters, NULL-terminated, or NULL. */
gboolean milter_server_mail(MilterServer *server, const char *address,
                            const char *const *parameters);
gboolean milter_server_rcpt(MilterServer *server, const char *address,
                            const char *const *parameters);
gboolean milter_server_data(MilterServer *server);
/* VALUE as after the colon, with its blank; folded lines separated by LF. */
gboolean milter_server_header(MilterServer *server, const char *name, const char *value);
gboolean milter_server_eoh(MilterServer *server);
/* Lines end with CRLF.  Any size: it is cut to what the milter takes, and answered once. */
gboolean milter_server_body(MilterServer *server, const void *bytes, gsize size);
gboolean milter_server_eom(MilterServer *server);
gboolean milter_server_unknown(MilterServer *server, const char *command);

/* End the message; an answer that is owed does not come any more. */
void milter_server_abort(MilterServer *server);
/* End the SMTP session.  IS_REUSED: connect may follow for another one on this connection. */
void milter_server_quit(MilterServer *server, gboolean is_reused);

G_END_DECLS
#endif
