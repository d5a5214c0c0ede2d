/* What samples do to their row: unsteady ones make it invalid, and the clock of a GPU has to stay.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/row_samples.h"

enum { COUNT = 60 };

static bench_row ok_row(const char *mode, const char *case_id) {
  bench_row row;
  bench_table_clear(&bench_sweep_table, &row);
  snprintf(row.status, sizeof row.status, "ok");
  snprintf(row.backend, sizeof row.backend, "cuda");
  snprintf(row.mode, sizeof row.mode, "%s", mode);
  snprintf(row.case_id, sizeof row.case_id, "%s", case_id);
  return row;
}

static void unsteady_samples(void **state) {
  (void)state;
  double samples[COUNT];
  for (int i = 0; i < COUNT; i++) {
    samples[i] = 1000 + 4 * i + i % 3; /* 20 % longer at the end */
  }
  unsetenv("BENCH_UNSTEADY");
  bench_row row = ok_row("warm", "a");
  bench_row_judge_samples(&row, samples, COUNT);
  assert_string_equal(row.status, "invalid");
  assert_non_null(strstr(row.reason, "drift"));
  assert_true(row.drift > 0.1 && row.drift < 0.2);
  row = ok_row("warm", "a");
  snprintf(row.status, sizeof row.status, "invalid"); /* has its reason already */
  snprintf(row.reason, sizeof row.reason, "heat");
  bench_row_judge_samples(&row, samples, COUNT);
  assert_string_equal(row.reason, "heat");
  setenv("BENCH_UNSTEADY", "allow", 1);
  row = ok_row("warm", "a");
  bench_row_judge_samples(&row, samples, COUNT);
  assert_string_equal(row.status, "ok");
  assert_true(row.drift > 0.1); /* told all the same */
  unsetenv("BENCH_UNSTEADY");
  for (int i = 0; i < COUNT; i++) {
    samples[i] = 1000 + i % 3;
  }
  row = ok_row("warm", "a");
  bench_row_judge_samples(&row, samples, COUNT);
  assert_string_equal(row.status, "ok");
}

static json_t *with_clock(double first, double last) {
  json_t *list = json_array();
  for (int i = 0; i < COUNT; i++) {
    json_array_append_new(list, i == 3 ? json_null() : json_real(i < COUNT / 2 ? first : last));
  }
  return json_pack("{s:o}", "sm_mhz", list);
}

static void clock_of_a_gpu(void **state) {
  (void)state;
  bench_row row = ok_row("warm", "a");
  json_t *result = with_clock(1700, 1755);
  double *clock = bench_row_take_clock(&row, result, COUNT);
  assert_non_null(clock);
  assert_true(clock[0] == 1700 && isnan(clock[3]) && clock[COUNT - 1] == 1755);
  assert_string_equal(row.status, "ok");
  assert_true(row.sm_mhz == 1755);
  free(clock);
  assert_null(bench_row_take_clock(&row, result, COUNT + 1)); /* not of these samples */
  json_decref(result);

  result = with_clock(1980, 1410);
  free(bench_row_take_clock(&row, result, COUNT));
  assert_string_equal(row.status, "invalid");
  assert_string_equal(row.reason, "the clock went from 1410 to 1980 MHz");
  row = ok_row("warm", "a");
  snprintf(row.backend, sizeof row.backend, "cpu");
  free(bench_row_take_clock(&row, result, COUNT));
  assert_string_equal(row.status, "ok");
  json_decref(result);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unsteady_samples),
      cmocka_unit_test(clock_of_a_gpu),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
