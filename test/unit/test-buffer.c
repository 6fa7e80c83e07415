/* test-buffer.c - the buffer against a plain GByteArray, and what it owns */
#include "config.h"

#include "libmilter-core/buffer.h"

#include <string.h>

static void
assert_empty(const MilterBuffer *buffer)
{
    g_assert_cmpuint(milter_buffer_size(buffer), ==, 0);
    g_assert_null(milter_buffer_bytes(buffer));
    g_assert_cmpuint(buffer->capacity, ==, 0);
}

static void
test_empty(void)
{
    MilterBuffer buffer = { 0 };

    assert_empty(&buffer);
    milter_buffer_append(&buffer, NULL, 0);
    assert_empty(&buffer);
    milter_buffer_consume(&buffer, 0);
    milter_buffer_clear(&buffer);
    milter_buffer_clear(&buffer);
    assert_empty(&buffer);
}

static void
test_owns_nothing_when_drained(void)
{
    MilterBuffer buffer = { 0 };

    milter_buffer_append(&buffer, "hello", 5);
    milter_buffer_consume(&buffer, 2);
    g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer), "llo", 3);
    milter_buffer_consume(&buffer, 3);
    assert_empty(&buffer);

    g_assert_nonnull(milter_buffer_reserve(&buffer, 100));
    g_assert_cmpuint(milter_buffer_room(&buffer), >=, 100);
    milter_buffer_commit(&buffer, 0);
    assert_empty(&buffer);
}

static void
test_packets(void)
{
    MilterBuffer buffer = { 0 };

    milter_buffer_append_packet(&buffer, 'N', NULL, 0);
    milter_buffer_append_packet(&buffer, 'H', "me", 3);
    g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer),
                    "\0\0\0\1N\0\0\0\4Hme", 13);
    milter_buffer_clear(&buffer);
    assert_empty(&buffer);
}

/* What is held survives every size of a reserve behind it, with and without a gap before. */
static void
test_reserve_keeps_content(void)
{
    for (gsize consumed = 0; consumed < 300; consumed += 37) {
        for (gsize more = 0; more < 1100; more += 13) {
            MilterBuffer buffer = { 0 };
            guint8 content[300];
            guint8 *room;

            for (guint i = 0; i < sizeof(content); i++)
                content[i] = (guint8)i;
            milter_buffer_append(&buffer, content, sizeof(content));
            milter_buffer_consume(&buffer, consumed);
            room = milter_buffer_reserve(&buffer, more);
            g_assert_cmpuint(milter_buffer_room(&buffer), >=, more);
            memset(room, 'x', more);
            milter_buffer_commit(&buffer, more);
            g_assert_cmpuint(milter_buffer_size(&buffer), ==, sizeof(content) - consumed + more);
            g_assert_cmpint(memcmp(milter_buffer_bytes(&buffer), content + consumed,
                                   sizeof(content) - consumed),
                            ==, 0);
            milter_buffer_clear(&buffer);
        }
    }
}

/* Random appends and consumes against the obvious model. */
static void
test_model(void)
{
    MilterBuffer buffer = { 0 };
    g_autoptr(GByteArray) model = g_byte_array_new();

    for (guint i = 0; i < 20000; i++) {
        if (g_test_rand_int_range(0, 100) < 52) {
            guint8 bytes[600];
            gsize size = (gsize)g_test_rand_int_range(0, sizeof(bytes));

            memset(bytes, (int)i, sizeof(bytes));
            milter_buffer_append(&buffer, bytes, size);
            g_byte_array_append(model, bytes, (guint)size);
        } else {
            guint size = (guint)g_test_rand_int_range(0, (gint32)model->len + 1);

            milter_buffer_consume(&buffer, size);
            if (size > 0)
                g_byte_array_remove_range(model, 0, size);
        }
        g_assert_cmpmem(milter_buffer_bytes(&buffer), milter_buffer_size(&buffer), model->data,
                        model->len);
        g_assert_true(model->len > 0 || buffer.data == NULL);
    }
    milter_buffer_clear(&buffer);
}

/* A queue that is drained as fast as it is filled does not grow. */
static void
test_steady_state(void)
{
    MilterBuffer buffer = { 0 };
    guint8 bytes[100] = { 0 };

    milter_buffer_append(&buffer, bytes, sizeof(bytes));
    for (guint i = 0; i < 10000; i++) {
        milter_buffer_append(&buffer, bytes, sizeof(bytes));
        milter_buffer_consume(&buffer, sizeof(bytes));
    }
    g_assert_cmpuint(buffer.capacity, <=, 1024);
    milter_buffer_clear(&buffer);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/buffer/empty", test_empty);
    g_test_add_func("/buffer/owns-nothing-when-drained", test_owns_nothing_when_drained);
    g_test_add_func("/buffer/packets", test_packets);
    g_test_add_func("/buffer/reserve-keeps-content", test_reserve_keeps_content);
    g_test_add_func("/buffer/model", test_model);
    g_test_add_func("/buffer/steady-state", test_steady_state);
    return g_test_run();
}
