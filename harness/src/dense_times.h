/* What a kernel takes with mask full, for fraction_of_ideal of its rows with other masks. The rows
 * may come from a run or from a file. */
#ifndef BENCH_DENSE_TIMES_H
#define BENCH_DENSE_TIMES_H

#include <stddef.h>

#include "bench/row.h"

typedef struct bench_dense_times {
  struct bench_dense_time *times;
  size_t count;
  size_t capacity;
} bench_dense_times;

/* Keeps the time of a row that is ok and has mask full; any other is passed over. */
void bench_dense_remember(bench_dense_times *dense, const bench_row *row);
/* t_dense * density / t of a row with another mask; NaN where there is no such figure: no time of
 * the same shape, kernel and mode with mask full, or projections in the timed region. */
double bench_dense_fraction(const bench_dense_times *dense, const bench_row *row);
void bench_dense_free(bench_dense_times *dense);

#endif
