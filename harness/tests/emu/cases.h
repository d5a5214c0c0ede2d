/* The problems on which every CUDA kernel is executed without a GPU: shapes that break kernels,
 * each under every mask. */
#ifndef BENCH_TEST_EMU_CASES_H
#define BENCH_TEST_EMU_CASES_H

#include "bench/kernel.h"

typedef enum case_set {
  CASES_ALL,   /* every shape under every mask, and every head dim */
  CASES_FEW,   /* three shapes under every mask */
  CASES_PROBE, /* a handful that goes once round everything: for one change among many */
} case_set;

size_t case_count(case_set set);

/* Problem `index` for this kernel: the first dtype it takes, beginning with one that depends on the
 * index, so that each meets each mask. NULL, or the kernel's reason to take none of them. */
const char *case_problem(case_set set, size_t index, const bench_kernel *kernel,
                         const bench_device *device, bench_attn *out);

#endif
