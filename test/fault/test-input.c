/* test-input.c - more of everything than any mail has
 *
 * Very many headers, bodies without end, an MTA that does not wait for answers, a child
 * that does not read: what is held stays below its limits, and the mail has an answer. */
#include "config.h"

#include <string.h>

#include "test/support/calls.h"
#include "test/support/rig-steps.h"

#define MANY_HEADERS 100000
#define CHUNK 65535

static Rig *
new_rig(guint n_children)
{
    Rig *rig;

    calls_install();
    rig = rig_new(MM_MTA_POSTFIX);
    for (guint i = 0; i < n_children; i++) {
        char name[] = { (char)('a' + i), '\0' };

        rig_add(rig, name)->is_auto = TRUE;
    }
    return rig;
}

/* The MTA's next packet must be this reply. */
static void
expect(Rig *rig, guint8 reply)
{
    GBytes *packet = rig_take(&rig->mta);

    g_assert_nonnull(packet);
    g_assert_cmpint(((const guint8 *)g_bytes_get_data(packet, NULL))[4], ==, reply);
    g_bytes_unref(packet);
}

static void
expect_warning(Rig *rig, const char *part1, const char *part2)
{
    const char *parts[] = { part1, part2 };

    g_assert_true(rig_take_log(rig, "warning", parts, 2));
    g_assert_cmpuint(rig->log->len, ==, 0);
}

static void
send_headers(Rig *rig, guint n)
{
    g_autoptr(GByteArray) wire = g_byte_array_new();

    for (guint i = 0; i < n; i++) {
        g_autofree char *line = g_strdup_printf("header X-%u=\"value %u\"", i % 1000, i);
        g_autoptr(GByteArray) one = packet_line(PACKET_COMMAND, line);

        g_byte_array_append(wire, one->data, one->len);
    }
    rig_mta_send(rig, wire->data, wire->len);
    rig_settle(rig);
}

/* All children see all of them. */
static void
test_many_headers(void)
{
    Rig *rig = new_rig(3);

    for (guint i = 0; i < 3; i++)
        ((RigChild *)rig->children->pdata[i])->option.steps = SMFIP_NR_HDR;
    rig_start(rig);
    fill(rig, SMFIC_HEADER);
    send_headers(rig, MANY_HEADERS);
    send_line(rig, "eom");
    expect(rig, SMFIR_CONTINUE);
    for (guint i = 0; i < 3; i++)
        g_assert_cmpuint(((RigChild *)rig->children->pdata[i])->n_packets, >=, MANY_HEADERS);
    end_rig(&rig);
}

/* Above the memory limit the first child goes on, the others' fallbacks decide. */
static void
test_headers_above_limit(void)
{
    Rig *rig = new_rig(2);

    rig->settings.spool_memory_limit = 256 * 1024;
    rig_start(rig);
    fill(rig, SMFIC_HEADER);
    send_headers(rig, MANY_HEADERS);
    g_assert_cmpuint(rig->host.budget.memory_used, <, 300 * 1024);
    g_assert_cmpuint(rig_child(rig, "a")->n_packets, >=, MANY_HEADERS);
    expect_warning(rig, "child=b", "manager.spool_memory_limit");
    send_line(rig, "eom");
    expect(rig, SMFIR_REPLYCODE);
    end_rig(&rig);
}

static void
send_chunk(Rig *rig)
{
    static guint8 wire[5 + CHUNK];

    milter_frame_head(wire, SMFIC_BODY, CHUNK);
    memset(wire + 5, 'x', CHUNK);
    rig_mta_send(rig, wire, sizeof(wire));
    rig_settle(rig);
}

/* One child: nothing is held however long the body is. */
static void
test_long_body(void)
{
    Rig *rig = new_rig(1);

    rig_start(rig);
    fill(rig, SMFIC_BODY);
    for (guint i = 0; i < 1000; i++) {
        send_chunk(rig);
        expect(rig, SMFIR_CONTINUE);
        g_assert_cmpuint(rig->host.budget.memory_used, <=, 2 * CHUNK);
    }
    send_line(rig, "eom");
    expect(rig, SMFIR_CONTINUE);
    end_rig(&rig);
}

/* Two children: held in memory up to one limit, in a file up to the other; then the second
 * child's fallback decides, and what is held goes no higher. */
static void
test_endless_body(void)
{
    Rig *rig = new_rig(2);

    rig->settings.spool_memory_limit = 1024 * 1024;
    rig->settings.spool_limit = 16 * 1024 * 1024;
    rig_start(rig);
    fill(rig, SMFIC_BODY);
    for (guint i = 0; i < 500; i++) {
        send_chunk(rig);
        expect(rig, SMFIR_CONTINUE);
        g_assert_cmpuint(rig->host.budget.memory_used, <=, 1024 * 1024);
    }
    expect_warning(rig, "child=b", "manager.spool_limit");
    send_line(rig, "eom");
    expect(rig, SMFIR_REPLYCODE);
    end_rig(&rig);
}

/* A body replaced without end is that child's failure. */
static void
test_endless_replacement(void)
{
    Rig *rig = new_rig(1);
    RigChild *child = rig_child(rig, "a");
    static guint8 wire[5 + CHUNK];

    rig->settings.spool_memory_limit = 1024 * 1024;
    rig->settings.spool_limit = 4 * 1024 * 1024;
    rig_start(rig);
    fill(rig, SMFIC_BODYEOB);
    child->is_auto = FALSE;
    send_line(rig, "eom");
    milter_frame_head(wire, SMFIR_REPLBODY, CHUNK);
    for (guint i = 0; i < 100; i++) {
        rig_send(&child->end, wire, sizeof(wire));
        rig_settle(rig);
        g_assert_cmpuint(rig->host.budget.memory_used, <=, 1024 * 1024);
    }
    expect_warning(rig, "child=a", "manager.spool_limit");
    expect(rig, SMFIR_REPLYCODE);
    end_rig(&rig);
}

/* Changes without end: the same. */
static void
test_endless_changes(void)
{
    Rig *rig = new_rig(1);
    RigChild *child = rig_child(rig, "a");
    g_autoptr(GByteArray) wire = packet_line(PACKET_REPLY, "addheader X=\"y\"*60000");

    rig_start(rig);
    fill(rig, SMFIC_BODYEOB);
    child->is_auto = FALSE;
    send_line(rig, "eom");
    for (guint i = 0; i < 400; i++) {
        rig_send(&child->end, wire->data, wire->len);
        rig_settle(rig);
    }
    expect_warning(rig, "child=a", "too many changes");
    expect(rig, SMFIR_REPLYCODE);
    end_rig(&rig);
}

/* An MTA that does not wait for its answers is read no faster than they are given. */
static void
test_mta_does_not_wait(void)
{
    Rig *rig = new_rig(1);
    RigChild *child = rig_child(rig, "a");

    rig_start(rig);
    fill(rig, SMFIC_BODY);
    child->is_auto = FALSE;
    for (guint i = 0; i < 100; i++)
        send_chunk(rig);
    g_assert_cmpuint(rig->host.budget.memory_used, <, 2 * 1024 * 1024);
    g_assert_cmpuint(rig->mta.out->len, >, 4 * 1024 * 1024); /* has stayed with the MTA */
    child->is_auto = TRUE;
    rig_settle(rig);
    for (guint i = 0; i < 100; i++)
        expect(rig, SMFIR_CONTINUE);
    g_assert_cmpuint(rig->mta.out->len, ==, 0);
    send_line(rig, "eom");
    expect(rig, SMFIR_CONTINUE);
    end_rig(&rig);
}

/* A child that answers nothing while the body comes: the MTA is told to go on until the child
 * lags too far, then waits, and has its fallback in time. */
static void
test_child_does_not_answer(void)
{
    Rig *rig = new_rig(1);
    RigChild *child = rig_child(rig, "a");
    guint n = 0;

    child->config->fallback = MILTER_FALLBACK_REJECT;
    rig_start(rig);
    fill(rig, SMFIC_EOH);
    child->is_auto = FALSE;
    send_line(rig, "eoh");
    for (; n < 100; n++) {
        send_chunk(rig);
        if (!rig_has_packet(&rig->mta))
            break;
        expect(rig, SMFIR_CONTINUE);
    }
    g_assert_cmpuint(n, >, 0);
    g_assert_cmpuint(n, <, 20);
    g_assert_cmpuint(rig->host.budget.memory_used, <, 2 * 1024 * 1024);
    rig->is_auto_mta = TRUE;
    rig_pass(rig, 269);
    g_assert_cmpuint(rig->log->len, ==, 0);
    rig->is_auto_mta = FALSE;
    rig_pass(rig, 2);
    expect_warning(rig, "child=a", "failure=timeout");
    rig_drop(&rig->mta);
    end_rig(&rig);
}

/* The same with the bytes not even read: the pipe to the child is full. */
static void
test_child_does_not_read(void)
{
    Rig *rig = new_rig(1);
    RigChild *child = rig_child(rig, "a");
    int fd;

    child->config->fallback = MILTER_FALLBACK_REJECT;
    child->option.steps = SMFIP_NR_BODY | SMFIP_NR_HDR | SMFIP_NR_EOH;
    rig_start(rig);
    fill(rig, SMFIC_BODY);
    fd = child->end.fd;
    child->end.fd = -1;
    for (guint i = 0; i < 100; i++)
        send_chunk(rig);
    g_assert_cmpuint(rig->host.budget.memory_used, <, 2 * 1024 * 1024);
    g_assert_cmpuint(rig->mta.out->len, >, 3 * 1024 * 1024);
    rig_pass(rig, 300);
    expect_warning(rig, "child=a", "failure=timeout");
    child->end.fd = fd;
    g_byte_array_set_size(rig->mta.out, 0);
    end_rig(&rig);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/input/many-headers", test_many_headers);
    g_test_add_func("/input/headers-above-limit", test_headers_above_limit);
    g_test_add_func("/input/long-body", test_long_body);
    g_test_add_func("/input/endless-body", test_endless_body);
    g_test_add_func("/input/endless-replacement", test_endless_replacement);
    g_test_add_func("/input/endless-changes", test_endless_changes);
    g_test_add_func("/input/mta-does-not-wait", test_mta_does_not_wait);
    g_test_add_func("/input/child-does-not-answer", test_child_does_not_answer);
    g_test_add_func("/input/child-does-not-read", test_child_does_not_read);
    return g_test_run();
}
