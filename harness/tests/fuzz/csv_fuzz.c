/* Any bytes as a CSV file of a result: read or refused, by place and by name; what is read writes
 * and reads back as the same fields. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinks/csv_reader.h"
#include "sinks/csv_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A folder with one file, samples.csv, for the life of the process. */
static char path[64];

static void remove_folder(void) {
  char file[128];
  snprintf(file, sizeof file, "%s/samples.csv", path);
  unlink(file);
  rmdir(path);
}

static const char *folder(void) {
  if (path[0] == '\0') {
    snprintf(path, sizeof path, "%s/bench-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(path) == NULL) {
      abort();
    }
    atexit(remove_folder);
  }
  return path;
}

static void write_file(const char *name, const void *bytes, size_t size) {
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) != 0) {
    abort();
  }
}

static bench_code parse_row(void *context, char *const *fields, bench_error *error) {
  (void)error;
  bench_sample_row row;
  size_t *rows = context;
  bench_row_parse(&bench_sample_table, fields, &row);
  char text[BENCH_FIELD_TEXT_MAX];
  for (size_t i = 0; i < bench_sample_table.count; i++) {
    bench_field_format(&bench_sample_table.columns[i], &row, text);
  }
  (*rows)++;
  return BENCH_OK;
}

static bool keep_all(void *context, char *const *fields) {
  (void)context;
  (void)fields;
  return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  char name[128];
  bench_error error;
  size_t rows = 0;
  size_t rows_again = 0;
  snprintf(name, sizeof name, "%s/samples.csv", folder());
  write_file(name, bytes, size);
  bench_csv_reader reader;
  bool more = bench_csv_reader_open(name, &reader, &error) == BENCH_OK;
  while (more && bench_csv_reader_next(&reader, &more, &error) == BENCH_OK) {
    for (size_t i = 0; more && i < reader.count; i++) {
      rows_again += strlen(reader.fields[i]); /* each ends, within the text */
    }
  }
  bench_csv_reader_close(&reader);
  rows_again = 0;
  if (bench_csv_read(folder(), "samples.csv", &bench_sample_table, BENCH_CSV_BY_NAME, parse_row,
                     &rows, &error) == BENCH_OK) {
    if (bench_csv_filter(folder(), "samples.csv", &bench_sample_table, BENCH_CSV_BY_NAME, keep_all,
                         NULL, &error) != BENCH_OK ||
        bench_csv_read(folder(), "samples.csv", &bench_sample_table, BENCH_CSV_SAME, parse_row,
                       &rows_again, &error) != BENCH_OK ||
        rows != rows_again) {
      __builtin_trap();
    }
  }
  return 0;
}
