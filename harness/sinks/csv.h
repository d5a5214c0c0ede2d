/* CSV files of one table: RFC 4180, header first, a missing value is an empty field, each row
 * flushed to the kernel when it is written. */
#ifndef BENCH_SINK_CSV_H
#define BENCH_SINK_CSV_H

#include "bench/row.h"
#include "bench/status.h"

typedef struct bench_csv bench_csv; /* opaque; one open file */

/* Creates `folder`/`name` with its header, or, with `resume`, opens it for appending: a last line
 * without its newline (a torn write) is cut off, and a header other than the table's is a
 * BENCH_ERR_USAGE. The caller closes. */
bench_code bench_csv_open(const char *folder, const char *name, const bench_table *table,
                          bool resume, bench_csv **out, bench_error *error);
/* Writes one row of the table's struct. A failed write is a BENCH_ERR_ENV. */
bench_code bench_csv_append(bench_csv *csv, const void *row, bench_error *error);
/* Hands what was appended to the disk (fdatasync). */
bench_code bench_csv_sync(bench_csv *csv, bench_error *error);
/* Closes; NULL does nothing. A write error that shows only now is a BENCH_ERR_ENV. */
bench_code bench_csv_close(bench_csv *csv, bench_error *error);

/* Reads the rows of `folder`/`name` that `visit` wants: each whole line as fields in the order of
 * the table's columns. A missing file is no rows. */
typedef void bench_csv_visit_fn(void *context, char *const *fields);
bench_code bench_csv_read(const char *folder, const char *name, const bench_table *table,
                          bench_csv_visit_fn *visit, void *context, bench_error *error);

/* Rewrites `folder`/`name` with only the rows that `keep` wants, in one rename. A missing file is
 * left missing. */
typedef bool bench_csv_keep_fn(void *context, char *const *fields);
bench_code bench_csv_filter(const char *folder, const char *name, const bench_table *table,
                            bench_csv_keep_fn *keep, void *context, bench_error *error);

#endif
