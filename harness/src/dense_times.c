/* Times with mask full, by shape, family and mode. */
#include "src/dense_times.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/hash.h"

struct bench_dense_time {
  uint64_t key;
  double time_ns;
};

static uint64_t key_of(const bench_problem *problem, const bench_row *row) {
  bench_attn full = problem->attn;
  memset(&full.mask, 0, sizeof full.mask); /* BENCH_MASK_FULL */
  memset(full.part, 0, sizeof full.part);
  return bench_hash_text(bench_hash_text(bench_attn_id(&full), row->kernel), row->mode);
}

void bench_dense_remember(bench_dense_times *dense, const bench_problem *problem,
                          const bench_row *row) {
  if (dense->count == dense->capacity) {
    size_t capacity = dense->capacity == 0 ? 64 : dense->capacity * 2;
    struct bench_dense_time *times = realloc(dense->times, capacity * sizeof *times);
    if (times == NULL) {
      return;
    }
    dense->times = times;
    dense->capacity = capacity;
  }
  dense->times[dense->count++] =
      (struct bench_dense_time){key_of(problem, row), row->time_ns_median};
}

double bench_dense_fraction(const bench_dense_times *dense, const bench_problem *problem,
                            const bench_row *row) {
  uint64_t key = key_of(problem, row);
  for (size_t i = dense->count; i > 0; i--) {
    if (dense->times[i - 1].key == key) {
      return dense->times[i - 1].time_ns * row->density / row->time_ns_median;
    }
  }
  return NAN;
}

void bench_dense_free(bench_dense_times *dense) {
  free(dense->times);
  *dense = (bench_dense_times){0};
}
