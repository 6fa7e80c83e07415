/* client.h - write a milter in C
 *
 * A milter is a set of functions, one a step of an SMTP dialogue, and a few lines around
 * them (examples/milter-tag.c is a whole one):
 *
 *     static const MilterClientSteps steps = { .actions = SMFIF_ADDHDRS, .eom = on_eom };
 *
 *     MilterLoop *loop = milter_loop_new();
 *     MilterClient *client = milter_client_new(loop, &steps, NULL);
 *     if (milter_client_listen(client, "inet:10026@127.0.0.1", &error))
 *         milter_client_run(client, 10);
 *
 * A step without a function is declined in the negotiation, so that the MTA need not ask:
 * all but MAIL, which tells where a message begins, and EOM, which cannot be declined; these
 * two are answered with continue.
 *
 * Everything happens on the loop's thread: the functions are called there and every function
 * here must be called there.  A function must not wait; it returns MILTER_CLIENT_LATER instead
 * and milter_client_answer() is called when the answer is known.  What it is given (strings,
 * chunks, structs) is valid during the call.
 *
 * Every MAIL is followed by exactly one of: the answer to EOM, or abort (for a message that
 * the milter refused or accepted before EOM: when the MTA says so, the next one begins or the
 * session ends).  Every SMTP session ends with close.
 *
 * The names here may still change until version 1.0 of this library. */
#ifndef MILTER_CLIENT_H
#define MILTER_CLIENT_H

#include "libmilter-core/command.h"
#include "libmilter-core/loop.h"
#include "libmilter-core/option.h"
#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

typedef struct _MilterClient MilterClient;               /* a milter: where it listens, who came */
typedef struct _MilterClientSession MilterClientSession; /* one SMTP session of an MTA */

/* What a step's function answers.  For a message: from MAIL to EOM; at RCPT and UNKNOWN a
 * refusal is about this recipient, this command only; at CONNECT and HELO about the client. */
typedef enum {
    MILTER_CLIENT_LATER,    /* milter_client_answer() follows */
    MILTER_CLIENT_CONTINUE, /* go on */
    MILTER_CLIENT_ACCEPT,   /* nothing more about this message (CONNECT, HELO: this session) */
    MILTER_CLIENT_REJECT,   /* refuse for good, with the MTA's text */
    MILTER_CLIENT_TEMPFAIL, /* refuse for now, with the MTA's text */
    MILTER_CLIENT_DISCARD,  /* tell the sender it was taken and throw it away (from MAIL on) */
    MILTER_CLIENT_SKIP,     /* BODY: no more chunks of this message; EOM still comes */
    MILTER_CLIENT_SHUTDOWN, /* refuse with 421 and hang up (Postfix; an error to Sendmail) */
    MILTER_CLIENT_REFUSED,  /* as said by milter_client_refuse(), which returns it */
} MilterClientAnswer;

/* The functions of a milter.  Each may be NULL.  DATA is that of milter_client_new(). */
typedef struct {
    /* SMFIF_*: what the milter will do to messages.  An edit that is not named here, or that
     * the MTA does not offer, fails. */
    guint32 actions;

    /* The MTA made OFFER; the milter will answer REQUEST, which can be changed: add SMFIP_NR_*
     * (steps whose answer is always continue; the functions are still called),
     * SMFIP_HDR_LEADSPC, SMFIP_RCPT_REJ, SMFIP_NO* or actions, and
     * milter_client_ask_macros().  What was not offered is taken out again; the NR_* bits
     * mean the same either way. */
    void (*negotiate)(MilterClientSession *session, const MilterOption *offer,
                      MilterOption *request, gpointer data);
    /* A client has connected to the MTA. */
    MilterClientAnswer (*connect)(MilterClientSession *session, const MilterConnect *connect,
                                  gpointer data);
    /* HELO or EHLO; again after STARTTLS. */
    MilterClientAnswer (*helo)(MilterClientSession *session, const char *name, gpointer data);
    /* MAIL FROM, RCPT TO: addresses as given, with their angle brackets. */
    MilterClientAnswer (*mail)(MilterClientSession *session, const MilterEnvelope *sender,
                               gpointer data);
    MilterClientAnswer (*rcpt)(MilterClientSession *session, const MilterEnvelope *recipient,
                               gpointer data);
    MilterClientAnswer (*data)(MilterClientSession *session, gpointer data);
    /* One header field; folded lines joined by LF, no blank after the colon unless
     * SMFIP_HDR_LEADSPC is in force. */
    MilterClientAnswer (*header)(MilterClientSession *session, const MilterHeader *header,
                                 gpointer data);
    MilterClientAnswer (*eoh)(MilterClientSession *session, gpointer data);
    /* A part of the body, cut anywhere; lines end with CRLF.  None for an empty body. */
    MilterClientAnswer (*body)(MilterClientSession *session, const guint8 *chunk, gsize size,
                               gpointer data);
    /* The message has ended: now, until the answer, it can be changed. */
    MilterClientAnswer (*eom)(MilterClientSession *session, gpointer data);
    /* The message that began with MAIL is over without an answer to EOM; an answer that was
     * to come later is no longer wanted. */
    void (*abort)(MilterClientSession *session, gpointer data);
    /* An SMTP command that the MTA does not know. */
    MilterClientAnswer (*unknown)(MilterClientSession *session, const char *command, gpointer data);
    /* The SMTP session is over: WHY is NULL after a proper QUIT, else for a log line. */
    void (*close)(MilterClientSession *session, const char *why, gpointer data);
} MilterClientSteps;

/* STEPS and DATA must stay until the client is freed.  SIGPIPE is ignored from now on
 * where the program has no handler of its own. */
MilterClient *milter_client_new(MilterLoop *loop, const MilterClientSteps *steps, gpointer data);
/* Ends all sessions at once (close is called).  Not from a step's function.  NULL is fine;
 * clears the pointer. */
void milter_client_free(MilterClient **client_p);

/* Listen on "unix:PATH", "inet:PORT@HOST" or "inet6:PORT@HOST"; may be called for several.
 * A unix socket gets the permissions that the umask leaves: the MTA must be able to write to
 * it.  Its file goes when the milter stops.  FALSE with MILTER_ENDPOINT_ERROR. */
gboolean milter_client_listen(MilterClient *client, const char *spec, GError **error);
/* An MTA's connection that came another way: a connected, non-blocking socket, taken over. */
void milter_client_add(MilterClient *client, int fd);

/* Stop listening.  Sessions go on for at most GRACE seconds and are then ended; after the last
 * one milter_client_run() returns.  A second call with less GRACE shortens it. */
void milter_client_stop(MilterClient *client, double grace);
/* Run the loop until the milter has stopped: SIGTERM and SIGINT call milter_client_stop()
 * with GRACE, a second one with 0. */
void milter_client_run(MilterClient *client, double grace);
/* Number of connections of MTAs. */
guint milter_client_n_sessions(const MilterClient *client);

/* The answer of a step whose function returned MILTER_CLIENT_LATER; ignored when none is
 * wanted (any more). */
void milter_client_answer(MilterClientSession *session, MilterClientAnswer answer);
/* The step that waits for an answer, or MILTER_STEP_NONE. */
MilterStep milter_client_owed(const MilterClientSession *session);

/* Refuse with a text of one's own: CODE 400 … 599, ENHANCED NULL or as "5.7.1", of the same
 * class; lines of TEXT separated by LF, at most 32 of at most 900 bytes.  To be returned from
 * a step's function or given to milter_client_answer() next.  What no MTA would take is
 * replaced: the answer is then MILTER_CLIENT_TEMPFAIL (CODE below 500) or _REJECT. */
MilterClientAnswer milter_client_refuse(MilterClientSession *session, guint code,
                                        const char *enhanced, const char *text);

/* A pointer of the milter's for this SMTP session; DESTROY (may be NULL) is called for it
 * after close, or when another is set. */
void milter_client_set_data(MilterClientSession *session, gpointer data, GDestroyNotify destroy);
gpointer milter_client_data(const MilterClientSession *session);

/* The value of a macro ("i", "auth_authen", with or without braces) as of the latest step
 * that has it, or NULL.  Valid until the step has been answered. */
const char *milter_client_macro(const MilterClientSession *session, const char *name);
/* In negotiate: ask for these macros (separated by spaces) at a stage and no others. */
void milter_client_ask_macros(MilterOption *request, MilterStage stage, const char *names);
/* What is in force; version 0 before the negotiation. */
const MilterOption *milter_client_option(const MilterClientSession *session);

/* The MTA's patience begins anew: for work that takes long.  With Sendmail only at EOM.
 * FALSE when no answer is owed. */
gboolean milter_client_progress(MilterClientSession *session);

/* Changes to the message, from eom until its answer.  All return FALSE, and change nothing,
 * when it is not the time, when the action was not negotiated, or when the arguments cannot
 * be sent (an empty name, a colon or blank in it, a packet beyond the negotiated size). */

/* At the end of the headers.  VALUE: folded lines separated by LF. */
gboolean milter_client_add_header(MilterClientSession *session, const char *name,
                                  const char *value);
/* As header number INDEX, 0 is the first. */
gboolean milter_client_insert_header(MilterClientSession *session, guint32 index, const char *name,
                                     const char *value);
/* The INDEX-th header (from 1) of that name; added where there is none. */
gboolean milter_client_change_header(MilterClientSession *session, const char *name, guint32 index,
                                     const char *value);
gboolean milter_client_delete_header(MilterClientSession *session, const char *name, guint32 index);
/* A new body, in as many calls as wanted; lines end with CRLF.  One call of SIZE 0 is an empty
 * body.  Kept in memory and sent with the answer, since other changes must not come between. */
gboolean milter_client_replace_body(MilterClientSession *session, const void *chunk, gsize size);
/* PARAMETERS: ESMTP parameters as in "SIZE=100 BODY=8BITMIME", or NULL. */
gboolean milter_client_add_recipient(MilterClientSession *session, const char *address,
                                     const char *parameters);
gboolean milter_client_delete_recipient(MilterClientSession *session, const char *address);
gboolean milter_client_change_sender(MilterClientSession *session, const char *address,
                                     const char *parameters);
/* Hold the message; REASON is for the MTA's operator. */
gboolean milter_client_quarantine(MilterClientSession *session, const char *reason);

G_END_DECLS
#endif
