/* test-spool.c - bodies in memory and in a file, limits, views */
#include "config.h"

#include <string.h>

#include "libmilter-core/spool.h"

#define BLOCK 65535 /* where the spool's own blocks end */

static guint8
byte_at(guint64 offset)
{
    return (guint8)((offset * 7 + offset / 251) & 0xff);
}

static void
append(MilterSpool *spool, gsize size)
{
    g_autofree guint8 *bytes = g_malloc(size);
    g_autoptr(GError) error = NULL;
    guint64 start = milter_spool_size(spool);

    for (gsize i = 0; i < size; i++)
        bytes[i] = byte_at(start + i);
    g_assert_true(milter_spool_append(spool, bytes, size, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(milter_spool_size(spool), ==, start + size);
}

/* Everything from OFFSET on, in views of at most MAX. */
static void
check(MilterSpool *spool, guint64 offset, gsize max)
{
    while (offset < milter_spool_size(spool)) {
        gsize size = 0;
        const guint8 *view = milter_spool_read(spool, offset, max, &size, NULL);

        g_assert_nonnull(view);
        g_assert_cmpuint(size, >, 0);
        g_assert_cmpuint(size, <=, max);
        for (gsize i = 0; i < size; i++)
            g_assert_cmpuint(view[i], ==, byte_at(offset + i));
        offset += size;
    }
}

static void
fill_and_check(gsize memory_limit)
{
    MilterSpoolBudget budget = { memory_limit, 0, 100 * 1024 * 1024, g_get_tmp_dir() };
    MilterSpool *spool = milter_spool_new(&budget);
    static const gsize sizes[] = {
        1, 2, 511, 512, 60000, 5535, BLOCK, BLOCK - 1, BLOCK + 1, 300000
    };
    gsize size = 1;

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        append(spool, sizes[i]);
        g_assert_cmpuint(budget.memory_used, <=, memory_limit / 4 * 3); /* the rest is for others */
    }
    check(spool, 0, 1000);
    check(spool, 0, BLOCK);
    check(spool, 12345, 1024 * 1024);
    g_assert_nonnull(milter_spool_read(spool, milter_spool_size(spool), 10, &size, NULL));
    g_assert_cmpuint(size, ==, 0);
    milter_spool_unref(&spool);
    g_assert_null(spool);
    g_assert_cmpuint(budget.memory_used, ==, 0);
}

static void
test_memory(void)
{
    fill_and_check(100 * 1024 * 1024);
}

static void
test_file(void)
{
    fill_and_check(0);
}

/* The budget runs out in the middle of a block, and somewhere else. */
static void
test_mixed(void)
{
    static const gsize limits[] = { 1, 511, 512, 1000, 32768, 65535, 65536, 100000, 200000 };

    for (guint i = 0; i < G_N_ELEMENTS(limits); i++)
        fill_and_check(limits[i]);
}

/* Memory that another spool gives back is used again: memory, file, memory. */
static void
test_memory_after_file(void)
{
    MilterSpoolBudget budget = { 200000, 0, 100 * 1024 * 1024, g_get_tmp_dir() };
    MilterSpool *other = milter_spool_new(&budget);
    MilterSpool *spool = milter_spool_new(&budget);

    append(other, 190000);
    append(spool, 100000);
    milter_spool_unref(&other);
    append(spool, 200000);
    check(spool, 0, BLOCK);
    check(spool, 0, 300000);
    milter_spool_unref(&spool);
    g_assert_cmpuint(budget.memory_used, ==, 0);
}

static void
test_limit(void)
{
    MilterSpoolBudget budget = { 1000000, 0, 1000, g_get_tmp_dir() };
    MilterSpool *spool = milter_spool_new(&budget);
    g_autoptr(GError) error = NULL;

    append(spool, 1000);
    g_assert_false(milter_spool_is_broken(spool));
    g_assert_false(milter_spool_append(spool, "x", 1, &error));
    g_assert_error(error, MILTER_SPOOL_ERROR, MILTER_SPOOL_ERROR_LIMIT);
    g_assert_nonnull(strstr(error->message, "manager.spool_limit (1000 bytes)"));
    g_assert_true(milter_spool_is_broken(spool));
    g_assert_false(milter_spool_append(spool, "", 0, NULL));
    milter_spool_unref(&spool);
}

static void
test_no_directory(void)
{
    MilterSpoolBudget budget = { 0, 0, 1000, "/nowhere/at/all" };
    MilterSpool *spool = milter_spool_new(&budget);
    g_autoptr(GError) error = NULL;

    g_assert_false(milter_spool_append(spool, "x", 1, &error));
    g_assert_error(error, MILTER_SPOOL_ERROR, MILTER_SPOOL_ERROR_FILE);
    g_assert_nonnull(strstr(error->message, "/nowhere/at/all"));
    milter_spool_unref(&spool);
}

static void
test_references(void)
{
    MilterSpoolBudget budget = { 1000000, 0, 1000000, g_get_tmp_dir() };
    MilterSpool *spool = milter_spool_new(&budget);
    MilterSpool *same = milter_spool_ref(spool);

    append(spool, 1000);
    milter_spool_unref(&spool);
    check(same, 0, 100);
    milter_spool_unref(&same);
    milter_spool_unref(&same);
    g_assert_cmpuint(budget.memory_used, ==, 0);
}

static void
test_discard(void)
{
    MilterSpoolBudget budget = { 100 * 1024 * 1024, 0, 100 * 1024 * 1024, g_get_tmp_dir() };
    MilterSpool *spool = milter_spool_new(&budget);
    gsize before;

    append(spool, 5 * BLOCK + 100);
    before = budget.memory_used;
    milter_spool_discard(spool, 2 * BLOCK + 5);
    g_assert_cmpuint(budget.memory_used, ==, before - 2 * BLOCK);
    milter_spool_discard(spool, 2 * BLOCK + 5);
    check(spool, 2 * BLOCK + 5, 1000);
    append(spool, 1000);
    check(spool, 2 * BLOCK, 1000);
    milter_spool_discard(spool, milter_spool_size(spool));
    append(spool, 10);
    check(spool, milter_spool_size(spool) - 10, 10);
    milter_spool_unref(&spool);
    g_assert_cmpuint(budget.memory_used, ==, 0);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/spool/memory", test_memory);
    g_test_add_func("/spool/file", test_file);
    g_test_add_func("/spool/mixed", test_mixed);
    g_test_add_func("/spool/memory-after-file", test_memory_after_file);
    g_test_add_func("/spool/limit", test_limit);
    g_test_add_func("/spool/no-directory", test_no_directory);
    g_test_add_func("/spool/references", test_references);
    g_test_add_func("/spool/discard", test_discard);
    return g_test_run();
}
