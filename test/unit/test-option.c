/* test-option.c - negotiation packets: every truncation, bad values, answers against offers */
#include "config.h"

#include "libmilter-core/option.h"
#include "test/unit/support.h"

#define WORDS "\0\0\0\6\0\0\1\377\0\37\377\377"

static gboolean
parse(const void *payload, gsize size, MilterOption *option, GError **error)
{
    g_auto(TestPacket) packet = test_packet('O', payload, size);

    return milter_option_parse(&packet.frame, option, error);
}
#define PARSE(literal, option, error) parse(literal, sizeof(literal) - 1, option, error)

static void
test_plain(void)
{
    MilterOption option = { 0 };

    g_assert_true(PARSE(WORDS, &option, NULL));
    g_assert_cmpuint(option.version, ==, 6);
    g_assert_cmphex(option.actions, ==, 0x1ff);
    g_assert_cmphex(option.steps, ==, 0x1fffff);
    for (guint i = 0; i < MILTER_N_STAGES; i++)
        g_assert_null(option.macros[i]);
    milter_option_clear(&option);
}

static void
test_lists(void)
{
    MilterOption option = { 0 };

    g_assert_true(PARSE(WORDS "\0\0\0\0j {x}\0"
                              "\0\0\0\6\0"
                              "\0\0\0\5old\0"
                              "\0\0\0\5i\0",
                        &option, NULL));
    g_assert_cmpstr(option.macros[MILTER_STAGE_CONNECT], ==, "j {x}");
    g_assert_cmpstr(option.macros[MILTER_STAGE_EOH], ==, "");
    g_assert_cmpstr(option.macros[MILTER_STAGE_EOM], ==, "i"); /* the last one counts */
    g_assert_null(option.macros[MILTER_STAGE_HELO]);
    milter_option_clear(&option);
    g_assert_null(option.macros[MILTER_STAGE_CONNECT]);
    g_assert_cmpuint(option.version, ==, 0);
}

/* Only whole lists are good; a failure leaves the result alone and nothing behind. */
static void
test_every_truncation(void)
{
    static const char payload[] = WORDS "\0\0\0\1a b\0\0\0\0\2\0";

    for (gsize size = 0; size < sizeof(payload) - 1; size++) {
        MilterOption option = { 0 };
        g_autoptr(GError) error = NULL;
        gboolean is_good = size == 12 || size == 20;

        g_test_message("%" G_GSIZE_FORMAT " bytes", size);
        g_assert_cmpint(parse(payload, size, &option, &error), ==, is_good);
        if (!is_good) {
            g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_FORMAT);
            g_assert_cmpuint(option.version, ==, 0);
        }
        milter_option_clear(&option);
    }
}

static void
test_versions(void)
{
    static const struct {
        guint32 version;
        gboolean is_good;
    } rows[] = { { 0, FALSE }, { 1, FALSE }, { 2, TRUE },
                 { 6, TRUE },  { 7, TRUE },  { 0xffffffff, TRUE } };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint32 words[3] = { GUINT32_TO_BE(rows[i].version), 0, 0 };
        MilterOption option = { 0 };
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(parse(words, sizeof(words), &option, &error), ==, rows[i].is_good);
        g_assert_cmpuint(option.version, ==, rows[i].is_good ? rows[i].version : 0);
        if (!rows[i].is_good)
            g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE);
    }
}

static void
test_stages(void)
{
    for (guint stage = 0; stage < 20; stage++) {
        char payload[] = WORDS "\0\0\0?x";
        MilterOption option = { 0 };

        payload[15] = (char)stage;
        g_assert_cmpint(parse(payload, sizeof(payload), &option, NULL), ==,
                        stage < MILTER_N_STAGES);
        if (stage < MILTER_N_STAGES)
            g_assert_cmpstr(option.macros[stage], ==, "x");
        milter_option_clear(&option);
    }
    g_assert_false(PARSE(WORDS "\1\0\0\0x\0", &(MilterOption){ 0 }, NULL));
}

static void
test_build(void)
{
    MilterOption option = { .version = 6, .actions = 0x1ff, .steps = 0x1fffff };
    MilterBuffer buffer = { 0 };

    milter_option_build(&buffer, &option);
    g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer), "\0\0\0\15O" WORDS,
                    17);
    milter_buffer_clear(&buffer);

    option.macros[MILTER_STAGE_HELO] = g_strdup("a b");
    option.macros[MILTER_STAGE_EOH] = g_strdup("");
    milter_option_build(&buffer, &option);
    g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer),
                    "\0\0\0\32O" WORDS "\0\0\0\1a b\0\0\0\0\6\0", 30);
    milter_buffer_clear(&buffer);

    option.version = 4; /* nobody below 6 knows lists */
    milter_option_build(&buffer, &option);
    g_assert_cmpuint(milter_buffer_size(&buffer), ==, 17);
    milter_buffer_clear(&buffer);
    milter_option_clear(&option);
}

static void
test_copy(void)
{
    MilterOption from = { .version = 6, .actions = 1, .steps = 2 };
    MilterOption to = { 0 };

    from.macros[MILTER_STAGE_MAIL] = g_strdup("x");
    to.macros[MILTER_STAGE_RCPT] = g_strdup("gone afterwards");
    milter_option_copy(&to, &from);
    g_assert_cmpuint(to.version, ==, 6);
    g_assert_cmpstr(to.macros[MILTER_STAGE_MAIL], ==, "x");
    g_assert_true(to.macros[MILTER_STAGE_MAIL] != from.macros[MILTER_STAGE_MAIL]);
    g_assert_null(to.macros[MILTER_STAGE_RCPT]);
    milter_option_copy(&to, &to);
    g_assert_cmpstr(to.macros[MILTER_STAGE_MAIL], ==, "x");
    milter_option_clear(&to);
    milter_option_clear(&from);
}

static void
test_check_answer(void)
{
    MilterOption offer = { .version = 6, .actions = 0x0f0, .steps = 0x0ff0 };
    static const struct {
        guint32 version, actions, steps;
        const char *message; /* NULL when good */
    } rows[] = {
        { 6, 0x0f0, 0x0ff0, NULL },
        { 6, 0, 0, NULL },
        { 2, 0x010, 0x0010, NULL },
        { 7, 0, 0, "SMFIC_OPTNEG: the answer has protocol version 7, offered was 6" },
        { 6, 0x1f1, 0, "SMFIC_OPTNEG: the answer asks for actions 0x101, which were not offered" },
        { 6, 0, 0x1ff1, "SMFIC_OPTNEG: the answer asks for steps 0x1001, which were not offered" },
        { 6, 0, 0x80000000,
          "SMFIC_OPTNEG: the answer asks for steps 0x80000000, which were not offered" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        MilterOption answer = { .version = rows[i].version,
                                .actions = rows[i].actions,
                                .steps = rows[i].steps };
        g_autoptr(GError) error = NULL;

        g_assert_cmpint(milter_option_check_answer(&offer, &answer, &error), ==,
                        rows[i].message == NULL);
        if (rows[i].message) {
            g_assert_error(error, MILTER_PROTOCOL_ERROR, MILTER_PROTOCOL_ERROR_VALUE);
            g_assert_cmpstr(error->message, ==, rows[i].message);
        }
    }
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/option/plain", test_plain);
    g_test_add_func("/option/lists", test_lists);
    g_test_add_func("/option/every-truncation", test_every_truncation);
    g_test_add_func("/option/versions", test_versions);
    g_test_add_func("/option/stages", test_stages);
    g_test_add_func("/option/build", test_build);
    g_test_add_func("/option/copy", test_copy);
    g_test_add_func("/option/check-answer", test_check_answer);
    return g_test_run();
}
