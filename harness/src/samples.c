/* What is said of a set of samples. Only order statistics lead: run times have a hard floor and a
 * long right tail, so a mean with a normal interval would describe neither.
 *
 * Percentiles are Hyndman and Fan's type 7 (linear interpolation between the order statistics
 * around (n - 1) p), the default of R and NumPy; the median is the same rule at p = 1/2. The
 * confidence interval of the median needs no distribution at all: the number of samples below the
 * true median is Binomial(n, 1/2), so two order statistics bracket it with a known probability.
 *
 * That takes samples that do not depend on each other. Of a first-order process with correlation r
 * between neighbours, n samples know as much of their median as n (1 - r) / (1 + r) independent
 * ones, so the ranks move away from the median by the root of (1 + r) / (1 - r). */
#include "bench/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of sqrt(n) r: what one in ten independent streams of 50 samples has by accident. */
#define DEPENDENCE_SIGMAS 1.2
/* In units of 1 / sqrt(n), added to a correlation that counts: the estimate is low of few samples,
 * and streams in which it is high are found unsteady and never get to show their interval. */
#define DEPENDENCE_ALLOWANCE 0.5
#define DEPENDENCE_MAX 0.95

static int ascending(const void *left, const void *right) {
  double a = *(const double *)left;
  double b = *(const double *)right;
  return (a > b) - (a < b);
}

static double percentile(const double *sorted, int64_t count, double p) {
  double position = (double)(count - 1) * p;
  int64_t below = (int64_t)position;
  int64_t above = below + 1 < count ? below + 1 : below;
  double share = position - (double)below;
  return sorted[below] + share * (sorted[above] - sorted[below]);
}

/* log P(Binomial(n, 1/2) = k). lgamma_r, because lgamma writes a global. */
static double log_binomial_half(int64_t n, int64_t k) {
  int sign;
  return lgamma_r((double)n + 1, &sign) - lgamma_r((double)k + 1, &sign) -
         lgamma_r((double)(n - k) + 1, &sign) - (double)n * log(2.0);
}

bool bench_median_ranks(int64_t count, int64_t *lo, int64_t *hi) {
  if (count < 6) {
    return false;
  }
  /* Twelve standard deviations below the mean the tail is below 1e-30: nothing is lost by starting
   * there, and the work is of the order of sqrt(n). */
  int64_t rank = (int64_t)((double)count / 2 - 6 * sqrt((double)count));
  rank = rank < 0 ? 0 : rank;
  double probability = exp(log_binomial_half(count, rank));
  double tail = probability; /* P(Binomial <= rank) */
  for (;;) {
    probability *= (double)(count - rank) / (double)(rank + 1);
    if (tail + probability > 0.025) {
      break;
    }
    tail += probability;
    rank++;
  }
  *lo = rank;
  *hi = count - 1 - rank;
  return true;
}

/* Samples below the value, in ascending order, or below and equal to it. */
static int64_t count_below(const double *sorted, int64_t count, double value, bool or_equal) {
  int64_t low = 0;
  int64_t high = count;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (sorted[middle] < value || (or_equal && sorted[middle] == value)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

double bench_rank(const double *sorted, int64_t count, double value) {
  const int64_t first = count_below(sorted, count, value, false);
  const int64_t end = count_below(sorted, count, value, true);
  return 0.5 * (double)(first + end - 1) - 0.5 * (double)(count - 1);
}

static double autocorrelation_of(const double *samples, int64_t count, const double *sorted) {
  double squares = 0;
  double neighbours = 0;
  double before = 0;
  for (int64_t i = 0; i < count; i++) {
    const double rank = bench_rank(sorted, count, samples[i]);
    squares += rank * rank;
    neighbours += rank * before;
    before = rank;
  }
  return squares > 0 ? neighbours / squares : NAN;
}

/* Moves ranks of independent samples apart as far as those of this correlation depend on each
 * other. */
static void widen(double found, int64_t count, int64_t *lo, int64_t *hi) {
  const double root = sqrt((double)count);
  if (!(found * root > DEPENDENCE_SIGMAS)) {
    return;
  }
  const double r = fmin(found + DEPENDENCE_ALLOWANCE / root, DEPENDENCE_MAX);
  const double middle = 0.5 * (double)(count - 1);
  const double rank = middle - (middle - (double)*lo) * sqrt((1 + r) / (1 - r));
  *lo = rank > 0 ? (int64_t)rank : 0;
  *hi = count - 1 - *lo;
}

void bench_summarize(const double *samples, int64_t count, double *sorted, bench_summary *out) {
  *out = (bench_summary){.count = count,
                         .median = NAN,
                         .autocorrelation = NAN,
                         .min = NAN,
                         .p10 = NAN,
                         .p90 = NAN,
                         .mean = NAN,
                         .sd = NAN,
                         .ci_lo = NAN,
                         .ci_hi = NAN};
  if (count < 1) {
    return;
  }
  memcpy(sorted, samples, (size_t)count * sizeof *sorted);
  qsort(sorted, (size_t)count, sizeof *sorted, ascending);
  out->median = percentile(sorted, count, 0.5);
  out->min = sorted[0];
  out->p10 = percentile(sorted, count, 0.1);
  out->p90 = percentile(sorted, count, 0.9);

  /* Over the sorted values, so that the order of arrival does not show in the last digit. */
  double sum = 0;
  for (int64_t i = 0; i < count; i++) {
    sum += sorted[i];
  }
  out->mean = sum / (double)count;
  if (count > 1) {
    double squares = 0;
    for (int64_t i = 0; i < count; i++) {
      squares += (sorted[i] - out->mean) * (sorted[i] - out->mean);
    }
    out->sd = sqrt(squares / (double)(count - 1));
  }

  int64_t lo;
  int64_t hi;
  if (bench_median_ranks(count, &lo, &hi)) {
    out->autocorrelation = autocorrelation_of(samples, count, sorted);
    widen(out->autocorrelation, count, &lo, &hi);
    out->ci_lo = sorted[lo];
    out->ci_hi = sorted[hi];
  }
}
