/* Windows of energy: see energy.h. */
#include "src/energy.h"

#include <math.h>
#include <stdio.h>

#include "bench/row.h"
#include "platform/proc.h"

#define BUSY_MIN 0.9
#define SPREAD_MAX 0.1 /* between windows: twice what a late update of the counter makes of one */

void bench_energy_begin(bench_monitor *monitor, bench_energy *out) {
  *out = (bench_energy){0};
  bench_monitor_take(monitor, &out->from);
  out->to = out->from;
}

static double above_rest_j(const bench_monitor *monitor, const bench_monitor_mark *from,
                           const bench_monitor_mark *to) {
  return to->energy_j - from->energy_j - monitor->idle_w * (to->time_s - from->time_s);
}

void bench_energy_follow(bench_monitor *monitor, bench_energy *energy, int64_t regions,
                         double busy_s) {
  bench_monitor_mark now;
  if (monitor->no_energy[0] != '\0' || regions == energy->regions ||
      bench_proc_monotonic_s() - energy->to.time_s < BENCH_ENERGY_WINDOW_S) {
    return;
  }
  bench_monitor_take(monitor, &now);
  const double each_j =
      above_rest_j(monitor, &energy->to, &now) / (double)(regions - energy->regions);
  energy->least_j = energy->windows == 0 ? each_j : fmin(energy->least_j, each_j);
  energy->greatest_j = energy->windows == 0 ? each_j : fmax(energy->greatest_j, each_j);
  energy->windows++;
  energy->regions = regions;
  energy->busy_s = busy_s;
  energy->to = now;
}

void bench_energy_report(const bench_monitor *monitor, const bench_energy *energy,
                         bench_monitor_report *out) {
  const double span_s = energy->to.time_s - energy->from.time_s;
  const double joules = energy->to.energy_j - energy->from.energy_j;
  char *valid = out->energy_valid;
  const size_t capacity = sizeof out->energy_valid;
  if (monitor->no_energy[0] != '\0') {
    bench_text_copy(valid, capacity, monitor->no_energy);
    return;
  }
  if (energy->windows > 0 && !isfinite(joules)) {
    snprintf(valid, capacity, "the counter was not read");
    return;
  }
  if (energy->windows > 0) {
    out->power_w = joules / span_s;
    out->energy_j = above_rest_j(monitor, &energy->from, &energy->to) / (double)energy->regions;
  }
  const double spread = (energy->greatest_j - energy->least_j) / out->energy_j;
  if (energy->windows < BENCH_ENERGY_WINDOWS) {
    snprintf(valid, capacity, "%d of %d windows of %.0f s", energy->windows, BENCH_ENERGY_WINDOWS,
             BENCH_ENERGY_WINDOW_S);
  } else if (energy->busy_s < BUSY_MIN * span_s) {
    snprintf(valid, capacity, "busy %.0f %% of the time", 100 * energy->busy_s / span_s);
  } else if (!(out->energy_j > 0)) {
    snprintf(valid, capacity, "no more than at rest");
  } else if (!(spread <= SPREAD_MAX)) {
    snprintf(valid, capacity, "windows differ by %.0f %%", 100 * spread);
  } else {
    snprintf(valid, capacity, "yes");
  }
}

double bench_energy_span_s(const bench_monitor *monitor) {
  /* A window ends with a sample, and the last one has to end before the span does. */
  return monitor->no_energy[0] != '\0' ? 0 : BENCH_ENERGY_WINDOWS * BENCH_ENERGY_WINDOW_S + 0.5;
}
