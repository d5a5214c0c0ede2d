/* CSV files of one table, for appending: RFC 4180, header first, a missing value is an empty field.
 * Whatever ends a write, the file holds whole lines, or one torn line at its end. */
#ifndef BENCH_SINK_CSV_H
#define BENCH_SINK_CSV_H

#include "bench/row.h"
#include "bench/status.h"

typedef struct bench_csv bench_csv; /* opaque; one open file, locked against other runs */

typedef enum bench_csv_start {
  BENCH_CSV_FRESH,     /* emptied */
  BENCH_CSV_RESUME,    /* goes on; a header other than the table's is BENCH_ERR_UNSUPPORTED */
  BENCH_CSV_ANY_HEADER /* goes on, to be rewritten: no row may be appended */
} bench_csv_start;

/* Opens `folder`/`name` and writes the header where there is none. A last line without its newline
 * (a torn write) is cut off. The caller closes. */
bench_code bench_csv_open(const char *folder, const char *name, const bench_table *table,
                          bench_csv_start start, bench_csv **out, bench_error *error);
/* Puts one row of the table's struct, or its fields as text, among those to be written. Where there
 * is no memory for it, the next flush fails. */
void bench_csv_add(bench_csv *csv, const void *row);
void bench_csv_add_fields(bench_csv *csv, char *const *fields);
/* Writes what was added. Where that fails (a BENCH_ERR_ENV), what was there before stays whole. */
bench_code bench_csv_flush(bench_csv *csv, bench_error *error);
bench_code bench_csv_append(bench_csv *csv, const void *row, bench_error *error); /* both */
/* Hands what was written to the disk. */
bench_code bench_csv_sync(bench_csv *csv, bench_error *error);
/* A BENCH_ERR_ENV if the file was removed, moved or replaced since it was opened: what is written
 * would not be found. */
bench_code bench_csv_check_place(const bench_csv *csv, bench_error *error);
/* Closes; NULL does nothing. A write error that shows only now is a BENCH_ERR_ENV. */
bench_code bench_csv_close(bench_csv *csv, bench_error *error);

#endif
