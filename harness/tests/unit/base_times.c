/* Which rows are set against which: the full mask's for other masks, the burst for what is
 * sustained, and only where the other time can be trusted. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "src/base_times.h"

static bench_row row_of(const char *case_id, const char *mask, const char *mode, double time_ns) {
  bench_row row;
  bench_table_clear(&bench_sweep_table, &row);
  bench_text_copy(row.status, sizeof row.status, "ok");
  bench_text_copy(row.kernel, sizeof row.kernel, "flash");
  bench_text_copy(row.device, sizeof row.device, "a device");
  bench_text_copy(row.scope, sizeof row.scope, "attention");
  bench_text_copy(row.case_id, sizeof row.case_id, case_id);
  bench_text_copy(row.mask, sizeof row.mask, mask);
  bench_text_copy(row.mode, sizeof row.mode, mode);
  row.density = 0.5;
  row.time_ns_median = time_ns;
  return row;
}

static void fraction_of_ideal(void **state) {
  (void)state;
  bench_base_times base = {0};
  bench_row causal = row_of("b", "causal", "cold", 80);
  bench_row full = row_of("a", "full", "cold", 100);
  bench_base_times_compare(&base, &causal);
  assert_true(isnan(causal.fraction_of_ideal));
  bench_base_times_note(&base, &full);
  bench_base_times_compare(&base, &full);
  assert_true(isnan(full.fraction_of_ideal));
  bench_base_times_compare(&base, &causal);
  assert_true(causal.fraction_of_ideal == 100 * 0.5 / 80);
  bench_row warm = row_of("b", "causal", "warm", 80); /* the full row is of another mode */
  bench_base_times_compare(&base, &warm);
  assert_true(isnan(warm.fraction_of_ideal));
  bench_row block = row_of("b", "causal", "cold", 80);
  bench_text_copy(block.scope, sizeof block.scope, "block");
  bench_base_times_compare(&base, &block);
  assert_true(isnan(block.fraction_of_ideal));
  bench_base_times_free(&base);
}

static void sustained_of_burst(void **state) {
  (void)state;
  bench_base_times base = {0};
  bench_row sustained = row_of("b", "causal", "sustained", 125);
  bench_row warm = row_of("b", "causal", "warm", 100);
  bench_row other = row_of("c", "causal", "warm", 50);
  bench_base_times_note(&base, &warm);
  bench_base_times_note(&base, &other); /* cases need not come with their modes together */
  bench_base_times_compare(&base, &warm);
  assert_true(isnan(warm.sustained_of_burst));
  bench_base_times_compare(&base, &sustained);
  assert_true(sustained.sustained_of_burst == 0.8);
  sustained = row_of("b", "causal", "sustained", 125);
  bench_text_copy(sustained.device, sizeof sustained.device, "another");
  bench_base_times_compare(&base, &sustained);
  assert_true(isnan(sustained.sustained_of_burst));
  bench_base_times_free(&base);
}

/* An invalid row has a time, but none to set others against. */
static void only_ok_rows_count(void **state) {
  (void)state;
  bench_base_times base = {0};
  bench_row warm = row_of("b", "causal", "warm", 100);
  bench_row sustained = row_of("b", "causal", "sustained", 125);
  bench_text_copy(warm.status, sizeof warm.status, "invalid");
  bench_base_times_note(&base, &warm);
  bench_base_times_compare(&base, &sustained);
  assert_true(isnan(sustained.sustained_of_burst));
  bench_base_times_free(&base);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fraction_of_ideal),
      cmocka_unit_test(sustained_of_burst),
      cmocka_unit_test(only_ok_rows_count),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
