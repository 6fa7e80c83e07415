/* test-verdict.c - scope and merge of replies, over the whole table; fallbacks */
#include "config.h"

#include <string.h>

#include "src/verdict.h"

static const MilterStep all_steps[] = {
    MILTER_STEP_CONNECT, MILTER_STEP_HELO, MILTER_STEP_MAIL, MILTER_STEP_RCPT, MILTER_STEP_DATA,
    MILTER_STEP_HEADER,  MILTER_STEP_EOH,  MILTER_STEP_BODY, MILTER_STEP_EOM,  MILTER_STEP_UNKNOWN,
};

/* Per step, in the order above: N nothing, M message, C connection. */
static const struct {
    guint8 reply;
    const char *scopes;
} scopes[] = {
    { SMFIR_CONTINUE, "NNNNNNNNNN" },  { SMFIR_ACCEPT, "CCMMMMMMMM" },
    { SMFIR_REJECT, "CCMNMMMMMN" },    { SMFIR_TEMPFAIL, "CCMNMMMMMN" },
    { SMFIR_REPLYCODE, "CCMNMMMMMN" }, { SMFIR_SKIP, "NNNNNNNNNN" },
    { SMFIR_SHUTDOWN, "CCCCCCCCCC" },  { SMFIR_PROGRESS, "NNNNNNNNNN" },
};

static void
test_scope(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(scopes); i++)
        for (guint j = 0; j < G_N_ELEMENTS(all_steps); j++) {
            MmScope expected = scopes[i].scopes[j] == 'N'   ? MM_SCOPE_NOTHING
                               : scopes[i].scopes[j] == 'M' ? MM_SCOPE_MESSAGE
                                                            : MM_SCOPE_CONNECTION;

            g_test_message("%c at %s", scopes[i].reply, milter_step_name(all_steps[j]));
            g_assert_cmpint(mm_verdict_scope(scopes[i].reply, all_steps[j]), ==, expected);
        }
}

static void
test_ends_step(void)
{
    static const guint8 refusals[] = { SMFIR_REJECT, SMFIR_TEMPFAIL, SMFIR_REPLYCODE,
                                       SMFIR_SHUTDOWN };
    static const guint8 others[] = { SMFIR_CONTINUE, SMFIR_ACCEPT, SMFIR_SKIP, SMFIR_PROGRESS };

    for (guint mta = 0; mta < MM_N_MTAS; mta++)
        for (guint j = 0; j < G_N_ELEMENTS(all_steps); j++) {
            for (guint i = 0; i < G_N_ELEMENTS(refusals); i++)
                g_assert_true(mm_verdict_ends_step(refusals[i], all_steps[j], mta));
            for (guint i = 0; i < G_N_ELEMENTS(others); i++)
                g_assert_false(mm_verdict_ends_step(others[i], all_steps[j], mta));
        }
    g_assert_true(mm_verdict_ends_step(SMFIR_DISCARD, MILTER_STEP_RCPT, MM_MTA_POSTFIX));
    g_assert_false(mm_verdict_ends_step(SMFIR_DISCARD, MILTER_STEP_CONNECT, MM_MTA_POSTFIX));
}

static void
test_values(void)
{
    static const char text[] = "550-5.7.1 one\r\n550 5.7.1 \"two\"";
    MilterFrame frame = { .payload = (const guint8 *)text,
                          .size = sizeof(text),
                          .command = SMFIR_REPLYCODE };
    MmVerdict verdict = { 0 }, copy = { 0 };
    g_autofree char *shown = NULL, *plain = NULL, *none = NULL;

    none = mm_verdict_text(&verdict);
    g_assert_cmpstr(none, ==, "none");
    g_assert_false(mm_verdict_is_set(&verdict));
    mm_verdict_set(&verdict, &frame);
    mm_verdict_copy(&copy, &verdict);
    mm_verdict_copy(&copy, &verdict);
    g_assert_cmpstr(copy.text, ==, text);
    shown = mm_verdict_text(&copy);
    g_assert_nonnull(strstr(shown, "\\\"two\\\""));
    g_assert_null(strchr(shown, '\n'));
    mm_verdict_set_plain(&copy, SMFIR_TEMPFAIL);
    g_assert_null(copy.text);
    plain = mm_verdict_text(&copy);
    g_assert_cmpstr(plain, ==, "temporary-failure");
    mm_verdict_clear(&copy);
    mm_verdict_clear(&verdict);
    mm_verdict_clear(&verdict);
    g_assert_false(mm_verdict_is_set(&verdict));
}

static void
check_fallback(MilterFallback fallback, MmMta mta, MilterStep step, guint8 reply, const char *text)
{
    MmVerdict verdict = { 0 };

    mm_verdict_of_fallback(&verdict, fallback, mta, step, FALSE);
    g_assert_cmpint(verdict.reply, ==, reply);
    g_assert_cmpstr(verdict.text, ==, text);
    mm_verdict_clear(&verdict);
}

static void
test_fallbacks(void)
{
    for (guint j = 0; j < G_N_ELEMENTS(all_steps); j++) {
        check_fallback(MILTER_FALLBACK_ACCEPT, MM_MTA_POSTFIX, all_steps[j], 0, NULL);
        check_fallback(MILTER_FALLBACK_QUARANTINE, MM_MTA_SENDMAIL, all_steps[j], 0, NULL);
        check_fallback(MILTER_FALLBACK_REJECT, MM_MTA_POSTFIX, all_steps[j], SMFIR_REPLYCODE,
                       "550 5.5.0 Service unavailable");
        check_fallback(MILTER_FALLBACK_TEMPORARY_FAILURE, MM_MTA_POSTFIX, all_steps[j],
                       SMFIR_REPLYCODE, "451 4.7.1 Service unavailable - try again later");
        check_fallback(MILTER_FALLBACK_REJECT, MM_MTA_SENDMAIL, all_steps[j], SMFIR_REJECT, NULL);
        check_fallback(MILTER_FALLBACK_TEMPORARY_FAILURE, MM_MTA_SENDMAIL, all_steps[j],
                       SMFIR_TEMPFAIL, NULL);
    }
    check_fallback(MILTER_FALLBACK_DISCARD, MM_MTA_POSTFIX, MILTER_STEP_EOM, SMFIR_DISCARD, NULL);
    check_fallback(MILTER_FALLBACK_DISCARD, MM_MTA_POSTFIX, MILTER_STEP_HELO, 0, NULL);
    check_fallback(MILTER_FALLBACK_DISCARD, MM_MTA_POSTFIX, MILTER_STEP_UNKNOWN, 0, NULL);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/verdict/scope", test_scope);
    g_test_add_func("/verdict/ends-step", test_ends_step);
    g_test_add_func("/verdict/values", test_values);
    g_test_add_func("/verdict/fallbacks", test_fallbacks);
    return g_test_run();
}
