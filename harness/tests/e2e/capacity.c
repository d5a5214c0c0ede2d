/* bench capacity: the longest sequence by the memory budget, and by what a worker can allocate. */
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
    "[sweep]\nname = \"capacity\"\nkernels = [\"flash\", \"blas\", \"vendor\"]\n"
    "modes = [\"warm\"]\nbudget = { memory_fraction = 0.01 }\n"
    "[[grid]]\nseq = [64, 128]\nheads = [4]\nhead_dim = [64]\ndtype = [\"fp32\"]\n";

/* The columns seq_max and GB of a kernel's line. */
static double seq_max(const char *out, const char *kernel, double *gigabytes) {
  char line[64];
  snprintf(line, sizeof line, "\n%s ", kernel);
  const char *at = strstr(out, line);
  assert_non_null(at);
  double seq = 0;
  char variant[32];
  assert_int_equal(sscanf(at, " %*s %31s fp32 causal 1 1 4/4 64 %lf %lf", variant, &seq, gigabytes),
                   3);
  return seq;
}

static void limited_by_the_budget(void **state) {
  (void)state;
  const char *path = scratch_file("capacity.toml", config);
  bench_outcome outcome = run_bench("", "capacity %s --backend cpu", path);
  assert_int_equal(outcome.exit_status, 0);
  double flash_gb;
  double blas_gb;
  double vendor_gb;
  const double flash = seq_max(outcome.out, "flash", &flash_gb);
  const double blas = seq_max(outcome.out, "blas", &blas_gb);
  assert_true(seq_max(outcome.out, "vendor", &vendor_gb) == 0);
  assert_non_null(strstr(outcome.out, "no kernel of the family"));
  /* Q, K, V and O of 4 heads of 64 floats, and an LSE, are 4112 bytes a token. */
  assert_true(flash * 4112 <= flash_gb * 1e9 && flash > 64);
  assert_true(blas <= flash); /* it keeps scores */
  assert_non_null(strstr(outcome.out, "more than the budget's"));
  const char *second = strstr(strstr(outcome.out, "\nflash ") + 1, "\nflash ");
  assert_null(second); /* lengths of the config make no shapes of their own */
  outcome_free(&outcome);

  outcome =
      run_bench("", "capacity %s --backend cpu --set sweep.budget.memory_fraction=0.02", path);
  assert_int_equal(outcome.exit_status, 0);
  double twice_gb;
  const double twice = seq_max(outcome.out, "flash", &twice_gb);
  assert_true(twice > 1.9 * flash && twice < 2.2 * flash);
  outcome_free(&outcome);
}

/* A worker that may take less memory than is predicted to be there is found out by bisection. */
static void limited_by_the_worker(void **state) {
  (void)state;
  const char *path = scratch_file("capacity.toml", config);
  char environment[512];
  snprintf(environment, sizeof environment, "BENCH_WORKER='%s'", SMALL_WORKER);
  bench_outcome outcome = run_bench(environment, "capacity %s --backend cpu", path);
  assert_int_equal(outcome.exit_status, 0);
  double gigabytes;
  const double seq = seq_max(outcome.out, "flash", &gigabytes);
  /* The worker refuses any allocation above 16 MB: Q, K, V and O are of 1024 bytes a token. */
  assert_true(seq * 1024 <= 16e6 && (seq + 64) * 1024 + 2048 > 16e6);
  assert_non_null(strstr(outcome.out, "no more than 16 MB"));
  outcome_free(&outcome);
}

/* A worker that takes too long says nothing of the memory. */
static void not_known_after_a_time_out(void **state) {
  (void)state;
  const char *path = scratch_file("capacity.toml", config);
  char environment[512];
  snprintf(environment, sizeof environment, "SMALL_SLOW=1 BENCH_WORKER='%s'", SMALL_WORKER);
  bench_outcome outcome =
      run_bench(environment,
                "capacity %s --backend cpu --set 'sweep.kernels=[\"flash\",\"vendor\"]' --set "
                "sweep.budget.timeout_s=2",
                path);
  assert_int_equal(outcome.exit_status, 1);
  assert_non_null(strstr(outcome.out, " >=0 "));
  assert_non_null(strstr(outcome.out, "not known: "));
  assert_non_null(strstr(outcome.out, "no answer within 2 s"));
  assert_non_null(strstr(outcome.out, "\nvendor ")); /* the others are looked at all the same */
  outcome_free(&outcome);
}

static void bad_usage(void **state) {
  (void)state;
  static const char *const arguments[] = {"capacity", "capacity a.toml b.toml",
                                          "capacity /nonexistent.toml", "capacity --device x a"};
  refuses_usage(arguments, sizeof arguments / sizeof arguments[0]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(limited_by_the_budget),
      cmocka_unit_test(limited_by_the_worker),
      cmocka_unit_test(not_known_after_a_time_out),
      cmocka_unit_test(bad_usage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
