/* Reading and rewriting the CSV files of a result. */
#include "sinks/csv_table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sinks/csv.h"
#include "sinks/csv_reader.h"
#include "sinks/file.h"

#define NOWHERE SIZE_MAX

typedef struct table_reader {
  bench_csv_reader reader;
  const bench_table *table;
  size_t *place; /* [columns of the table] of each in the file, or NOWHERE */
  char **fields; /* [columns of the table] of the record at hand */
  size_t count;  /* columns of the file */
} table_reader;

size_t bench_csv_column(const bench_table *table, const char *name) {
  return (size_t)(bench_table_find(table, name) - table->columns);
}

/* A file of any version has the columns that say what a row is of. */
static bool has_ids(const table_reader *r) {
  static const char *const ids[] = {"problem_id", "case_id", "mode", "status"};
  bool all = true;
  for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
    const bench_column *column = bench_table_find(r->table, ids[i]);
    all = all && (column == NULL || r->place[column - r->table->columns] != NOWHERE);
  }
  return all;
}

/* Where the file has each column of the table. */
static bench_code read_header(table_reader *r, bench_csv_header header, bench_error *error) {
  bool same = r->reader.count == r->table->count;
  r->count = r->reader.count;
  for (size_t i = 0; i < r->table->count; i++) {
    const char *name = r->table->columns[i].name;
    r->place[i] = NOWHERE;
    for (size_t f = 0; r->place[i] == NOWHERE && f < r->count; f++) {
      if (strcmp(r->reader.fields[f], name) == 0) {
        r->place[i] = f;
      }
    }
    same = same && r->place[i] == i;
  }
  if (same || (header == BENCH_CSV_BY_NAME && has_ids(r))) {
    return BENCH_OK;
  }
  return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s: its header is not that of this version",
                    r->reader.path);
}

static bench_code read_records(table_reader *r, bench_csv_header header, bench_csv_visit_fn *visit,
                               void *context, bench_error *error) {
  static char nothing[1];
  bool is_header = true;
  bool more = true;
  bench_code code = bench_csv_reader_next(&r->reader, &more, error);
  while (code == BENCH_OK && more) {
    if (is_header) {
      code = read_header(r, header, error);
    } else if (r->reader.count != r->count) {
      code = bench_fail(error, BENCH_ERR_USAGE, "%s:%zu: %zu fields where %zu are expected",
                        r->reader.path, r->reader.line, r->reader.count, r->count);
    } else {
      for (size_t i = 0; i < r->table->count; i++) {
        r->fields[i] = r->place[i] == NOWHERE ? nothing : r->reader.fields[r->place[i]];
      }
      code = visit(context, r->fields, error);
    }
    is_header = false;
    if (code == BENCH_OK) {
      code = bench_csv_reader_next(&r->reader, &more, error);
    }
  }
  return code;
}

bench_code bench_csv_read(const char *folder, const char *name, const bench_table *table,
                          bench_csv_header header, bench_csv_visit_fn *visit, void *context,
                          bench_error *error) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (access(path, F_OK) != 0 && errno == ENOENT) {
    return BENCH_OK;
  }
  table_reader r = {.table = table,
                    .place = malloc(table->count * sizeof *r.place),
                    .fields = malloc(table->count * sizeof *r.fields)};
  bench_code code = r.place == NULL || r.fields == NULL
                        ? bench_fail(error, BENCH_ERR_NOMEM, "no memory to read %s", path)
                        : bench_csv_reader_open(path, &r.reader, error);
  if (code == BENCH_OK) {
    code = read_records(&r, header, visit, context, error);
  }
  bench_csv_reader_close(&r.reader);
  free(r.place);
  free(r.fields);
  return code;
}

typedef struct csv_filter {
  bench_csv *to;
  bench_csv_keep_fn *keep;
  void *context;
} csv_filter;

static bench_code copy_if_kept(void *context, char *const *fields, bench_error *error) {
  (void)error;
  csv_filter *filter = context;
  if (!filter->keep(filter->context, fields)) {
    return BENCH_OK;
  }
  bench_csv_add_fields(filter->to, fields);
  return BENCH_OK;
}

bench_code bench_csv_filter(const char *folder, const char *name, const bench_table *table,
                            bench_csv_header header, bench_csv_keep_fn *keep, void *context,
                            bench_error *error) {
  char old_path[4200];
  char new_path[4200];
  char new_name[256];
  snprintf(new_name, sizeof new_name, ".%s.new", name);
  snprintf(old_path, sizeof old_path, "%s/%s", folder, name);
  snprintf(new_path, sizeof new_path, "%s/%s", folder, new_name);
  if (access(old_path, F_OK) != 0) {
    return BENCH_OK;
  }
  csv_filter filter = {.keep = keep, .context = context};
  bench_code code = bench_csv_open(folder, new_name, table, BENCH_CSV_FRESH, &filter.to, error);
  if (code != BENCH_OK) {
    return code;
  }
  code = bench_csv_read(folder, name, table, header, copy_if_kept, &filter, error);
  if (code == BENCH_OK) {
    code = bench_csv_flush(filter.to, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_sync(filter.to, error);
  }
  bench_code closed = bench_csv_close(filter.to, code == BENCH_OK ? error : NULL);
  code = code == BENCH_OK ? closed : code;
  if (code == BENCH_OK) {
    code = bench_file_rename(new_path, old_path, error);
  }
  if (code != BENCH_OK) {
    unlink(new_path);
  }
  return code;
}
