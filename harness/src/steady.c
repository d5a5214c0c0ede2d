/* Do samples drift, or depend on their neighbours?
 *
 * Everything is done on ranks, so that one slow sample among many is one rank and no more. Drift is
 * Spearman's correlation of the samples with their place in time; dependence is the correlation of
 * each rank with the next one. A finding has to be significant (it is no accident) and material (it
 * is more than the interval of the median allows for): long runs make any trifle significant, and
 * short ones any accident large. */
#include <math.h>
#include <stdlib.h>

#include "bench/samples.h"

#define COUNT_MIN 20     /* fewer say nothing of their order */
#define DRIFT_SIGMAS 3.3 /* one steady run in a thousand */
#define DRIFT_MATERIAL 0.03
#define DEPENDENCE_SIGMAS 4.0
#define DEPENDENCE_MATERIAL                                            \
  0.6 /* a first-order process: the interval is half of what it should \
       */

typedef struct ranked {
  double value;
  int64_t place;
} ranked;

static int by_value(const void *left, const void *right) {
  const double a = ((const ranked *)left)->value;
  const double b = ((const ranked *)right)->value;
  return (a > b) - (a < b);
}

/* Ranks less their mean; equal samples, which a coarse clock gives, share one. */
static void fill_ranks(const double *samples, int64_t count, ranked *order, double *ranks) {
  for (int64_t i = 0; i < count; i++) {
    order[i] = (ranked){samples[i], i};
  }
  qsort(order, (size_t)count, sizeof *order, by_value);
  for (int64_t first = 0; first < count;) {
    int64_t end = first + 1;
    while (end < count && order[end].value == order[first].value) {
      end++;
    }
    const double rank = 0.5 * (double)(first + end - 1) - 0.5 * (double)(count - 1);
    for (int64_t i = first; i < end; i++) {
      ranks[order[i].place] = rank;
    }
    first = end;
  }
}

static double median_of(const double *samples, int64_t count, double *sorted) {
  bench_summary summary;
  bench_summarize(samples, count, sorted, &summary);
  return summary.median;
}

static void judge(const double *samples, int64_t count, const double *ranks, double *sorted,
                  bench_steadiness *out) {
  double squares = 0;
  double neighbours = 0;
  double with_time = 0;
  for (int64_t i = 0; i < count; i++) {
    squares += ranks[i] * ranks[i];
    neighbours += i > 0 ? ranks[i] * ranks[i - 1] : 0;
    with_time += ranks[i] * ((double)i - 0.5 * (double)(count - 1));
  }
  bench_summary summary;
  bench_summarize(samples, count, sorted, &summary);
  if (squares == 0 || summary.median <= 0) {
    return;
  }
  const double n = (double)count;
  const double trend = with_time / sqrt(squares * (n * n * n - n) / 12);
  const int64_t third = count / 3;
  const double first = median_of(samples, third, sorted);
  const double last = median_of(samples + count - third, third, sorted);
  const double width = (summary.ci_hi - summary.ci_lo) / summary.median;
  out->drift = (last - first) / summary.median;
  out->autocorrelation = neighbours / squares;
  const double stretch = sqrt((1 + out->autocorrelation) / fmax(1 - out->autocorrelation, 1e-9));
  if (fabs(trend) * sqrt(n - 1) > DRIFT_SIGMAS && fabs(out->drift) > fmax(DRIFT_MATERIAL, width)) {
    out->fault = "the samples drift";
  } else if (out->autocorrelation * sqrt(n) > DEPENDENCE_SIGMAS &&
             out->autocorrelation > DEPENDENCE_MATERIAL && stretch * width > 4 * BENCH_CI_GOAL) {
    out->fault = "the samples depend on their neighbours in time";
  }
}

bool bench_steadiness_of(const double *samples, int64_t count, bench_steadiness *out) {
  *out = (bench_steadiness){.drift = NAN, .autocorrelation = NAN};
  if (count < COUNT_MIN) {
    return true;
  }
  ranked *order = malloc((size_t)count * sizeof *order);
  double *ranks = malloc((size_t)count * sizeof *ranks);
  double *sorted = malloc((size_t)count * sizeof *sorted);
  const bool room = order != NULL && ranks != NULL && sorted != NULL;
  if (room) {
    fill_ranks(samples, count, order, ranks);
    judge(samples, count, ranks, sorted, out);
  }
  free(order);
  free(ranks);
  free(sorted);
  return room;
}
