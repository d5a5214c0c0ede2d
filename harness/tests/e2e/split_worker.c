/* The real worker on a cpu backend that says its memory is not the host's, as a GPU's is not: every
 * tensor, block list and output has to be carried over. Linked with --wrap=bench_backend_find. */
#include "backends/cpu.h"
#include "src/worker.h"

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not);

const bench_backend *__wrap_bench_backend_find(const char *name, bench_error *why_not) {
  static bench_backend split;
  (void)name;
  (void)why_not;
  split = *bench_backend_cpu();
  split.host_memory = false;
  return &split;
}

int main(void) {
  return bench_worker_main();
}
