/* The energy of one timed region, from a counter read at the ends of several windows of seconds
 * that follow one another.
 *
 * The counters of a GPU are updated some ten times a second, and power follows load with a delay,
 * so only a window of seconds tells anything; that windows agree shows that load and clocks had
 * settled. A kernel's share is what is above the power at rest, and only while the device was busy
 * nearly all of the time. */
#ifndef BENCH_ENERGY_H
#define BENCH_ENERGY_H

#include <stdbool.h>

#include "src/monitor.h"

#define BENCH_ENERGY_WINDOWS 3 /* as many are wanted */
#define BENCH_ENERGY_WINDOW_S 2.0

/* The windows so far. Zero but for `from` is none. */
typedef struct bench_energy {
  bench_monitor_mark from; /* beginning of the first window */
  bench_monitor_mark to;   /* end of the last */
  int windows;
  int64_t regions; /* timed in the windows */
  double busy_s;   /* that they took */
  double least_j;  /* of one region, above rest, by window */
  double greatest_j;
} bench_energy;

void bench_energy_begin(bench_monitor *monitor, bench_energy *out);

/* Closes the window in hand where it is long enough. `regions` and `busy_s` are of all that was
 * timed since the beginning. */
void bench_energy_follow(bench_monitor *monitor, bench_energy *energy, int64_t regions,
                         double busy_s);

/* Fills energy_j, energy_valid and power_w. */
void bench_energy_report(const bench_monitor *monitor, const bench_energy *energy,
                         bench_monitor_report *out);

/* How long the device is kept busy for all windows; 0 where there is no counter to read. */
double bench_energy_span_s(const bench_monitor *monitor);

#endif
