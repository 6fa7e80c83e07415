/* reply.c - payloads of replies, and what an MTA takes */
#include "config.h"

#include "libmilter-core/reply.h"

#include <string.h>

#define INDEX_SIZE 4
#define CODE_SIZE 3 /* "550" */

gboolean
milter_reply_is_final(guint8 reply)
{
    switch (reply) {
    case SMFIR_CONTINUE:
    case SMFIR_ACCEPT:
    case SMFIR_REJECT:
    case SMFIR_TEMPFAIL:
    case SMFIR_DISCARD:
    case SMFIR_REPLYCODE:
    case SMFIR_SKIP:
    case SMFIR_SHUTDOWN:
    case SMFIR_CONN_FAIL:
        return TRUE;
    default:
        return FALSE;
    }
}

gboolean
milter_reply_is_edit(guint8 reply)
{
    return milter_reply_action(reply) != 0;
}

guint32
milter_reply_action(guint8 reply)
{
    switch (reply) {
    case SMFIR_ADDRCPT:
        return SMFIF_ADDRCPT;
    case SMFIR_ADDRCPT_PAR:
        return SMFIF_ADDRCPT_PAR;
    case SMFIR_DELRCPT:
        return SMFIF_DELRCPT;
    case SMFIR_CHGFROM:
        return SMFIF_CHGFROM;
    case SMFIR_ADDHEADER:
    case SMFIR_INSHEADER:
        return SMFIF_ADDHDRS;
    case SMFIR_CHGHEADER:
        return SMFIF_CHGHDRS;
    case SMFIR_REPLBODY:
        return SMFIF_CHGBODY;
    case SMFIR_QUARANTINE:
        return SMFIF_QUARANTINE;
    default:
        return 0;
    }
}

static gboolean
fail(const MilterFrame *frame, MilterProtocolError code, GError **error, const char *what)
{
    g_set_error(error, MILTER_PROTOCOL_ERROR, code, "%s: %s", milter_reply_name(frame->command),
                what);
    return FALSE;
}

static gboolean
bad_form(const MilterFrame *frame, GError **error, const char *what)
{
    return fail(frame, MILTER_PROTOCOL_ERROR_FORMAT, error, what);
}

static gboolean
bad_value(const MilterFrame *frame, GError **error, const char *what)
{
    return fail(frame, MILTER_PROTOCOL_ERROR_VALUE, error, what);
}

gboolean
milter_reply_parse_header(const MilterFrame *frame, MilterHeaderEdit *result, GError **error)
{
    const char *start = (const char *)frame->payload;
    const char *end = start + frame->size;
    const char *name = start;
    const char *name_end;
    const char *value;
    guint32 index = 0;

    if (frame->command != SMFIR_ADDHEADER) {
        if (frame->size < INDEX_SIZE)
            return bad_form(frame, error, "there is no index");
        memcpy(&index, start, INDEX_SIZE);
        name += INDEX_SIZE;
    }
    name_end = name < end ? memchr(name, '\0', (gsize)(end - name)) : NULL;
    if (name_end == NULL)
        return bad_form(frame, error, "the header name does not end");
    value = name_end + 1;
    if (value == end || memchr(value, '\0', (gsize)(end - value)) != end - 1)
        return bad_form(frame, error, "the header value is not one string");
    result->index = GUINT32_FROM_BE(index);
    result->name = name;
    result->name_size = (gsize)(name_end - name);
    result->value = value;
    result->value_size = (gsize)(end - value) - 1;
    return TRUE;
}

gboolean
milter_reply_parse_address(const MilterFrame *frame, MilterAddressEdit *result, GError **error)
{
    gboolean takes_parameters =
        frame->command == SMFIR_CHGFROM || frame->command == SMFIR_ADDRCPT_PAR;
    const char *address = (const char *)frame->payload;
    const char *end = address + frame->size;
    const char *nul = frame->size > 0 ? memchr(address, '\0', frame->size) : NULL;
    const char *parameters = NULL;

    if (nul == NULL)
        return bad_form(frame, error, "the address does not end");
    if (nul + 1 != end) {
        if (!takes_parameters)
            return bad_form(frame, error, "there is data after the address");
        parameters = nul + 1;
        if (memchr(parameters, '\0', (gsize)(end - parameters)) != end - 1)
            return bad_form(frame, error, "the parameters are not one string");
    }
    result->address = address;
    result->parameters = parameters;
    return TRUE;
}

/* What Postfix insists on.  (Sendmail puts its own text in place of a bad code.) */
static gboolean
check_code(const MilterFrame *frame, GError **error)
{
    const char *text = (const char *)frame->payload;

    if (frame->size == 0 || text[frame->size - 1] != '\0')
        return bad_value(frame, error, "the text does not end");
    if (text[0] != '4' && text[0] != '5')
        return bad_value(frame, error, "the code does not begin with 4 or 5");
    if (!g_ascii_isdigit(text[1]) || !g_ascii_isdigit(text[2]))
        return bad_value(frame, error, "the code is not three digits");
    if (text[CODE_SIZE] != ' ' && text[CODE_SIZE] != '-')
        return bad_value(frame, error, "no ' ' or '-' after the code");
    if (g_ascii_isdigit(text[CODE_SIZE + 1]) && text[CODE_SIZE + 1] != text[0])
        return bad_value(frame, error, "the enhanced code is of another class than the code");
    return TRUE;
}

static gboolean
check_edit(const MilterFrame *frame, MilterStep step, guint32 actions, GError **error)
{
    MilterAddressEdit address;
    MilterHeaderEdit edit;

    if (step != MILTER_STEP_EOM)
        return fail(frame, MILTER_PROTOCOL_ERROR_ORDER, error,
                    "only the end of a message can be answered so");
    if ((actions & milter_reply_action(frame->command)) == 0)
        return fail(frame, MILTER_PROTOCOL_ERROR_ORDER, error, "the action was not offered");

    switch (frame->command) {
    case SMFIR_ADDHEADER:
    case SMFIR_INSHEADER:
    case SMFIR_CHGHEADER:
        return milter_reply_parse_header(frame, &edit, error);
    case SMFIR_QUARANTINE:
        /* Both MTAs take it without any reason, but it is a string to Sendmail. */
        if (frame->size > 0 && frame->payload[frame->size - 1] != '\0')
            return bad_form(frame, error, "the reason does not end");
        return TRUE;
    case SMFIR_REPLBODY:
        return TRUE;
    default:
        return milter_reply_parse_address(frame, &address, error);
    }
}

gboolean
milter_reply_check(const MilterFrame *frame, MilterStep step, guint32 actions, GError **error)
{
    if (step >= MILTER_STEP_NONE)
        return fail(frame, MILTER_PROTOCOL_ERROR_ORDER, error, "nothing was asked");
    if (milter_reply_is_edit(frame->command))
        return check_edit(frame, step, actions, error);

    switch (frame->command) {
    case SMFIR_REPLYCODE:
        return check_code(frame, error);
    case SMFIR_SKIP:
    case SMFIR_CONTINUE:
    case SMFIR_ACCEPT:
    case SMFIR_REJECT:
    case SMFIR_TEMPFAIL:
    case SMFIR_DISCARD:
    case SMFIR_SHUTDOWN:
    case SMFIR_PROGRESS:
        break;
    case SMFIR_CONN_FAIL:
        return bad_form(frame, error, "no MTA takes it");
    default:
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT,
                    "unknown reply 0x%02x", frame->command);
        return FALSE;
    }
    if (frame->size > 0)
        return fail(frame, MILTER_PROTOCOL_ERROR_EXTRA, error, "there is data where none belongs");
    return TRUE;
}

void
milter_reply_build_plain(MilterBuffer *buffer, guint8 reply)
{
    milter_buffer_append_packet(buffer, reply, NULL, 0);
}

void
milter_reply_build_code(MilterBuffer *buffer, const char *text)
{
    milter_buffer_append_packet(buffer, SMFIR_REPLYCODE, text, strlen(text) + 1);
}

void
milter_reply_build_header(MilterBuffer *buffer, guint8 reply, guint32 index, const char *name,
                          const char *value)
{
    gsize index_size = reply == SMFIR_ADDHEADER ? 0 : INDEX_SIZE;
    gsize name_size = strlen(name) + 1;
    gsize value_size = strlen(value) + 1;
    gsize size = index_size + name_size + value_size;
    guint8 *to = milter_buffer_begin_packet(buffer, reply, size);
    guint32 wire_index = GUINT32_TO_BE(index);

    memcpy(to, &wire_index, index_size);
    memcpy(to + index_size, name, name_size);
    memcpy(to + index_size + name_size, value, value_size);
}

void
milter_reply_build_address(MilterBuffer *buffer, guint8 reply, const char *address,
                           const char *parameters)
{
    gsize address_size = strlen(address) + 1;
    gsize parameters_size = parameters ? strlen(parameters) + 1 : 0;
    gsize size = address_size + parameters_size;
    guint8 *to = milter_buffer_begin_packet(buffer, reply, size);

    memcpy(to, address, address_size);
    if (parameters)
        memcpy(to + address_size, parameters, parameters_size);
}

void
milter_reply_build_quarantine(MilterBuffer *buffer, const char *reason)
{
    milter_buffer_append_packet(buffer, SMFIR_QUARANTINE, reason, strlen(reason) + 1);
}

void
milter_reply_build_body(MilterBuffer *buffer, const void *chunk, gsize size)
{
    milter_buffer_append_packet(buffer, SMFIR_REPLBODY, chunk, size);
}
