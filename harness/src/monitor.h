/* The state of the device around samples: what a time has to be read with, and when it is not to be
 * trusted. On cuda by NVML, on the cpu by the kernel's accounts and RAPL. What a machine does not
 * tell is missing, and never an error. */
#ifndef BENCH_MONITOR_H
#define BENCH_MONITOR_H

#include "bench/kernel.h"
#include "platform/nvml.h"
#include "platform/rapl.h"

typedef struct bench_cpu_times { /* of all CPUs, in ticks; -1: not told */
  int64_t total;
  int64_t steal; /* taken by the hypervisor while somebody here wanted to run */
} bench_cpu_times;
/* From the text of /proc/stat. */
bench_cpu_times bench_cpu_times_parse(const char *stat);

typedef struct bench_monitor {
  bench_nvml *nvml; /* NULL: not cuda, or not there */
  bench_rapl rapl;
  char no_energy[64]; /* why there is no counter; "": there is one */
  double idle_w;      /* power at rest; NaN: not measured yet */
} bench_monitor;

void bench_monitor_open(const bench_device *device, bench_monitor *out);
void bench_monitor_close(bench_monitor *monitor);

/* One moment. */
typedef struct bench_monitor_mark {
  double time_s;
  double load_1min;
  double energy_j; /* of a counter whose start does not matter; NaN: none */
  bench_cpu_times cpu;
  bench_nvml_state nvml;
} bench_monitor_mark;
void bench_monitor_take(bench_monitor *monitor, bench_monitor_mark *out);

/* Measures the power at rest, once, which takes two seconds; for energy. */
void bench_monitor_rest(bench_monitor *monitor);

/* What two marks say of the time between them. Missing numbers are NaN, missing text "". */
typedef struct bench_monitor_report {
  double steal_pct;
  double load_1min;
  double temp_c;
  double power_w; /* mean */
  char throttle[64];
  double energy_j;       /* above rest, of one region: energy.h */
  char energy_valid[64]; /* "yes", or why energy_j is not to be trusted */
  char fault[256];       /* why the samples between are not valid; "": they are */
} bench_monitor_report;
void bench_monitor_report_state(const bench_monitor_mark *from, const bench_monitor_mark *to,
                                bench_monitor_report *out);

#endif
