/* Times with mask full, by all that names a row's work but its mask. */
#include "src/dense_times.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/hash.h"

struct bench_dense_time {
  uint64_t key;
  double time_ns;
};

static uint64_t key_of(const bench_row *row) {
  static const char *const columns[] = {
      "kernel",  "backend",  "device",   "dtype", "direction", "model", "params", "layers", "batch",
      "heads_q", "heads_kv", "head_dim", "seq_q", "seq_kv",    "input", "seed",   "mode"};
  uint64_t key = BENCH_HASH_START;
  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
    char text[BENCH_FIELD_TEXT_MAX];
    const bench_column *column = bench_table_find(&bench_sweep_table, columns[i]);
    key = bench_hash_text(bench_hash_text(key, bench_field_format(column, row, text)), "\n");
  }
  return key;
}

/* The projections have no mask: an ideal would have to leave them out. */
static bool is_rated(const bench_row *row) {
  return strcmp(row->scope, "attention") == 0 && row->time_ns_median > 0 &&
         strcmp(row->kernel, "null") != 0;
}

void bench_dense_remember(bench_dense_times *dense, const bench_row *row) {
  if (!is_rated(row) || strcmp(row->status, "ok") != 0 || strcmp(row->mask, "full") != 0) {
    return;
  }
  if (dense->count == dense->capacity) {
    size_t capacity = dense->capacity == 0 ? 64 : dense->capacity * 2;
    struct bench_dense_time *times = realloc(dense->times, capacity * sizeof *times);
    if (times == NULL) {
      return;
    }
    dense->times = times;
    dense->capacity = capacity;
  }
  dense->times[dense->count++] = (struct bench_dense_time){key_of(row), row->time_ns_median};
}

double bench_dense_fraction(const bench_dense_times *dense, const bench_row *row) {
  if (!is_rated(row) || strcmp(row->mask, "full") == 0) {
    return NAN;
  }
  const uint64_t key = key_of(row);
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
