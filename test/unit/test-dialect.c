/* test-dialect.c - header edits as Postfix and as Sendmail count them
 *
 * A few that people can follow; test/fuzz/fuzz-message has the random ones. */
#include "config.h"

#include <string.h>

#include "src/dialect.h"
#include "test/support/packet.h"

typedef struct {
    MmMta mta;
    const char *fields;  /* "A=1 B=2": as they came */
    const char *first;   /* edits of the first child */
    const char *between; /* what the second is shown */
    const char *second;  /* its edits */
    const char *packets; /* what the MTA gets */
    const char *after;   /* what a third would be shown */
} Case;

static const Case cases[] = {
    { MM_MTA_POSTFIX, "X=1 X=2 X=3", "chgheader 1 X=\"\"", "X=2 X=3 ", "chgheader 1 X=\"\"",
      "chgheader 1 X=\"\"; chgheader 1 X=\"\"", "X=3 " },
    { MM_MTA_SENDMAIL, "X=1 X=2 X=3", "chgheader 1 X=\"\"", "X=2 X=3 ", "chgheader 1 X=\"\"",
      "chgheader 1 X=\"\"; chgheader 2 X=\"\"", "X=3 " },
    { MM_MTA_SENDMAIL, "X=1 Y=2", "chgheader 1 X=\"\"", "Y=2 ", "addheader X=3",
      "chgheader 1 X=\"\"; chgheader 1 X=3", "X=3 Y=2 " },
    { MM_MTA_POSTFIX, "X=1 Y=2", "chgheader 1 X=\"\"", "Y=2 ", "addheader X=3",
      "chgheader 1 X=\"\"; addheader X=3", "Y=2 X=3 " },
    /* Date is a field of Sendmail's own: an added one takes its place, before all others. */
    { MM_MTA_SENDMAIL, "X=1", "addheader Date=now", "Date=now X=1 ", "chgheader 1 Date=later",
      "addheader Date=now; chgheader 1 Date=later", "Date=later X=1 " },
    { MM_MTA_SENDMAIL, "X=1 Received=a", "insheader 0 Received=b", "Received=b X=1 Received=a ",
      "chgheader 2 Received=c", "insheader 0 Received=b; chgheader 2 Received=c",
      "Received=b X=1 Received=c " },
    { MM_MTA_POSTFIX, "X=1", "insheader 0 Y=0; insheader 2 Z=2", "Y=0 Z=2 X=1 ", "chgheader 5 X=9",
      "insheader 0 Y=0; insheader 2 Z=2; chgheader 5 X=9", "Y=0 Z=2 X=1 X=9 " },
};

static void
apply(MmDialect *dialect, MilterMessage *message, const char *edits, MilterBuffer *out)
{
    g_autoptr(GByteArray) wire = packet_line(PACKET_REPLY, edits);
    const guint8 *bytes = wire->data;
    gsize left = wire->len;
    MilterFrame frame;

    while (left && milter_frame_peek(bytes, left, G_MAXUINT32, &frame) == MILTER_FRAME_OK) {
        MilterHeaderEdit edit;

        g_assert_true(milter_reply_parse_header(&frame, &edit, NULL));
        mm_dialect_edit(dialect, NULL, message, frame.command, &edit, FALSE, out);
        bytes += frame.wire_size;
        left -= frame.wire_size;
    }
}

static void
assert_shown(MilterMessage *message, const char *expected)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = milter_message_next_field(message, 0); i < message->places->len;
         i = milter_message_next_field(message, i + 1)) {
        const MilterField *field = milter_message_place(message, i)->field;

        g_string_append_printf(text, "%s=%s ", field->wire, milter_field_value(field));
    }
    g_assert_cmpstr(text->str, ==, expected);
}

static void
test_case(gconstpointer data)
{
    const Case *c = data;
    MmDialect dialect;
    MilterMessage *message = milter_message_new(FALSE);
    MilterBuffer out = { 0 };
    g_auto(GStrv) fields = g_strsplit(c->fields, " ", -1);
    g_autoptr(GByteArray) expected = packet_line(PACKET_REPLY, c->packets);

    mm_dialect_init(&dialect, c->mta);
    mm_dialect_begin(&dialect, message);
    for (char **field = fields; *field; field++) {
        char *value = strchr(*field, '=');

        *value++ = '\0';
        mm_dialect_append(&dialect, message,
                          milter_field_new(NULL, *field, strlen(*field), value, strlen(value)));
    }
    mm_dialect_renumber(&dialect, message);
    apply(&dialect, message, c->first, &out);
    mm_dialect_renumber(&dialect, message);
    assert_shown(message, c->between);
    apply(&dialect, message, c->second, &out);
    mm_dialect_renumber(&dialect, message);
    assert_shown(message, c->after);
    g_assert_cmpmem(milter_buffer_bytes(&out), milter_buffer_size(&out), expected->data,
                    expected->len);
    milter_buffer_clear(&out);
    milter_message_unref(&message);
}

static void
check_pass(const char *edit, gboolean child_space, gboolean mta_space, const char *expected)
{
    g_autoptr(GByteArray) in = packet_line(PACKET_REPLY, edit);
    g_autoptr(GByteArray) want = packet_line(PACKET_REPLY, expected);
    MilterBuffer out = { 0 };
    MilterHeaderEdit header;
    MilterFrame frame;

    g_assert_cmpint(milter_frame_peek(in->data, in->len, G_MAXUINT32, &frame), ==, MILTER_FRAME_OK);
    g_assert_true(milter_reply_parse_header(&frame, &header, NULL));
    mm_dialect_pass(frame.command, &header, child_space, mta_space, &out);
    g_assert_cmpmem(milter_buffer_bytes(&out), milter_buffer_size(&out), want->data, want->len);
    milter_buffer_clear(&out);
}

static void
test_pass(void)
{
    check_pass("addheader A=x", FALSE, FALSE, "addheader A=x");
    check_pass("addheader A=x", TRUE, TRUE, "addheader A=x");
    check_pass("addheader A=x", FALSE, TRUE, "addheader A=\" x\"");
    check_pass("insheader 3 A=\"\"", FALSE, TRUE, "insheader 3 A=\" \"");
    check_pass("chgheader 0 A=\"\"", FALSE, TRUE, "chgheader 0 A=\"\"");
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/dialect/%s/%u", mm_mta_name(cases[i].mta), i);

        g_test_add_data_func(path, &cases[i], test_case);
    }
    g_test_add_func("/dialect/pass", test_pass);
    return g_test_run();
}
