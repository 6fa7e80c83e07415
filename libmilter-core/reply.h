/* reply.h - the payloads of replies (from a milter), both ways
 *
 * milter_reply_check() is the one place that knows what an MTA accepts: a reply
 * that fails it would cost the filter its session there.  No I/O, no state. */
#ifndef MILTER_REPLY_H
#define MILTER_REPLY_H

#include "libmilter-core/buffer.h"
#include "libmilter-core/command.h"
#include "libmilter-core/frame.h"
#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

/* SMFIR_ADDHEADER, _INSHEADER and _CHGHEADER; index is 0 for ADDHEADER. */
typedef struct {
    guint32 index;
    const char *name;
    gsize name_size;
    const char *value;
    gsize value_size;
} MilterHeaderEdit;

/* SMFIR_ADDRCPT, _ADDRCPT_PAR, _DELRCPT and _CHGFROM. */
typedef struct {
    const char *address;
    const char *parameters; /* NULL when none came */
} MilterAddressEdit;

/* Whether a reply byte ends the wait for a command's answer (c a r t d y s 4 f). */
gboolean milter_reply_is_final(guint8 reply);

/* Whether it is a modification request (+ 2 - e h i m b q), legal only at EOM. */
gboolean milter_reply_is_edit(guint8 reply);

/* The SMFIF_* bit an edit needs; 0 for other replies. */
guint32 milter_reply_action(guint8 reply);

/* Whether the MTA would take FRAME as an answer to STEP from a filter to which ACTIONS
 * were offered.  FALSE with MILTER_PROTOCOL_ERROR for what an MTA treats as the filter's
 * error: unknown reply, data where none belongs or a malformed payload, an edit outside EOM
 * or whose action was not offered, SMFIR_CONN_FAIL.  Errors to Postfix only: with
 * MILTER_PROTOCOL_ERROR_VALUE a malformed reply code (class 4 or 5, three digits, then ' '
 * or '-', an enhanced code of the same class; Sendmail puts its own text in its place), and
 * with MILTER_PROTOCOL_ERROR_EXTRA data where none belongs (Sendmail passes over it).  SMFIR_SKIP passes at every step, as in both MTAs. */
gboolean milter_reply_check(const MilterFrame *frame, MilterStep step, guint32 actions,
                            GError **error);

/* Parsers: whether the payload has the edit's form; results are views into it.  Values
 * (an empty name, a negative index) are for the MTA's dialect to judge. */
gboolean milter_reply_parse_header(const MilterFrame *frame, MilterHeaderEdit *result,
                                   GError **error);
gboolean milter_reply_parse_address(const MilterFrame *frame, MilterAddressEdit *result,
                                    GError **error);

/* Builders: append one packet. */
void milter_reply_build_plain(MilterBuffer *buffer, guint8 reply);
/* TEXT is the whole reply, "550 5.7.1 text", lines joined by CRLF, '%' already doubled. */
void milter_reply_build_code(MilterBuffer *buffer, const char *text);
void milter_reply_build_header(MilterBuffer *buffer, guint8 reply, guint32 index, const char *name,
                               const char *value);
/* PARAMETERS may be NULL. */
void milter_reply_build_address(MilterBuffer *buffer, guint8 reply, const char *address,
                                const char *parameters);
void milter_reply_build_quarantine(MilterBuffer *buffer, const char *reason);
void milter_reply_build_body(MilterBuffer *buffer, const void *chunk, gsize size);

G_END_DECLS
#endif
