/* Rows of several CSV files of one table, kept as text, sorted by a rank and written as one. */
#ifndef BENCH_MERGE_ROWS_H
#define BENCH_MERGE_ROWS_H

#include "bench/row.h"
#include "bench/status.h"

typedef struct bench_merge_row {
  uint64_t key;  /* what the row is of; rows of one key must be equal */
  size_t rank;   /* its place in the order to write; among equals that of adding */
  size_t number; /* in the order of adding */
  size_t folder; /* where it came from */
  char **fields; /* one allocation with their text */
} bench_merge_row;

typedef struct bench_merge_rows {
  const bench_table *table;
  bench_merge_row *rows;
  size_t count;
  size_t capacity;
} bench_merge_rows;

/* Copies the fields. */
bench_code bench_merge_rows_add(bench_merge_rows *rows, uint64_t key, size_t rank, size_t folder,
                                char *const *fields, bench_error *error);
/* Replaces one field of a row. */
bench_code bench_merge_rows_set(bench_merge_rows *rows, size_t row, const char *column,
                                const char *text, bench_error *error);
/* Leaves one row of each key. False where two of a key differ: *a and *b are they. `same` compares
 * two rows' fields. */
typedef bool bench_merge_same_fn(const bench_table *table, char *const *a, char *const *b);
bool bench_merge_rows_unite(bench_merge_rows *rows, bench_merge_same_fn *same,
                            const bench_merge_row **a, const bench_merge_row **b);
void bench_merge_rows_sort(bench_merge_rows *rows);
/* The column's text of a row. */
const char *bench_merge_rows_field(const bench_merge_rows *rows, size_t row, const char *column);
/* Creates folder/name with these rows. */
bench_code bench_merge_rows_write(const bench_merge_rows *rows, const char *folder,
                                  const char *name, bench_error *error);
void bench_merge_rows_free(bench_merge_rows *rows);

#endif
