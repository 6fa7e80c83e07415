/* fuzz-option.c - a negotiation payload: parsed, copied, built and parsed again */
#include "config.h"

#include "libmilter-core/option.h"
#include "test/fuzz/fuzz.h"

static void
assert_equal(const MilterOption *a, const MilterOption *b, gboolean with_lists)
{
    g_assert_cmpuint(a->version, ==, b->version);
    g_assert_cmphex(a->actions, ==, b->actions);
    g_assert_cmphex(a->steps, ==, b->steps);
    for (guint i = 0; with_lists && i < MILTER_N_STAGES; i++)
        g_assert_cmpstr(a->macros[i], ==, b->macros[i]);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    MilterFrame frame = { .command = SMFIC_OPTNEG, .payload = data, .size = size };
    g_autoptr(GError) error = NULL;
    MilterOption option = { 0 };
    MilterOption copy = { 0 };
    MilterOption again = { 0 };
    MilterBuffer buffer = { 0 };

    if (!milter_option_parse(&frame, &option, &error)) {
        g_assert_nonnull(error);
        assert_equal(&option, &again, TRUE); /* left alone */
        return 0;
    }
    g_assert_no_error(error);
    g_assert_cmpuint(option.version, >=, MILTER_VERSION_MIN);
    g_assert_true(milter_option_check_answer(&option, &option, NULL));
    milter_option_copy(&copy, &option);
    assert_equal(&option, &copy, TRUE);

    milter_option_build(&buffer, &copy);
    g_assert_cmpint(milter_frame_peek(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer),
                                      G_MAXUINT32, &frame),
                    ==, MILTER_FRAME_OK);
    g_assert_cmpuint(frame.wire_size, ==, milter_buffer_size(&buffer));
    g_assert_cmpuint(frame.size, <=, size);
    g_assert_true(milter_option_parse(&frame, &again, NULL));
    assert_equal(&option, &again, option.version >= 6);
    milter_buffer_clear(&buffer);
    milter_option_clear(&option);
    milter_option_clear(&copy);
    milter_option_clear(&again);
    return 0;
}
