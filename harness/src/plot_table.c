/* A CSV file in memory, its fields by row and column name. */
#include "src/plot_table.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends the reader's record; the first is the header. */
static bench_code add_record(bench_plot_table *table, size_t *capacity, bench_error *error) {
  const bench_csv_reader *reader = &table->reader;
  size_t records = table->cells == NULL ? 0 : table->rows + 1;
  if (records == 0) {
    table->columns = reader->count;
  } else if (reader->count != table->columns) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s:%zu: %zu fields where the header has %zu",
                      table->path, reader->line, reader->count, table->columns);
  }
  if (table->cells == NULL || records == *capacity) {
    size_t wanted = *capacity == 0 ? 2 : *capacity * 2;
    char **cells = NULL;
    size_t *lines = NULL;
    if (wanted <= SIZE_MAX / sizeof *cells / table->columns) {
      cells = realloc(table->cells, wanted * table->columns * sizeof *cells);
      table->cells = cells == NULL ? table->cells : cells;
      lines = realloc(table->lines, wanted * sizeof *lines);
      table->lines = lines == NULL ? table->lines : lines;
    }
    if (cells == NULL || lines == NULL) {
      return bench_fail(error, BENCH_ERR_NOMEM, "no memory to read %s", table->path);
    }
    *capacity = wanted;
  }
  memcpy(table->cells + records * table->columns, reader->fields,
         table->columns * sizeof *table->cells);
  if (records > 0) {
    table->lines[records - 1] = reader->line;
    table->rows++;
  }
  return BENCH_OK;
}

bench_code bench_plot_table_read(const char *path, bench_plot_table *out, bench_error *error) {
  *out = (bench_plot_table){.path = strdup(path)};
  if (out->path == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory to read %s", path);
  }
  size_t capacity = 0;
  bool more = true;
  bench_code code = bench_csv_reader_open(out->path, &out->reader, error);
  while (code == BENCH_OK && more) {
    code = bench_csv_reader_next(&out->reader, &more, error);
    if (code == BENCH_OK && more) {
      code = add_record(out, &capacity, error);
    }
  }
  if (code == BENCH_OK && out->cells == NULL) {
    code = bench_fail(error, BENCH_ERR_USAGE, "%s: it has no header line", path);
  }
  return code;
}

void bench_plot_table_free(bench_plot_table *table) {
  bench_csv_reader_close(&table->reader);
  free(table->cells);
  free(table->lines);
  free(table->path);
  *table = (bench_plot_table){0};
}

size_t bench_plot_table_column(const bench_plot_table *table, const char *name) {
  for (size_t i = 0; i < table->columns; i++) {
    if (strcmp(table->cells[i], name) == 0) {
      return i;
    }
  }
  return BENCH_PLOT_NO_COLUMN;
}

static const char *field(const bench_plot_table *table, size_t row, const char *name) {
  size_t column = bench_plot_table_column(table, name);
  return column == BENCH_PLOT_NO_COLUMN ? "" : table->cells[(row + 1) * table->columns + column];
}

static double number_of(const char *text) {
  char *end;
  double value = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(value) ? value : NAN;
}

const char *bench_plot_table_text(const bench_plot_table *table, size_t row, const char *column,
                                  char text[BENCH_PLOT_TEXT_MAX]) {
  if (strcmp(column, "queries") == 0) {
    const char *queries = field(table, row, "seq_q");
    return strcmp(queries, field(table, row, "seq_kv")) == 0 ? "all" : queries;
  }
  if (strcmp(column, "tokens") == 0) {
    double tokens = number_of(field(table, row, "batch")) * number_of(field(table, row, "seq_q"));
    snprintf(text, BENCH_PLOT_TEXT_MAX, "%.0f", tokens);
    return isfinite(tokens) ? text : "";
  }
  return field(table, row, column);
}

double bench_plot_table_number(const bench_plot_table *table, size_t row, const char *column) {
  char text[BENCH_PLOT_TEXT_MAX];
  return number_of(bench_plot_table_text(table, row, column, text));
}

bench_code bench_plot_table_check_number(const bench_plot_table *table, const char *column,
                                         bench_error *error) {
  for (size_t row = 0; row < table->rows; row++) {
    const char *text = field(table, row, column);
    char *end;
    strtod(text, &end);
    if (*end != '\0') {
      return bench_fail(error, BENCH_ERR_USAGE, "%s:%zu: %s: \"%.40s\" is not a number",
                        table->path, table->lines[row], column, text);
    }
  }
  return BENCH_OK;
}
