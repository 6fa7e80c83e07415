/* test-protocol.c - the tables agree with each other and with mfdef.h */
#include "config.h"

#include "libmilter-core/protocol.h"

#include <string.h>

static const struct {
    guint8 command;
    const char *step; /* name, NULL for none */
    int stage;        /* -1 for none */
    guint32 no_bit;
    guint32 nr_bit;
    guint32 version;
    const char *name;
} commands[] = {
    { 'C', "connect", 0, SMFIP_NOCONNECT, SMFIP_NR_CONN, 2, "SMFIC_CONNECT" },
    { 'H', "helo", 1, SMFIP_NOHELO, SMFIP_NR_HELO, 2, "SMFIC_HELO" },
    { 'M', "mail", 2, SMFIP_NOMAIL, SMFIP_NR_MAIL, 2, "SMFIC_MAIL" },
    { 'R', "rcpt", 3, SMFIP_NORCPT, SMFIP_NR_RCPT, 2, "SMFIC_RCPT" },
    { 'T', "data", 4, SMFIP_NODATA, SMFIP_NR_DATA, 4, "SMFIC_DATA" },
    { 'L', "header", -1, SMFIP_NOHDRS, SMFIP_NR_HDR, 2, "SMFIC_HEADER" },
    { 'N', "eoh", 6, SMFIP_NOEOH, SMFIP_NR_EOH, 2, "SMFIC_EOH" },
    { 'B', "body", -1, SMFIP_NOBODY, SMFIP_NR_BODY, 2, "SMFIC_BODY" },
    { 'E', "eom", 5, 0, 0, 2, "SMFIC_BODYEOB" },
    { 'U', "unknown", -1, SMFIP_NOUNKNOWN, SMFIP_NR_UNKN, 3, "SMFIC_UNKNOWN" },
    { 'A', NULL, -1, 0, 0, 0, "SMFIC_ABORT" },
    { 'D', NULL, -1, 0, 0, 0, "SMFIC_MACRO" },
    { 'K', NULL, -1, 0, 0, 0, "SMFIC_QUIT_NC" },
    { 'O', NULL, -1, 0, 0, 0, "SMFIC_OPTNEG" },
    { 'Q', NULL, -1, 0, 0, 0, "SMFIC_QUIT" },
};

static void
test_commands(void)
{
    guint n_steps = 0;

    for (guint byte = 0; byte < 256; byte++) {
        guint8 command = (guint8)byte;
        MilterStep step = milter_step_of_command(command);
        MilterStage stage = milter_stage_of_command(command);
        guint i = 0;

        while (i < G_N_ELEMENTS(commands) && commands[i].command != command)
            i++;
        if (i == G_N_ELEMENTS(commands)) {
            g_assert_cmpstr(milter_command_name(command), ==, "unknown");
            g_assert_cmpint(step, ==, MILTER_STEP_NONE);
            g_assert_cmpint(stage, ==, MILTER_STAGE_NONE);
            continue;
        }
        g_assert_cmpstr(milter_command_name(command), ==, commands[i].name);
        g_assert_cmpstr(milter_step_name(step), ==, commands[i].step ? commands[i].step : "none");
        g_assert_cmpint(stage, ==,
                        commands[i].stage < 0 ? (int)MILTER_STAGE_NONE : commands[i].stage);
        if (stage != MILTER_STAGE_NONE)
            g_assert_cmpuint(milter_stage_command(stage), ==, command);
        if (step == MILTER_STEP_NONE) {
            g_assert_false(milter_step_is_content(step));
            continue;
        }
        n_steps++;
        g_assert_cmpuint(milter_step_command(step), ==, command);
        g_assert_cmphex(milter_step_no_bit(step), ==, commands[i].no_bit);
        g_assert_cmphex(milter_step_nr_bit(step), ==, commands[i].nr_bit);
        g_assert_cmpuint(milter_step_version(step), ==, commands[i].version);
        g_assert_cmpint(milter_step_is_content(step), ==, strchr("LNBE", command) != NULL);
    }
    g_assert_cmpuint(n_steps, ==, MILTER_N_STEPS);
}

static void
test_replies(void)
{
    static const char bytes[] = "+-24abcdefhilmpqrsty";
    guint n = 0;

    for (guint byte = 0; byte < 256; byte++) {
        const char *name = milter_reply_name((guint8)byte);

        g_assert_cmpint(byte != 0 && strchr(bytes, (int)byte) != NULL, ==,
                        g_str_has_prefix(name, "SMFIR_"));
        n += g_str_has_prefix(name, "SMFIR_");
    }
    g_assert_cmpuint(n, ==, strlen(bytes));
    g_assert_cmpstr(milter_reply_name('r'), ==, "SMFIR_REJECT");
    g_assert_cmpstr(milter_reply_name('m'), ==, "SMFIR_CHGHEADER");
}

/* Each version has the bits of the one before it, and those of the steps it has. */
static void
test_versions(void)
{
    for (guint32 version = 2; version <= 6; version++) {
        for (MilterStep step = 0; step < MILTER_N_STEPS; step++)
            if (milter_step_no_bit(step))
                g_assert_cmpint((milter_version_steps(version) & milter_step_no_bit(step)) != 0, ==,
                                milter_step_version(step) <= version);
        g_assert_cmphex(milter_version_steps(version - 1) & ~milter_version_steps(version), ==, 0);
        g_assert_cmphex(milter_version_actions(version - 1) & ~milter_version_actions(version), ==,
                        0);
    }
    g_assert_cmphex(milter_version_steps(2), ==, 0x7f);
    g_assert_cmphex(milter_version_steps(4) & (SMFIP_SKIP | SMFIP_HDR_LEADSPC | SMFIP_NR_CONN), ==,
                    0);
    g_assert_cmphex(milter_version_steps(6), ==, 0x301fffff);
    g_assert_cmphex(milter_version_steps(7), ==, milter_version_steps(6));
    g_assert_cmphex(milter_version_actions(2), ==, 0x3f);
    g_assert_cmphex(milter_version_actions(6), ==, 0x1ff);
    g_assert_cmphex(milter_version_actions(G_MAXUINT32), ==, 0x1ff);
}

static void
test_data_size(void)
{
    g_assert_cmpuint(milter_data_size(0), ==, 65535);
    g_assert_cmpuint(milter_data_size(SMFI_CURR_PROT), ==, 65535);
    g_assert_cmpuint(milter_data_size(SMFIP_MDS_256K), ==, 262143);
    g_assert_cmpuint(milter_data_size(SMFIP_MDS_1M), ==, 1048575);
    g_assert_cmpuint(milter_data_size(MILTER_MDS_BITS), ==, 1048575);
    /* The largest negotiable packet fits what is received. */
    g_assert_cmpuint(milter_data_size(MILTER_MDS_BITS), <, MILTER_PACKET_MAX);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/protocol/commands", test_commands);
    g_test_add_func("/protocol/replies", test_replies);
    g_test_add_func("/protocol/versions", test_versions);
    g_test_add_func("/protocol/data-size", test_data_size);
    return g_test_run();
}
