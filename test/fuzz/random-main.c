/* random-main.c - the main() of a fuzz target fed with random bytes; prints TAP
 *
 * FUZZ_RUNS inputs (default below) from FUZZ_SEED (default 1).  One that breaks the target
 * aborts: the last line names its number; FUZZ_FIRST starts there.  For targets whose input
 * is a list of choices: any bytes mean something. */
#include "config.h"

#include "test/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef FUZZ_RUNS
#define FUZZ_RUNS 20000
#endif
#define SIZE_MAX_RANDOM 400

static guint
setting(const char *name, guint initial)
{
    const char *value = g_getenv(name);

    return value ? (guint)strtoul(value, NULL, 10) : initial;
}

int
main(int argc, char **argv)
{
    guint seed = setting("FUZZ_SEED", 1);
    guint runs = setting("FUZZ_RUNS", FUZZ_RUNS);

    printf("1..1\n");
    for (guint i = setting("FUZZ_FIRST", 0); i < runs; i++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed * 1000003u + i);
        gsize size = (gsize)g_rand_int_range(random, 1, SIZE_MAX_RANDOM);
        g_autofree guint8 *data = g_malloc(size);

        for (gsize j = 0; j < size; j++)
            data[j] = (guint8)g_rand_int_range(random, 0, 256);
        if (i % 256 == 0 || g_getenv("FUZZ_FIRST")) {
            printf("# input %u of seed %u\n", i, seed);
            (void)fflush(stdout);
        }
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    printf("ok 1 - %u random inputs from seed %u\n", runs, seed);
    return EXIT_SUCCESS;
}
