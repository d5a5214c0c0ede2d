/* The summary against values worked out by hand (and by R's quantile(type = 7) and sd()), the
 * ranks of the median's interval against printed tables, and the interval's coverage on synthetic
 * streams, since a formula that is right on paper can still be off by one here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/input.h"
#include "bench/samples.h"

static const double pi = 3.14159265358979323846;

static void assert_near(double value, double expected) {
  assert_true(fabs(value - expected) <= 1e-12 * fabs(expected));
}

static void summary_of_known_samples(void **state) {
  (void)state;
  const double samples[] = {7, 1, 3, 12, 5, 9, 2, 40};
  double sorted[8];
  bench_summary summary;
  bench_summarize(samples, 8, sorted, &summary);
  assert_int_equal(summary.count, 8);
  for (int i = 1; i < 8; i++) {
    assert_true(sorted[i - 1] < sorted[i]);
  }
  assert_near(summary.median, 6.0);
  assert_near(summary.min, 1.0);
  assert_near(summary.p10, 1.7);
  assert_near(summary.p90, 20.4);
  assert_near(summary.mean, 9.875);
  assert_near(summary.sd, sqrt(1132.875 / 7.0));
  assert_near(summary.ci_lo, 1.0); /* n = 8: the extremes, 99.2 % */
  assert_near(summary.ci_hi, 40.0);
}

/* A figure for which there are too few samples is missing, never 0. */
static void few_samples(void **state) {
  (void)state;
  const double samples[] = {4, 2, 6, 8, 10};
  double sorted[5];
  bench_summary summary;

  bench_summarize(samples, 0, sorted, &summary);
  assert_int_equal(summary.count, 0);
  assert_true(isnan(summary.median) && isnan(summary.min) && isnan(summary.mean));
  assert_true(isnan(summary.p10) && isnan(summary.p90) && isnan(summary.sd));
  assert_true(isnan(summary.ci_lo) && isnan(summary.ci_hi));

  bench_summarize(samples, 1, sorted, &summary);
  assert_near(summary.median, 4.0);
  assert_near(summary.p10, 4.0);
  assert_near(summary.p90, 4.0);
  assert_true(isnan(summary.sd) && isnan(summary.ci_lo));

  bench_summarize(samples, 5, sorted, &summary);
  assert_near(summary.median, 6.0);
  assert_near(summary.sd, sqrt(10.0));
  assert_true(isnan(summary.ci_lo) && isnan(summary.ci_hi));
}

static void ranks_of_printed_tables(void **state) {
  (void)state;
  /* 0-based ranks. The first five are in every table of non-parametric intervals; the larger ones
   * were computed with exact integers. */
  static const struct {
    int64_t count, lo, hi;
  } tables[] = {
      {6, 0, 5},   {7, 0, 6},    {8, 0, 7},     {9, 1, 7},        {10, 1, 8},
      {20, 5, 14}, {50, 17, 32}, {100, 39, 60}, {1000, 468, 531}, {10000, 4901, 5098},
  };
  int64_t lo;
  int64_t hi;
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
    assert_true(bench_median_ranks(tables[i].count, &lo, &hi));
    assert_int_equal(lo, tables[i].lo);
    assert_int_equal(hi, tables[i].hi);
  }
  for (int64_t count = 0; count < 6; count++) {
    assert_false(bench_median_ranks(count, &lo, &hi));
  }
}

/* For every n up to 60 the binomial sums are exact in 64-bit integers. */
static void ranks_by_exact_integers(void **state) {
  (void)state;
  for (int64_t n = 6; n <= 60; n++) {
    uint64_t binomial = 1;
    uint64_t sum = 0;
    int64_t expected = -1;
    for (int64_t k = 0; k <= n; k++) {
      sum += binomial;
      if (ldexp((double)sum, (int)-n) > 0.025) {
        break;
      }
      expected = k;
      binomial = binomial * (uint64_t)(n - k) / (uint64_t)(k + 1);
    }
    int64_t lo;
    int64_t hi;
    assert_true(bench_median_ranks(n, &lo, &hi));
    assert_int_equal(lo, expected);
    assert_int_equal(hi, n - 1 - expected);
  }
}

/* At a million samples the interval is median +- 0.98 sqrt(n) ranks, and takes no time. */
static void ranks_of_many_samples(void **state) {
  (void)state;
  int64_t lo;
  int64_t hi;
  assert_true(bench_median_ranks(1000000, &lo, &hi));
  assert_in_range(lo, 499018, 499022);
  assert_int_equal(hi, 999999 - lo);
}

typedef enum stream { STREAM_NORMAL, STREAM_LOG_NORMAL, STREAM_BIMODAL, STREAM_COUNT } stream;

static double uniform(uint64_t trial, uint64_t index, uint64_t which) {
  return ((double)(bench_hash64(trial, index, which) >> 11) + 0.5) * 0x1p-53;
}

static double draw(stream kind, uint64_t trial, uint64_t index) {
  uint64_t seed = trial * STREAM_COUNT + (uint64_t)kind;
  double normal = sqrt(-2 * log(uniform(seed, index, 0))) * cos(2 * pi * uniform(seed, index, 1));
  switch (kind) {
    case STREAM_LOG_NORMAL:
      return exp(normal);
    case STREAM_BIMODAL: /* two clocks: seven of ten samples fast */
      return uniform(seed, index, 2) < 0.7 ? normal : normal + 10;
    default:
      return normal;
  }
}

/* The interval must hold the true median in at least 95 % of all streams, and not much more often
 * than its ranks say. The 93 % leave ten standard errors of 10^4 trials; the narrower limit around
 * the exact probability catches a rank that is off by one. */
static void interval_covers_the_median(void **state) {
  (void)state;
  static const double true_median[STREAM_COUNT] = {0.0, 1.0, 0.565948821932863};
  static const struct {
    int64_t count;
    double exact; /* P(lo < Binomial(n, 1/2) <= hi) for 1-based ranks */
  } sizes[] = {{10, 0.978515625}, {25, 0.956714689}, {50, 0.967160861}};
  enum { TRIALS = 10000 };
  double samples[50];
  double sorted[50];
  for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
    for (int kind = 0; kind < STREAM_COUNT; kind++) {
      int covered = 0;
      for (int trial = 0; trial < TRIALS; trial++) {
        for (int64_t i = 0; i < sizes[s].count; i++) {
          samples[i] = draw((stream)kind, (uint64_t)trial, (uint64_t)i);
        }
        bench_summary summary;
        bench_summarize(samples, sizes[s].count, sorted, &summary);
        covered += summary.ci_lo <= true_median[kind] && true_median[kind] <= summary.ci_hi;
      }
      double coverage = (double)covered / TRIALS;
      assert_true(coverage >= 0.93);
      assert_true(fabs(coverage - sizes[s].exact) < 0.008);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(summary_of_known_samples), cmocka_unit_test(few_samples),
      cmocka_unit_test(ranks_of_printed_tables),  cmocka_unit_test(ranks_by_exact_integers),
      cmocka_unit_test(ranks_of_many_samples),    cmocka_unit_test(interval_covers_the_median),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
