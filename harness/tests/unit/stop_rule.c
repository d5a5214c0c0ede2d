/* The stop rule on synthetic streams: the interval that ends the sampling must still hold the true
 * median, though it was chosen for being narrow. And the faults that no interval shows: planted
 * drift and dependence are found, and steady streams are left alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/input.h"
#include "bench/samples.h"

#define SAMPLES_MAX 1000 /* the budget of a stream */

static const double pi = 3.14159265358979323846;

typedef enum shape { SHAPE_NORMAL, SHAPE_LOG_NORMAL, SHAPE_BIMODAL, SHAPE_COUNT } shape;
static const char *const shape_names[] = {"normal", "log-normal", "bimodal"};
/* Medians of the noise that draw() makes. */
static const double shape_medians[] = {0.0, 1.0, 0.565948821932863};

/* What is planted: the noise is a first-order process with `dependence`, and the time grows by
 * `drift` of itself over `drift_samples`. */
typedef struct stream {
  shape kind;
  double spread; /* of the noise, over the median */
  double dependence;
  double drift;
  int64_t drift_samples;
  uint64_t seed;
  double state; /* of the process */
} stream;

static double uniform(uint64_t seed, int64_t index, uint64_t which) {
  return ((double)(bench_hash64(seed, (uint64_t)index, which) >> 11) + 0.5) * 0x1p-53;
}

static double next_sample(stream *s, int64_t index) {
  const double fresh =
      sqrt(-2 * log(uniform(s->seed, index, 0))) * cos(2 * pi * uniform(s->seed, index, 1));
  const double r = index == 0 ? 0 : s->dependence;
  s->state = r * s->state + sqrt(1 - r * r) * fresh;
  double noise = s->state;
  if (s->kind == SHAPE_LOG_NORMAL) {
    noise = exp(noise);
  } else if (s->kind == SHAPE_BIMODAL && uniform(s->seed, index, 2) >= 0.7) {
    noise += 10; /* two clocks: three of ten samples slow */
  }
  const double grown =
      s->drift_samples > 0 ? s->drift * (double)index / (double)s->drift_samples : 0;
  return 1e6 * (1 + s->spread * (noise - shape_medians[s->kind]) + grown);
}

/* Samples until the rule, if it is one to ask, is met or the budget is spent; how many. */
static int64_t take(stream *s, int64_t budget, bool ask, double *samples, double *sorted) {
  bench_stop_rule rule = {0};
  int64_t count = 0;
  while (count < budget) {
    samples[count] = next_sample(s, count);
    count++;
    if (ask && bench_stop_rule_met(&rule, samples, count, sorted)) {
      break;
    }
  }
  return count;
}

static void interval_holds_after_stopping(void **state) {
  (void)state;
  enum { STREAMS = 10000 };
  static const double spreads[] = {0.002, 0.004, 0.01, 0.03};
  static double samples[SAMPLES_MAX];
  static double sorted[SAMPLES_MAX];
  for (int kind = 0; kind < SHAPE_COUNT; kind++) {
    for (size_t p = 0; p < sizeof spreads / sizeof spreads[0]; p++) {
      int held = 0;
      int met = 0;
      for (uint64_t n = 0; n < STREAMS; n++) {
        stream s = {
            .kind = (shape)kind, .spread = spreads[p], .seed = n * 64 + p * 4 + (uint64_t)kind};
        const int64_t count = take(&s, SAMPLES_MAX, true, samples, sorted);
        bench_summary summary;
        bench_summarize(samples, count, sorted, &summary);
        held += summary.ci_lo <= 1e6 && 1e6 <= summary.ci_hi;
        met += count < SAMPLES_MAX;
      }
      const double coverage = (double)held / STREAMS;
      printf(
          "%-10s spread %.1f %%: the interval holds the median in %.2f %%, goal met by %.1f %%\n",
          shape_names[kind], 100 * spreads[p], 100 * coverage, 100.0 * met / STREAMS);
      assert_true(coverage >= 0.93);
    }
  }
}

/* The share of streams of which `fault` is said, or of which nothing is if it is NULL. Without
 * `ask` they take their whole budget. */
static double share_of(stream planted, int64_t budget, bool ask, const char *fault) {
  enum { STREAMS = 1000 };
  static double samples[SAMPLES_MAX];
  static double sorted[SAMPLES_MAX];
  int found = 0;
  for (uint64_t n = 0; n < STREAMS; n++) {
    planted.seed = n + 7777777;
    const int64_t count = take(&planted, budget, ask, samples, sorted);
    bench_steadiness steadiness;
    assert_true(bench_steadiness_of(samples, count, &steadiness));
    found += fault == NULL ? steadiness.fault == NULL
                           : steadiness.fault != NULL && strstr(steadiness.fault, fault) != NULL;
  }
  return (double)found / STREAMS;
}

static const int64_t grid_counts[] = {10, 15, 30, 50, 100, 200};
enum { GRID = sizeof grid_counts / sizeof grid_counts[0] };

/* What the table in steady.c says of planted faults that it finds nearly always. */
static void what_is_planted_is_found(void **state) {
  (void)state;
  static const struct {
    double drift;
    double dependence;
    double spread;
    int64_t least; /* samples */
  } planted[] = {
      {0.10, 0, 0.005, 10}, {0.10, 0, 0.01, 15},  {0.10, 0, 0.04, 100}, {0.05, 0, 0.005, 15},
      {0.05, 0, 0.01, 50},  {0, 0.85, 0.04, 100}, {0, 0.95, 0.04, 100}, {0, 0.95, 0.01, 200},
  };
  for (size_t p = 0; p < sizeof planted / sizeof planted[0]; p++) {
    for (int i = 0; i < GRID; i++) {
      const int64_t count = grid_counts[i];
      const stream s = {.spread = planted[p].spread,
                        .dependence = planted[p].dependence,
                        .drift = planted[p].drift,
                        .drift_samples = planted[p].drift > 0 ? count : 0};
      if (count >= planted[p].least) {
        const double found = planted[p].drift > 0 ? share_of(s, count, false, "drift")
                                                  : 1 - share_of(s, count, false, NULL);
        printf("drift %.0f %%, dependence %.2f, spread %.1f %%, %3d samples: found in %.1f %%\n",
               100 * s.drift, s.dependence, 100 * s.spread, (int)count, 100 * found);
        assert_true(found >= 0.95);
      }
    }
  }
}

/* What is not found has an interval that is wide enough. */
static void interval_holds_of_dependent_samples(void **state) {
  (void)state;
  enum { STREAMS = 2000 };
  static const double dependences[] = {0.3, 0.5, 0.7};
  static const double spreads[] = {0.005, 0.04};
  static const int64_t counts[] = {30, 50, 200, 800};
  static double samples[SAMPLES_MAX];
  static double sorted[SAMPLES_MAX];
  for (int d = 0; d < 3; d++) {
    for (int p = 0; p < 2; p++) {
      for (int c = 0; c < 4; c++) {
        int held = 0;
        int steady = 0;
        for (uint64_t n = 0; n < STREAMS; n++) {
          stream s = {.spread = spreads[p], .dependence = dependences[d], .seed = n + 123456};
          take(&s, counts[c], false, samples, sorted);
          bench_steadiness found;
          bench_summary summary;
          assert_true(bench_steadiness_of(samples, counts[c], &found));
          bench_summarize(samples, counts[c], sorted, &summary);
          steady += found.fault == NULL;
          held += found.fault == NULL && summary.ci_lo <= 1e6 && 1e6 <= summary.ci_hi;
        }
        const double coverage = (double)held / steady;
        printf("dependence %.1f, spread %.1f %%, %3d samples: %.1f %% of the %d steady ones\n",
               dependences[d], 100 * spreads[p], (int)counts[c], 100 * coverage, steady);
        assert_true(steady >= 50 && coverage >= 0.93);
      }
    }
  }
}

/* And independent samples pay little for it. */
static void interval_of_independent_samples_is_narrow(void **state) {
  (void)state;
  enum { STREAMS = 2000 };
  static double samples[SAMPLES_MAX];
  static double sorted[SAMPLES_MAX];
  double sum = 0;
  for (int i = 0; i < GRID; i++) {
    double widened = 0;
    double exact = 0;
    int64_t lo;
    int64_t hi;
    assert_true(bench_median_ranks(grid_counts[i], &lo, &hi));
    for (uint64_t n = 0; n < STREAMS; n++) {
      stream s = {.spread = 0.01, .seed = n + 654321};
      take(&s, grid_counts[i], false, samples, sorted);
      bench_summary summary;
      bench_summarize(samples, grid_counts[i], sorted, &summary);
      widened += summary.ci_hi - summary.ci_lo;
      exact += sorted[hi] - sorted[lo];
    }
    printf("independent, %3d samples: the interval is %.1f %% wider\n", (int)grid_counts[i],
           100 * (widened / exact - 1));
    sum += widened / exact - 1;
  }
  assert_true(sum / GRID <= 0.05);
}

static void planted_drift_is_found(void **state) {
  (void)state;
  for (int kind = 0; kind < SHAPE_COUNT; kind++) {
    for (int64_t budget = 50; budget <= SAMPLES_MAX; budget *= 4) {
      stream s = {.kind = (shape)kind,
                  .spread = kind == SHAPE_BIMODAL ? 0.004 : 0.02,
                  .drift = 0.10,
                  .drift_samples = budget};
      const double found = share_of(s, budget, false, "drift");
      printf("drift of 10 %%, %-10s %4d samples: found in %.1f %%\n", shape_names[kind],
             (int)budget, 100 * found);
      assert_true(found >= 0.95);
      s.drift = -0.10; /* getting faster is no better */
      assert_true(share_of(s, budget, false, "drift") >= 0.95);
    }
  }
}

static void planted_dependence_is_found(void **state) {
  (void)state;
  for (int64_t budget = 100; budget <= SAMPLES_MAX; budget *= 3) {
    const stream s = {.spread = 0.04, .dependence = 0.85};
    const double found = 1 - share_of(s, budget, true, NULL);
    printf("dependence of 0.85, %4d samples: found in %.1f %%\n", (int)budget, 100 * found);
    assert_true(found >= 0.95);
  }
}

static void steady_streams_are_left_alone(void **state) {
  (void)state;
  static const double spreads[] = {0.0, 0.01, 0.05, 0.2};
  for (int kind = 0; kind < SHAPE_COUNT; kind++) {
    for (size_t p = 0; p < sizeof spreads / sizeof spreads[0]; p++) {
      if (kind == SHAPE_BIMODAL && spreads[p] > 0.05) {
        continue; /* its noise has no room below the median: times would be negative */
      }
      const double left =
          share_of((stream){.kind = (shape)kind, .spread = spreads[p]}, SAMPLES_MAX, true, NULL);
      assert_true(left >= 0.99);
      for (int i = 0; i < GRID; i++) {
        const stream s = {.kind = (shape)kind, .spread = spreads[p]};
        assert_true(share_of(s, grid_counts[i], false, NULL) >= 0.995);
      }
    }
  }
  /* What does not matter, however significant, is no fault either. */
  const stream trifle = {.spread = 0.001, .drift = 0.01, .drift_samples = 1000};
  assert_true(share_of(trifle, SAMPLES_MAX, false, NULL) == 1);
}

static void too_few_to_judge(void **state) {
  (void)state;
  double samples[9];
  for (int i = 0; i < 9; i++) {
    samples[i] = i + 1;
  }
  bench_steadiness steadiness;
  assert_true(bench_steadiness_of(samples, 9, &steadiness));
  assert_null(steadiness.fault);
  assert_true(isnan(steadiness.drift) && isnan(steadiness.autocorrelation));
}

/* Looks are at 10, 15, 23, ... samples, and at no others: what is narrow between them goes on. */
static void looks_are_geometric(void **state) {
  (void)state;
  double samples[SAMPLES_MAX];
  double sorted[SAMPLES_MAX];
  bench_stop_rule rule = {0};
  int64_t looks = 0;
  for (int64_t n = 1; n <= SAMPLES_MAX; n++) {
    samples[n - 1] = (double)(n * 373 % 997); /* never within the goal */
    const int64_t before = rule.next_look;
    assert_false(bench_stop_rule_met(&rule, samples, n, sorted));
    looks += n > 1 && rule.next_look != before;
  }
  assert_int_equal(looks, 12);
  for (int i = 0; i < SAMPLES_MAX; i++) {
    samples[i] = 100;
  }
  rule = (bench_stop_rule){0};
  for (int64_t n = 1; n < 10; n++) {
    assert_false(bench_stop_rule_met(&rule, samples, n, sorted));
  }
  assert_true(bench_stop_rule_met(&rule, samples, 10, sorted));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(interval_holds_after_stopping),
      cmocka_unit_test(what_is_planted_is_found),
      cmocka_unit_test(interval_holds_of_dependent_samples),
      cmocka_unit_test(interval_of_independent_samples_is_narrow),
      cmocka_unit_test(planted_drift_is_found),
      cmocka_unit_test(planted_dependence_is_found),
      cmocka_unit_test(steady_streams_are_left_alone),
      cmocka_unit_test(too_few_to_judge),
      cmocka_unit_test(looks_are_geometric),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
