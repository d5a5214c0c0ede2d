/* The problems of `bench check`: small, and shaped to break kernels. */
#ifndef BENCH_CHECK_CASES_H
#define BENCH_CHECK_CASES_H

#include "bench/plan.h"

/* Number of problems; every (shape, mask, dtype) of two tables, short shapes and long pasts, with
 * head dims, head groups, batches and inputs dealt out so that each meets each mask and dtype. */
size_t bench_check_count(void);
void bench_check_problem(size_t index, bench_problem *out);

#endif
