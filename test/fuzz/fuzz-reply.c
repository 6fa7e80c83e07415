/* fuzz-reply.c - a reply byte, a step, option bits and a payload: what passes is well-formed */
#include "config.h"

#include "libmilter-core/reply.h"
#include "test/fuzz/fuzz.h"

static void
check_header_edit(const MilterFrame *frame, MilterBuffer *buffer)
{
    MilterHeaderEdit edit;

    g_assert_true(milter_reply_parse_header(frame, &edit, NULL));
    g_assert_true(fuzz_is_string_inside(edit.name, frame->payload, frame->size));
    g_assert_true(fuzz_is_string_inside(edit.value, frame->payload, frame->size));
    g_assert_cmpuint(strlen(edit.name), ==, edit.name_size);
    g_assert_cmpuint(strlen(edit.value), ==, edit.value_size);
    milter_reply_build_header(buffer, frame->command, edit.index, edit.name, edit.value);
}

static void
check_address_edit(const MilterFrame *frame, MilterBuffer *buffer)
{
    MilterAddressEdit edit;

    g_assert_true(milter_reply_parse_address(frame, &edit, NULL));
    g_assert_true(fuzz_is_string_inside(edit.address, frame->payload, frame->size));
    milter_reply_build_address(buffer, frame->command, edit.address, edit.parameters);
}

/* Build what was parsed; every other reply is copied as it is. */
static void
rebuild(const MilterFrame *frame, MilterBuffer *buffer)
{
    if (strchr("him", frame->command))
        check_header_edit(frame, buffer);
    else if (strchr("+-2e", frame->command))
        check_address_edit(frame, buffer);
    else
        milter_buffer_append_packet(buffer, frame->command, frame->payload, frame->size);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    g_autoptr(GError) error = NULL;
    MilterBuffer buffer = { 0 };
    MilterFrame frame;
    guint32 actions;
    MilterStep step;
    gboolean is_good;

    if (size < 4)
        return 0;
    frame = (MilterFrame){ .command = data[0], .payload = data + 4, .size = size - 4 };
    step = data[1] % (MILTER_N_STEPS + 1);
    actions = (guint32)data[2] << 8 | data[3];
    is_good = milter_reply_check(&frame, step, actions, &error);
    g_assert_true(is_good == (error == NULL));
    if (!is_good)
        return 0;
    g_assert_cmpint(step, !=, MILTER_STEP_NONE);
    if (milter_reply_is_edit(frame.command)) {
        g_assert_cmpint(step, ==, MILTER_STEP_EOM);
        g_assert_cmphex(actions & milter_reply_action(frame.command), !=, 0);
    } else {
        g_assert_true(milter_reply_is_final(frame.command) || frame.command == SMFIR_PROGRESS);
    }
    rebuild(&frame, &buffer);
    g_assert_cmpuint(milter_buffer_size(&buffer), ==, MILTER_FRAME_HEAD + frame.size);
    g_assert_true(frame.size == 0 || memcmp(milter_buffer_bytes(&buffer) + MILTER_FRAME_HEAD,
                                            frame.payload, frame.size) == 0);
    milter_buffer_clear(&buffer);
    return 0;
}
