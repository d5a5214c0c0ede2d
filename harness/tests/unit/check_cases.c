/* The problems of `bench check`: distinct and valid, and what a kernel for few rows needs to be
 * broken by is among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "src/check_cases.h"

static int compare_ids(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a;
  const uint64_t y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void all_are_valid_and_distinct(void **state) {
  (void)state;
  const size_t count = bench_check_count();
  uint64_t *ids = malloc(count * sizeof *ids);
  assert_non_null(ids);
  for (size_t i = 0; i < count; i++) {
    bench_problem problem;
    bench_check_problem(i, &problem);
    assert_int_equal(bench_attn_check(&problem.attn, NULL), BENCH_OK);
    ids[i] = problem.id;
  }
  qsort(ids, count, sizeof *ids, compare_ids);
  for (size_t i = 1; i < count; i++) {
    assert_true(ids[i] != ids[i - 1]);
  }
  free(ids);
}

/* Of each dtype and simple mask: rows of a decode step, more than 16 packed ones too, behind a past
 * of 1000 keys or more, ragged and not. */
static void long_pasts_are_among_them(void **state) {
  (void)state;
  static const bench_mask_kind kinds[] = {BENCH_MASK_FULL, BENCH_MASK_CAUSAL, BENCH_MASK_WINDOW,
                                          BENCH_MASK_SINK_WINDOW};
  for (bench_dtype dtype = BENCH_FP32; dtype < BENCH_DTYPE_COUNT; dtype++) {
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
      int few = 0;
      int many = 0;
      int ragged = 0;
      for (size_t i = 0; i < bench_check_count(); i++) {
        bench_problem problem;
        bench_check_problem(i, &problem);
        const bench_attn *attn = &problem.attn;
        if (attn->seq_q <= 16 && attn->seq_kv >= 1000 && attn->dtype == dtype &&
            attn->mask.kind == kinds[k] && attn->input != BENCH_INPUT_HUGE) {
          const int64_t rows = attn->heads_q / attn->heads_kv * attn->seq_q;
          few += rows <= 16 && rows >= 8;
          many += rows > 64;
          ragged += attn->seq_kv % 64 != 0;
        }
      }
      assert_true(few > 0 && many > 0 && ragged > 0);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_are_valid_and_distinct),
      cmocka_unit_test(long_pasts_are_among_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
