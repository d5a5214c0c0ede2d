/* Samples into their row: see row_samples.h. */
#include "src/row_samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/samples.h"

/* Between the 10th and the 90th percentile: more, and the samples are of two devices. */
#define CLOCK_SPREAD_MAX 0.05

bool bench_unsteady_allowed(void) {
  const char *wish = getenv("BENCH_UNSTEADY");
  return wish != NULL && strcmp(wish, "allow") == 0;
}

void bench_row_judge_samples(bench_row *row, const double *samples, size_t count) {
  bench_steadiness found;
  if (!bench_steadiness_of(samples, (int64_t)count, &found)) {
    return;
  }
  row->drift = found.drift;
  row->autocorrelation = found.autocorrelation;
  if (found.fault != NULL && strcmp(row->status, "ok") == 0 && !bench_unsteady_allowed()) {
    bench_text_copy(row->status, sizeof row->status, "invalid");
    snprintf(row->reason, sizeof row->reason, "%s (drift %+.1f %%, autocorrelation %.2f)",
             found.fault, 100 * found.drift, found.autocorrelation);
  }
}

/* A GPU's clock is measured by the GPU; a core's by the host, whom others interrupt. */
static void judge_clock(bench_row *row, const bench_summary *clock) {
  const double spread = (clock->p90 - clock->p10) / clock->median;
  if (spread > CLOCK_SPREAD_MAX && strcmp(row->backend, "cuda") == 0 &&
      strcmp(row->status, "ok") == 0 && !bench_unsteady_allowed()) {
    bench_text_copy(row->status, sizeof row->status, "invalid");
    snprintf(row->reason, sizeof row->reason, "the clock went from %.0f to %.0f MHz", clock->p10,
             clock->p90);
  }
}

double *bench_row_take_clock(bench_row *row, const json_t *result, size_t count) {
  const json_t *list = json_object_get(result, "sm_mhz");
  double *clock = json_array_size(list) == count ? malloc(2 * count * sizeof *clock) : NULL;
  if (clock == NULL) {
    return NULL;
  }
  double *sorted = clock + count; /* scratch, freed with the array */
  double *known = malloc(count * sizeof *known);
  int64_t known_count = 0;
  for (size_t i = 0; i < count; i++) {
    const json_t *value = json_array_get(list, i);
    const bool is_known = json_is_number(value) && json_number_value(value) > 0;
    clock[i] = is_known ? json_number_value(value) : NAN;
    if (is_known && known != NULL) {
      known[known_count++] = clock[i];
    }
  }
  bench_summary summary;
  if (known_count > 0) {
    bench_summarize(known, known_count, sorted, &summary);
    row->sm_mhz = summary.median;
    judge_clock(row, &summary);
  }
  free(known);
  return clock;
}
