/* Heads of a problem and their means. */
#include "src/head_means.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/protocol.h"

void bench_head_means_begin(bench_head_means *means) {
  means->count = 0;
  means->lost = false;
}

void bench_head_means_take(void *context, const json_t *event) {
  bench_head_means *means = context;
  const json_t *values = json_object_get(event, "values");
  if (values == NULL) {
    return;
  }
  if (means->count == means->capacity) {
    size_t capacity = means->capacity == 0 ? 64 : means->capacity * 2;
    bench_head_row *heads = realloc(means->heads, capacity * sizeof *heads);
    if (heads == NULL) {
      means->lost = true; /* the statistics are, the case is not */
      return;
    }
    means->heads = heads;
    means->capacity = capacity;
  }
  bench_head_row *row = &means->heads[means->count++];
  bench_table_clear(&bench_head_table, row);
  bench_fields_from_json(&bench_head_table, values, row);
}

/* Every real column that both tables have. */
void bench_head_means_end(bench_head_means *means) {
  if (means->lost) {
    means->count = 0;
  }
  if (means->count == 0) {
    return;
  }
  bench_table_clear(&bench_sweep_table, &means->means);
  for (size_t c = 0; c < bench_head_table.count; c++) {
    const bench_column *from = &bench_head_table.columns[c];
    const bench_column *to = bench_table_find(&bench_sweep_table, from->name);
    if (to == NULL || from->type != BENCH_REAL) {
      continue;
    }
    double sum = 0;
    int64_t count = 0;
    for (size_t h = 0; h < means->count; h++) {
      double value = *(const double *)((const char *)&means->heads[h] + from->offset);
      if (isfinite(value)) {
        sum += value;
        count++;
      }
    }
    if (count > 0) {
      *(double *)((char *)&means->means + to->offset) = sum / (double)count;
    }
  }
  means->known = true;
}

void bench_head_means_copy(const bench_head_means *means, bench_row *row) {
  if (!means->known) {
    return;
  }
  for (size_t c = 0; c < bench_head_table.count; c++) {
    const bench_column *column =
        bench_table_find(&bench_sweep_table, bench_head_table.columns[c].name);
    if (column != NULL && column->type == BENCH_REAL) {
      memcpy((char *)row + column->offset, (const char *)&means->means + column->offset,
             sizeof(double));
    }
  }
}

void bench_head_means_free(bench_head_means *means) {
  free(means->heads);
}
