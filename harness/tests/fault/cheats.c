/* Kernels that are right when they are verified and cheat when they are timed: every one is found,
 * in every mode, and an honest one beside them is not. A row drawn at random can happen to be one
 * that a cheat looks at: there must be time for more than a few samples on a busy machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"

static const struct {
  const char *seq;
  const char *reason; /* a part of it; what is compared, O or the LSE, has its place */
} cheats[] = {
    {"13", "writ"},
    {"17", "at layer"},
    {"19", "at layer"},
    {"23", "writ"},
    {"29", "wrote outside its outputs"},
    {"31", "into its inputs"},
    {"37", "writ"}, /* a row of a sample, or one of the last look */
    {"41", "what the last sample left"},
};

static const char *expected_reason(const char *seq) {
  for (size_t i = 0; i < sizeof cheats / sizeof cheats[0]; i++) {
    if (strcmp(seq, cheats[i].seq) == 0) {
      return cheats[i].reason;
    }
  }
  return NULL;
}

static void sweep_cheats(const char *worker, const char *name, const char *modes,
                         const char *lengths) {
  char folder[256];
  char config[512];
  char environment[512];
  snprintf(config, sizeof config,
           "[sweep]\nname = \"cheats\"\nkernels = [\"naive\"]\nmodes = [%s]\n"
           "budget = { case_s = 0.3 }\n"
           "[[grid]]\nseq = [%s]\nheads = [2]\nhead_dim = [32]\nmask = [\"causal\"]\n",
           modes, lengths);
  snprintf(folder, sizeof folder, "%s/%s", scratch_folder(), name);
  snprintf(environment, sizeof environment, "BENCH_WORKER='%s'", worker);
  const char *path = scratch_file("cheats.toml", config);
  bench_outcome outcome = run_bench(environment, "sweep %s --backend cpu -o %s", path, folder);
  assert_int_equal(outcome.exit_status, 1);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_true(table.rows >= 2);
  for (size_t row = 0; row < table.rows; row++) {
    const char *seq = table_field(&table, row, "seq_q");
    const char *reason = expected_reason(seq);
    const char *status = table_field(&table, row, "status");
    if (strcmp(status, reason != NULL ? "wrong" : "ok") != 0 ||
        (reason != NULL && strstr(table_field(&table, row, "reason"), reason) == NULL)) {
      fail_msg("seq %s, mode %s: %s (%s)", seq, table_field(&table, row, "mode"), status,
               table_field(&table, row, "reason"));
    }
    assert_int_equal(table_field(&table, row, "time_ns_median")[0] != '\0', reason == NULL);
  }
  table_free(&table);
}

static void every_cheat_is_found(void **state) {
  (void)state;
  static const char lengths[] = "8, 13, 16, 17, 18, 19, 20, 23, 24, 29, 30, 31, 32, 37, 40, 41, 64";
  sweep_cheats(CHEATING_WORKER, "warm", "\"warm\", \"cold\"", lengths);
  sweep_cheats(CHEATING_WORKER, "graph", "\"graph\"", lengths);
  sweep_cheats(CHEATING_WORKER, "sustained", "\"sustained\"", "40, 41"); /* three seconds each */
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_cheat_is_found)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
