/* The emulated device, as a user of a build with tests sees it: it is told of and never chosen, its
 * rows are judged and carry no time, and a bad wish is refused with its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"

static const char config[] =
    "[sweep]\n"
    "name = \"emu\"\n"
    "kernels = [\"naive\", \"vendor\"]\n"
    "modes = [\"cold\", \"warm\"]\n"
    "[[grid]]\n"
    "heads = [2]\nhead_dim = [32]\nseq = [40]\ndtype = [\"bf16\"]\nmask = [\"causal\"]\n";

static void rows_carry_no_time(void **state) {
  (void)state;
  char folder[300];
  snprintf(folder, sizeof folder, "%s/emu", scratch_folder());
  bench_outcome outcome =
      run_bench("", "sweep %s --backend emu -o %s", scratch_file("emu.toml", config), folder);
  if (outcome.exit_status != 0) {
    fail_msg("%s%s", outcome.out, outcome.err);
  }
  outcome_free(&outcome);
  result_table rows = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(rows.rows, 4);
  assert_int_equal(table_count(&rows, "status", "ok"), 2);
  assert_int_equal(table_count(&rows, "status", "skipped"), 2);
  assert_int_equal(table_count(&rows, "backend", "emu"), 4);
  for (size_t i = 0; i < rows.rows; i++) {
    static const char *const empty[] = {"samples",      "time_ns_median", "time_ns_min",
                                        "time_ns_mean", "tflops",         "gb_per_s",
                                        "tokens_per_s", "stop_reason",    "pct_of_roof"};
    for (size_t c = 0; c < sizeof empty / sizeof empty[0]; c++) {
      assert_string_equal(table_field(&rows, i, empty[c]), "");
    }
    if (strcmp(table_field(&rows, i, "status"), "ok") == 0) {
      assert_string_equal(table_field(&rows, i, "rows_checked"), "80");
      assert_string_not_equal(table_field(&rows, i, "entropy_nats"), "");
    }
  }
  table_free(&rows);
  result_table samples = read_table(folder, "samples.csv", &bench_sample_table);
  assert_int_equal(samples.rows, 0);
  table_free(&samples);
}

static void it_is_told_of_and_never_chosen(void **state) {
  (void)state;
  bench_outcome outcome = run_bench("BENCH_EMU_CC=80", "list devices");
  assert_int_equal(outcome.exit_status, 0);
  assert_non_null(strstr(outcome.out, "emu   0  emulated device of compute capability 8.0"));
  outcome_free(&outcome);
  outcome = run_bench("", "list kernels");
  assert_non_null(strstr(outcome.out, "naive      emu      simt"));
  outcome_free(&outcome);
  outcome =
      run_bench("CUDA_VISIBLE_DEVICES=", "sweep %s --dry-run", scratch_file("emu.toml", config));
  assert_int_equal(outcome.exit_status, 0);
  assert_null(strstr(outcome.out, "emu"));
  assert_non_null(strstr(outcome.err, "using the cpu"));
  outcome_free(&outcome);
}

static void bad_wishes_are_refused(void **state) {
  (void)state;
  const char *path = scratch_file("emu.toml", config);
  bench_outcome outcome =
      run_bench("BENCH_EMU_CC=ninety", "sweep %s --backend emu --dry-run", path);
  assert_non_null(strstr(outcome.err, "BENCH_EMU_CC=ninety: expected a compute capability"));
  outcome_free(&outcome);
  outcome = run_bench("BENCH_EMU=schedule=sideways", "sweep %s --backend emu --dry-run", path);
  assert_non_null(
      strstr(outcome.err, "schedule=sideways: expected schedule=fifo|lifo|random:SEED"));
  outcome_free(&outcome);
  outcome = run_bench("", "sweep %s --backend tpu", path);
  assert_int_equal(outcome.exit_status, 2);
  assert_non_null(strstr(outcome.err, "\"tpu\" is unknown: there are cpu, cuda and emu"));
  outcome_free(&outcome);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rows_carry_no_time),
      cmocka_unit_test(it_is_told_of_and_never_chosen),
      cmocka_unit_test(bad_wishes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
