/* Whole CSV files of one table: read, and rewritten without some of their rows. */
#ifndef BENCH_SINK_CSV_TABLE_H
#define BENCH_SINK_CSV_TABLE_H

#include "bench/row.h"
#include "bench/status.h"

/* What a header other than this version's means. */
typedef enum bench_csv_header {
  BENCH_CSV_SAME,    /* a BENCH_ERR_UNSUPPORTED */
  BENCH_CSV_BY_NAME, /* columns are found by name; but for ids, one may be absent: empty */
} bench_csv_header;

/* Calls `visit` with each whole line as fields in the order of the table's columns, until it
 * returns something else than BENCH_OK. A missing file is no rows. */
typedef bench_code bench_csv_visit_fn(void *context, char *const *fields, bench_error *error);
bench_code bench_csv_read(const char *folder, const char *name, const bench_table *table,
                          bench_csv_header header, bench_csv_visit_fn *visit, void *context,
                          bench_error *error);

/* Rewrites `folder`/`name` with only the rows that `keep` wants, in one rename, under this
 * version's header. A missing file is left missing. */
typedef bool bench_csv_keep_fn(void *context, char *const *fields);
bench_code bench_csv_filter(const char *folder, const char *name, const bench_table *table,
                            bench_csv_header header, bench_csv_keep_fn *keep, void *context,
                            bench_error *error);

/* The place of a column that the table has. */
size_t bench_csv_column(const bench_table *table, const char *name);

#endif
