/* Two lists of times, each by a hash of all that a row and its base agree in. */
#include "src/base_times.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/hash.h"

struct bench_known_time {
  uint64_t key;
  double time_ns;
};

/* All that names a row's work but its mask. */
static const char *const dense_columns[] = {
    "kernel",  "backend",  "device",   "dtype", "direction", "model", "params", "layers", "batch",
    "heads_q", "heads_kv", "head_dim", "seq_q", "seq_kv",    "input", "seed",   "mode",   NULL};

/* The case, and where it ran: --resume --force mixes devices. */
static const char *const burst_columns[] = {"case_id", "backend", "device", NULL};

static uint64_t key_of(const bench_row *row, const char *const *columns) {
  uint64_t key = BENCH_HASH_START;
  for (; *columns != NULL; columns++) {
    char text[BENCH_FIELD_TEXT_MAX];
    const bench_column *column = bench_table_find(&bench_sweep_table, *columns);
    key = bench_hash_text(bench_hash_text(key, bench_field_format(column, row, text)), "\n");
  }
  return key;
}

static void add(bench_time_list *list, uint64_t key, double time_ns) {
  if (list->count == list->capacity) {
    size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
    struct bench_known_time *times = realloc(list->times, capacity * sizeof *times);
    if (times == NULL) {
      return;
    }
    list->times = times;
    list->capacity = capacity;
  }
  list->times[list->count++] = (struct bench_known_time){key, time_ns};
}

/* The last one added, or NaN. */
static double find(const bench_time_list *list, uint64_t key) {
  for (size_t i = list->count; i > 0; i--) {
    if (list->times[i - 1].key == key) {
      return list->times[i - 1].time_ns;
    }
  }
  return NAN;
}

/* The projections have no mask: an ideal would have to leave them out. */
static bool has_ideal(const bench_row *row) {
  return strcmp(row->scope, "attention") == 0 && bench_family_computes(row->kernel);
}

static bool is_dense(const bench_row *row) {
  return strcmp(row->mask, "full") == 0;
}

void bench_base_times_note(bench_base_times *base, const bench_row *row) {
  if (strcmp(row->status, "ok") != 0 || !(row->time_ns_median > 0)) {
    return;
  }
  if (has_ideal(row) && is_dense(row)) {
    add(&base->dense, key_of(row, dense_columns), row->time_ns_median);
  }
  if (strcmp(row->mode, "warm") == 0) {
    add(&base->burst, key_of(row, burst_columns), row->time_ns_median);
  }
}

void bench_base_times_compare(const bench_base_times *base, bench_row *row) {
  if (!(row->time_ns_median > 0)) {
    return;
  }
  if (isnan(row->fraction_of_ideal) && has_ideal(row) && !is_dense(row)) {
    const double dense_ns = find(&base->dense, key_of(row, dense_columns));
    row->fraction_of_ideal = dense_ns * row->density / row->time_ns_median;
  }
  if (isnan(row->sustained_of_burst) && strcmp(row->mode, "sustained") == 0) {
    const double burst_ns = find(&base->burst, key_of(row, burst_columns));
    row->sustained_of_burst = burst_ns / row->time_ns_median;
  }
}

void bench_base_times_free(bench_base_times *base) {
  free(base->dense.times);
  free(base->burst.times);
  *base = (bench_base_times){0};
}
