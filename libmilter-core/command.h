/* command.h - the payloads of commands (towards a milter), both ways
 *
 * Parsers take a payload and give views into it; they fail (FALSE, with a GError
 * of MILTER_PROTOCOL_ERROR that says what is wrong) and then leave the result
 * alone.  Builders append one packet to a buffer.  No I/O, no state. */
#ifndef MILTER_COMMAND_H
#define MILTER_COMMAND_H

#include "libmilter-core/buffer.h"
#include "libmilter-core/frame.h"
#include "libmilter-core/protocol.h"

G_BEGIN_DECLS

#define MILTER_PROTOCOL_ERROR (milter_protocol_error_quark())
GQuark milter_protocol_error_quark(void);
typedef enum {
    MILTER_PROTOCOL_ERROR_FORMAT, /* a payload does not have its command's form */
    MILTER_PROTOCOL_ERROR_VALUE,  /* a value is outside what the protocol allows */
    MILTER_PROTOCOL_ERROR_ORDER,  /* a packet that may not come now */
    MILTER_PROTOCOL_ERROR_EXTRA,  /* data where none belongs */
} MilterProtocolError;

/* SMFIC_CONNECT.  host is never NULL; address is NULL and port 0 for family 'U'. */
typedef struct {
    const char *host;
    char family; /* SMFIA_UNKNOWN, _UNIX, _INET, _INET6 */
    guint16 port;
    const char *address; /* printed address without "IPv6:", or a path */
} MilterConnect;

/* SMFIC_MAIL and SMFIC_RCPT: an address as given (with its angle brackets) and the
 * ESMTP parameters, N_PARAMETERS strings one after another in PARAMETERS. */
typedef struct {
    const char *address;
    const char *parameters;
    gsize parameters_size; /* bytes of all parameters with their NULs */
    guint n_parameters;
} MilterEnvelope;

/* SMFIC_HEADER.  The value is as on the wire: with its leading space where the leg
 * negotiated SMFIP_HDR_LEADSPC, folded lines joined by LF. */
typedef struct {
    const char *name;
    gsize name_size;
    const char *value;
    gsize value_size;
} MilterHeader;

/* Parsers.  Strings of the result end with a NUL inside the payload. */
gboolean milter_command_parse_connect(const MilterFrame *frame, MilterConnect *result,
                                      GError **error);
gboolean milter_command_parse_helo(const MilterFrame *frame, const char **name, GError **error);
gboolean milter_command_parse_envelope(const MilterFrame *frame, MilterEnvelope *result,
                                       GError **error);
gboolean milter_command_parse_header(const MilterFrame *frame, MilterHeader *result,
                                     GError **error);
gboolean milter_command_parse_unknown(const MilterFrame *frame, const char **command,
                                      GError **error);

/* Whether the payload of any command has its command's form; what the parsers above
 * check, and for commands without data that there is none. */
gboolean milter_command_check(const MilterFrame *frame, GError **error);

/* The next of the parameters; start with NULL, NULL after the last. */
const char *milter_envelope_next_parameter(const MilterEnvelope *envelope, const char *parameter);

/* Builders.  Strings are NUL-terminated. PARAMETERS may be NULL, else NULL-terminated. */
void milter_command_build_connect(MilterBuffer *buffer, const MilterConnect *connect);
void milter_command_build_helo(MilterBuffer *buffer, const char *name);
void milter_command_build_envelope(MilterBuffer *buffer, guint8 command, const char *address,
                                   const char *const *parameters);
void milter_command_build_header(MilterBuffer *buffer, const char *name, const char *value);
void milter_command_build_body(MilterBuffer *buffer, const void *chunk, gsize size);
void milter_command_build_unknown(MilterBuffer *buffer, const char *command);
/* DATA, EOH, BODYEOB without data, ABORT, QUIT, QUIT_NC. */
void milter_command_build_plain(MilterBuffer *buffer, guint8 command);

G_END_DECLS
#endif
