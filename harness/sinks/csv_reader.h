/* Reads CSV files as RFC 4180 has them, record by record, and says where one is malformed. */
#ifndef BENCH_SINK_CSV_READER_H
#define BENCH_SINK_CSV_READER_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/status.h"

/* The members are for reading. The fields are text without their quotes, and stay valid until the
 * reader is closed; the array that holds them only until the next record. */
typedef struct bench_csv_reader {
  const char *path;
  char **fields; /* of the record at hand */
  size_t count;
  size_t line; /* on which it begins, from 1 */
  bool torn;   /* the end was reached, and a last line without its newline was left out */
  char *text;
  size_t bytes;
  size_t at;
  size_t next_line;
  size_t capacity; /* of fields */
} bench_csv_reader;

/* Reads the whole file. A missing file is a BENCH_ERR_USAGE, one that cannot be read a
 * BENCH_ERR_ENV. `path` must outlive the reader. The caller closes, also after a failure. */
bench_code bench_csv_reader_open(const char *path, bench_csv_reader *out, bench_error *error);
void bench_csv_reader_close(bench_csv_reader *reader);

/* The next record, or more = false at the end. Lines end in LF or CR LF; a last line that does not
 * end was torn as it was written, and is no record. BENCH_ERR_USAGE, with the file and the line:
 * a quote that is never closed or stands in a bare field, text behind a closing quote, a bare
 * carriage return, a NUL byte. */
bench_code bench_csv_reader_next(bench_csv_reader *reader, bool *more, bench_error *error);

#endif
