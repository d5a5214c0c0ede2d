/* Between cases neither the sweep's own process nor its worker waits for time to pass: what a case
 * costs beside its kernel, its verification and its set-up is then what is computed, which
 * overhead.sh counts. */
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
    "[sweep]\nname = \"waits\"\nkernels = [\"null\"]\nmodes = [\"cold\", \"warm\", \"graph\"]\n"
    "budget = { case_s = 0.0005 }\n[[grid]]\nseq = [16, 17, 18, 19, 20, 21, 22, 23, 24, 25]\n"
    "heads = [1]\nhead_dim = [32]\n";

static void nobody_sleeps(void **state) {
  (void)state;
  char environment[300];
  snprintf(environment, sizeof environment, "SLEEP_LOG=%s/sleeps.log", scratch_folder());
  bench_program = "bench_sleeps";
  bench_outcome outcome = run_bench(environment, "sweep %s --backend cpu -o %s/run",
                                    scratch_file("waits.toml", config), scratch_folder());
  if (outcome.exit_status != 0) {
    fail_msg("%s%s", outcome.out, outcome.err);
  }
  outcome_free(&outcome);
  char folder[300];
  snprintf(folder, sizeof folder, "%s/run", scratch_folder());
  result_table rows = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table_count(&rows, "status", "ok"), 30);
  table_free(&rows);
  snprintf(folder, sizeof folder, "%s/sleeps.log", scratch_folder());
  char *log = file_text(folder);
  if (log[0] != '\0') {
    fail_msg("somebody slept: %s", log);
  }
  free(log);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_sleeps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
