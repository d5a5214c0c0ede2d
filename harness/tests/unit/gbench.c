/* Google Benchmark really is what drives: without the call that runs what is registered, nothing
 * is measured. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "run_bench.h"
#include "src/gbench.h"

static int measured[3];

static void measure(void *context, size_t index, bench_gbench_result *result) {
  assert_ptr_equal(context, measured);
  measured[index]++;
  result->time_s = 0.5;
  result->flops = 1e9;
  if (index == 2) {
    snprintf(result->skipped, sizeof result->skipped, "no reason");
  }
}

static void register_three(void) {
  memset(measured, 0, sizeof measured);
  bench_gbench_clear();
  bench_gbench_register("flash/warm", measure, measured, 0);
  bench_gbench_register("naive/warm", measure, measured, 1);
  bench_gbench_register("naive/cold", measure, measured, 2);
}

static void nothing_without_the_run(void **state) {
  (void)state;
  register_three();
  assert_int_equal(measured[0] + measured[1] + measured[2], 0);
  bench_gbench_clear();
  bench_gbench_run_all("", false, false, NULL);
  assert_int_equal(measured[0] + measured[1] + measured[2], 0);
}

static void each_once(void **state) {
  (void)state;
  register_three();
  assert_int_equal(bench_gbench_run_all("", false, false, NULL), 3);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(measured[i], 1);
  }
}

static void filtered_by_name(void **state) {
  (void)state;
  register_three();
  bench_gbench_run_all("^naive/", false, false, NULL);
  assert_int_equal(measured[0], 0);
  assert_int_equal(measured[1], 1);
  assert_int_equal(measured[2], 1);
}

/* The export has the time we gave, as the library's own JSON. */
static void exported(void **state) {
  (void)state;
  char path[256];
  snprintf(path, sizeof path, "%s/benchmark.json", scratch_folder());
  register_three();
  bench_gbench_run_all("", false, false, path);
  json_t *json = json_load_file(path, 0, NULL);
  json_t *list = json_object_get(json, "benchmarks");
  assert_int_equal(json_array_size(list), 3);
  json_t *first = json_array_get(list, 0);
  assert_true(json_number_value(json_object_get(first, "real_time")) == 500.0);
  assert_string_equal(json_string_value(json_object_get(first, "time_unit")), "ms");
  assert_true(json_is_true(json_object_get(json_array_get(list, 2), "error_occurred")));
  json_decref(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_without_the_run),
      cmocka_unit_test(each_once),
      cmocka_unit_test(filtered_by_name),
      cmocka_unit_test(exported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
