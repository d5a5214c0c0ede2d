/* Times that other rows are set against: what a kernel takes with mask full, for fraction_of_ideal
 * of its rows with other masks, and what a case takes with mode warm, a burst, for
 * sustained_of_burst of its row with mode sustained. The rows may come from a run or from a file.
 * Zero-initialise before use. */
#ifndef BENCH_BASE_TIMES_H
#define BENCH_BASE_TIMES_H

#include <stddef.h>

#include "bench/row.h"

typedef struct bench_time_list {
  struct bench_known_time *times;
  size_t count;
  size_t capacity;
} bench_time_list;

typedef struct bench_base_times {
  bench_time_list dense; /* with mask full */
  bench_time_list burst; /* with mode warm */
} bench_base_times;

/* Keeps the time of a row that is ok and that others can be set against; any other is passed over,
 * as is one for which there is no memory: the figure is then missing. */
void bench_base_times_note(bench_base_times *base, const bench_row *row);
/* Fills what is missing of a row with a time, where the other time is known:
 *   fraction_of_ideal   t_dense * density / t, t_dense of the same shape, kernel and mode; none
 *                       with projections in the timed region
 *   sustained_of_burst  t_warm / t, t_warm of the same case on the same device */
void bench_base_times_compare(const bench_base_times *base, bench_row *row);
void bench_base_times_free(bench_base_times *base);

#endif
