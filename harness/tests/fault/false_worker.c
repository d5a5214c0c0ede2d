/* The real worker on a cpu backend of which something is false: the clock runs FALSE_CLOCK times as
 * fast, or, with FALSE_FLUSH, the cache is not emptied. Linked with --wrap=bench_backend_find. */
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
  if (getenv("FALSE_FLUSH") != NULL) {
    faulty.flush_cache = leave_cache;
  }
  return &faulty;
}

int main(void) {
  return bench_worker_main();
}
