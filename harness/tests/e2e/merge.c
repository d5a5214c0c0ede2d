/* Shards that run at once and are merged are one run, up to what was measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "run_bench.h"

static const char config[] =
    "[sweep]\nname = \"merge\"\nkernels = [\"naive\", \"flash\", \"sparse\"]\n"
    "modes = [\"cold\", \"warm\", \"graph\"]\nbudget = { case_s = 0.01 }\n[[grid]]\n"
    "seq = [16, 100]\nheads = [2]\nhead_dim = [32]\nlayers = [1, 2]\n"
    "mask = [\"full\", \"causal\", \"window:8\"]\n";
enum { ROWS = 2 * 2 * 3 * 3 * 3, SHARDS = 4 };

static const char *folder_of(const char *name) {
  static char paths[4][256];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", scratch_folder(), name);
  return path;
}

static void run_all_at_once(void **state) {
  (void)state;
  char command[4096];
  const char *file = scratch_file("merge.toml", config);
  int used = snprintf(command, sizeof command,
                      "cd %s; b='%s/bin/bench'; $b sweep %s --backend cpu -o one >/dev/null 2>&1; "
                      "for i in 1 2 3 4; do $b sweep %s --backend cpu --shard $i/%d -o part$i "
                      ">/dev/null 2>&1 & done; wait; ",
                      scratch_folder(), BENCH_BINARY_DIR, file, file, SHARDS);
  snprintf(command + used, sizeof command - (size_t)used,
           "$b merge part3 part1 part4 part2 -o whole 2>merge.err");
  assert_int_equal(system(command), 0);
}

/* Columns that a second run may have otherwise: what the clock and the machine said, and what was
 * judged along with the samples, of which there may be more. */
static bool is_measured(const char *column) {
  static const char *const measured[] = {"run_id",
                                         "samples",
                                         "stop_reason",
                                         "tflops",
                                         "gb_per_s",
                                         "tokens_per_s",
                                         "pct_of_roof",
                                         "fraction_of_ideal",
                                         "projection_share",
                                         "attention_share",
                                         "mem_peak_bytes",
                                         "sm_mhz",
                                         "throttle",
                                         "temp_c",
                                         "power_w",
                                         "energy_j",
                                         "energy_valid",
                                         "timestamp_utc",
                                         "drift",
                                         "autocorrelation",
                                         "sustained_of_burst",
                                         "steal_pct",
                                         "load_1min",
                                         "list_build_ns",
                                         "err_max_abs",
                                         "err_rel_l2",
                                         "rows_checked"};
  bool found = strncmp(column, "time_ns", 7) == 0;
  for (size_t i = 0; !found && i < sizeof measured / sizeof measured[0]; i++) {
    found = strcmp(column, measured[i]) == 0;
  }
  return found;
}

static void merged_rows_are_those_of_one_run(void **state) {
  (void)state;
  result_table one = read_table(folder_of("one"), "sweep.csv", &bench_sweep_table);
  result_table whole = read_table(folder_of("whole"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(one.rows, ROWS);
  assert_int_equal(whole.rows, ROWS);
  for (size_t row = 0; row < ROWS; row++) {
    for (size_t c = 0; c < bench_sweep_table.count; c++) {
      const char *column = bench_sweep_table.columns[c].name;
      const char *a = table_field(&one, row, column);
      const char *b = table_field(&whole, row, column);
      if (!is_measured(column)) {
        assert_string_equal(a, b);
      } else if (strcmp(column, "fraction_of_ideal") == 0 ||
                 strcmp(column, "time_ns_median") == 0) {
        assert_int_equal(a[0] == '\0', b[0] == '\0');
      }
    }
  }
  table_free(&one);
  table_free(&whole);
}

static void merged_heads_and_samples(void **state) {
  (void)state;
  result_table one = read_table(folder_of("one"), "heads.csv", &bench_head_table);
  result_table whole = read_table(folder_of("whole"), "heads.csv", &bench_head_table);
  assert_int_equal(one.rows, whole.rows);
  for (size_t i = 0; i < one.rows * bench_head_table.count; i++) {
    assert_string_equal(one.fields[i], whole.fields[i]);
  }
  table_free(&one);
  table_free(&whole);
  result_table rows = read_table(folder_of("whole"), "sweep.csv", &bench_sweep_table);
  result_table samples = read_table(folder_of("whole"), "samples.csv", &bench_sample_table);
  size_t next = 0;
  for (size_t row = 0; row < rows.rows; row++) { /* in the order of the rows */
    const int count = atoi(table_field(&rows, row, "samples"));
    for (int i = 0; i < count; i++, next++) {
      assert_string_equal(table_field(&samples, next, "case_id"),
                          table_field(&rows, row, "case_id"));
      assert_string_equal(table_field(&samples, next, "mode"), table_field(&rows, row, "mode"));
      assert_int_equal(atoi(table_field(&samples, next, "index")), i);
    }
  }
  assert_int_equal(next, samples.rows);
  table_free(&rows);
  table_free(&samples);
}

static void merged_manifest_and_export(void **state) {
  (void)state;
  char path[300];
  snprintf(path, sizeof path, "%s/manifest.json", folder_of("whole"));
  json_t *manifest = json_load_file(path, 0, NULL);
  assert_string_equal(json_string_value(json_object_get(manifest, "state")), "merged");
  assert_int_equal(json_array_size(json_object_get(manifest, "merged_from")), SHARDS);
  assert_int_equal(json_integer_value(json_object_get(manifest, "rows_planned")), ROWS);
  json_decref(manifest);
  check_export(folder_of("whole"));
}

/* A merged folder is a result like any other: there is nothing left to do in it. */
static void a_merged_folder_resumes(void **state) {
  (void)state;
  bench_outcome outcome = run_bench("", "sweep %s --backend cpu -o %s --resume",
                                    scratch_file("merge.toml", config), folder_of("whole"));
  assert_int_equal(outcome.exit_status, 0);
  assert_string_equal(outcome.out, "");
  outcome_free(&outcome);
}

/* What is missing is said, and the same part twice is no conflict. */
static void a_part_is_missing(void **state) {
  (void)state;
  bench_outcome outcome = run_bench("", "merge %s %s %s -o %s", folder_of("part1"),
                                    folder_of("part2"), folder_of("part1"), folder_of("some"));
  assert_int_equal(outcome.exit_status, 0);
  assert_non_null(strstr(outcome.err, "of the plan are missing"));
  outcome_free(&outcome);
  result_table first = read_table(folder_of("part1"), "sweep.csv", &bench_sweep_table);
  result_table second = read_table(folder_of("part2"), "sweep.csv", &bench_sweep_table);
  result_table some = read_table(folder_of("some"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(some.rows, first.rows + second.rows);
  table_free(&first);
  table_free(&second);
  table_free(&some);
}

/* A row that came before the one that it is set against has its figure from the merge. */
static void late_comparisons_are_filled(void **state) {
  (void)state;
  const char *file = scratch_file(
      "late.toml",
      "[sweep]\nname = \"late\"\nkernels = [\"flash\"]\nmodes = [\"warm\", \"sustained\"]\n"
      "budget = { case_s = 0.01 }\n[[grid]]\nseq = [64]\nheads = [2]\nhead_dim = [32]\n");
  static const char *const options[] = {"--filter mode=sustained", "--resume"};
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
    bench_outcome outcome =
        run_bench("", "sweep %s --backend cpu -o %s %s", file, folder_of("late"), options[i]);
    assert_int_equal(outcome.exit_status, 0);
    outcome_free(&outcome);
  }
  result_table late = read_table(folder_of("late"), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&late, "sustained_of_burst", ""), 2);
  table_free(&late);
  bench_outcome outcome = run_bench("", "merge %s -o %s", folder_of("late"), folder_of("filled"));
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  result_table filled = read_table(folder_of("filled"), "sweep.csv", &bench_sweep_table);
  assert_string_equal(table_field(&filled, 1, "mode"), "sustained");
  const double warm_ns = strtod(table_field(&filled, 0, "time_ns_median"), NULL);
  const double sustained_ns = strtod(table_field(&filled, 1, "time_ns_median"), NULL);
  assert_true(strtod(table_field(&filled, 1, "sustained_of_burst"), NULL) ==
              warm_ns / sustained_ns);
  table_free(&filled);
}

/* Copies part1, changes the copy and tries to merge it with another. */
static void refused(const char *name, const char *change, const char *with, const char *message) {
  char command[1024];
  snprintf(command, sizeof command, "cd %s && cp -r part1 %s && cd %s && %s", scratch_folder(),
           name, name, change);
  assert_int_equal(system(command), 0);
  bench_outcome outcome =
      run_bench("", "merge %s %s -o %s_out", folder_of(with), folder_of(name), folder_of(name));
  assert_int_equal(outcome.exit_status, 3);
  if (strstr(outcome.err, message) == NULL) {
    fail_msg("merge said: %s", outcome.err);
  }
  outcome_free(&outcome);
  char out[300];
  snprintf(out, sizeof out, "%s_out", folder_of(name));
  assert_int_not_equal(access(out, F_OK), 0);
}

static void conflicts_are_refused(void **state) {
  (void)state;
  refused("twice", "sed -i '2s|,ok,|,invalid,|' sweep.csv", "part1", "differ in case");
  refused("config", "echo '# more' >> config.toml", "part2", "another config");
  refused("set", "sed -i 's|\"set\": \\[\\]|\"set\": [\"input.seed=2\"]|' manifest.json", "part2",
          "another --set");
  refused("commit", "sed -i '2,$s|,[^,]*,\\([^,]*Z\\)$|,abc,\\1|' sweep.csv", "part2",
          "git_commit abc");
  refused("schema", "sed -i '1s|,p_max,|,p_most,|' sweep.csv", "part2", "not that of this version");
  char change[200];
  result_table part = read_table(folder_of("part1"), "sweep.csv", &bench_sweep_table);
  snprintf(change, sizeof change, "sed -i 's|,%s,|,0123456789abcdef,|' sweep.csv",
           table_field(&part, 0, "kernel_hash"));
  table_free(&part);
  refused("code", change, "part2", "0123456789abcdef\"");
  refused("heads", "sed -i '2s|\\.\\([0-9]\\)|.9\\1|g' heads.csv", "part1", "the statistics of");
}

static void bad_usage(void **state) {
  (void)state;
  static const struct {
    const char *arguments;
    const char *message;
  } cases[] = {
      {"merge", "a folder is needed"},
      {"merge x", "-o DIR is needed"},
      {"merge x -o", "needs a value"},
      {"merge x --frobnicate -o y", "unknown option"},
      {"merge /nonexistent -o /nonexistent2", "not a result"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bench_outcome outcome = run_bench("", "%s", cases[i].arguments);
    assert_int_equal(outcome.exit_status, 2);
    assert_non_null(strstr(outcome.err, cases[i].message));
    outcome_free(&outcome);
  }
  bench_outcome outcome = run_bench("", "merge %s -o %s", folder_of("part1"), folder_of("whole"));
  assert_int_equal(outcome.exit_status, 2);
  assert_non_null(strstr(outcome.err, "not empty"));
  outcome_free(&outcome);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(run_all_at_once),
      cmocka_unit_test(merged_rows_are_those_of_one_run),
      cmocka_unit_test(merged_heads_and_samples),
      cmocka_unit_test(merged_manifest_and_export),
      cmocka_unit_test(a_merged_folder_resumes),
      cmocka_unit_test(a_part_is_missing),
      cmocka_unit_test(late_comparisons_are_filled),
      cmocka_unit_test(conflicts_are_refused),
      cmocka_unit_test(bad_usage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
