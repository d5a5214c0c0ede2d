/* Rows as text: what is joined is not changed by it, to the last digit. */
#include "src/merge_rows.h"

#include <stdlib.h>
#include <string.h>

#include "sinks/csv.h"
#include "sinks/csv_table.h"

static char **copy_fields(char *const *fields, size_t count) {
  size_t bytes = 1;
  for (size_t i = 0; i < count; i++) {
    bytes += strlen(fields[i]) + 1;
  }
  char **copy = malloc(count * sizeof *copy + bytes);
  char *text = (char *)(copy + count);
  for (size_t i = 0; copy != NULL && i < count; i++) {
    copy[i] = text;
    text = stpcpy(text, fields[i]) + 1;
  }
  return copy;
}

bench_code bench_merge_rows_add(bench_merge_rows *rows, uint64_t key, size_t rank, size_t folder,
                                char *const *fields, bench_error *error) {
  if (rows->count == rows->capacity) {
    size_t capacity = rows->capacity == 0 ? 1024 : rows->capacity * 2;
    bench_merge_row *larger = realloc(rows->rows, capacity * sizeof *larger);
    if (larger == NULL) {
      return bench_fail(error, BENCH_ERR_NOMEM, "no memory for %zu rows", capacity);
    }
    rows->rows = larger;
    rows->capacity = capacity;
  }
  char **copy = copy_fields(fields, rows->table->count);
  if (copy == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for %zu rows", rows->count);
  }
  rows->rows[rows->count] = (bench_merge_row){key, rank, rows->count, folder, copy};
  rows->count++;
  return BENCH_OK;
}

bench_code bench_merge_rows_set(bench_merge_rows *rows, size_t row, const char *column,
                                const char *text, bench_error *error) {
  char **old = rows->rows[row].fields;
  old[bench_csv_column(rows->table, column)] = (char *)text; /* until it is copied */
  char **copy = copy_fields(old, rows->table->count);
  if (copy == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for %zu rows", rows->count);
  }
  free(old);
  rows->rows[row].fields = copy;
  return BENCH_OK;
}

static int by_number(const bench_merge_row *x, const bench_merge_row *y) {
  return (x->number > y->number) - (x->number < y->number);
}

static int by_key(const void *a, const void *b) {
  const bench_merge_row *x = a;
  const bench_merge_row *y = b;
  return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : by_number(x, y);
}

static int by_rank(const void *a, const void *b) {
  const bench_merge_row *x = a;
  const bench_merge_row *y = b;
  return x->rank != y->rank ? (x->rank > y->rank) - (x->rank < y->rank) : by_number(x, y);
}

bool bench_merge_rows_unite(bench_merge_rows *rows, bench_merge_same_fn *same,
                            const bench_merge_row **a, const bench_merge_row **b) {
  qsort(rows->rows, rows->count, sizeof *rows->rows, by_key);
  size_t kept = 0;
  for (size_t i = 0; i < rows->count; i++) {
    bench_merge_row *row = &rows->rows[i];
    if (kept == 0 || rows->rows[kept - 1].key != row->key) {
      bench_merge_row moved = *row;
      row->fields = NULL;
      rows->rows[kept++] = moved;
    } else if (same(rows->table, rows->rows[kept - 1].fields, row->fields)) {
      free(row->fields);
      row->fields = NULL;
    } else {
      *a = &rows->rows[kept - 1];
      *b = row;
      return false; /* the rest is freed with the set */
    }
  }
  rows->count = kept;
  return true;
}

void bench_merge_rows_sort(bench_merge_rows *rows) {
  qsort(rows->rows, rows->count, sizeof *rows->rows, by_rank);
}

const char *bench_merge_rows_field(const bench_merge_rows *rows, size_t row, const char *column) {
  return rows->rows[row].fields[bench_csv_column(rows->table, column)];
}

bench_code bench_merge_rows_write(const bench_merge_rows *rows, const char *folder,
                                  const char *name, bench_error *error) {
  bench_csv *csv;
  bench_code code = bench_csv_open(folder, name, rows->table, BENCH_CSV_FRESH, &csv, error);
  if (code != BENCH_OK) {
    return code;
  }
  for (size_t i = 0; i < rows->count; i++) {
    bench_csv_add_fields(csv, rows->rows[i].fields);
  }
  code = bench_csv_flush(csv, error);
  if (code == BENCH_OK) {
    code = bench_csv_sync(csv, error);
  }
  bench_code closed = bench_csv_close(csv, code == BENCH_OK ? error : NULL);
  return code != BENCH_OK ? code : closed;
}

void bench_merge_rows_free(bench_merge_rows *rows) {
  for (size_t i = 0; i < rows->count; i++) {
    free(rows->rows[i].fields);
  }
  free(rows->rows);
}
