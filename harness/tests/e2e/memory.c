/* The peak that a worker reaches is what the plan predicts, for cases of 256 MiB and more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "run_bench.h"

#define MIB (1 << 20)

/* Large where memory is, small where time is: few rows against many keys, several layers, scores
 * that are kept (blas), and projections whose weights are most of it. */
static const char config[] =
    "[sweep]\n"
    "name = \"memory\"\n"
    "kernels = [\"blas\", \"flash\", \"sparse\"]\n"
    "modes = [\"warm\"]\n"
    "[[grid]]\n"
    "seq_q = [16]\nseq_kv = [8192]\nbatch = [8]\nheads = [8]\nhead_dim = [128]\n"
    "dtype = [\"fp32\"]\nmask = [\"full\", \"block:density=0.5:size=64\"]\n"
    "[[grid]]\n"
    "seq = [2048]\nheads = [16]\nhead_dim = [64]\nlayers = [12]\n"
    "dtype = [\"bf16\"]\nmask = [\"window:32\"]\n"
    "[[grid]]\n"
    "model = [\"opt-6.7b\"]\nlayers = [1]\nseq = [128]\n"
    "dtype = [\"fp32\"]\nmask = [\"causal\"]\nscope = [\"block\"]\n"
    "[stats]\nset = \"none\"\n";

static void peak_is_as_predicted(void **state) {
  (void)state;
  char path[256];
  char folder[256];
  snprintf(path, sizeof path, "%s/memory.toml", scratch_folder());
  snprintf(folder, sizeof folder, "%s/memory", scratch_folder());
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(config, file);
  assert_int_equal(fclose(file), 0);
  bench_outcome outcome =
      run_bench("", "sweep %s --backend cpu -o %s --set sweep.budget.case_s=1", path, folder);
  if (outcome.exit_status != 0) {
    fail_msg("%s", outcome.err);
  }
  outcome_free(&outcome);
  result_table table = read_table(folder, "sweep.csv", &bench_sweep_table);
  size_t large = 0;
  for (size_t row = 0; row < table.rows; row++) {
    const double predicted = atof(table_field(&table, row, "mem_predicted_bytes"));
    const double peak = atof(table_field(&table, row, "mem_peak_bytes"));
    const double allowed = 0.05 * predicted > 8.0 * MIB ? 0.05 * predicted : 8.0 * MIB;
    assert_string_equal(table_field(&table, row, "status"), "ok");
    if (predicted < 256.0 * MIB) {
      continue;
    }
    large++;
    if (!(peak >= predicted - allowed && peak <= predicted + allowed)) {
      fail_msg("%s, mask %s, %s: predicted %.1f MiB, the peak is %.1f MiB",
               table_field(&table, row, "kernel"), table_field(&table, row, "mask"),
               table_field(&table, row, "scope"), predicted / MIB, peak / MIB);
    }
  }
  assert_true(large >= 9);
  table_free(&table);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(peak_is_as_predicted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
