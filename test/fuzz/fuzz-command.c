/* fuzz-command.c - a command byte and its payload: what parses is built again as it was */
#include "config.h"

#include "libmilter-core/command.h"
#include "test/fuzz/fuzz.h"

static void
build_envelope(MilterBuffer *buffer, guint8 command, const MilterEnvelope *envelope)
{
    g_autoptr(GPtrArray) parameters = g_ptr_array_new();
    const char *parameter = NULL;

    while ((parameter = milter_envelope_next_parameter(envelope, parameter)))
        g_ptr_array_add(parameters, (gpointer)parameter);
    g_assert_cmpuint(parameters->len, ==, envelope->n_parameters);
    g_ptr_array_add(parameters, NULL);
    milter_command_build_envelope(buffer, command, envelope->address,
                                  (const char *const *)parameters->pdata);
}

/* Parse and build.  FALSE when it does not parse or the command has no parser. */
static gboolean
rebuild(const MilterFrame *frame, MilterBuffer *buffer)
{
    MilterEnvelope envelope;
    MilterConnect connect;
    MilterHeader header;
    const char *string;

    switch (frame->command) {
    case SMFIC_CONNECT:
        if (!milter_command_parse_connect(frame, &connect, NULL))
            return FALSE;
        g_assert_true(fuzz_is_string_inside(connect.host, frame->payload, frame->size));
        g_assert_true(connect.address == NULL ||
                      fuzz_is_string_inside(connect.address, frame->payload, frame->size));
        milter_command_build_connect(buffer, &connect);
        return TRUE;
    case SMFIC_MAIL:
    case SMFIC_RCPT:
        if (!milter_command_parse_envelope(frame, &envelope, NULL))
            return FALSE;
        g_assert_true(fuzz_is_inside(envelope.parameters, envelope.parameters_size, frame->payload,
                                     frame->size));
        build_envelope(buffer, frame->command, &envelope);
        return TRUE;
    case SMFIC_HEADER:
        if (!milter_command_parse_header(frame, &header, NULL))
            return FALSE;
        g_assert_cmpuint(strlen(header.name), ==, header.name_size);
        g_assert_cmpuint(strlen(header.value), ==, header.value_size);
        milter_command_build_header(buffer, header.name, header.value);
        return TRUE;
    case SMFIC_HELO:
        if (!milter_command_parse_helo(frame, &string, NULL))
            return FALSE;
        milter_command_build_helo(buffer, string);
        return TRUE;
    case SMFIC_UNKNOWN:
        if (!milter_command_parse_unknown(frame, &string, NULL))
            return FALSE;
        milter_command_build_unknown(buffer, string);
        return TRUE;
    default:
        return FALSE;
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    MilterBuffer buffer = { 0 };
    MilterFrame built;
    MilterFrame frame;
    gboolean is_good;

    if (size == 0)
        return 0;
    frame = (MilterFrame){ .command = data[0], .payload = data + 1, .size = size - 1 };
    is_good = milter_command_check(&frame, &error);
    g_assert_true(is_good == (error == NULL));
    if (!rebuild(&frame, &buffer)) {
        g_assert_true(!is_good || strchr("DOBETNAQK", frame.command));
        return 0;
    }
    g_assert_true(is_good);
    g_assert_cmpint(milter_frame_peek(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer),
                                      G_MAXUINT32, &built),
                    ==, MILTER_FRAME_OK);
    /* Only an IPv6 address's prefix is lost on the way. */
    if (built.size != frame.size)
        g_assert_true(frame.command == SMFIC_CONNECT && built.size + 5 == frame.size);
    else
        g_assert_cmpmem(built.payload, built.size, frame.payload, frame.size);
    milter_buffer_clear(&buffer);
    return 0;
}
