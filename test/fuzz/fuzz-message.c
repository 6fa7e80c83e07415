/* fuzz-message.c - random header edits of two or three children, against the MTAs' models
 *
 * The children's edits are applied to a model of the MTA as if they were its own filters,
 * and, through the dialect, to the journal; the packets that the dialect makes are applied
 * to a model of the MTA with the manager as its only filter.  In the end both models must
 * have the same fields, and every child must have been shown the same. */
#include "config.h"

#include "test/fuzz/fuzz.h"
#include "test/fuzz/models.h"

#include "libmilter-core/protocol.h"
#include "src/dialect.h"

#define CHILDREN_MAX 3
#define FIELDS_MAX 10
#define EDITS_MAX 12

static const char *const names[] = {
    "Subject", "X", "x", "Received", "Date", "From", "Y-Long-Name", "DATE", "Message-Id", "Via",
};
static const char *const values[] = {
    "", "one", " two", "  three", "\tfour", "five\n six", "six\nseven", " ",
};
static const guint32 indexes[] = { 0, 1, 2, 3, 4, 5, 7, 10, 13, 20, 99, 0x7fffffff, 0xffffffff };

typedef struct {
    Model direct, behind;
    MmDialect dialect;
    MilterMessage *message;
    MilterSpoolBudget budget;
    MilterBuffer packets;
    gboolean leading_space; /* on the MTA's leg */
} Run;

static void
arrive(Run *run, FuzzInput *input)
{
    guint n = fuzz_next(input, FIELDS_MAX + 1);

    for (guint i = 0; i < n; i++) {
        const char *name = names[fuzz_next(input, G_N_ELEMENTS(names))];
        const char *value = values[fuzz_next(input, G_N_ELEMENTS(values))];
        const char *sent;

        model_arrive(&run->direct, name, value);
        model_arrive(&run->behind, name, value);
        sent = model_shown(&run->behind, run->behind.n - 1, run->leading_space);
        mm_dialect_append(&run->dialect, run->message,
                          milter_field_new(&run->budget, name, strlen(name), sent, strlen(sent)));
    }
    model_show_begin(&run->behind);
}

/* What content.c does for a child that did not ask for leading spaces. */
static const char *
stripped(const Run *run, const char *value, gboolean leading_space)
{
    return run->leading_space && !leading_space && value[0] == ' ' ? value + 1 : value;
}

static void
show(Run *run, gboolean leading_space)
{
    guint place = 0;

    model_show_begin(&run->direct);
    mm_dialect_renumber(&run->dialect, run->message);
    for (guint i = 0; i < run->direct.n; i++) {
        const char *expected = model_shown(&run->direct, i, leading_space);
        const MilterField *field;

        if (!expected)
            continue;
        place = milter_message_next_field(run->message, place);
        g_assert_cmpuint(place, <, run->message->places->len);
        field = milter_message_place(run->message, place++)->field;
        g_assert_cmpstr(field->wire, ==, run->direct.fields[i].name);
        g_assert_cmpstr(stripped(run, milter_field_value(field), leading_space), ==, expected);
    }
    place = milter_message_next_field(run->message, place);
    g_assert_cmpuint(place, ==, run->message->places->len);
}

static void
edit(Run *run, FuzzInput *input, gboolean leading_space)
{
    static const guint8 replies[] = { SMFIR_ADDHEADER, SMFIR_INSHEADER, SMFIR_CHGHEADER,
                                      SMFIR_CHGHEADER };
    guint8 reply = replies[fuzz_next(input, G_N_ELEMENTS(replies))];
    const char *name = names[fuzz_next(input, G_N_ELEMENTS(names))];
    const char *value = values[fuzz_next(input, G_N_ELEMENTS(values))];
    guint32 index = indexes[fuzz_next(input, G_N_ELEMENTS(indexes))];
    MilterHeaderEdit header = { index, name, strlen(name), value, strlen(value) };

    model_edit(&run->direct, reply, index, name, value, leading_space);
    mm_dialect_edit(&run->dialect, &run->budget, run->message, reply, &header, leading_space,
                    &run->packets);
}

static void
apply_packets(Run *run)
{
    const guint8 *bytes = milter_buffer_bytes(&run->packets);
    gsize left = milter_buffer_size(&run->packets);

    while (left) {
        MilterFrame frame;
        MilterHeaderEdit header;

        g_assert_cmpint(milter_frame_peek(bytes, left, G_MAXUINT32, &frame), ==, MILTER_FRAME_OK);
        g_assert_true(milter_reply_parse_header(&frame, &header, NULL));
        model_edit(&run->behind, frame.command, header.index, header.name, header.value,
                   run->leading_space);
        bytes += frame.wire_size;
        left -= frame.wire_size;
    }
}

/* The packet that puts an empty field where one was deleted must have a blank in it, else it
 * would delete. */
static gboolean
is_same_value(const char *a, const char *b)
{
    return strcmp(a, b) == 0 || (!a[strspn(a, " ")] && !b[strspn(b, " ")]);
}

static void
compare(const Run *run)
{
    guint j = 0;

    for (guint i = 0; i < run->direct.n; i++) {
        if (!run->direct.fields[i].value)
            continue;
        while (j < run->behind.n && !run->behind.fields[j].value)
            j++;
        g_assert_cmpuint(j, <, run->behind.n);
        g_assert_cmpstr(run->behind.fields[j].name, ==, run->direct.fields[i].name);
        if (!is_same_value(run->behind.fields[j].value, run->direct.fields[i].value))
            g_assert_cmpstr(run->behind.fields[j].value, ==, run->direct.fields[i].value);
        j++;
    }
    while (j < run->behind.n && !run->behind.fields[j].value)
        j++;
    g_assert_cmpuint(j, ==, run->behind.n);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    FuzzInput input = { data, size };
    Run run = { .leading_space = FALSE };
    gboolean is_sendmail = fuzz_next(&input, 2);
    guint n_children = 2 + fuzz_next(&input, CHILDREN_MAX - 1);
    gboolean spaces[CHILDREN_MAX], reads[CHILDREN_MAX];

    for (guint i = 0; i < n_children; i++) {
        guint choice = fuzz_next(&input, 8);

        spaces[i] = choice & 1;
        reads[i] = choice < 6;
        run.leading_space = run.leading_space || spaces[i];
    }
    model_init(&run.direct, is_sendmail);
    model_init(&run.behind, is_sendmail);
    mm_dialect_init(&run.dialect, is_sendmail ? MM_MTA_SENDMAIL : MM_MTA_POSTFIX);
    run.message = milter_message_new(run.leading_space);
    mm_dialect_begin(&run.dialect, run.message);
    arrive(&run, &input);
    for (guint i = 0; i < n_children; i++) {
        if (reads[i])
            show(&run, spaces[i]);
        for (guint n = fuzz_next(&input, EDITS_MAX + 1); n; n--)
            edit(&run, &input, spaces[i]);
    }
    apply_packets(&run);
    compare(&run);
    milter_buffer_clear(&run.packets);
    milter_message_unref(&run.message);
    g_assert_cmpuint(run.budget.memory_used, ==, 0);
    model_clear(&run.direct);
    model_clear(&run.behind);
    return 0;
}
