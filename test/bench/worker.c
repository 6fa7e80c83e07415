/* worker.c - the relay of one worker, without supervisor, generation and Ruby
 *
 *     bench-worker LISTEN-SPEC CHILD-SPEC…
 *
 * For tools that cannot follow the daemon's processes: valgrind 3.19 lacks
 * pidfd_open, on which the supervisor stands.  What is counted here is what a
 * worker's relay thread does for each packet; all settings have their defaults. */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "endpoint.h"
#include "libmilter-core/loop.h"
#include "src/manager.h"
#include "src/settings.h"
#include "src/stats.h"

static void
on_signal(struct ev_loop *unused, ev_signal *watcher, int events)
{
    milter_loop_stop(watcher->data);
}

static MmSettings *
settings_for(char **specs)
{
    MmSettings *settings = mm_settings_new();
    g_autoptr(GError) error = NULL;

    for (guint i = 0; specs[i]; i++) {
        g_autofree char *name = g_strdup_printf("child-%u", i + 1);
        MmChild *child = mm_settings_define_child(settings, name, NULL);

        g_free(child->spec);
        child->spec = g_strdup(specs[i]);
    }
    if (!mm_settings_finish(settings, &error))
        bench_die("%s", error->message);
    return settings;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    ev_signal terminate;

    g_set_prgname("bench-worker");
    if (argc < 3)
        bench_die("usage: bench-worker LISTEN-SPEC CHILD-SPEC...");
    (void)signal(SIGPIPE, SIG_IGN);

    int fd = bench_listen(argv[1]);
    MmSettings *settings = settings_for(argv + 2);
    MmStats *stats = mm_stats_new(settings->children->len, &error);
    MilterLoop *loop = milter_loop_new();

    if (stats == NULL)
        bench_die("%s", error->message);

    MmManager *manager = mm_manager_new(loop, settings, stats, fd);

    ev_signal_init(&terminate, on_signal, SIGTERM);
    terminate.data = loop;
    ev_signal_start(milter_loop_ev(loop), &terminate);
    milter_loop_run(loop);

    ev_signal_stop(milter_loop_ev(loop), &terminate);
    mm_manager_free(&manager);
    milter_loop_free(&loop);
    mm_stats_free(&stats);
    mm_settings_free(&settings);
    (void)close(fd);
    return 0;
}
