/* The limit of a request follows the prediction, and what the config says comes first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/oom_rule.h"
#include "src/watchdog.h"

static const bench_problem problem = {.attn = {.head_dim = 64, .seq_kv = 1024, .batch = 1},
                                      .flops = 1000000};

static double limit(double case_s, double timeout_s, double predicted_s, bench_mode mode) {
  const bench_config config = {.budget_case_s = case_s, .budget_timeout_s = timeout_s};
  const bench_case planned = {.time_predicted_s = predicted_s, .mem_predicted_bytes = 1000};
  return bench_watchdog_limit_s(&config, &problem, &planned, mode);
}

static void the_config_comes_first(void **state) {
  (void)state;
  assert_true(limit(20, 1.5, 1000, BENCH_MODE_COLD) == 1.5);
}

static void longer_cases_have_longer_limits(void **state) {
  (void)state;
  const double least = limit(0.01, 0, 0, BENCH_MODE_COLD);
  assert_true(least >= 60);
  assert_true(least < 120);
  assert_true(limit(1, 0, 5, BENCH_MODE_COLD) >= least + 10 * 10 * 5);
  assert_true(limit(20, 0, 0, BENCH_MODE_COLD) >= 60 + 10 * 20);
  assert_true(limit(0.01, 0, 0, BENCH_MODE_SUSTAINED) >= least + 10 * 2.9);
}

static void inputs_and_verification_count(void **state) {
  (void)state;
  const bench_config config = {.budget_case_s = 1};
  bench_case planned = {.mem_predicted_bytes = 1000};
  const double small = bench_watchdog_limit_s(&config, &problem, &planned, BENCH_MODE_COLD);
  planned.mem_predicted_bytes = INT64_C(64) << 30;
  assert_true(bench_watchdog_limit_s(&config, &problem, &planned, BENCH_MODE_COLD) > small + 100);
  bench_problem large = problem;
  large.flops = INT64_C(1) << 50;
  planned.mem_predicted_bytes = 1000;
  assert_true(bench_watchdog_limit_s(&config, &large, &planned, BENCH_MODE_COLD) > small + 90);
  large.attn.input = BENCH_INPUT_MODEL;
  large.attn.params = 1000000000;
  large.attn.seq_q = 1024;
  assert_true(bench_watchdog_limit_s(&config, &large, &planned, BENCH_MODE_COLD) > small + 1000);
}

static bench_row row_of(const char *kernel, int64_t bytes) {
  bench_row row;
  bench_table_clear(&bench_sweep_table, &row);
  bench_text_copy(row.kernel, sizeof row.kernel, kernel);
  row.mem_predicted_bytes = bytes;
  return row;
}

/* What ran out of memory forbids what is larger, of its kernel alone. */
static void oom_rule(void **state) {
  (void)state;
  bench_oom_rule rule = {0};
  char reason[512];
  bench_row flash = row_of("flash", 1000);
  assert_false(bench_oom_rule_forbids(&rule, &flash, reason));
  bench_oom_rule_note(&rule, &flash);
  assert_false(bench_oom_rule_forbids(&rule, &flash, reason)); /* as large: not larger */
  bench_row larger = row_of("flash", 1001);
  assert_true(bench_oom_rule_forbids(&rule, &larger, reason));
  bench_row other = row_of("naive", 5000);
  assert_false(bench_oom_rule_forbids(&rule, &other, reason));
  bench_row smaller = row_of("flash", 500);
  bench_oom_rule_note(&rule, &larger); /* says nothing new */
  assert_true(bench_oom_rule_forbids(&rule, &larger, reason));
  bench_oom_rule_note(&rule, &smaller);
  assert_true(bench_oom_rule_forbids(&rule, &flash, reason));
}

/* The copies of mode graph say nothing of modes without; what fails without fails with them. */
static void oom_rule_of_modes(void **state) {
  (void)state;
  char reason[512];
  bench_row small = row_of("flash", 1000);
  bench_row larger = row_of("flash", 2000);
  bench_row largest = row_of("flash", 3000);
  bench_oom_rule rule = {0};
  bench_text_copy(small.mode, sizeof small.mode, "graph");
  bench_oom_rule_note(&rule, &small);
  static const char *const others[] = {"cold", "warm", "sustained"};
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    bench_text_copy(larger.mode, sizeof larger.mode, others[i]);
    assert_false(bench_oom_rule_forbids(&rule, &larger, reason));
  }
  bench_text_copy(larger.mode, sizeof larger.mode, "graph");
  assert_true(bench_oom_rule_forbids(&rule, &larger, reason));

  rule = (bench_oom_rule){0};
  bench_text_copy(larger.mode, sizeof larger.mode, "warm");
  bench_oom_rule_note(&rule, &larger);
  static const char *const all[] = {"cold", "warm", "graph", "sustained"};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    bench_text_copy(largest.mode, sizeof largest.mode, all[i]);
    assert_true(bench_oom_rule_forbids(&rule, &largest, reason));
  }
  bench_oom_rule_note(&rule, &small); /* both are known now, each of its own */
  bench_text_copy(largest.mode, sizeof largest.mode, "cold");
  largest.mem_predicted_bytes = 1500;
  assert_false(bench_oom_rule_forbids(&rule, &largest, reason));
  bench_text_copy(largest.mode, sizeof largest.mode, "graph");
  assert_true(bench_oom_rule_forbids(&rule, &largest, reason));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_config_comes_first),
      cmocka_unit_test(longer_cases_have_longer_limits),
      cmocka_unit_test(inputs_and_verification_count),
      cmocka_unit_test(oom_rule),
      cmocka_unit_test(oom_rule_of_modes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
