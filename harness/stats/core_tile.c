/* The inner loops for the baseline of the build, and the choice between them and AVX2. */
#include "stats/core_loops.h"

static const stat_loops loops_baseline = {logits_loop, max_loop, sums_loop, add_loop};

const stat_loops *bench_stat_loops(void) {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return &bench_stat_loops_avx2;
  }
#endif
  return &loops_baseline;
}
