/* The real worker, on a cpu backend whose clock tells the NVTX probe when it runs; what the probe
 * saw is written to $NVTX_PROBE_LOG at exit. Linked with --wrap=bench_backend_find. */
#include <stdio.h>
#include <stdlib.h>

#include "backends/cpu.h"
#include "nvtx_probe.h"
#include "src/worker.h"

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not);

static int timed_regions;

static bench_code timer_start(bench_context *context, bench_error *error) {
  nvtx_probe_set_timed(1);
  timed_regions++;
  return bench_backend_cpu()->timer_start(context, error);
}

static bench_code timer_stop(bench_context *context, double *time_ns, bench_error *error) {
  bench_code code = bench_backend_cpu()->timer_stop(context, time_ns, error);
  nvtx_probe_set_timed(0);
  return code;
}

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not) {
  static bench_backend watched;
  (void)name;
  (void)why_not;
  watched = *bench_backend_cpu();
  watched.timer_start = timer_start;
  watched.timer_stop = timer_stop;
  return &watched;
}

int main(void) {
  int status = bench_worker_main();
  FILE *log = fopen(getenv("NVTX_PROBE_LOG"), "w");
  if (log == NULL) {
    return 1;
  }
  fprintf(log, "attached %d timed %d violations %d depth %d\n", nvtx_probe_attached(),
          timed_regions, nvtx_probe_violations(), nvtx_probe_depth());
  for (int i = 0; i < nvtx_probe_event_count(); i++) {
    const nvtx_probe_event *event = nvtx_probe_event_at(i);
    fprintf(log, "%d %s %s\n", event->depth, event->kind == NVTX_PROBE_PUSH ? "push" : "pop",
            event->message);
  }
  return fclose(log) == 0 ? status : 1;
}
