/* The real worker on a cpu backend that gives no more than 16 MB at once; with SMALL_SLOW in the
 * environment it gives more, but takes ten seconds. Linked with --wrap=bench_backend_find. */
#include <stdlib.h>
#include <unistd.h>

#include "backends/cpu.h"
#include "src/worker.h"

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not);

static bench_code small_alloc(bench_context *context, size_t bytes, void **out,
                              bench_error *error) {
  if (bytes > 16000000 && getenv("SMALL_SLOW") != NULL) {
    sleep(10);
  } else if (bytes > 16000000) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no more than 16 MB");
  }
  return bench_backend_cpu()->alloc(context, bytes, out, error);
}

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not) {
  static bench_backend small;
  (void)name;
  (void)why_not;
  small = *bench_backend_cpu();
  small.alloc = small_alloc;
  return &small;
}

int main(void) {
  return bench_worker_main();
}
