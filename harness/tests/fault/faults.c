/* Whatever happens to a case costs that case alone, and leaves one row that says what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"

static const char config[] =
    "[sweep]\n"
    "name = \"faults\"\n"
    "kernels = [\"naive\"]\n"
    "modes = [\"warm\"]\n"
    "budget = { case_s = 0.02, timeout_s = 8.0 }\n"
    "[[grid]]\n"
    "seq = [8, 13, 16, 17, 18, 19, 20, 23, 24, 29, 30, 31, 32, 37, 38, 41, 42, 43, 44, 47, 48,\n"
    "       53, 54, 59]\n"
    "heads = [2]\n"
    "head_dim = [32]\n";

static const struct {
  const char *seq;
  const char *status;
  const char *reason; /* a part of it */
} expected[] = {
    {"13", "crashed", "signal 11"},         {"17", "crashed", "signal 9"},
    {"19", "timeout", "no answer within"},  {"23", "crashed", "exited with status 3"},
    {"59", "oom", "refused to launch"}, /* the largest: after it no larger one is launched */
    {"31", "failed", "refused to launch"},  {"37", "wrong", "exceeds the tolerance"},
    {"41", "wrong", "not finite"},          {"43", "wrong", "LSE"},
    {"47", "wrong", "outside its outputs"}, {"29", "skipped", "there is no plan for 29 rows"},
};

static const char *status_expected(const char *seq, const char **reason) {
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    if (strcmp(seq, expected[i].seq) == 0) {
      *reason = expected[i].reason;
      return expected[i].status;
    }
  }
  *reason = "";
  return "ok";
}

static void each_fault_costs_one_row(void **state) {
  (void)state;
  char folder[256];
  snprintf(folder, sizeof folder, "%s/faults", scratch_folder());
  const char *path = scratch_file("faults.toml", config);
  bench_outcome outcome =
      run_bench("BENCH_WORKER='" FAULTY_WORKER "'", "sweep %s --backend cpu -o %s", path, folder);
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 24);
  for (size_t row = 0; row < table.rows; row++) {
    const char *reason;
    const char *status = status_expected(table_field(&table, row, "seq_q"), &reason);
    assert_string_equal(table_field(&table, row, "status"), status);
    assert_non_null(strstr(table_field(&table, row, "reason"), reason));
    int timed = table_field(&table, row, "time_ns_median")[0] != '\0';
    assert_int_equal(timed, strcmp(status, "ok") == 0);
  }
  table_free(&table);
}

/* What a foreign worker may say is its case's result and nothing else. */
static void odd_answers_stay_out_of_the_record(void **state) {
  (void)state;
  static const struct {
    const char *seq;
    const char *status;
    const char *reason;
  } odd[] = {{"13", "failed", "none of the protocol's"},
             {"17", "failed", "no samples"},
             {"23", "failed", "no samples"},
             {"31", "crashed", "not JSON"},
             {"37", "wrong", ""}};
  const char *path =
      scratch_file("odd.toml",
                   "[sweep]\nname = \"odd\"\nkernels = [\"naive\"]\n"
                   "modes = [\"warm\"]\n[[grid]]\nheads = [1]\nhead_dim = [32]\n"
                   "seq = [8, 13, 16, 17, 18, 19, 20, 23, 24, 29, 30, 31, 32, 37]\n");
  char folder[256];
  snprintf(folder, sizeof folder, "%s/odd", scratch_folder());
  bench_outcome outcome =
      run_bench("BENCH_WORKER='" ODD_WORKER "'", "sweep %s --backend cpu -o %s", path, folder);
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 14);
  for (size_t row = 0; row < table.rows; row++) {
    const char *seq = table_field(&table, row, "seq_q");
    const char *status = "ok";
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
      if (strcmp(seq, odd[i].seq) == 0) {
        status = odd[i].status;
        assert_non_null(strstr(table_field(&table, row, "reason"), odd[i].reason));
      }
    }
    assert_string_equal(table_field(&table, row, "status"), status);
    assert_string_equal(table_field(&table, row, "mode"), "warm");
    assert_int_equal(strlen(table_field(&table, row, "case_id")), 16);
    double time_ns = strcmp(status, "ok") == 0 ? atof(seq) * 1000 : 0;
    assert_true(atof(table_field(&table, row, "time_ns_median")) == time_ns);
  }
  table_free(&table);
  outcome = run_bench("ODD_PROTOCOL=7 BENCH_WORKER='" ODD_WORKER "'",
                      "sweep %s --backend cpu -o %s/never", path, scratch_folder());
  assert_int_equal(outcome.exit_status, 2);
  assert_non_null(strstr(outcome.err, "speaks protocol 7"));
  outcome_free(&outcome);
}

/* Killed while the kernel killed for memory: that is no crash. */
static void a_kill_for_memory_is_oom(void **state) {
  (void)state;
  char folder[256];
  snprintf(folder, sizeof folder, "%s/killed", scratch_folder());
  bench_program = "bench_oom_kills";
  bench_outcome outcome = run_bench("BENCH_WORKER='" FAULTY_WORKER "'",
                                    "sweep %s --backend cpu -o %s --filter 'seq=1[3-8]'",
                                    scratch_file("killed.toml", config), folder);
  bench_program = "bench";
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 4);
  assert_string_equal(table_field(&table, 0, "status"), "crashed"); /* SIGSEGV, whatever else */
  assert_string_equal(table_field(&table, 2, "status"), "oom");
  assert_non_null(strstr(table_field(&table, 2, "reason"), "killed for memory during verify"));
  assert_string_equal(table_field(&table, 3, "status"), "skipped"); /* it is larger */
  table_free(&table);
}

/* A worker that is not there is no crash of ours. */
static void missing_worker(void **state) {
  (void)state;
  const char *path = scratch_file("missing.toml", config);
  bench_outcome outcome = run_bench("BENCH_WORKER=/nonexistent/worker",
                                    "sweep %s --backend cpu -o %s/missing", path, scratch_folder());
  assert_int_equal(outcome.exit_status, 4);
  assert_non_null(strstr(outcome.err, "cannot start the worker /nonexistent/worker"));
  outcome_free(&outcome);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_fault_costs_one_row),
      cmocka_unit_test(odd_answers_stay_out_of_the_record),
      cmocka_unit_test(a_kill_for_memory_is_oom),
      cmocka_unit_test(missing_worker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
