/* How much faster our kernels are than the peers of the same run.
 *
 * Ours are the families written here to be fast: flash, sparse, decode. Peers are what one could
 * use instead: the vendors' libraries (blas, vendor) and every kernel of a foreign worker. What is
 * there to teach or to check (naive, reference, null) is neither.
 *
 * Within one problem, mode and device, each kernel of ours is set against the peer with the
 * smallest median. The ratio is the peer's time over ours: above 1, ours is faster. Its 95 %
 * interval comes from those of the two medians by the method of variance estimates recovery on
 * logarithms (Zou and Donner, Statistics in Medicine 27, 2008): each limit of the difference of two
 * independent estimates is as far from it as the root of the sum of the squared distances of
 * theirs. The choice of the smallest median favours the peer, and is not corrected for. Where the
 * row of the smallest median is `invalid` there is no ratio: against the next peer it would
 * flatter. */
#ifndef BENCH_RATIOS_H
#define BENCH_RATIOS_H

#include "src/plot_table.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_ratio {
  double value;
  double lo; /* of the 95 % interval; NaN: one of the medians has none */
  double hi;
} bench_ratio;

typedef struct bench_ratio_pair {
  size_t ours; /* rows of the table */
  size_t peer;
  bench_ratio ratio;
} bench_ratio_pair;

/* The geometric mean over the pairs of one kernel that differ in shape only: in batch, heads,
 * layers and sequence length. */
typedef struct bench_ratio_mean {
  size_t row; /* of ours, one for all: what they agree in */
  size_t pairs;
  bench_ratio ratio;
  double least; /* of the ratios */
  double greatest;
  double ideal; /* of fraction_of_ideal of ours; NaN where one of them has none */
} bench_ratio_mean;

typedef struct bench_ratios {
  bench_ratio_pair *pairs; /* in the order of our rows in the file */
  size_t pair_count;
  bench_ratio_mean *means; /* in the order in which they begin */
  size_t mean_count;
  size_t alone;    /* rows of ours with a time, beside which no peer has one */
  size_t unsteady; /* and those whose best peer's row is invalid */
} bench_ratios;

/* The columns that the pairs of one mean agree in, ending in NULL. */
extern const char *const bench_ratio_columns[];

/* Of a sweep.csv. `peer` names the one kernel that ours are set against, whatever it is; NULL: the
 * best peer of each problem. A column that is absent, or text where a number belongs, is a
 * BENCH_ERR_USAGE with its place. The caller frees, also after a failure. */
bench_code bench_ratios_make(const bench_plot_table *table, const char *peer, bench_ratios *out,
                             bench_error *error);
void bench_ratios_free(bench_ratios *ratios);

#ifdef __cplusplus
}
#endif
#endif
