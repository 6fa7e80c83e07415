/* replay-main.c - the main() of a fuzz target built without libFuzzer
 *
 * Runs every file of the target's seed corpus, and every prefix of it, once; prints TAP.
 * With arguments: those files instead, to look into one that libFuzzer found. */
#include "config.h"

#include "test/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define PREFIX_MAX 4096 /* of longer files only the whole is run */

static void
run(const guint8 *data, gsize size)
{
    g_autofree guint8 *copy = g_malloc(MAX(size, 1)); /* its own block: overreads are seen */

    if (size > 0)
        memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
}

static void
run_file(guint number, const char *path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *data = NULL;
    gsize size = 0;

    if (!g_file_get_contents(path, &data, &size, NULL)) {
        printf("not ok %u - cannot read %s\n", number, path);
        return;
    }
    printf("# %s\n", name);
    (void)fflush(stdout); /* if it aborts, the last line names the culprit */
    for (gsize n = 0; n < MIN(size, PREFIX_MAX); n++)
        run((const guint8 *)data, n);
    run((const guint8 *)data, size);
    printf("ok %u - %s\n", number, name);
}

/* test/fuzz/corpus/NAME for the program fuzz-NAME (or lt-fuzz-NAME, as libtool runs it). */
static GPtrArray *
list_corpus(const char *program)
{
    const char *top = g_getenv("top_srcdir") ? g_getenv("top_srcdir") : ".";
    g_autofree char *base = g_path_get_basename(program);
    const char *name = strstr(base, "fuzz-");
    g_autofree char *path =
        g_build_filename(top, "test", "fuzz", "corpus", name ? name + strlen("fuzz-") : "", NULL);
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *entry;

    while (dir && (entry = g_dir_read_name(dir)))
        g_ptr_array_add(files, g_build_filename(path, entry, NULL));
    if (dir)
        g_dir_close(dir);
    if (files->len == 0)
        printf("not ok 1 - no corpus in %s\n", path);
    return files;
}

static gint
compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int
main(int argc, char **argv)
{
    GPtrArray *files;

    if (argc > 1) {
        files = g_ptr_array_new_with_free_func(g_free);
        for (int i = 1; i < argc; i++)
            g_ptr_array_add(files, g_strdup(argv[i]));
    } else {
        files = list_corpus(argv[0]);
    }
    g_ptr_array_sort(files, compare);
    printf("1..%u\n", MAX(files->len, 1));
    for (guint i = 0; i < files->len; i++)
        run_file(i + 1, files->pdata[i]);
    g_ptr_array_unref(files);
    return EXIT_SUCCESS;
}
