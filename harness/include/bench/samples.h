/* Samples and what is said of them: order statistics, never a fitted distribution. */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nanoseconds. NaN: missing (too few samples for that figure). */
typedef struct bench_summary {
  int64_t count;
  double median;
  double min;
  double p10;
  double p90;
  double mean;
  double sd;    /* n - 1 in the divisor */
  double ci_lo; /* 95 % confidence interval of the median: */
  double ci_hi; /* exact order-statistic ranks; needs at least 6 samples */
} bench_summary;

/* `sorted` has room for count values and receives the samples in ascending order. */
void bench_summarize(const double *samples, int64_t count, double *sorted, bench_summary *out);

/* Ranks (0-based, inclusive) of the order statistics that bracket the median with at least 95 %
 * confidence: the largest l with P(Binomial(n, 1/2) <= l) <= 2.5 %, and its mirror. False if n < 6.
 */
bool bench_median_ranks(int64_t count, int64_t *lo, int64_t *hi);

#ifdef __cplusplus
}
#endif
#endif
