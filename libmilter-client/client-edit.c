/* client-edit.c - changes to a message, and replies with a text: see client.h */
#include "config.h"

#include <string.h>

#include "libmilter-client/client-private.h"
#include "libmilter-core/reply.h"

#define LINES_MAX 32      /* lines of one reply, as in libmilter */
#define LINE_SIZE_MAX 900 /* bytes of one line's text */

/* Whether an edit of this kind and size may be sent now. */
static gboolean
may_edit(const MilterClientSession *session, guint8 reply, gsize size)
{
    const MilterOption *option;

    if (!session->session || milter_session_owed(session->session) != MILTER_STEP_EOM)
        return FALSE;
    option = milter_session_option(session->session);
    return (option->actions & milter_reply_action(reply)) != 0 &&
           size <= milter_data_size(option->steps);
}

/* Send the packets in WIRE. */
static gboolean
send_edit(MilterClientSession *session, MilterBuffer *wire)
{
    milter_session_edit(session->session, milter_buffer_bytes(wire), milter_buffer_size(wire));
    milter_buffer_clear(wire);
    return TRUE;
}

static gboolean
is_header_name(const char *name)
{
    for (const char *p = name; *p; p++) {
        if (*p == ':' || *p <= ' ' || *p >= 0x7f)
            return FALSE;
    }
    return name[0] != '\0';
}

static gboolean
edit_header(MilterClientSession *session, guint8 reply, guint32 index, const char *name,
            const char *value)
{
    MilterBuffer wire = { 0 };

    if (!is_header_name(name) || index > G_MAXINT32 ||
        !may_edit(session, reply, strlen(name) + strlen(value) + 6))
        return FALSE;
    milter_reply_build_header(&wire, reply, index, name, value);
    return send_edit(session, &wire);
}

gboolean
milter_client_add_header(MilterClientSession *session, const char *name, const char *value)
{
    return edit_header(session, SMFIR_ADDHEADER, 0, name, value);
}

gboolean
milter_client_insert_header(MilterClientSession *session, guint32 index, const char *name,
                            const char *value)
{
    return edit_header(session, SMFIR_INSHEADER, index, name, value);
}

gboolean
milter_client_change_header(MilterClientSession *session, const char *name, guint32 index,
                            const char *value)
{
    return edit_header(session, SMFIR_CHGHEADER, index, name, value);
}

gboolean
milter_client_delete_header(MilterClientSession *session, const char *name, guint32 index)
{
    return edit_header(session, SMFIR_CHGHEADER, index, name, "");
}

gboolean
milter_client_replace_body(MilterClientSession *session, const void *chunk, gsize size)
{
    const guint8 *rest = chunk;
    gsize size_max;

    if (!may_edit(session, SMFIR_REPLBODY, 0))
        return FALSE;
    size_max = milter_data_size(milter_session_option(session->session)->steps);
    if (size == 0 && milter_buffer_size(&session->body) == 0)
        milter_reply_build_body(&session->body, "", 0);
    while (size > 0) {
        gsize n = MIN(size, size_max);

        milter_reply_build_body(&session->body, rest, n);
        rest += n;
        size -= n;
    }
    return TRUE;
}

static gboolean
edit_address(MilterClientSession *session, guint8 reply, const char *address,
             const char *parameters)
{
    gsize size = strlen(address) + (parameters ? strlen(parameters) : 0) + 2;
    MilterBuffer wire = { 0 };

    if (address[0] == '\0' || !may_edit(session, reply, size))
        return FALSE;
    milter_reply_build_address(&wire, reply, address, parameters);
    return send_edit(session, &wire);
}

gboolean
milter_client_add_recipient(MilterClientSession *session, const char *address,
                            const char *parameters)
{
    return edit_address(session, parameters ? SMFIR_ADDRCPT_PAR : SMFIR_ADDRCPT, address,
                        parameters);
}

gboolean
milter_client_delete_recipient(MilterClientSession *session, const char *address)
{
    return edit_address(session, SMFIR_DELRCPT, address, NULL);
}

gboolean
milter_client_change_sender(MilterClientSession *session, const char *address,
                            const char *parameters)
{
    return edit_address(session, SMFIR_CHGFROM, address, parameters);
}

gboolean
milter_client_quarantine(MilterClientSession *session, const char *reason)
{
    MilterBuffer wire = { 0 };

    if (reason[0] == '\0' || !may_edit(session, SMFIR_QUARANTINE, strlen(reason) + 1))
        return FALSE;
    milter_reply_build_quarantine(&wire, reason);
    return send_edit(session, &wire);
}

/* Whether every byte can stand in a line of an SMTP reply. */
static gboolean
is_reply_line(const char *line)
{
    for (const char *p = line; *p; p++) {
        if ((guchar)*p < ' ' || *p == 0x7f)
            return FALSE;
    }
    return strlen(line) <= LINE_SIZE_MAX;
}

/* "550-5.7.1 one\r\n550 5.7.1 two", '%' doubled as both MTAs want it; NULL when a line
 * cannot be sent. */
static char *
format_refusal(guint code, const char *enhanced, char **lines)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; lines[i]; i++) {
        if (i == LINES_MAX || !is_reply_line(lines[i])) {
            g_string_free(text, TRUE);
            return NULL;
        }
        g_string_append_printf(text, "%s%u%c%s%s", i ? "\r\n" : "", code, lines[i + 1] ? '-' : ' ',
                               enhanced ? enhanced : "", enhanced ? " " : "");
        for (const char *p = lines[i]; *p; p++) {
            g_string_append_c(text, *p);
            if (*p == '%')
                g_string_append_c(text, '%');
        }
    }
    return g_string_free(text, FALSE);
}

/* Whether an MTA takes TEXT as a reply code. */
static gboolean
is_reply_code(const char *text)
{
    MilterFrame frame = { .command = SMFIR_REPLYCODE,
                          .payload = (const guint8 *)text,
                          .size = strlen(text) + 1 };

    return frame.size < MILTER_DATA_SIZE_64K &&
           milter_reply_check(&frame, MILTER_STEP_EOM, 0, NULL);
}

MilterClientAnswer
milter_client_refuse(MilterClientSession *session, guint code, const char *enhanced,
                     const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text[0] ? text : " ", "\n", -1);
    g_autofree char *refusal = NULL;

    if (code >= 400 && code <= 599)
        refusal = format_refusal(code, enhanced, lines);
    if (!refusal || !is_reply_code(refusal))
        return code < 500 ? MILTER_CLIENT_TEMPFAIL : MILTER_CLIENT_REJECT;
    g_free(session->refusal);
    session->refusal = g_steal_pointer(&refusal);
    return MILTER_CLIENT_REFUSED;
}
