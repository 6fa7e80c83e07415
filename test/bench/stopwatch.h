/* stopwatch.h - how long each message took
 *
 * Keeps every duration, so that percentiles are exact, and prints the load
 * generator's result.  Knows nothing about milters. */
#ifndef BENCH_STOPWATCH_H
#define BENCH_STOPWATCH_H

#include <glib.h>

typedef struct Stopwatch Stopwatch;

/* Room for n durations. */
Stopwatch *stopwatch_new(guint n);

void stopwatch_free(Stopwatch **watch_p);

/* Seconds on a clock that never jumps. */
double stopwatch_now(void);

/* A message that began at started ends now. */
void stopwatch_add(Stopwatch *watch, double started);

/* Print rate, percentiles and throughput as a line of JSON; the run began at
 * started, each message had size bytes of body. */
void stopwatch_report(Stopwatch *watch, double started, gsize size);

#endif
