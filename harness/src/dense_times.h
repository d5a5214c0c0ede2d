/* What a masked case is measured by: the time of the same family on the same shape with mask full,
 * taken in the same run. */
#ifndef BENCH_DENSE_TIMES_H
#define BENCH_DENSE_TIMES_H

#include "bench/plan.h"

typedef struct bench_dense_times { /* zero-initialise before use */
  struct bench_dense_time *times;
  size_t count;
  size_t capacity;
} bench_dense_times;

/* A timed row with mask full. Where memory is out, a ratio stays empty. */
void bench_dense_remember(bench_dense_times *dense, const bench_problem *problem,
                          const bench_row *row);
/* t_dense * density / t of another row; NaN if its full mask has not been timed. */
double bench_dense_fraction(const bench_dense_times *dense, const bench_problem *problem,
                            const bench_row *row);
void bench_dense_free(bench_dense_times *dense);

#endif
