/* The tables and the CSV files: what is written reads back, torn files are mended, wrong ones are
 * refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "run_bench.h"
#include "sinks/csv.h"

static bool no_memory; /* for what grows */

void *__real_realloc(void *old, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);

void *__wrap_realloc(void *old, size_t bytes) {
  return no_memory ? NULL : __real_realloc(old, bytes);
}

static void append_text(const char *path, const char *text) {
  FILE *file = fopen(path, "a");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void write_sample(const char *name, bool resume, const char *id, double time_ns) {
  bench_csv *csv;
  bench_error error = {0};
  bench_sample_row row;
  bench_table_clear(&bench_sample_table, &row);
  bench_text_copy(row.case_id, sizeof row.case_id, id);
  row.time_ns = time_ns;
  row.index = 7;
  assert_int_equal(bench_csv_open(scratch_folder(), name, &bench_sample_table,
                                  resume ? BENCH_CSV_RESUME : BENCH_CSV_FRESH, &csv, &error),
                   BENCH_OK);
  assert_int_equal(bench_csv_append(csv, &row, &error), BENCH_OK);
  assert_int_equal(bench_csv_close(csv, &error), BENCH_OK);
}

/* Commas, quotes and line ends survive or become blanks; missing values are empty. */
static void round_trip(void **state) {
  (void)state;
  write_sample("round.csv", false, "a,\"b\"\nc", 0.1);
  write_sample("round.csv", true, "plain", NAN);
  result_table table = read_table(scratch_folder(), "round.csv", &bench_sample_table);
  assert_int_equal(table.rows, 2);
  assert_string_equal(table_field(&table, 0, "case_id"), "a,\"b\" c");
  assert_string_equal(table_field(&table, 0, "index"), "7");
  assert_string_equal(table_field(&table, 0, "time_ns"), "0.1");
  assert_string_equal(table_field(&table, 0, "sm_mhz"), "");
  assert_string_equal(table_field(&table, 1, "time_ns"), "");
  table_free(&table);
}

static void torn_line_is_cut(void **state) {
  (void)state;
  char path[256];
  write_sample("torn.csv", false, "whole", 1);
  snprintf(path, sizeof path, "%s/torn.csv", scratch_folder());
  append_text(path, "half,wa");
  write_sample("torn.csv", true, "after", 2);
  result_table table = read_table(scratch_folder(), "torn.csv", &bench_sample_table);
  assert_int_equal(table.rows, 2);
  assert_string_equal(table_field(&table, 1, "case_id"), "after");
  table_free(&table);
}

static void foreign_header_is_refused(void **state) {
  (void)state;
  bench_csv *csv;
  bench_error error = {0};
  scratch_file("foreign.csv", "a,b,c\n1,2,3\n");
  assert_int_equal(bench_csv_open(scratch_folder(), "foreign.csv", &bench_sample_table,
                                  BENCH_CSV_RESUME, &csv, &error),
                   BENCH_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.message, "header"));
}

/* A disk that takes nothing is the environment's fault, told at once. */
static void full_disk(void **state) {
  (void)state;
  bench_csv *csv;
  bench_error error = {0};
  char path[256];
  snprintf(path, sizeof path, "%s/full.csv", scratch_folder());
  assert_int_equal(symlink("/dev/full", path), 0);
  assert_int_equal(bench_csv_open(scratch_folder(), "full.csv", &bench_sample_table,
                                  BENCH_CSV_FRESH, &csv, &error),
                   BENCH_ERR_ENV);
  assert_non_null(strstr(error.message, "No space left"));
}

/* Without memory for a row none of it is written, the run ends with exit status 4, and what was
 * there stays. */
static void no_memory_for_a_row(void **state) {
  (void)state;
  bench_csv *csv;
  bench_error error = {0};
  bench_sample_row row;
  bench_table_clear(&bench_sample_table, &row);
  bench_text_copy(row.case_id, sizeof row.case_id, "first");
  no_memory = true;
  assert_int_equal(bench_csv_open(scratch_folder(), "memory.csv", &bench_sample_table,
                                  BENCH_CSV_FRESH, &csv, &error),
                   BENCH_ERR_ENV);
  no_memory = false;
  assert_int_equal(bench_csv_open(scratch_folder(), "memory.csv", &bench_sample_table,
                                  BENCH_CSV_FRESH, &csv, &error),
                   BENCH_OK);
  assert_int_equal(bench_csv_append(csv, &row, &error), BENCH_OK);
  no_memory = true;
  for (int i = 0; i < 100; i++) { /* more than the file's buffer has room for */
    bench_csv_add(csv, &row);
  }
  const bench_code code = bench_csv_flush(csv, &error);
  no_memory = false;
  assert_int_equal(bench_exit_status(code), 4);
  assert_non_null(strstr(error.message, "memory.csv: no memory for its rows"));
  assert_int_equal(bench_csv_append(csv, &row, &error), BENCH_OK);
  assert_int_equal(bench_csv_close(csv, &error), BENCH_OK);
  result_table table = read_table(scratch_folder(), "memory.csv", &bench_sample_table);
  assert_int_equal(table.rows, 2);
  table_free(&table);
}

/* A real reads back as the same number, and is not longer than needed. */
static void reals_are_exact(void **state) {
  (void)state;
  const bench_column *column = bench_table_find(&bench_sample_table, "time_ns");
  const double values[] = {0, 1, 0.1, 1.0 / 3, 1e300, 123456789.125, 5e-324};
  bench_sample_row row;
  char text[BENCH_FIELD_TEXT_MAX];
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    row.time_ns = values[i];
    assert_true(strtod(bench_field_format(column, &row, text), NULL) == values[i]);
  }
  const struct {
    double value;
    const char *text;
  } shortest[] = {
      {0.1, "0.1"},
      {0.30000000000000004, "0.30000000000000004"},
      {-3, "-3"},
      {-0.05, "-0.05"},
      {-0.0, "-0"},
      {100, "100"},
      {2866.123, "2866.123"},
      {2866.12, "2866.12"},
      {0.001, "0.001"},
      {0.0001, "0.0001"},
      {999999999999.999, "999999999999.999"},
      {1234567890123.25, "1234567890123.25"},
      {1e15, "1e+15"},
  };
  for (size_t i = 0; i < sizeof shortest / sizeof shortest[0]; i++) {
    row.time_ns = shortest[i].value;
    assert_string_equal(bench_field_format(column, &row, text), shortest[i].text);
  }
  row.time_ns = INFINITY;
  assert_string_equal(bench_field_format(column, &row, text), "");
}

static void integers(void **state) {
  (void)state;
  const bench_column *column = bench_table_find(&bench_sample_table, "index");
  const struct {
    int64_t value;
    const char *text;
  } each[] = {
      {0, "0"},
      {-1, "-1"},
      {10, "10"},
      {INT64_MAX, "9223372036854775807"},
      {INT64_MIN + 1, "-9223372036854775807"},
      {BENCH_MISSING_INT, ""},
  };
  bench_sample_row row;
  char text[BENCH_FIELD_TEXT_MAX];
  for (size_t i = 0; i < sizeof each / sizeof each[0]; i++) {
    row.index = each[i].value;
    assert_string_equal(bench_field_format(column, &row, text), each[i].text);
  }
}

/* Text that is too long is cut between characters. */
static void text_is_cut_at_a_character(void **state) {
  (void)state;
  char text[4];
  bench_text_copy(text, sizeof text, "ab\xc3\xa9");
  assert_string_equal(text, "ab");
  bench_text_copy(text, sizeof text, "a\xc3\xa9z");
  assert_string_equal(text, "a\xc3\xa9");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(round_trip),
      cmocka_unit_test(torn_line_is_cut),
      cmocka_unit_test(foreign_header_is_refused),
      cmocka_unit_test(full_disk),
      cmocka_unit_test(no_memory_for_a_row),
      cmocka_unit_test(reals_are_exact),
      cmocka_unit_test(integers),
      cmocka_unit_test(text_is_cut_at_a_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
