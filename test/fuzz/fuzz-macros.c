/* fuzz-macros.c - a list of names up to the first NUL, then a macro packet's payload */
#include "config.h"

#include "libmilter-core/macros.h"
#include "test/fuzz/fuzz.h"

static MilterFrame
only_packet(const MilterBuffer *buffer)
{
    MilterFrame frame;

    g_assert_cmpint(milter_frame_peek(milter_buffer_bytes(buffer), milter_buffer_size(buffer),
                                      G_MAXUINT32, &frame),
                    ==, MILTER_FRAME_OK);
    g_assert_cmpuint(frame.wire_size, ==, milter_buffer_size(buffer));
    g_assert_cmpint(frame.command, ==, SMFIC_MACRO);
    return frame;
}

/* What is sent for LIST: names of the list with the values of the set. */
static void
check_selection(const MilterMacros *macros, guint8 command, const char *list)
{
    MilterBuffer buffer = { 0 };
    MilterFrame frame;
    const char *end;

    g_assert_true(milter_macros_append_packet(macros, command, list, &buffer));
    frame = only_packet(&buffer);
    g_assert_true(milter_macros_check(&frame, NULL));
    end = (const char *)frame.payload + frame.size;
    for (const char *p = (const char *)frame.payload + 1; p < end;) {
        const char *value = p + strlen(p) + 1;

        g_assert_true(milter_macro_list_has(list, p, strlen(p)));
        g_assert_cmpstr(milter_macros_get_at(macros, command, p), ==, value);
        g_assert_cmpstr(milter_macros_get(macros, p), ==, value);
        p = value + strlen(value) + 1;
    }
    milter_buffer_clear(&buffer);
}

static void
check_merge(const char *names)
{
    guint dropped = 0;
    guint dropped_again = 0;
    char *once = milter_macro_list_merge(NULL, names, &dropped);
    char *twice = milter_macro_list_merge(g_strdup(once), names, &dropped_again);
    g_auto(GStrv) words = g_strsplit(once, " ", -1);

    g_assert_cmpstr(once, ==, twice);
    g_assert_cmpuint(dropped, ==, dropped_again);
    g_assert_cmpuint(g_strv_length(words), <=, MILTER_MACRO_NAMES_MAX);
    for (char **word = words; *word; word++)
        g_assert_true(milter_macro_list_has(names, *word, strlen(*word)));
    g_free(once);
    g_free(twice);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    const guint8 *nul = size ? memchr(data, '\0', size) : NULL;
    const char *list = (const char *)data;
    MilterBuffer buffer = { 0 };
    MilterMacros *macros;
    MilterFrame frame;
    MilterFrame sent;

    if (nul == NULL)
        return 0;
    check_merge(list);
    frame = (MilterFrame){ .command = SMFIC_MACRO,
                           .payload = nul + 1,
                           .size = size - (gsize)(nul + 1 - data) };
    if (!milter_macros_check(&frame, NULL))
        return 0;
    macros = milter_macros_new();
    if (milter_macros_set(macros, &frame)) {
        guint8 command = frame.payload[0];

        g_assert_false(milter_macros_set(macros, &frame));
        g_assert_true(milter_macros_append_packet(macros, command, NULL, &buffer));
        sent = only_packet(&buffer);
        g_assert_cmpmem(sent.payload, sent.size, frame.payload, frame.size);
        check_selection(macros, command, list);
        milter_buffer_clear(&buffer);
    }
    milter_macros_free(&macros);
    return 0;
}
