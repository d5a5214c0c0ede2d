/* The NVTX ranges of a real sweep: case > prepare, statistics, verify, measure, and not one call
 * inside a timed region. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"

static void ranges_of_a_sweep(void **state) {
  (void)state;
  char log_path[256];
  char environment[1024];
  snprintf(log_path, sizeof log_path, "%s/nvtx.log", scratch_folder());
  snprintf(environment, sizeof environment,
           "BENCH_WORKER='%s' NVTX_INJECTION64_PATH='%s' NVTX_PROBE_LOG='%s'", NVTX_WORKER,
           NVTX_PROBE, log_path);
  const char *config = scratch_file("nvtx.toml",
                                    "[sweep]\nname = \"nvtx\"\nkernels = [\"flash\"]\n"
                                    "modes = [\"cold\"]\nbudget = { case_s = 0.01 }\n"
                                    "[[grid]]\nseq = [64]\nheads = [1]\nhead_dim = [32]\n");
  bench_outcome outcome =
      run_bench(environment, "sweep %s --backend cpu -o %s/nvtx", config, scratch_folder());
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);

  static const char *const expected[] = {
      "0 push flash", "1 push prepare", "1 pop ", "1 push statistics",
      "1 pop ",       "1 push verify",  "1 pop ", "1 push measure",
      "1 pop ",       "0 pop "};
  char line[256];
  int timed = 0;
  int violations = -1;
  FILE *log = fopen(log_path, "r");
  assert_non_null(log);
  assert_non_null(fgets(line, sizeof line, log));
  assert_int_equal(sscanf(line, "attached 1 timed %d violations %d depth 0", &timed, &violations),
                   2);
  assert_true(timed >= 1);
  assert_int_equal(violations, 0);
  for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
    assert_non_null(fgets(line, sizeof line, log));
    line[strcspn(line, "\n")] = '\0';
    assert_string_equal(line, expected[i]);
  }
  assert_null(fgets(line, sizeof line, log));
  fclose(log);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(ranges_of_a_sweep)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
