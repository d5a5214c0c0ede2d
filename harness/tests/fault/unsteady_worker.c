/* A worker on a machine whose state is STATE: "steal" where the hypervisor takes half of the CPU
 * time, "hot" where a GPU is too hot. Linked with --wrap=bench_monitor_take. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/monitor.h"
#include "src/worker.h"

void __wrap_bench_monitor_take(bench_monitor *monitor, bench_monitor_mark *out);

void __wrap_bench_monitor_take(bench_monitor *monitor, bench_monitor_mark *out) {
  static int64_t ticks;
  const char *state = getenv("STATE");
  (void)monitor;
  *out =
      (bench_monitor_mark){.load_1min = 3.5,
                           .energy_j = NAN,
                           .cpu = {-1, -1},
                           .nvml = {.sm_mhz = NAN, .temp_c = NAN, .power_w = NAN, .energy_j = NAN}};
  ticks += 100;
  if (state != NULL && strcmp(state, "steal") == 0) {
    out->cpu = (bench_cpu_times){.total = ticks, .steal = ticks / 2};
  } else if (state != NULL) {
    out->nvml.temp_c = 91;
    out->nvml.throttle = 0x40; /* hw_thermal */
  }
}

int main(void) {
  return bench_worker_main();
}
