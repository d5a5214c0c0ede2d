/* A sweep of 200 cases with 20 planted faults of all kinds, on a disk that takes a few bytes at a
 * time: 180 good rows, 20 that say what happened, and --resume does these 20 again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"

/* 50 lengths and 4 masks. The last four cases need the most memory, and as much as each other: what
 * runs out of memory there forbids nothing. */
static const char config[] =
    "[sweep]\n"
    "name = \"planted\"\n"
    "kernels = [\"null\"]\n"
    "modes = [\"warm\"]\n"
    "budget = { case_s = 0.005, timeout_s = 8.0 }\n"
    "[[grid]]\n"
    "seq = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, "
    "24,\n"
    "       25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, "
    "46,\n"
    "       47, 48, 49, 50]\n"
    "heads = [1]\n"
    "head_dim = [32]\n"
    "mask = [\"full\", \"causal\", \"window:4\", \"window:4:both\"]\n"
    "[stats]\n"
    "set = \"core\"\n";
enum { CASES = 200, FAULTS = 20 };

static const struct {
  size_t number;
  const char *kind;
  const char *status;
  const char *reason; /* a part of it */
} planted[FAULTS] = {
    {1, "crash", "crashed", "signal 11"},     {2, "crash", "crashed", "signal 11"},
    {90, "crash", "crashed", "signal 11"},    {10, "abort", "crashed", "signal 6"},
    {11, "abort", "crashed", "signal 6"},     {160, "abort", "crashed", "signal 6"},
    {20, "hang", "timeout", "no answer"},     {121, "hang", "timeout", "no answer"},
    {30, "slow", "timeout", "no answer"},     {122, "slow", "timeout", "no answer"},
    {40, "wrong", "wrong", "outside its"},    {41, "wrong", "wrong", "outside its"},
    {150, "wrong", "wrong", "outside its"},   {50, "short", "crashed", "status 5"},
    {51, "short", "crashed", "status 5"},     {140, "short", "crashed", "status 5"},
    {196, "short", "crashed", "status 5"},    {198, "oom", "oom", "refused to launch"},
    {199, "oom", "oom", "refused to launch"}, {200, "oom", "oom", "refused to launch"},
};

static const char *folder(void) {
  static char path[256];
  snprintf(path, sizeof path, "%s/planted", scratch_folder());
  return path;
}

static bench_outcome sweep(const char *environment, const char *options) {
  bench_program = "bench_bad_disk";
  bench_outcome outcome = run_bench(environment, "sweep %s --backend cpu -o %s %s",
                                    scratch_file("planted.toml", config), folder(), options);
  bench_program = "bench";
  return outcome;
}

static void each_fault_is_told(void **state) {
  (void)state;
  char environment[1024] = "BAD_DISK=short BENCH_FAULT=";
  for (size_t i = 0; i < FAULTS; i++) {
    size_t used = strlen(environment);
    snprintf(environment + used, sizeof environment - used, "%s%s@%zu", i == 0 ? "" : ",",
             planted[i].kind, planted[i].number);
  }
  bench_outcome outcome = sweep(environment, "");
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  result_table table = read_table(folder(), "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, CASES);
  assert_int_equal(table_count(&table, "status", "ok"), CASES - FAULTS);
  for (size_t i = 0; i < FAULTS; i++) {
    const size_t row = planted[i].number - 1;
    assert_string_equal(table_field(&table, row, "status"), planted[i].status);
    assert_non_null(strstr(table_field(&table, row, "reason"), planted[i].reason));
    assert_string_equal(table_field(&table, row, "time_ns_median"), "");
  }
  table_free(&table);
}

/* The rows of the first run stay as they are, in their order; the new ones follow. */
static void resume_does_only_what_failed(void **state) {
  (void)state;
  result_table before = read_table(folder(), "sweep.csv", &bench_sweep_table);
  bench_outcome outcome = sweep("", "--resume");
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  result_table after = read_table(folder(), "sweep.csv", &bench_sweep_table);
  assert_int_equal(after.rows, CASES);
  assert_int_equal(table_count(&after, "status", "ok"), CASES);
  const char *run_id = table_field(&before, 0, "run_id");
  assert_int_equal(table_count(&after, "run_id", run_id), CASES - FAULTS);
  size_t next = 0;
  for (size_t row = 0; row < before.rows; row++) {
    if (strcmp(table_field(&before, row, "status"), "ok") == 0) {
      for (size_t c = 0; c < bench_sweep_table.count; c++) {
        const char *column = bench_sweep_table.columns[c].name;
        assert_string_equal(table_field(&after, next, column), table_field(&before, row, column));
      }
      next++;
    }
  }
  assert_int_equal(next, CASES - FAULTS);
  table_free(&before);
  table_free(&after);
  outcome = sweep("", "--resume"); /* now there is nothing left to do */
  assert_int_equal(outcome.exit_status, 0);
  assert_string_equal(outcome.out, "");
  outcome_free(&outcome);
}

static void the_samples_are_of_the_rows(void **state) {
  (void)state;
  result_table rows = read_table(folder(), "sweep.csv", &bench_sweep_table);
  result_table samples = read_table(folder(), "samples.csv", &bench_sample_table);
  size_t promised = 0;
  for (size_t row = 0; row < rows.rows; row++) {
    promised += strtoull(table_field(&rows, row, "samples"), NULL, 10);
  }
  assert_int_equal(samples.rows, promised);
  table_free(&rows);
  table_free(&samples);
  result_table heads = read_table(folder(), "heads.csv", &bench_head_table);
  assert_int_equal(heads.rows, CASES); /* one layer, one head, one kernel */
  table_free(&heads);
}

/* After a case ran out of memory, no larger one of its kernel is launched. */
static void oom_forbids_larger_cases(void **state) {
  (void)state;
  char path[256];
  snprintf(path, sizeof path, "%s/oom", scratch_folder());
  const char *file = scratch_file(
      "oom.toml",
      "[sweep]\nname = \"oom\"\nkernels = [\"null\", \"naive\"]\nmodes = [\"warm\", \"cold\"]\n"
      "budget = { case_s = 0.05 }\n[[grid]]\nseq = [64, 512, 1024, 256]\nheads = [2]\n"
      "head_dim = [32]\n");
  bench_outcome outcome =
      run_bench("BENCH_FAULT=oom@3", "sweep %s --backend cpu -o %s", file, path);
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  result_table table = read_table(path, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 16);
  for (size_t row = 0; row < table.rows; row++) {
    const bool null = strcmp(table_field(&table, row, "kernel"), "null") == 0;
    const int seq = atoi(table_field(&table, row, "seq_q"));
    const char *expected = !null || seq < 512 ? "ok" : seq == 512 ? "oom" : "skipped";
    assert_string_equal(table_field(&table, row, "status"), expected);
    if (strcmp(expected, "skipped") == 0) {
      assert_non_null(strstr(table_field(&table, row, "reason"), "ran out of memory"));
    }
  }
  table_free(&table);
  /* The row that ran out stays out of this run: its word still holds. */
  outcome = run_bench("", "sweep %s --backend cpu -o %s --resume --filter seq=1024", file, path);
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  table = read_table(path, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&table, "status", "skipped"), 2);
  table_free(&table);
  outcome = run_bench("", "sweep %s --backend cpu -o %s --resume", file, path);
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  table = read_table(path, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&table, "status", "ok"), 16);
  table_free(&table);
}

/* Samples that drift make the row invalid, where nobody allows it: the time and the samples stay
 * for whoever wants to look, and the sweep says that it failed. Stolen time is found out first. */
static void drifting_samples_make_an_invalid_row(void **state) {
  (void)state;
  char path[256];
  snprintf(path, sizeof path, "%s/drift", scratch_folder());
  bench_outcome outcome =
      run_bench("env -u BENCH_UNSTEADY BENCH_FAULT=drift@1", "sweep %s --backend cpu -o %s",
                scratch_file("drift.toml",
                             "[sweep]\nname = \"drift\"\nkernels = [\"null\"]\nmodes = [\"warm\"]\n"
                             "budget = { case_s = 0.5 }\n[[grid]]\nseq = [64]\nheads = [2]\n"
                             "head_dim = [32]\n"),
                path);
  assert_int_equal(outcome.exit_status, 1);
  assert_non_null(strstr(outcome.err, "1 invalid"));
  outcome_free(&outcome);
  result_table table = read_table(path, "sweep.csv", &bench_sweep_table);
  result_table samples = read_table(path, "samples.csv", &bench_sample_table);
  assert_int_equal(table.rows, 1);
  assert_string_equal(table_field(&table, 0, "status"), "invalid");
  const bool stolen = strtod(table_field(&table, 0, "steal_pct"), NULL) > 10;
  assert_non_null(strstr(table_field(&table, 0, "reason"),
                         stolen ? "the hypervisor took" : "the samples drift"));
  assert_true(strtod(table_field(&table, 0, "time_ns_median"), NULL) > 0);
  assert_true(strtod(table_field(&table, 0, "drift"), NULL) > 0.03);
  assert_true(samples.rows > 1);
  assert_int_equal(samples.rows, atoi(table_field(&table, 0, "samples")));
  table_free(&samples);
  table_free(&table);
}

/* What the device was like while a case was timed stands in its row, and makes it invalid where
 * nobody allows it: the time and the samples stay. */
static void an_unsteady_device_makes_an_invalid_row(void **state) {
  (void)state;
  static const struct {
    const char *name;
    const char *column;
    const char *value;
    const char *reason;
  } states[] = {
      {"steal", "steal_pct", "50", "the hypervisor took 50 % of the CPU time"},
      {"hot", "throttle", "hw_thermal", "the device throttled: hw_thermal"},
  };
  const char *file = scratch_file("unsteady.toml",
                                  "[sweep]\nname = \"unsteady\"\nkernels = [\"null\"]\n"
                                  "modes = [\"warm\"]\nbudget = { case_s = 0.01 }\n"
                                  "[[grid]]\nseq = [64]\nheads = [2]\nhead_dim = [32]\n");
  for (int n = 0; n < 4; n++) {
    const bool allowed = n % 2 == 1;
    char path[256];
    char environment[1024];
    snprintf(path, sizeof path, "%s/unsteady%d", scratch_folder(), n);
    snprintf(environment, sizeof environment, "env %s STATE=%s BENCH_WORKER='%s'",
             allowed ? "BENCH_UNSTEADY=allow" : "-u BENCH_UNSTEADY", states[n / 2].name,
             UNSTEADY_WORKER);
    bench_outcome outcome = run_bench(environment, "sweep %s --backend cpu -o %s", file, path);
    assert_int_equal(outcome.exit_status, allowed ? 0 : 1);
    outcome_free(&outcome);
    result_table table = read_table(path, "sweep.csv", &bench_sweep_table);
    assert_int_equal(table.rows, 1);
    assert_string_equal(table_field(&table, 0, "status"), allowed ? "ok" : "invalid");
    assert_string_equal(table_field(&table, 0, "reason"), allowed ? "" : states[n / 2].reason);
    assert_string_equal(table_field(&table, 0, states[n / 2].column), states[n / 2].value);
    assert_string_equal(table_field(&table, 0, "load_1min"), "3.5");
    assert_true(strtod(table_field(&table, 0, "time_ns_median"), NULL) > 0);
    assert_true(atoi(table_field(&table, 0, "samples")) > 0);
    table_free(&table);
  }
}

static void bad_fault_lists(void **state) {
  (void)state;
  static const char *const bad[][2] = {
      {"crash", "KIND@CASE"},           {"crash@", "KIND@CASE"},
      {"crash@0", "KIND@CASE"},         {"crash@1,", "KIND@CASE"},
      {"bang@1", "KIND@CASE"},          {"crash@1x", "KIND@CASE"},
      {"crash@-1", "KIND@CASE"},        {"crash@201", "is not there"},
      {"crash@1,,hang@2", "KIND@CASE"}, {"crash@99999999999999999999", "KIND@CASE"}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char environment[64];
    snprintf(environment, sizeof environment, "BENCH_FAULT='%s'", bad[i][0]);
    bench_outcome outcome = sweep(environment, "--resume");
    assert_int_equal(outcome.exit_status, 2);
    assert_non_null(strstr(outcome.err, bad[i][1]));
    outcome_free(&outcome);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_fault_is_told),
      cmocka_unit_test(resume_does_only_what_failed),
      cmocka_unit_test(the_samples_are_of_the_rows),
      cmocka_unit_test(oom_forbids_larger_cases),
      cmocka_unit_test(drifting_samples_make_an_invalid_row),
      cmocka_unit_test(an_unsteady_device_makes_an_invalid_row),
      cmocka_unit_test(bad_fault_lists),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
