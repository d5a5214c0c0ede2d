/* The state of the device: see monitor.h. */
#include "src/monitor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/row.h"
#include "platform/proc.h"

#define STEAL_PCT_MAX 10.0
#define REST_S 2

bench_cpu_times bench_cpu_times_parse(const char *stat) {
  enum { FIELDS = 8 }; /* user nice system idle iowait irq softirq steal; guest is in user */
  long long fields[FIELDS];
  bench_cpu_times times = {0, -1};
  if (sscanf(stat, "cpu %lld %lld %lld %lld %lld %lld %lld %lld", &fields[0], &fields[1],
             &fields[2], &fields[3], &fields[4], &fields[5], &fields[6], &fields[7]) != FIELDS) {
    return (bench_cpu_times){-1, -1};
  }
  for (int i = 0; i < FIELDS; i++) {
    times.total += fields[i];
  }
  times.steal = fields[FIELDS - 1];
  return times;
}

static bench_cpu_times read_cpu_times(void) {
  char line[512];
  FILE *file = fopen("/proc/stat", "re");
  const bool read = file != NULL && fgets(line, sizeof line, file) != NULL;
  if (file != NULL) {
    fclose(file);
  }
  return bench_cpu_times_parse(read ? line : "");
}

void bench_monitor_open(const bench_device *device, bench_monitor *out) {
  bench_error why_not = {.message = ""};
  *out = (bench_monitor){.idle_w = NAN};
  if (strcmp(device->backend, "cpu") == 0) {
    bench_rapl_open(BENCH_RAPL_ROOT, &out->rapl, &why_not);
  } else {
    bench_nvml_open(device->uuid, &out->nvml, &why_not);
  }
  bench_text_copy(out->no_energy, sizeof out->no_energy, why_not.message);
}

void bench_monitor_close(bench_monitor *monitor) {
  bench_nvml_close(monitor->nvml);
  monitor->nvml = NULL;
}

void bench_monitor_take(bench_monitor *monitor, bench_monitor_mark *out) {
  *out =
      (bench_monitor_mark){.load_1min = NAN,
                           .energy_j = NAN,
                           .cpu = {-1, -1},
                           .nvml = {.sm_mhz = NAN, .temp_c = NAN, .power_w = NAN, .energy_j = NAN}};
  if (monitor->nvml != NULL) {
    bench_nvml_read(monitor->nvml, &out->nvml);
    out->energy_j = out->nvml.energy_j;
  } else {
    out->cpu = read_cpu_times();
    out->load_1min = bench_proc_load_1min();
    out->energy_j = monitor->rapl.packages > 0 ? bench_rapl_read(&monitor->rapl) : NAN;
  }
  out->time_s = bench_proc_monotonic_s();
}

void bench_monitor_rest(bench_monitor *monitor) {
  bench_monitor_mark from;
  bench_monitor_mark to;
  if (monitor->no_energy[0] != '\0' || isfinite(monitor->idle_w)) {
    return;
  }
  const struct timespec rest = {.tv_sec = REST_S};
  bench_monitor_take(monitor, &from);
  nanosleep(&rest, NULL);
  bench_monitor_take(monitor, &to);
  monitor->idle_w = (to.energy_j - from.energy_j) / (to.time_s - from.time_s);
}

void bench_monitor_report_state(const bench_monitor_mark *from, const bench_monitor_mark *to,
                                bench_monitor_report *out) {
  *out = (bench_monitor_report){.steal_pct = NAN,
                                .load_1min = from->load_1min,
                                .temp_c = to->nvml.temp_c,
                                .power_w = to->nvml.power_w,
                                .energy_j = NAN};
  const int64_t ticks = to->cpu.total - from->cpu.total;
  if (from->cpu.total >= 0 && to->cpu.total >= 0 && ticks > 0) {
    out->steal_pct = 100.0 * (double)(to->cpu.steal - from->cpu.steal) / (double)ticks;
  }
  const uint64_t throttle = from->nvml.throttle | to->nvml.throttle;
  bench_throttle_format(throttle, out->throttle, sizeof out->throttle);
  if (bench_throttle_is_fault(throttle)) {
    snprintf(out->fault, sizeof out->fault, "the device throttled: %s", out->throttle);
  } else if (out->steal_pct > STEAL_PCT_MAX) {
    snprintf(out->fault, sizeof out->fault, "the hypervisor took %.0f %% of the CPU time",
             out->steal_pct);
  }
}
