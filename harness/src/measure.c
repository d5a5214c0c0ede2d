/* Samples of one timed region: taken until the answer is good enough or the budget is spent.
 *
 * The stop rule is about the goal, not about noise: the 95 % confidence interval of the median,
 * looked at only when the number of samples has grown by half, so that looking does not bias it.
 * Every sample is kept. Only kernel launches stand between the two ends of the clock. */
#include <math.h>
#include <stdlib.h>

#include "bench/samples.h"
#include "platform/proc.h"
#include "src/work.h"

#define MIN_SAMPLES 6 /* fewer have no 95 % confidence interval of the median */
#define MAX_SAMPLES 4096
#define CI_GOAL 0.005 /* half-width of the interval over the median */

static bench_code take_sample(const bench_work *work, const bench_kernel *kernel, void *workspace,
                              int stages, bool cold, double *time_ns, bench_error *error) {
  const bench_backend *backend = work->backend;
  bench_code code = cold ? backend->flush_cache(work->context, error) : BENCH_OK;
  if (code == BENCH_OK) {
    code = backend->sync(work->context, error);
  }
  if (code == BENCH_OK) {
    code = backend->timer_start(work->context, error);
  }
  if (code != BENCH_OK) {
    return code;
  }
  code = bench_work_launch(work, kernel, workspace, stages, error);
  return code == BENCH_OK ? backend->timer_stop(work->context, time_ns, error) : code;
}

static bool precise_enough(const bench_measurement *taken, double *sorted) {
  bench_summary summary;
  bench_summarize(taken->time_ns, taken->count, sorted, &summary);
  return summary.ci_hi - summary.ci_lo <= 2 * CI_GOAL * summary.median;
}

bench_code bench_measure(const bench_work *work, const bench_kernel *kernel, void *workspace,
                         bench_mode mode, double budget_s, bench_measurement *out,
                         bench_error *error) {
  bool sustained = mode == BENCH_MODE_SUSTAINED;
  int64_t limit = sustained ? 1 << 20 : MAX_SAMPLES;
  *out = (bench_measurement){.stop_reason = "budget"};
  out->time_ns = malloc((size_t)limit * sizeof(double));
  double *sorted = malloc((size_t)limit * sizeof(double));
  bench_code code = BENCH_OK;
  if (out->time_ns == NULL || sorted == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory for samples");
  }
  double warm_up_ns;
  if (code == BENCH_OK && mode != BENCH_MODE_COLD) { /* verifying left other data in the caches */
    code = take_sample(work, kernel, workspace, BENCH_STAGE_ALL, false, &warm_up_ns, error);
  }
  double start_s = bench_proc_monotonic_s();
  double end_s = start_s + (sustained ? fmax(budget_s, BENCH_SUSTAINED_MIN_S) : budget_s);
  int64_t next_look = MIN_SAMPLES;
  while (code == BENCH_OK) {
    code = take_sample(work, kernel, workspace, BENCH_STAGE_ALL, mode == BENCH_MODE_COLD,
                       &out->time_ns[out->count], error);
    out->count += code == BENCH_OK;
    if (sustained && bench_proc_monotonic_s() < start_s + (end_s - start_s) / 2) {
      out->count = 0; /* only the last half counts, when clocks have settled */
    }
    if (!sustained && out->count == next_look) {
      if (precise_enough(out, sorted)) {
        out->stop_reason = "ci";
        break;
      }
      next_look += (next_look + 1) / 2;
    }
    if (out->count == limit) {
      out->stop_reason = "max_samples";
      break;
    }
    if (bench_proc_monotonic_s() >= end_s) {
      break;
    }
  }
  free(sorted);
  if (code != BENCH_OK) {
    free(out->time_ns);
    out->time_ns = NULL;
    return code;
  }
  return BENCH_OK;
}

/* Samples of each stage, taken in turn so that a drift of the machine meets both. */
#define SHARE_SAMPLES 15
#define SHARE_SAMPLES_MIN 3
#define SHARE_BUDGET 0.25 /* of the case's */

bench_code bench_measure_shares(const bench_work *work, const bench_kernel *kernel, void *workspace,
                                bench_mode mode, double budget_s, double *projection_share,
                                double *attention_share, bench_error *error) {
  static const int stages[] = {BENCH_STAGE_PROJECTIONS, BENCH_STAGE_ATTENTION};
  double times[2][SHARE_SAMPLES];
  double sorted[SHARE_SAMPLES];
  int64_t count = 0;
  bench_code code = BENCH_OK;
  const double end_s = bench_proc_monotonic_s() + SHARE_BUDGET * budget_s;
  while (code == BENCH_OK && count < SHARE_SAMPLES &&
         (count < SHARE_SAMPLES_MIN || bench_proc_monotonic_s() < end_s)) {
    for (int s = 0; code == BENCH_OK && s < 2; s++) {
      code = take_sample(work, kernel, workspace, stages[s], mode == BENCH_MODE_COLD,
                         &times[s][count], error);
    }
    count++;
  }
  if (code != BENCH_OK) {
    return code;
  }
  bench_summary summaries[2];
  for (int s = 0; s < 2; s++) {
    bench_summarize(times[s], count, sorted, &summaries[s]);
  }
  const double both = summaries[0].median + summaries[1].median;
  if (both > 0) {
    *projection_share = summaries[0].median / both;
    *attention_share = summaries[1].median / both;
  }
  return BENCH_OK;
}
