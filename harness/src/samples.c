/* What is said of a set of samples. Only order statistics lead: run times have a hard floor and a
 * long right tail, so a mean with a normal interval would describe neither.
 *
 * Percentiles are Hyndman and Fan's type 7 (linear interpolation between the order statistics
 * around (n - 1) p), the default of R and NumPy; the median is the same rule at p = 1/2. The
 * confidence interval of the median needs no distribution at all: the number of samples below the
 * true median is Binomial(n, 1/2), so two order statistics bracket it with a known probability. */
#include "bench/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

void bench_summarize(const double *samples, int64_t count, double *sorted, bench_summary *out) {
  *out = (bench_summary){.count = count,
                         .median = NAN,
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
    out->ci_lo = sorted[lo];
    out->ci_hi = sorted[hi];
  }
}
