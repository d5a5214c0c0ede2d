/* The self-test of a backend.
 *
 * A machine may be busy: whoever is interrupted is late and never early. So a check of a length
 * looks at the shortest of many tries, and goes on trying up to a limit; a check of two clocks has
 * the one enclose the other. No limit depends on how busy the machine is. */
#include "src/selftest.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/input.h"
#include "bench/samples.h"

#define STEP_TRIES 2000
#define STEP_NS_MAX 1000.0   /* of the clock */
#define FLOOR_NS_MAX 50000.0 /* of a region with nothing in it */
#define DELAY_TRIES_MIN 20
#define DELAY_TRIES_MAX 2000
#define DELAY_ERROR 0.01
#define AGREE_NS 2000000
/* A device's delay is launched and waited for within the bracket. */
#define AGREE_NS_DEVICE 20000000
#define AGREE_TRIES 500
#define AGREE_ERROR 0.005 /* of clocks, and of the bracket that tells them apart */
/* What one core's cache holds, where others leave it alone; what takes a GPU longer than the launch
 * does. Half of the last-level cache where that is less: it holds no more beside what else is read.
 */
#define FLUSH_BYTES_CPU ((size_t)256 << 10)
#define FLUSH_BYTES_GPU ((size_t)16 << 20)
#define FLUSH_BYTES_LEAST ((size_t)64)
#define FLUSH_TRIES 20
#define FLUSH_RATIO_MIN 1.3
#define FLUSH_WARM_NS_MIN 1000.0 /* a reading that took less met a noisy machine */
#define RULE_STREAMS 1000
#define RULE_SAMPLES 400
#define RULE_COVERAGE_MIN 0.93

typedef struct selftest {
  const bench_backend *backend;
  bench_context *context;
  bench_selftest_check *check; /* the one in hand */
  bench_error *error;
} selftest;

typedef bench_code check_fn(selftest *t);

static double raw_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* How the check ends, with what was measured. */
__attribute__((format(printf, 3, 4))) static bench_code conclude(selftest *t, bool passed,
                                                                 const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(t->check->text, sizeof t->check->text, format, arguments);
  va_end(arguments);
  t->check->outcome = passed ? BENCH_CHECK_PASSED : BENCH_CHECK_FAILED;
  return BENCH_OK;
}

static bench_code skip(selftest *t, const char *why) {
  snprintf(t->check->text, sizeof t->check->text, "%s", why);
  t->check->outcome = BENCH_CHECK_SKIPPED;
  return BENCH_OK;
}

static bench_code time_delay(selftest *t, int64_t delay_ns, double *time_ns) {
  bench_code code = t->backend->timer_start(t->context, t->error);
  if (code == BENCH_OK && delay_ns >= 0) {
    code = t->backend->delay(t->context, delay_ns, t->error);
  }
  return code == BENCH_OK ? t->backend->timer_stop(t->context, time_ns, t->error) : code;
}

/* The clock's step is the least difference between regions with nothing in them. */
static bench_code check_step(selftest *t) {
  static double times[STEP_TRIES];
  static double sorted[STEP_TRIES];
  bench_code code = BENCH_OK;
  for (int i = 0; code == BENCH_OK && i < STEP_TRIES; i++) {
    code = time_delay(t, -1, &times[i]);
  }
  if (code != BENCH_OK) {
    return code;
  }
  bench_summary summary;
  bench_summarize(times, STEP_TRIES, sorted, &summary);
  double step = INFINITY;
  for (int i = 1; i < STEP_TRIES; i++) {
    const double difference = sorted[i] - sorted[i - 1];
    step = difference > 0 ? fmin(step, difference) : step;
  }
  return conclude(t, step <= STEP_NS_MAX && summary.min >= 0 && summary.median <= FLOOR_NS_MAX,
                  "step %.0f ns (at most %.0f), an empty region %.0f ns (at most %.0f)", step,
                  STEP_NS_MAX, summary.median, FLOOR_NS_MAX);
}

/* The clock runs as fast as CLOCK_MONOTONIC_RAW: no region is longer than what encloses it, nor
 * shorter than what it encloses. Where the host does not wait within the region, it encloses the
 * delay itself. Only a bracket that is narrow enough to tell counts. */
static bench_code check_agreement(selftest *t) {
  if (t->backend->delay == NULL) {
    return skip(t, "this backend has no delay of known length");
  }
  double fast = NAN;
  double slow = NAN;
  double time_ns = NAN;
  const int64_t delay_ns = t->backend->host_memory ? AGREE_NS : AGREE_NS_DEVICE;
  for (int i = 0; i < AGREE_TRIES; i++) {
    const double before = raw_ns();
    bench_code code = t->backend->timer_start(t->context, t->error);
    const double started = raw_ns();
    if (code == BENCH_OK) {
      code = t->backend->delay(t->context, delay_ns, t->error);
    }
    const double waited = raw_ns() - started;
    if (code == BENCH_OK) {
      code = t->backend->timer_stop(t->context, &time_ns, t->error);
    }
    if (code != BENCH_OK) {
      return code;
    }
    const double outer = raw_ns() - before;
    const double inner = t->backend->host_memory ? waited : (double)delay_ns;
    fast = time_ns / outer - 1;
    slow = time_ns / inner - 1;
    if (outer <= inner * (1 + AGREE_ERROR)) {
      return conclude(t, fast <= AGREE_ERROR && slow >= -AGREE_ERROR,
                      "between %+.2f and %+.2f %% off CLOCK_MONOTONIC_RAW (at most %.1f %%)",
                      100 * fast, 100 * slow, 100 * AGREE_ERROR);
    }
  }
  return conclude(t, false, "in %d tries the machine was too busy to compare clocks", AGREE_TRIES);
}

/* The shortest of at least DELAY_TRIES_MIN tries; of more where that is above `enough`. */
static bench_code shortest_delay(selftest *t, int64_t delay_ns, double enough, double *shortest) {
  *shortest = INFINITY;
  for (int i = 0; i < DELAY_TRIES_MAX && (i < DELAY_TRIES_MIN || *shortest > enough); i++) {
    double time_ns = NAN;
    bench_code code = time_delay(t, delay_ns, &time_ns);
    if (code != BENCH_OK) {
      return code;
    }
    *shortest = fmin(*shortest, time_ns);
  }
  return BENCH_OK;
}

/* Delays of known length: the shortest try, less that of a delay of nothing, which a device has to
 * launch too, is the length within 1 %. */
static bench_code check_delays(selftest *t) {
  static const int64_t lengths_ns[] = {100000, 500000, 2000000};
  enum { LENGTHS = sizeof lengths_ns / sizeof lengths_ns[0] };
  double worst = 0;
  double launch = NAN;
  if (t->backend->delay == NULL) {
    return skip(t, "this backend has no delay of known length");
  }
  bench_code code = shortest_delay(t, 0, INFINITY, &launch);
  for (int l = 0; code == BENCH_OK && l < LENGTHS; l++) {
    const double wanted = (double)lengths_ns[l];
    double shortest = NAN;
    code = shortest_delay(t, lengths_ns[l], launch + wanted * (1 + DELAY_ERROR), &shortest);
    const double off = (shortest - launch) / wanted - 1;
    worst = fabs(off) > fabs(worst) ? off : worst;
  }
  return code != BENCH_OK
             ? code
             : conclude(t, fabs(worst) <= DELAY_ERROR,
                        "0.1, 0.5 and 2 ms are measured within %+.2f %% (at most %.0f %%), beside "
                        "%.1f us of a delay of none",
                        100 * worst, 100 * DELAY_ERROR, launch / 1e3);
}

/* A multiple of 64, as traffic needs. */
static size_t flush_check_bytes(const selftest *t) {
  const bool on_cpu = strcmp(t->backend->name, "cpu") == 0;
  const size_t wanted = on_cpu ? FLUSH_BYTES_CPU : FLUSH_BYTES_GPU;
  const size_t half = (size_t)bench_llc_bytes(t->backend->device(t->context)) / 2 / 64 * 64;
  return half < wanted ? half : wanted;
}

static bench_code time_read(selftest *t, const void *memory, size_t bytes, double *shortest) {
  double time_ns = NAN;
  bench_code code = t->backend->sync(t->context, t->error);
  if (code == BENCH_OK) {
    code = t->backend->timer_start(t->context, t->error);
  }
  if (code == BENCH_OK) {
    code = t->backend->traffic(t->context, BENCH_TRAFFIC_READ, NULL, memory, bytes, 1, t->error);
  }
  if (code == BENCH_OK) {
    code = t->backend->timer_stop(t->context, &time_ns, t->error);
  }
  *shortest = fmin(*shortest, time_ns);
  return code;
}

/* Reading memory takes longer after a flush than after it was just read, both without what reading
 * next to nothing takes. */
static bench_code check_flush(selftest *t) {
  if (t->backend->traffic == NULL) {
    return skip(t, "this backend reads no memory by itself");
  }
  const size_t bytes = flush_check_bytes(t);
  void *memory = NULL;
  double floor = INFINITY;
  double warm = INFINITY;
  double cold = INFINITY;
  bench_code code = t->backend->alloc(t->context, bytes, &memory, t->error);
  if (code == BENCH_OK) {
    code = t->backend->fill(t->context, memory, 1, bytes, t->error);
  }
  /* As many readings of each kind, in turn: a machine that others slow down slows all. */
  for (int i = 0; code == BENCH_OK && i < FLUSH_TRIES; i++) {
    double ignored = INFINITY;
    code = time_read(t, memory, FLUSH_BYTES_LEAST, &floor);
    if (code == BENCH_OK) {
      code = time_read(t, memory, bytes, &ignored);
    }
    if (code == BENCH_OK) {
      code = time_read(t, memory, bytes, &warm);
    }
    if (code == BENCH_OK) {
      code = t->backend->flush_cache(t->context, t->error);
    }
    if (code == BENCH_OK) {
      code = time_read(t, memory, bytes, &cold);
    }
  }
  t->backend->free(t->context, memory);
  const double cached = fmax(warm - floor, FLUSH_WARM_NS_MIN);
  return code != BENCH_OK
             ? code
             : conclude(t, cold - floor >= FLUSH_RATIO_MIN * cached,
                        "%zu KiB are read in %.1f us, and in %.1f us after a flush, beside %.1f us "
                        "of any reading (%.1f times; at least %.1f)",
                        bytes >> 10, cached / 1e3, (cold - floor) / 1e3, floor / 1e3,
                        (cold - floor) / cached, FLUSH_RATIO_MIN);
}

static double normal(uint64_t stream, uint64_t index) {
  return bench_input_element(BENCH_INPUT_NORMAL, stream, 0, BENCH_TENSOR_Q, (int64_t)index);
}

/* The rule that ends a measurement, on streams whose median is known. */
static bench_code check_rule(selftest *t) {
  static double samples[RULE_SAMPLES];
  static double sorted[RULE_SAMPLES];
  int held = 0;
  for (uint64_t stream = 0; stream < RULE_STREAMS; stream++) {
    bench_stop_rule rule = {0};
    int64_t count = 0;
    do {
      samples[count] = 1e6 * (1 + 0.01 * normal(stream, (uint64_t)count));
      count++;
    } while (!bench_stop_rule_met(&rule, samples, count, sorted) && count < RULE_SAMPLES);
    bench_summary summary;
    bench_summarize(samples, count, sorted, &summary);
    held += summary.ci_lo <= 1e6 && 1e6 <= summary.ci_hi;
  }
  const double coverage = (double)held / RULE_STREAMS;
  return conclude(t, coverage >= RULE_COVERAGE_MIN,
                  "95 %% intervals hold the median of %.1f %% of %d streams (at least %.0f)",
                  100 * coverage, RULE_STREAMS, 100 * RULE_COVERAGE_MIN);
}

/* The device's clock rate, read twice. */
static bench_code check_rate(selftest *t) {
  double mhz[2] = {NAN, NAN};
  bench_code code = BENCH_OK;
  if (t->backend->clock_mhz == NULL) {
    return skip(t, "this backend does not tell its clock rate");
  }
  for (int i = 0; code == BENCH_OK && i < 2; i++) {
    double ignored;
    code = time_delay(t, t->backend->delay != NULL ? AGREE_NS : -1, &ignored);
    if (code == BENCH_OK) {
      code = t->backend->clock_mhz(t->context, &mhz[i], t->error);
    }
  }
  return code != BENCH_OK ? code
                          : conclude(t, mhz[0] > 100 && mhz[0] < 20000 && mhz[1] > 100,
                                     "%.0f MHz, then %.0f MHz", mhz[0], mhz[1]);
}

bench_code bench_selftest_run(const bench_backend *backend, bench_context *context,
                              bench_selftest_check checks[BENCH_SELFTEST_CHECKS], size_t *count,
                              bench_error *error) {
  static const struct {
    const char *name;
    check_fn *run;
  } table[] = {
      {"clock step", check_step},     {"clock agreement", check_agreement},
      {"known delays", check_delays}, {"cache flush", check_flush},
      {"clock rate", check_rate},     {"sampling rule", check_rule},
  };
  bench_code code = BENCH_OK;
  *count = 0;
  for (size_t i = 0; code == BENCH_OK && i < sizeof table / sizeof table[0]; i++) {
    selftest t = {.backend = backend, .context = context, .check = &checks[i], .error = error};
    checks[i] = (bench_selftest_check){.name = table[i].name};
    code = table[i].run(&t);
    *count = i + 1;
  }
  return code;
}
