/* Measured roofs: a file of bench calibrate fills pct_of_roof by its formula, and one that is none,
 * or of another device, is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run_bench.h"
#include "src/roofs.h"

static const char config[] =
    "[sweep]\nname = \"roofs\"\nkernels = [\"naive\", \"memory\", \"null\"]\nmodes = [\"warm\"]\n"
    "budget = { case_s = 0.05 }\n[stats]\nset = \"none\"\n"
    "[[grid]]\nseq = [64]\nheads = [2]\nhead_dim = [32]\n";

static void formula(void **state) {
  (void)state;
  const bench_roofs roofs = {.gemm_fp32_tflops = 0.1,
                             .gemm_fp16_tflops = 0.2,
                             .gemm_bf16_tflops = NAN,
                             .read_gb_per_s = 10,
                             .llc_read_gb_per_s = 100};
  const bench_device device = {.llc_bytes = 1000};
  bench_attn attn = {.dtype = BENCH_FP32};
  bench_row row = {.mode = "cold", .flops = 1000000, .bytes_min = 1000, .time_ns_median = 20000};
  /* 1e6 FLOP at 0.1 TFLOP/s take 10 us, 1000 B at 10 GB/s take 0.1 us. */
  assert_true(fabs(bench_roofs_pct(&roofs, &attn, &device, &row) - 50) < 1e-9);
  attn.dtype = BENCH_FP16;
  assert_true(fabs(bench_roofs_pct(&roofs, &attn, &device, &row) - 25) < 1e-9);
  row.flops = 1;
  assert_true(fabs(bench_roofs_pct(&roofs, &attn, &device, &row) - 0.5) < 1e-9);
  snprintf(row.mode, sizeof row.mode, "warm");
  assert_true(fabs(bench_roofs_pct(&roofs, &attn, &device, &row) - 0.05) < 1e-9);
  row.bytes_min = 1001; /* more than the cache holds */
  assert_true(fabs(bench_roofs_pct(&roofs, &attn, &device, &row) - 0.5005) < 1e-9);
  attn.dtype = BENCH_BF16;
  assert_true(isnan(bench_roofs_pct(&roofs, &attn, &device, &row)));
}

static void calibrated_sweep(void **state) {
  (void)state;
  char roofs[256];
  char folder[256];
  snprintf(roofs, sizeof roofs, "%s/roofs.json", scratch_folder());
  snprintf(folder, sizeof folder, "%s/run", scratch_folder());
  bench_outcome outcome = run_bench("", "calibrate --backend cpu -o %s", roofs);
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  json_t *json = json_load_file(roofs, 0, NULL);
  assert_non_null(json);
  bench_roofs measured;
  bench_roofs_from_json(json_object_get(json, "roofs"), &measured);
  assert_true(measured.read_gb_per_s > 0.1 && measured.write_gb_per_s > 0.1);
  assert_true(measured.copy_gb_per_s > 0.1 && measured.llc_read_gb_per_s > 0.1);
  assert_true(measured.gemm_fp32_tflops > 0);
  assert_true(measured.fma_fp32_tflops > 0);
  const char *path = scratch_file("roofs.toml", config);
  outcome = run_bench("", "sweep %s --backend cpu --roofs %s -o %s", path, roofs, folder);
  assert_int_equal(outcome.exit_status, 0);
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  assert_int_equal(table.rows, 3);
  for (size_t row = 0; row < table.rows; row++) {
    const double time_ns = atof(table_field(&table, row, "time_ns_median"));
    const double flops = atof(table_field(&table, row, "flops"));
    const double bytes = atof(table_field(&table, row, "bytes_min"));
    const char *pct = table_field(&table, row, "pct_of_roof");
    if (strcmp(table_field(&table, row, "kernel"), "memory") == 0) { /* a roof itself */
      assert_string_equal(pct, "");
      assert_string_equal(table_field(&table, row, "tflops"), "");
      assert_true(fabs(atof(table_field(&table, row, "gb_per_s")) - bytes / time_ns) < 1e-6);
      continue;
    }
    if (strcmp(table_field(&table, row, "kernel"), "null") == 0) {
      assert_string_equal(pct, "");
      assert_string_equal(table_field(&table, row, "gb_per_s"), "");
      continue;
    }
    const double expected_ns =
        fmax(flops / measured.gemm_fp32_tflops / 1e3, bytes / measured.llc_read_gb_per_s);
    assert_true(fabs(atof(pct) - 100 * expected_ns / time_ns) < 1e-6 * atof(pct));
  }
  table_free(&table);
  json_object_set_new(json, "threads", json_integer(77));
  assert_int_equal(json_dump_file(json, roofs, 0), 0);
  json_decref(json);
  outcome = run_bench("", "sweep %s --backend cpu --roofs %s -o %s2", path, roofs, folder);
  assert_int_equal(outcome.exit_status, 2);
  assert_non_null(strstr(outcome.err, "of another device"));
  outcome_free(&outcome);
}

static void bad_files(void **state) {
  (void)state;
  static const char *const texts[] = {"", "{", "[1]", "{\"roofs\": 3}", "{\"roofs\": {}}"};
  char path[256];
  snprintf(path, sizeof path, "%s", scratch_file("roofs.toml", config));
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    bench_outcome outcome = run_bench("", "sweep %s --backend cpu --dry-run --roofs %s", path,
                                      scratch_file("bad.json", texts[i]));
    assert_int_equal(outcome.exit_status, 2);
    assert_non_null(strstr(outcome.err, "bad.json"));
    outcome_free(&outcome);
  }
  bench_outcome outcome =
      run_bench("", "sweep %s --backend cpu --dry-run --roofs /nonexistent/roofs.json", path);
  assert_int_equal(outcome.exit_status, 2);
  outcome_free(&outcome);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(formula),
      cmocka_unit_test(calibrated_sweep),
      cmocka_unit_test(bad_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
