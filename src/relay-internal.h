/* relay-internal.h - what the files of the relay share
 *
 *   relay.c        the session's side: dispatch of commands, beginnings and ends
 *   answer.c       the MTA's wait and what it is told
 *   negotiation.c  the offer to the children, the answer to the MTA, macro lists
 *   chain.c        envelope steps: one child after another
 *   content.c      headers and body: the live child, the journal, whose turn it is
 *   reading.c      how a child reads a version of the message
 *   delivery.c     end of message: edits and the last body to the MTA, in one flush
 *   member.c       a child's part in a session: its state, and what a failure means
 *   member-peer.c  its connection, and what the child sends
 *   member-send.c  what the child is sent: commands and their macros
 *   startup.c      children that do not listen yet
 *   shadow.c       children that only evaluate
 *   condition.c, condition-effect.c   whether children take part, as conditions decide
 *   summary.c      the line that is logged of a message
 *   recipient.c    which recipients are shown to which child
 *
 * One direction: relay.c calls the others; they call back only mm_relay_advance()
 * and mm_relay_answer(). */
#ifndef MM_RELAY_INTERNAL_H
#define MM_RELAY_INTERNAL_H

#include "libmilter-client/session.h"
#include "libmilter-core/macros.h"
#include "libmilter-core/message.h"
#include "libmilter-server/peer.h"
#include "src/condition.h"
#include "src/dialect.h"
#include "src/relay.h"
#include "src/verdict.h"

G_BEGIN_DECLS

/* Where a child is in this session. */
typedef enum {
    MM_MEMBER_CONNECTING, /* not yet negotiated */
    MM_MEMBER_ACTIVE,
    MM_MEMBER_ACCEPTED_MESSAGE, /* gets nothing more of this message */
    MM_MEMBER_REFUSED_MESSAGE,  /* the same; still asked about UNKNOWN and HELO */
    MM_MEMBER_LEFT,             /* gave its answer for the connection */
    MM_MEMBER_FAILED,           /* its fallback is its answer to everything */
} MmMemberState;

/* How far a member has read the message. */
typedef enum {
    MM_READ_NOT, /* has not begun */
    MM_READ_HEADERS,
    MM_READ_EOH,
    MM_READ_BODY,
    MM_READ_EOM,
    MM_READ_DONE, /* EOM was sent */
} MmReadPhase;

/* For how much of the session conditions have put a child out. */
typedef enum {
    MM_STOPPED_NOT,
    MM_STOPPED_MESSAGE,
    MM_STOPPED_SESSION,
} MmStopped;

/* Whether the conditions were asked about an envelope step. */
typedef enum {
    MM_ASKED_NOT,
    MM_ASKED_WAITING,
    MM_ASKED_ANSWERED,
} MmAskedState;

/* A macro that a condition set for one child. */
typedef struct {
    MilterStep step; /* from whose command on the child gets it */
    gboolean is_late; /* with other macros than that command's */
    char *name;      /* as on the wire; owned */
    char *value;     /* owned */
} MmOwnMacro;

typedef struct _MmShadow MmShadow;

/* A child's part in a session. */
typedef struct {
    MmRelay *relay;       /* parent */
    const MmChild *child; /* borrowed */
    MilterPeer *peer;     /* owned; NULL when over */
    MmShadow *shadow;     /* owned; only with evaluation_mode */
    guint8 state;         /* MmMemberState */
    guint8 phase;         /* MmReadPhase */
    guint8 skipped;       /* command it has had enough of (SMFIR_SKIP), 0 for none */
    guint8 in_transaction : 1; /* an ABORT would concern it */
    guint8 skips_body : 1;     /* said SMFIR_SKIP at a body chunk */
    guint8 has_gone : 1;       /* the connection ended while nothing was asked of it */
    guint8 was_aborted : 1;    /* got our ABORT: the MTA's own for it is swallowed */
    guint8 has_bad_reply : 1;  /* failed by a reply that Postfix takes for a configuration error */
    guint8 refused_recipient : 1; /* its last answer was that */
    guint8 fails_later : 1;    /* Sendmail passes the command over to which it replied nonsense */
    guint8 failed_in_content : 1; /* in Postfix' cleanup: its smtpd only sees a closed socket */
    guint8 sent_field_macros : 1;
    guint8 sent_chunk_macros : 1;
    MilterMessage *message; /* the version it reads; owned reference */
    guint next_place;       /* header to read next */
    guint64 body_offset;    /* body byte to read next */
    gsize unread;           /* bytes of the journal it has still to read, while it is live */
    guint n_edits;          /* changes it asked for in this message */
    guint n_header_edits;   /* of these, at this end of message, to headers */
    MilterBuffer edits;     /* its modification requests at EOM, as packets */
    gsize edits_charged;    /* of them to the worker's budget, bytes */
    MilterSpool *new_body;  /* its replacement of the body; owned */
    MilterSpool *shown_body; /* the same as later children see it; owned, NULL without any */
    guint8 last_byte;       /* of the replacement so far */
    gboolean body_closed;   /* another edit came after its replacement */
    char *gone_cause;       /* why, with has_gone; owned */
    guint8 last_reply;      /* its last one but continue, in this message; 0 for none */
    guint8 stopped;         /* MmStopped */
    guint8 decision;        /* MmDecision of the step at hand */
    guint8 discards : 1;         /* said so before the envelope was complete */
    guint8 has_late_macros : 1;  /* of its own, that it was not sent yet */
    guint8 is_approved : 1;      /* the conditions let the next item of content pass */
    guint n_recipients;     /* of this message, accepted and shown to it, while any child hides some */
    guint n_hidden;         /* accepted and hidden from it */
    guint n_approved;       /* header fields they let pass that are still to be sent */
    gsize approved_bytes;   /* of the body */
    MmQuestion *question;   /* about content, while it is awaited; borrowed */
    GByteArray *unasked;    /* header fields it read since its last question; owned */
    GArray *set_macros;     /* MmOwnMacro, by conditions; owned, NULL for none */
} MmMember;

/* One message, from MAIL to its end. */
typedef struct {
    MilterMessage *message; /* the newest version; owned reference */
    guint turn;             /* the member that reads now, by index */
    guint8 has_begun : 1;    /* a part of the content has come */
    guint8 keeps_fields : 1; /* the journal has every header from the first on */
    guint8 keeps_body : 1;   /* and the whole body */
    guint8 is_paused : 1;    /* the session is paused for the live child */
    guint8 body_replaced : 1;
    guint8 quarantined : 1;
    guint8 is_delivering : 1; /* the final flush has begun */
    guint8 envelope_asked : 1; /* the conditions were asked at DATA, or instead of it */
    guint8 adds_recipients : 1; /* a child did */
    guint8 journal_broken : 1; /* a limit was met: later children cannot be served */
    MmVerdict refusal;        /* held for the next step with a reply */
    MilterBuffer edits;       /* packets for the MTA */
    MilterSpoolBudget *budget; /* of the worker; borrowed */
    gsize edits_charged;      /* of the edits to it, bytes */
    MilterSpool *new_body;    /* last replacement; owned */
    GPtrArray *recipients;    /* of recipient.c; owned, NULL for none */
    gsize recipient_bytes;    /* that they take */
    guint64 delivered;        /* bytes of it that were sent */
    double started_at;        /* loop time of MAIL */
    guint64 body_bytes;       /* from the MTA */
    guint64 header_bytes;     /* the same */
    guint n_headers;          /* from the MTA */
} MmTransaction;

struct _MmRelay {
    MmHost *host; /* borrowed */
    MmRelayEnded ended;
    gpointer ended_data; /* borrowed */
    guint tag;           /* session number, for log lines */
    MilterSession *session; /* owned; NULL once the MTA is gone */
    MilterOption offer;     /* what the MTA offered */
    MilterMacros *macros;   /* owned */
    MmDialect dialect;      /* how this MTA numbers headers */
    MmMta mta;
    guint n_members;
    MmMember *members;      /* owned, in chain order */
    MilterStep step;        /* envelope step that is being asked, or MILTER_STEP_NONE */
    guint turn;             /* the member it is asked of */
    const guint8 *payload;  /* of that command: in the receive buffer, or in COPY */
    gsize payload_size;
    guint8 *copy;        /* owned */
    guint32 fresh;       /* commands (bit: byte - 'A') whose macros came for this occurrence */
    double deadline;     /* loop time at which the MTA's wait ends, 0 when it does not wait */
    double wait;         /* seconds from its beginning to its end */
    MilterTimer progress;
    MilterTimer negotiating; /* until all children have answered */
    MmTransaction *transaction; /* owned; NULL between messages */
    MmVerdict data_refusal;       /* for DATA and RCPT after a refused DATA */
    MmVerdict connection_refusal; /* for everything after a refused CONNECT or HELO */
    guint n_messages;
    guint8 is_negotiated : 1;
    guint8 holds_mta : 1;   /* paused until a step without reply is through */
    guint8 recipient_rejected : 1; /* the one at hand, by the MTA itself */
    guint8 recipient_deferred : 1; /* the one at hand must come in a message of its own */
    guint8 is_local : 1;    /* the mail does not come by SMTP */
    guint8 aborts_later : 1; /* an ABORT came while CONNECT or HELO was held */
    guint8 is_over : 1;     /* the session is over; shadows may still work */
    guint8 is_advancing : 1;
    guint8 advance_again : 1;
    guint64 condition_session; /* the session's number to the Ruby thread, 0: never asked */
    MmQuestion *question;  /* about the envelope, while it is awaited; borrowed */
    GByteArray *facts;     /* packets of the envelope since the last question; owned, or NULL */
    gssize transaction_fact; /* where those of this transaction begin, -1 for none */
    gssize next_fact;      /* where those begin that will end this transaction, -1 for none */
    gboolean told_transaction; /* the Ruby thread knows some of them */
    guint8 decision;       /* MmAskedState of the step at hand */
    guint8 lists_macros[MILTER_N_STAGES]; /* whether we asked the MTA for a list */
};

/* answer.c */
#define MM_PROGRESS_INTERVAL 5.0 /* s; Sendmail waits 10 s for a packet */
void mm_relay_count(MmRelay *relay, MmStat which);
/* The MTA waits for the reply to STEP; it does not any more. */
void mm_relay_start_wait(MmRelay *relay, MilterStep step);
void mm_relay_stop_wait(MmRelay *relay);
/* The step that is asked is over, answered or not. */
void mm_relay_end_step(MmRelay *relay);
/* Give VERDICT (none: continue) as the reply to the step that is owed. */
void mm_relay_answer(MmRelay *relay, const MmVerdict *verdict);
/* Take nothing more from the MTA until the step that is being asked, at which it does not
 * wait, is through. */
void mm_relay_hold_mta(MmRelay *relay);
/* "Continue", or "accept" where no child will be asked anything more in this scope. */
guint8 mm_relay_friendly_reply(MmRelay *relay, MilterStep step);
/* Seconds a member may take for its answer: its own TIMEOUT, or what is left of the MTA's
 * wait less a reserve for the members after it. */
double mm_relay_time_for(MmRelay *relay, const MmMember *member, double timeout);

/* relay.c */
/* Go on with whatever is waited for; after anything changed. */
void mm_relay_advance(MmRelay *relay);
/* The MTA gave the transaction up. */
void mm_relay_take_abort(MmRelay *relay);
/* ABORT to every member in the transaction, and forget the transaction. */
void mm_relay_end_transaction(MmRelay *relay, gboolean abort);
void mm_relay_check_end(MmRelay *relay);

/* negotiation.c */
void mm_negotiation_start(MmRelay *relay, const MilterOption *offer);
/* Answer the MTA when all children have answered or failed. */
void mm_negotiation_advance(MmRelay *relay);
/* The documented names of an MTA at a stage and manager.extra_macros.  Free with g_free. */
char *mm_negotiation_host_macros(const MmSettings *settings, MmMta mta, MilterStage stage);
/* The names a child without a list of its own gets at a stage, as far as we know. */
const char *mm_negotiation_default_macros(const MmRelay *relay, MilterStage stage);

/* chain.c */
void mm_chain_start(MmRelay *relay, MilterStep step, const MilterFrame *frame);
void mm_chain_advance(MmRelay *relay);
void mm_chain_on_reply(MmMember *member, MilterStep step, const MilterFrame *reply);

/* reading.c */
/* Send what can be sent of the version MEMBER reads; TRUE when its EOM was sent and
 * answered, or will not be. */
gboolean mm_reading_pump(MmMember *member);
void mm_reading_begin(MmMember *member, MilterMessage *message);
/* Whether a field with VALUE loses its first space on the way from MESSAGE to MEMBER. */
gboolean mm_reading_strips(const MmMember *member, const MilterMessage *message, const char *value);
/* How long the answer to STEP may take: the child's setting and what is left of the MTA's wait. */
double mm_reading_timeout(MmMember *member, MilterStep step);
gsize mm_reading_chunk_limit(const MmMember *member);
gboolean mm_reading_wants_body(const MmMember *member);
/* It, or its conditions. */
gboolean mm_reading_needs_body(const MmMember *member);

/* content.c */
void mm_content_take(MmRelay *relay, MilterStep step, const MilterFrame *frame);
void mm_content_advance(MmRelay *relay);
void mm_content_on_reply(MmMember *member, MilterStep step, const MilterFrame *reply);
/* The members after the one that reads now cannot be served. */
void mm_content_fail_later(MmRelay *relay, const char *why);
MmTransaction *mm_transaction_new(MmRelay *relay);
void mm_transaction_free(MmTransaction **transaction_p);

/* delivery.c */
/* MEMBER replaces the body: a first piece comes; then each piece.  FALSE when it cannot be held. */
void mm_delivery_begin_body(MmRelay *relay, MmMember *member);
gboolean mm_delivery_add_body(MmMember *member, const void *bytes, gsize size, GError **error);
/* Take over the edits of a member that is through with the message. */
void mm_delivery_take_edits(MmRelay *relay, MmMember *member);
/* All members are through: edits, body and the final reply to the MTA. */
void mm_delivery_start(MmRelay *relay);
void mm_delivery_continue(MmRelay *relay);

/* member.c */
void mm_member_init(MmMember *member, MmRelay *relay, const MmChild *child);
void mm_member_clear(MmMember *member);
static inline void
mm_member_count(const MmMember *member, MmChildStat which)
{
    MmStats *stats = member->relay->host->stats;

    if (stats)
        mm_stats_count_child(stats, member->child->index, which);
}
/* The timeout of the child's own for a step. */
double mm_member_timeout(const MmMember *member, MilterStep step);
/* Whether it takes part in STEP now; may find out here that it has gone. */
gboolean mm_member_takes_part(MmMember *member, MilterStep step);
void mm_member_fail(MmMember *member, MilterPeerFailure failure, const char *cause);
/* Drop what it has collected for this message. */
void mm_member_forget_message(MmMember *member);
void mm_member_abort(MmMember *member);
/* A new message begins: who has answered for the last one is back. */
void mm_member_begin_transaction(MmMember *member);
/* Note its final reply at a step in its state. */
void mm_member_note_reply(MmMember *member, MilterStep step, guint8 reply);
/* "continue", "accept", "refuse", "left", "failed", …: for the summary; a static string. */
const char *mm_member_state_name(const MmMember *member);
MilterStep mm_member_owes(const MmMember *member);
gboolean mm_member_is_reading(const MmMember *member);

/* member-peer.c */
void mm_member_connect(MmMember *member, double time_left);

/* member-send.c */
/* Send a step's command with its macros.  Returns whether a reply will come.  The member
 * may have failed on return. */
gboolean mm_member_send(MmMember *member, MilterStep step, const void *payload, gsize size,
                        double timeout);
/* Only the macros. */
void mm_member_send_macros(MmMember *member, MilterStep step);

/* condition.c */
/* Remember a packet of the envelope for conditions; forget those of this transaction. */
void mm_condition_note(MmRelay *relay, const MilterFrame *frame);
/* MM_FACT_… */
void mm_condition_note_fact(MmRelay *relay, guint8 fact);
void mm_condition_end_transaction(MmRelay *relay);
/* The session is over. */
void mm_condition_close(MmRelay *relay);
/* Whether a child has stoppers for a step, for any of the content; whether any child has. */
gboolean mm_condition_asks(const MmMember *member, MilterStep step);
gboolean mm_condition_asks_content(const MmMember *member);
gboolean mm_condition_any(const MmRelay *relay, MilterStep step);
/* Whether a condition that fails at STEP refuses it. */
gboolean mm_condition_may_refuse(const MmRelay *relay, MilterStep step);
/* Ask about an envelope step, once; TRUE while the answer is awaited. */
gboolean mm_condition_waits(MmRelay *relay, MilterStep step);
/* Ask about what MEMBER is to read next. */
void mm_condition_ask_content(MmMember *member, MilterStep step, const void *payload, gsize size);
void mm_condition_append(GByteArray *packets, guint8 command, const void *payload, gsize size);
/* Do not wait for the answer any more. */
void mm_condition_cancel(MmRelay *relay, MmQuestion **question_p);

/* condition-effect.c */
void mm_condition_begin_step(MmRelay *relay);
/* Put the member out. */
void mm_condition_stop(MmMember *member, MmStopped scope);
void mm_condition_apply(MmMember *member, MilterStep step, MmDecision decision);
/* What MM_DECISION_TEMPFAIL answers. */
void mm_condition_verdict(const MmMember *member, MilterStep step, MmVerdict *verdict);
/* A message (or session) is over: what conditions decided for it no longer holds. */
void mm_condition_forget(MmMember *member, MmStopped scope);
/* The member no longer reads. */
void mm_condition_forget_reading(MmMember *member);
void mm_condition_set_macro(MmMember *member, MilterStep step, const MmSetMacro *set);
/* The command with whose macros it gets those that its own step cannot bring. */
guint8 mm_condition_late_command(const MmMember *member);
/* Whether a condition set macros that go with COMMAND. */
gboolean mm_condition_has_macros(const MmMember *member, guint8 command);
/* PACKET (of macros, may be empty) with those that conditions set, into OUT. */
void mm_condition_merge_macros(const MmMember *member, guint8 command, MilterBuffer *packet,
                               MilterBuffer *out);

/* recipient.c */
/* RCPT has come, and what was made of it: after the answer is known, before it is given. */
void mm_recipient_begin(MmRelay *relay);
void mm_recipient_settle(MmRelay *relay, const MmVerdict *verdict);
/* Whether the recipient at hand is shown to the member. */
gboolean mm_recipient_is_for(const MmMember *member);
/* Whether the client must send the recipient at hand in a message of its own. */
gboolean mm_recipient_must_wait(MmRelay *relay);
/* No recipient will come any more; FALSE: the message is discarded. */
gboolean mm_recipient_close_envelope(MmRelay *relay);
/* The member's discard; FALSE: it is the whole message's. */
gboolean mm_recipient_take_discard(MmMember *member, MilterStep step);
/* Whether the recipient of a SMFIR_DELRCPT is the member's to remove. */
gboolean mm_recipient_may_remove(MmMember *member, const MilterFrame *edit);
/* Let a packet of macros (may be empty) tell only of recipients that the member is shown. */
void mm_recipient_rewrite_macros(const MmMember *member, MilterBuffer *packet);

/* summary.c */
/* What became of the message, as decided at STEP. */
void mm_summary_log(MmRelay *relay, MilterStep step, const MmVerdict *verdict);

/* startup.c */
/* Seconds for which a refused connection is tried again. */
double mm_startup_retry_for(const MmMember *member);
void mm_startup_note_answer(MmMember *member);
/* Nobody listens: have it started, if it may be. */
void mm_startup_on_refused(MmMember *member);

/* shadow.c */
void mm_shadow_new(MmMember *member);
void mm_shadow_free(MmShadow **shadow_p);
/* Queue a command, a message or an end for a child that only evaluates. */
void mm_shadow_command(MmMember *member, MilterStep step, const void *payload, gsize size);
void mm_shadow_message(MmMember *member, MilterMessage *message);
/* Its turn came before the message was complete: keep the version for then. */
void mm_shadow_wait(MmMember *member, MilterMessage *message);
gboolean mm_shadow_is_waiting(const MmMember *member);
/* The message it waits for will not be complete. */
void mm_shadow_forget(MmMember *member);
void mm_shadow_abort(MmMember *member);
void mm_shadow_quit(MmMember *member, gboolean is_reused);
/* The macros as they were when the command it works on came. */
const MilterMacros *mm_shadow_macros(const MmMember *member);
/* Whether what it answers at STEP is about the session's message at hand, not an earlier one. */
gboolean mm_shadow_is_at_message(const MmMember *member, MilterStep step);
void mm_shadow_advance(MmMember *member);
void mm_shadow_on_reply(MmMember *member, MilterStep step, const MilterFrame *reply);
gboolean mm_shadow_is_busy(const MmMember *member);

G_END_DECLS
#endif
