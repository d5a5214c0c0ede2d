/* The configs that ship, and the checks a newcomer runs first. */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "run_bench.h"

/* Sweeps a config of the source tree into scratch/NAME. */
static result_table sweep(const char *name, const char *options) {
  char folder[256];
  snprintf(folder, sizeof folder, "%s/%s", scratch_folder(), name);
  bench_outcome outcome = run_bench("",
                                    "sweep " BENCH_SOURCE_DIR
                                    "/configs/%s.toml --backend cpu "
                                    "-o %s %s",
                                    name, folder, options);
  if (outcome.exit_status != 0) {
    fail_msg("%s: %s", name, outcome.err);
  }
  outcome_free(&outcome);
  return read_table(folder, "sweep.csv", &bench_sweep_table);
}

static int64_t planned_rows(const char *name, const char *options) {
  bench_outcome outcome = run_bench("",
                                    "sweep " BENCH_SOURCE_DIR
                                    "/configs/%s.toml --backend cpu "
                                    "--dry-run --json %s",
                                    name, options);
  json_t *json = json_loads(outcome.out, 0, NULL);
  int64_t rows = json_integer_value(json_object_get(json, "rows"));
  json_decref(json);
  outcome_free(&outcome);
  return rows;
}

static void smoke(void **state) {
  (void)state;
  result_table table = sweep("smoke", "");
  assert_int_equal(table.rows, planned_rows("smoke", ""));
  assert_int_equal(table_count(&table, "status", "ok"), table.rows);
  table_free(&table);
}

/* The way of a device: nothing that the host made is seen by a kernel unless it was uploaded. */
static void memory_apart(void **state) {
  (void)state;
  char folder[256];
  snprintf(folder, sizeof folder, "%s/split", scratch_folder());
  bench_outcome outcome =
      run_bench("BENCH_WORKER='" SPLIT_WORKER "'",
                "sweep " BENCH_SOURCE_DIR "/configs/smoke.toml --backend cpu -o %s", folder);
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&table, "status", "ok"), table.rows);
  assert_true(table.rows > 0);
  table_free(&table);
}

static size_t ok_rows(const result_table *table, const char *kernel, const char *mask_prefix) {
  size_t count = 0;
  for (size_t row = 0; row < table->rows; row++) {
    count += strcmp(table_field(table, row, "status"), "ok") == 0 &&
             strcmp(table_field(table, row, "kernel"), kernel) == 0 &&
             atoi(table_field(table, row, "seq_q")) >= 1024 &&
             strncmp(table_field(table, row, "mask"), mask_prefix, strlen(mask_prefix)) == 0;
  }
  return count;
}

/* The part of scale.toml that runs anywhere: every kernel has a row for every mask. */
static void scale(void **state) {
  (void)state;
  static const char options[] =
      "--filter 'seq=1024,mode=warm' --set sweep.budget.case_s=2.0 --set 'sweep.modes=[\"warm\"]'";
  static const char *const kernels[] = {"naive", "blas", "flash", "sparse"};
  static const char *const masks[] = {"full", "causal", "window:", "sink:", "block:"};
  result_table table = sweep("scale", options);
  assert_int_equal(table.rows, planned_rows("scale", options));
  for (size_t k = 0; k < sizeof kernels / sizeof kernels[0]; k++) {
    for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
      if (ok_rows(&table, kernels[k], masks[m]) == 0) {
        fail_msg("no ok row of %s with mask %s", kernels[k], masks[m]);
      }
    }
  }
  size_t real = 0;
  for (size_t row = 0; row < table.rows; row++) {
    if (strncmp(table_field(&table, row, "input"), "model:", 6) == 0) {
      real++;
      assert_string_equal(table_field(&table, row, "status"), "ok");
      assert_string_not_equal(table_field(&table, row, "entropy_nats"), "");
      assert_string_not_equal(table_field(&table, row, "sink_mass"), "");
    }
  }
  assert_true(real > 0);
  table_free(&table);
}

/* Every config asks one question in its first lines, and can be planned here. */
static void each_asks_one_question(void **state) {
  (void)state;
  glob_t found;
  assert_int_equal(glob(BENCH_SOURCE_DIR "/configs/*.toml", 0, NULL, &found), 0);
  size_t configs = 0;
  for (size_t i = 0; i < found.gl_pathc; i++) {
    const char *path = found.gl_pathv[i];
    if (strstr(path, "/models.toml") != NULL) {
      continue; /* no sweep: the model presets */
    }
    char *text = file_text(path);
    const char *question = strchr(text, '?');
    if (text[0] != '#' || question == NULL || question > strstr(text, "[sweep]")) {
      fail_msg("%s: begins with no question", path);
    }
    free(text);
    bench_outcome outcome = run_bench("", "sweep %s --backend cpu --dry-run", path);
    if (outcome.exit_status != 0) {
      fail_msg("%s: %s", path, outcome.err);
    }
    outcome_free(&outcome);
    configs++;
  }
  globfree(&found);
  assert_true(configs >= 10);
}

/* The grid that GPUs are compared on: lengths, head dims, masks and densities. */
static void peers_cover_the_grid(void **state) {
  (void)state;
  static const char *const parts[][2] = {{"tokens = [16384]", "tokens = [32768]"},
                                         {"head_dim = [64]", "head_dim = [256]"},
                                         {"density=0.05", "density=0.75"},
                                         {"\"window:1024\"", "\"vendor\""}};
  char *text = file_text(BENCH_SOURCE_DIR "/configs/peers.toml");
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    assert_non_null(strstr(text, parts[i][0]));
    assert_non_null(strstr(text, parts[i][1]));
  }
  free(text);
  /* 3 head dims and 3 masks at 6 lengths and at 7, 5 densities at 4 lengths, 4 decodes; each by 5
   * kernels, cold and warm. */
  assert_int_equal(planned_rows("peers", ""), (3 * 3 * (6 + 7) + 5 * 4 + 4) * 5 * 2);
}

/* sqlite3 takes the file as it is, and finds every row and column. */
static void sqlite_imports(void **state) {
  (void)state;
  char command[512];
  snprintf(command, sizeof command,
           "sqlite3 :memory: '.import --csv %s/smoke/sweep.csv s' 'select count(*) from s' "
           "\"select count(*) from pragma_table_info('s')\" >%s/sqlite.txt",
           scratch_folder(), scratch_folder());
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command, "%s/sqlite.txt", scratch_folder());
  FILE *file = fopen(command, "r");
  int rows = 0;
  int columns = 0;
  assert_int_equal(fscanf(file, "%d %d", &rows, &columns), 2);
  fclose(file);
  assert_int_equal(rows, planned_rows("smoke", ""));
  assert_int_equal(columns, bench_sweep_table.count);
}

static void check_covers(void **state) {
  (void)state;
  bench_outcome outcome = run_bench("", "check --backend cpu");
  if (outcome.exit_status != 0) {
    fail_msg("%s%s", outcome.out, outcome.err);
  }
  const char *total = strstr(outcome.out, " combinations on cpu");
  assert_non_null(total);
  while (total > outcome.out && total[-1] != '\n') {
    total--;
  }
  assert_true(atoi(total) >= 500);
  outcome_free(&outcome);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(smoke),
      cmocka_unit_test(memory_apart),
      cmocka_unit_test(scale),
      cmocka_unit_test(sqlite_imports),
      cmocka_unit_test(check_covers),
      cmocka_unit_test(each_asks_one_question),
      cmocka_unit_test(peers_cover_the_grid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
