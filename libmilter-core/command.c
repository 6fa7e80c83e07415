/* command.c - payloads of commands */
#include "config.h"

#include "libmilter-core/command.h"

#include "libmilter-core/macros.h"
#include "libmilter-core/option.h"

#include <string.h>

#define PORT_SIZE 2
#define IPV6_PREFIX "IPv6:"

G_DEFINE_QUARK(milter-protocol-error-quark, milter_protocol_error)

static gboolean
bad_form(const MilterFrame *frame, GError **error, const char *what)
{
    g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT, "%s: %s",
                milter_command_name(frame->command), what);
    return FALSE;
}

/* The bytes after the string that starts at START, or NULL when it does not end before END. */
static const char *
after_string(const char *start, const char *end)
{
    const char *nul = start < end ? memchr(start, '\0', (gsize)(end - start)) : NULL;

    return nul ? nul + 1 : NULL;
}

/* A payload that is one string and nothing else. */
static gboolean
parse_string(const MilterFrame *frame, const char **result, const char *what, GError **error)
{
    const char *start = (const char *)frame->payload;
    const char *end = start + frame->size;
    const char *rest = after_string(start, end);

    if (rest == NULL) {
        g_autofree char *message = g_strconcat("the ", what, " does not end", NULL);
        return bad_form(frame, error, message);
    }
    if (rest != end) {
        g_autofree char *message = g_strconcat("there is data after the ", what, NULL);
        return bad_form(frame, error, message);
    }
    *result = start;
    return TRUE;
}

gboolean
milter_command_parse_connect(const MilterFrame *frame, MilterConnect *result, GError **error)
{
    const char *host = (const char *)frame->payload;
    const char *end = host + frame->size;
    const char *rest = after_string(host, end);
    guint16 port;
    char family;

    if (rest == NULL)
        return bad_form(frame, error, "the host name does not end");
    if (rest == end)
        return bad_form(frame, error, "there is no address family");
    family = *rest++;
    if (family == SMFIA_UNKNOWN) {
        if (rest != end)
            return bad_form(frame, error, "there is data after the unknown family");
        *result = (MilterConnect){ .host = host, .family = family };
        return TRUE;
    }
    if (family != SMFIA_UNIX && family != SMFIA_INET && family != SMFIA_INET6) {
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE,
                    "%s: unknown address family 0x%02x", milter_command_name(frame->command),
                    (guint8)family);
        return FALSE;
    }
    if (end - rest < PORT_SIZE)
        return bad_form(frame, error, "there is no port");
    memcpy(&port, rest, PORT_SIZE);
    rest += PORT_SIZE;
    if (after_string(rest, end) != end)
        return bad_form(frame, error, "the address is not one string");
    /* libmilter takes IPv6 addresses in both spellings. */
    if (family == SMFIA_INET6 && g_ascii_strncasecmp(rest, IPV6_PREFIX, strlen(IPV6_PREFIX)) == 0)
        rest += strlen(IPV6_PREFIX);
    *result = (MilterConnect){
        .host = host, .family = family, .port = GUINT16_FROM_BE(port), .address = rest
    };
    return TRUE;
}

gboolean
milter_command_parse_helo(const MilterFrame *frame, const char **name, GError **error)
{
    return parse_string(frame, name, "name", error);
}

gboolean
milter_command_parse_envelope(const MilterFrame *frame, MilterEnvelope *result, GError **error)
{
    const char *address = (const char *)frame->payload;
    const char *end = address + frame->size;
    const char *parameters = after_string(address, end);
    guint n_parameters = 0;

    if (parameters == NULL)
        return bad_form(frame, error, "the address does not end");
    for (const char *p = parameters; p != end; n_parameters++) {
        p = after_string(p, end);
        if (p == NULL)
            return bad_form(frame, error, "the last parameter does not end");
    }
    result->address = address;
    /* Without any, still a string: the address's own end. */
    result->parameters = n_parameters > 0 ? parameters : parameters - 1;
    result->parameters_size = (gsize)(end - parameters);
    result->n_parameters = n_parameters;
    return TRUE;
}

gboolean
milter_command_parse_header(const MilterFrame *frame, MilterHeader *result, GError **error)
{
    const char *name = (const char *)frame->payload;
    const char *end = name + frame->size;
    const char *value = after_string(name, end);

    if (value == NULL)
        return bad_form(frame, error, "the header name does not end");
    if (after_string(value, end) != end)
        return bad_form(frame, error, "the header value is not one string");
    result->name = name;
    result->name_size = (gsize)(value - name) - 1;
    result->value = value;
    result->value_size = (gsize)(end - value) - 1;
    return TRUE;
}

gboolean
milter_command_parse_unknown(const MilterFrame *frame, const char **command, GError **error)
{
    return parse_string(frame, command, "command", error);
}

static gboolean
check_option(const MilterFrame *frame, GError **error)
{
    MilterOption option = { 0 };
    gboolean is_good = milter_option_parse(frame, &option, error);

    milter_option_clear(&option);
    return is_good;
}

gboolean
milter_command_check(const MilterFrame *frame, GError **error)
{
    MilterConnect connect;
    MilterEnvelope envelope;
    MilterHeader header;
    const char *string;

    switch (frame->command) {
    case SMFIC_CONNECT:
        return milter_command_parse_connect(frame, &connect, error);
    case SMFIC_HELO:
        return milter_command_parse_helo(frame, &string, error);
    case SMFIC_MAIL:
    case SMFIC_RCPT:
        return milter_command_parse_envelope(frame, &envelope, error);
    case SMFIC_HEADER:
        return milter_command_parse_header(frame, &header, error);
    case SMFIC_UNKNOWN:
        return milter_command_parse_unknown(frame, &string, error);
    case SMFIC_MACRO:
        return milter_macros_check(frame, error);
    case SMFIC_OPTNEG:
        return check_option(frame, error);
    case SMFIC_BODY:
    case SMFIC_BODYEOB:
        return TRUE;
    case SMFIC_DATA:
    case SMFIC_EOH:
    case SMFIC_ABORT:
    case SMFIC_QUIT:
    case SMFIC_QUIT_NC:
        if (frame->size > 0)
            return bad_form(frame, error, "there is data where none belongs");
        return TRUE;
    default:
        g_set_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE,
                    "unknown command 0x%02x", frame->command);
        return FALSE;
    }
}

const char *
milter_envelope_next_parameter(const MilterEnvelope *envelope, const char *parameter)
{
    const char *next = parameter ? parameter + strlen(parameter) + 1 : envelope->parameters;

    /* Compared by size, not by n_parameters: no count to carry along. */
    return next < envelope->parameters + envelope->parameters_size ? next : NULL;
}

/* Copies STRING with its NUL; the place after it. */
static guint8 *
put_string(guint8 *to, const char *string, gsize length)
{
    memcpy(to, string, length + 1);
    return to + length + 1;
}

void
milter_command_build_connect(MilterBuffer *buffer, const MilterConnect *connect)
{
    gsize host_size = strlen(connect->host);
    gsize size = host_size + 2;
    guint16 port = GUINT16_TO_BE(connect->port);
    guint8 *to;

    if (connect->family != SMFIA_UNKNOWN)
        size += PORT_SIZE + strlen(connect->address) + 1;
    to = milter_buffer_begin_packet(buffer, SMFIC_CONNECT, size);
    to = put_string(to, connect->host, host_size);
    *to++ = (guint8)connect->family;
    if (connect->family != SMFIA_UNKNOWN) {
        memcpy(to, &port, PORT_SIZE);
        put_string(to + PORT_SIZE, connect->address, strlen(connect->address));
    }
}

void
milter_command_build_helo(MilterBuffer *buffer, const char *name)
{
    milter_buffer_append_packet(buffer, SMFIC_HELO, name, strlen(name) + 1);
}

void
milter_command_build_envelope(MilterBuffer *buffer, guint8 command, const char *address,
                              const char *const *parameters)
{
    gsize size = strlen(address) + 1;
    guint8 *to;

    for (const char *const *p = parameters; p && *p; p++)
        size += strlen(*p) + 1;
    to = milter_buffer_begin_packet(buffer, command, size);
    to = put_string(to, address, strlen(address));
    for (const char *const *p = parameters; p && *p; p++)
        to = put_string(to, *p, strlen(*p));
}

void
milter_command_build_header(MilterBuffer *buffer, const char *name, const char *value)
{
    gsize name_size = strlen(name);
    gsize value_size = strlen(value);
    gsize size = name_size + value_size + 2;
    guint8 *to = milter_buffer_begin_packet(buffer, SMFIC_HEADER, size);

    to = put_string(to, name, name_size);
    put_string(to, value, value_size);
}

void
milter_command_build_body(MilterBuffer *buffer, const void *chunk, gsize size)
{
    milter_buffer_append_packet(buffer, SMFIC_BODY, chunk, size);
}

void
milter_command_build_unknown(MilterBuffer *buffer, const char *command)
{
    milter_buffer_append_packet(buffer, SMFIC_UNKNOWN, command, strlen(command) + 1);
}

void
milter_command_build_plain(MilterBuffer *buffer, guint8 command)
{
    milter_buffer_append_packet(buffer, command, NULL, 0);
}
