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
    "budget = { case_s = 0.02, timeout_s = 3.0 }\n"
    "[[grid]]\n"
    "seq = [8, 13, 16, 17, 18, 19, 20, 23, 24, 29, 30, 31, 32, 37, 38, 41, 42, 43, 44, 47, 48,\n"
    "       53, 54]\n"
    "heads = [2]\n"
    "head_dim = [32]\n";

static const struct {
  const char *seq;
  const char *status;
  const char *reason; /* a part of it */
} expected[] = {
    {"13", "crashed", "signal 11"},
    {"17", "crashed", "signal 9"},
    {"19", "timeout", "no answer within"},
    {"23", "crashed", "exited with status 3"},
    {"29", "oom", "refused to launch"},
    {"31", "failed", "refused to launch"},
    {"37", "wrong", "exceeds the tolerance"},
    {"41", "wrong", "not finite"},
    {"43", "wrong", "LSE"},
    {"47", "wrong", "outside its outputs"},
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
  assert_int_equal(table.rows, 23);
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
      cmocka_unit_test(missing_worker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
