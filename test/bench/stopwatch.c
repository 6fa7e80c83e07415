/* stopwatch.c - how long each message took; see stopwatch.h */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "stopwatch.h"

struct Stopwatch {
    guint size;
    guint n;
    double *seconds;
};

Stopwatch *
stopwatch_new(guint n)
{
    Stopwatch *watch = g_new0(Stopwatch, 1);

    watch->size = n;
    watch->seconds = g_new0(double, n);
    return watch;
}

void
stopwatch_free(Stopwatch **watch_p)
{
    Stopwatch *watch = g_steal_pointer(watch_p);

    if (watch == NULL)
        return;
    g_free(watch->seconds);
    g_free(watch);
}

double
stopwatch_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void
stopwatch_add(Stopwatch *watch, double started)
{
    g_assert(watch->n < watch->size);
    watch->seconds[watch->n++] = stopwatch_now() - started;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double
percentile(const Stopwatch *watch, double share)
{
    return watch->seconds[(guint)((watch->n - 1) * share)] * 1e6;
}

void
stopwatch_report(Stopwatch *watch, double started, gsize size)
{
    double seconds = stopwatch_now() - started;

    qsort(watch->seconds, watch->n, sizeof(*watch->seconds), compare);
    printf("{\"messages\": %u, \"seconds\": %.6f, \"per_second\": %.1f, \"p50_us\": %.1f, "
           "\"p99_us\": %.1f, \"max_us\": %.1f, \"mib_per_second\": %.2f}\n",
           watch->n, seconds, watch->n / seconds, percentile(watch, 0.5), percentile(watch, 0.99),
           percentile(watch, 1), watch->n * (double)size / seconds / (1024 * 1024));
}
