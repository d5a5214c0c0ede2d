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
  double ci_lo; /* 95 % confidence interval of the median: exact order-statistic ranks, */
  double ci_hi; /* wider where the samples depend on their neighbours; from 6 samples on */
  double autocorrelation; /* of the ranks of neighbours in time; NaN if all are equal; likewise */
} bench_summary;

/* `samples` in the order taken. `sorted` has room for count values and receives them in ascending
 * order. */
void bench_summarize(const double *samples, int64_t count, double *sorted, bench_summary *out);

/* Ranks (0-based, inclusive) of the order statistics that bracket the median with at least 95 %
 * confidence: the largest l with P(Binomial(n, 1/2) <= l) <= 2.5 %, and its mirror. False if n < 6.
 */
bool bench_median_ranks(int64_t count, int64_t *lo, int64_t *hi);

/* The rank of a value among samples in ascending order, less the mean rank; equal samples share
 * one.
 */
double bench_rank(const double *sorted, int64_t count, double value);

/* stop_rule.c: enough samples? The 95 % interval of the median is within BENCH_CI_GOAL of it to
 * either side on average. Looked at only when the number of samples has grown by half since the
 * last look: the more often one looks, the more often a lucky narrow interval ends the sampling,
 * and the less often it holds the median. `sorted` has room for count values. */
#define BENCH_CI_GOAL 0.005
typedef struct bench_stop_rule {
  int64_t next_look; /* 0: before the first sample */
} bench_stop_rule;
bool bench_stop_rule_met(bench_stop_rule *rule, const double *samples, int64_t count,
                         double *sorted);

/* steady.c: may the samples stand for one time? With either fault the interval of the median claims
 * more than it knows. Figures are NaN where there are too few samples, or all are equal. */
typedef struct bench_steadiness {
  double drift;           /* median of the last third less that of the first, over the median */
  double autocorrelation; /* of the ranks of neighbours in time */
  const char *fault;      /* NULL: steady; else why not, a static sentence */
} bench_steadiness;
/* False if memory is out. */
bool bench_steadiness_of(const double *samples, int64_t count, bench_steadiness *out);

#ifdef __cplusplus
}
#endif
#endif
