/* test-transcripts.c - run all transcripts, with every way of cutting the bytes
 *
 * With arguments: these files only.  RIG_LOG=1 shows the manager's log. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/support/script.h"

static gint
compare(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static GPtrArray *
list_files(int argc, char **argv)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *path = g_build_filename(g_getenv("top_srcdir") ? g_getenv("top_srcdir") : ".",
                                             "test", "transcript", NULL);
    GDir *dir;
    const char *name;

    for (int i = 1; i < argc; i++)
        g_ptr_array_add(files, g_strdup(argv[i]));
    if (argc > 1)
        return files;
    dir = g_dir_open(path, 0, NULL);
    while (dir && (name = g_dir_read_name(dir)))
        if (g_str_has_suffix(name, ".mtx"))
            g_ptr_array_add(files, g_build_filename(path, name, NULL));
    if (dir)
        g_dir_close(dir);
    g_ptr_array_sort(files, compare);
    return files;
}

int
main(int argc, char **argv)
{
    GPtrArray *files = list_files(argc, argv);
    guint number = 0, n_failed = 0;

    printf("1..%u\n", MAX(files->len * SCRIPT_N_CUTS, 1));
    if (!files->len)
        printf("not ok 1 - no transcript found\n");
    for (guint i = 0; i < files->len; i++) {
        g_autofree char *name = g_path_get_basename(files->pdata[i]);

        for (ScriptCut cut = 0; cut < SCRIPT_N_CUTS; cut++) {
            char *message = script_run(files->pdata[i], cut);

            printf("%sok %u - %s %s\n", message ? "not " : "", ++number, name,
                   script_cut_name(cut));
            if (message)
                printf("# %s\n", message);
            (void)fflush(stdout);
            n_failed += message != NULL;
            g_free(message);
        }
    }
    g_ptr_array_unref(files);
    return n_failed || !number ? EXIT_FAILURE : EXIT_SUCCESS;
}
