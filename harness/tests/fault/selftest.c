/* The self-test passes on this machine, and finds a clock that is off by 2 % and a flush that does
 * not empty the cache. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"

/* Runs the self-test until it ends with this status and prints both texts. A machine that others
 * use may disturb one run and another, of a sound clock as of a false one, but not each. */
static void ends_with(const char *environment, int status, const char *one, const char *other) {
  enum { TRIES = 10 };
  for (int i = 1;; i++) {
    bench_outcome outcome = run_bench(environment, "selftest --backend cpu");
    const bool as_wanted = outcome.exit_status == status && strstr(outcome.out, one) != NULL &&
                           strstr(outcome.out, other) != NULL;
    if (!as_wanted && i == TRIES) {
      fail_msg("%s: exit status %d:\n%s%s", environment, outcome.exit_status, outcome.out,
               outcome.err);
    }
    outcome_free(&outcome);
    if (as_wanted) {
      return;
    }
  }
}

static void passes_here(void **state) {
  (void)state;
  ends_with("", 0, "passed   clock agreement", "passed   known delays");
}

static void finds_what_is_false(void **state) {
  (void)state;
  static const struct {
    const char *environment;
    const char *found[2];
  } faults[] = {
      {"FALSE_CLOCK=1.02", {"failed   clock agreement", "failed   known delays"}},
      {"FALSE_CLOCK=0.98", {"failed   clock agreement", "failed   known delays"}},
      {"FALSE_FLUSH=1", {"failed   cache flush", "passed   clock agreement"}},
  };
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
    char environment[512];
    snprintf(environment, sizeof environment, "%s BENCH_WORKER='%s'", faults[i].environment,
             FALSE_WORKER);
    ends_with(environment, 1, faults[i].found[0], faults[i].found[1]);
  }
}

/* Reading is quick only of what the cache holds. */
static void reads_what_the_cache_holds(void **state) {
  (void)state;
  bench_outcome outcome =
      run_bench("FALSE_LLC=196608 BENCH_WORKER='" FALSE_WORKER "'", "selftest --backend cpu");
  assert_non_null(strstr(outcome.out, " 96 KiB are read"));
  outcome_free(&outcome);
}

static void refuses_bad_usage(void **state) {
  (void)state;
  static const char *const arguments[] = {"selftest --device x", "selftest extra",
                                          "selftest -o file", "selftest --backend tpu",
                                          "calibrate --device -1"};
  refuses_usage(arguments, sizeof arguments / sizeof arguments[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(passes_here),
      cmocka_unit_test(finds_what_is_false),
      cmocka_unit_test(reads_what_the_cache_holds),
      cmocka_unit_test(refuses_bad_usage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
