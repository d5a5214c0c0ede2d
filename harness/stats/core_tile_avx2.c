/* The inner loops for AVX2 with FMA: compiled with -mavx2 -mfma, run only where both are there. */
#include "stats/core_loops.h"

const stat_loops bench_stat_loops_avx2 = {logits_loop, max_loop, sums_loop, add_loop};
