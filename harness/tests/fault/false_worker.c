/* The real worker on a cpu backend of which something is false: the clock runs FALSE_CLOCK times as
 * fast, the last-level cache has FALSE_LLC bytes, or, with FALSE_FLUSH, it is not emptied. Linked
 * with --wrap=bench_backend_find. */
#include <stdlib.h>

#include "backends/cpu.h"
#include "src/worker.h"

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not);

static double speed; /* of the clock */

static bench_code false_stop(bench_context *context, double *time_ns, bench_error *error) {
  bench_code code = bench_backend_cpu()->timer_stop(context, time_ns, error);
  *time_ns *= speed;
  return code;
}

static bench_code leave_cache(bench_context *context, bench_error *error) {
  (void)context;
  (void)error;
  return BENCH_OK;
}

static int64_t false_llc;

static const bench_device *false_device(const bench_context *context) {
  static bench_device device;
  device = *bench_backend_cpu()->device(context);
  device.llc_bytes = false_llc;
  return &device;
}

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not) {
  static bench_backend faulty;
  (void)name;
  (void)why_not;
  faulty = *bench_backend_cpu();
  const char *wish = getenv("FALSE_CLOCK");
  if (wish != NULL) {
    speed = strtod(wish, NULL);
    faulty.timer_stop = false_stop;
  }
  const char *llc = getenv("FALSE_LLC");
  if (llc != NULL) {
    false_llc = strtoll(llc, NULL, 10);
    faulty.device = false_device;
  }
  if (getenv("FALSE_FLUSH") != NULL) {
    faulty.flush_cache = leave_cache;
  }
  return &faulty;
}

int main(void) {
  return bench_worker_main();
}
