/* Runs the real program as a user would, and reads what it left. */
#include "run_bench.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "sinks/csv_table.h"

const char *bench_program = "bench";

char *file_text(const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return strdup("");
  }
  char *text = NULL;
  size_t capacity = 0;
  if (getdelim(&text, &capacity, '\0', file) < 0) {
    free(text);
    text = strdup("");
  }
  fclose(file);
  return text;
}

bench_outcome run_bench(const char *environment, const char *format, ...) {
  char arguments[2048];
  va_list list;
  va_start(list, format);
  vsnprintf(arguments, sizeof arguments, format, list);
  va_end(list);
  char command[4096];
  snprintf(command, sizeof command, "%s '%s/bin/%s' %s >'%s/.out' 2>'%s/.err' </dev/null",
           environment, BENCH_BINARY_DIR, bench_program, arguments, scratch_folder(),
           scratch_folder());
  int status = system(command);
  char path[128];
  bench_outcome outcome = {.exit_status =
                               WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status)};
  snprintf(path, sizeof path, "%s/.out", scratch_folder());
  outcome.out = file_text(path);
  snprintf(path, sizeof path, "%s/.err", scratch_folder());
  outcome.err = file_text(path);
  return outcome;
}

void outcome_free(bench_outcome *outcome) {
  free(outcome->out);
  free(outcome->err);
}

void refuses_usage(const char *const *arguments, size_t count) {
  for (size_t i = 0; i < count; i++) {
    bench_outcome outcome = run_bench("", "%s", arguments[i]);
    if (outcome.exit_status != 2 || outcome.err[0] == '\0' || outcome.out[0] != '\0') {
      fail_msg("%s: exit status %d:\n%s%s", arguments[i], outcome.exit_status, outcome.out,
               outcome.err);
    }
    outcome_free(&outcome);
  }
}

bool process_ends(pid_t pid) {
  for (int i = 0; i < 500; i++) {
    if (kill(pid, 0) != 0) {
      return true;
    }
    usleep(20000);
  }
  return false;
}

static bench_code add_row(void *context, char *const *fields, bench_error *error) {
  (void)error;
  result_table *table = context;
  size_t columns = table->table->count;
  if ((table->rows & (table->rows - 1)) == 0) { /* it is full: 0, 1, 2, 4... rows */
    const size_t room = table->rows == 0 ? 1 : 2 * table->rows;
    table->fields = realloc(table->fields, room * columns * sizeof(char *));
  }
  for (size_t i = 0; i < columns; i++) {
    table->fields[table->rows * columns + i] = strdup(fields[i]);
  }
  table->rows++;
  return BENCH_OK;
}

result_table read_table(const char *from, const char *name, const bench_table *table) {
  result_table result = {.table = table};
  bench_error error = {0};
  if (bench_csv_read(from, name, table, BENCH_CSV_SAME, add_row, &result, &error) != BENCH_OK) {
    fprintf(stderr, "%s\n", error.message);
    abort();
  }
  return result;
}

const char *table_field(const result_table *table, size_t row, const char *column) {
  const bench_column *found = bench_table_find(table->table, column);
  return table->fields[row * table->table->count + (size_t)(found - table->table->columns)];
}

size_t table_count(const result_table *table, const char *column, const char *value) {
  size_t count = 0;
  for (size_t row = 0; row < table->rows; row++) {
    count += strcmp(table_field(table, row, column), value) == 0;
  }
  return count;
}

void table_free(result_table *table) {
  for (size_t i = 0; i < table->rows * table->table->count; i++) {
    free(table->fields[i]);
  }
  free(table->fields);
}

void check_export(const char *folder) {
  char path[512];
  snprintf(path, sizeof path, "%s/benchmark.json", folder);
  json_t *json = json_load_file(path, 0, NULL);
  const json_t *entries = json_object_get(json, "benchmarks");
  assert_true(json_is_object(json_object_get(json, "context")));
  result_table rows = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(json_array_size(entries), rows.rows);
  for (size_t i = 0; i < rows.rows; i++) {
    const json_t *entry = json_array_get(entries, i);
    const char *name = json_string_value(json_object_get(entry, "name"));
    char id[16];
    char mode[32];
    snprintf(id, sizeof id, "/%.8s/", table_field(&rows, i, "case_id"));
    snprintf(mode, sizeof mode, "/%s/", table_field(&rows, i, "mode"));
    assert_non_null(strstr(name, id));
    assert_non_null(strstr(name, mode));
    assert_int_equal(json_integer_value(json_object_get(entry, "family_index")), i);
    if (strcmp(table_field(&rows, i, "status"), "ok") == 0) {
      const double ms = 1e-6 * strtod(table_field(&rows, i, "time_ns_median"), NULL);
      const double written = json_number_value(json_object_get(entry, "real_time"));
      assert_true(written > 0.999999 * ms && written < 1.000001 * ms);
    } else {
      assert_non_null(json_object_get(entry, "error_message"));
    }
  }
  table_free(&rows);
  json_decref(json);
}
