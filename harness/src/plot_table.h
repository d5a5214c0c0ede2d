/* One CSV file of a result as `bench plot` sees it: all its rows, columns found by name. */
#ifndef BENCH_PLOT_TABLE_H
#define BENCH_PLOT_TABLE_H

#include "sinks/csv_reader.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_PLOT_NO_COLUMN ((size_t)-1)

/* The members are for reading. */
typedef struct bench_plot_table {
  char *path;
  size_t columns;
  size_t rows;   /* without the header */
  char **cells;  /* the header first: (1 + rows) * columns */
  size_t *lines; /* in the file, of each row */
  bench_csv_reader reader;
} bench_plot_table;

/* Reads `path` whole. A malformed file is a BENCH_ERR_USAGE that names file and line. The caller
 * frees, also after a failure. */
bench_code bench_plot_table_read(const char *path, bench_plot_table *out, bench_error *error);
void bench_plot_table_free(bench_plot_table *table);

/* BENCH_PLOT_NO_COLUMN if the file has none of that name. */
size_t bench_plot_table_column(const bench_plot_table *table, const char *name);

/* A field; "" if the file has no such column. Columns that are derived from others can be asked
 * for alike:
 *   queries  "all" where seq_q = seq_kv, else "SEQ_Q": a sweep over square attention has one value
 *   tokens   batch * seq_q: constant where a config says tokens
 * Returns text, which only a derived column writes into. */
#define BENCH_PLOT_TEXT_MAX 64
const char *bench_plot_table_text(const bench_plot_table *table, size_t row, const char *column,
                                  char text[BENCH_PLOT_TEXT_MAX]);
/* The same as a number: NaN if it is missing, or not finite. */
double bench_plot_table_number(const bench_plot_table *table, size_t row, const char *column);

/* BENCH_ERR_USAGE, with the line, if a field of the column is text. */
bench_code bench_plot_table_check_number(const bench_plot_table *table, const char *column,
                                         bench_error *error);

#ifdef __cplusplus
}
#endif
#endif
