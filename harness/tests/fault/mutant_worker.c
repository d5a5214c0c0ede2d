/* A worker whose only kernel is `flash` compiled from a source with one planted fault: `bench
 * check` has to find it. */
#include "backends/kernel_tables.h"
#include "src/worker.h"

extern const bench_kernel bench_kernel_cpu_flash_mutant;

const bench_kernel_entry bench_kernels_cpu[] = {
    {&bench_kernel_cpu_flash_mutant, "0000000000000000"}};
const size_t bench_kernels_cpu_count = 1;

int main(void) {
  return bench_worker_main();
}
