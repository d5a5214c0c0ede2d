/* Every fp16 and bf16 value survives the way to float and back, and rounding is to nearest even. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/attn.h"

static void all_halves_survive(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits < 0x10000u; bits++) {
    float half = bench_fp16_to_float((uint16_t)bits);
    float brain = bench_bf16_to_float((uint16_t)bits);
    if (isnan(half)) {
      assert_true(isnan(bench_fp16_to_float(bench_fp16_from_float(half))));
    } else {
      assert_int_equal(bench_fp16_from_float(half), bits);
    }
    if (isnan(brain)) {
      assert_true(isnan(bench_bf16_to_float(bench_bf16_from_float(brain))));
    } else {
      assert_int_equal(bench_bf16_from_float(brain), bits);
    }
  }
}

/* Literal values of IEEE 754 binary16 and of bfloat16. */
static void known_values(void **state) {
  (void)state;
  assert_int_equal(bench_fp16_from_float(1.0f), 0x3c00);
  assert_int_equal(bench_fp16_from_float(-2.0f), 0xc000);
  assert_int_equal(bench_fp16_from_float(65504.0f), 0x7bff);
  assert_int_equal(bench_fp16_from_float(65519.9f), 0x7bff);
  assert_int_equal(bench_fp16_from_float(65520.0f), 0x7c00);
  assert_int_equal(bench_fp16_from_float(0x1p-24f), 0x0001);
  assert_int_equal(bench_fp16_from_float(0x1p-25f), 0x0000);   /* a tie, to even */
  assert_int_equal(bench_fp16_from_float(0x1.8p-24f), 0x0002); /* a tie, to even */
  assert_int_equal(bench_fp16_from_float(1.0f + 0x1p-11f), 0x3c00);
  assert_int_equal(bench_fp16_from_float(1.0f + 0x1.8p-10f), 0x3c02);
  assert_int_equal(bench_bf16_from_float(1.0f), 0x3f80);
  assert_int_equal(bench_bf16_from_float(1.0f + 0x1p-8f), 0x3f80);
  assert_int_equal(bench_bf16_from_float(1.0f + 0x1.8p-7f), 0x3f82);
  assert_int_equal(bench_bf16_from_float(INFINITY), 0x7f80);
}

/* Between two neighbours of fp16, the nearer one is taken. */
static void rounds_to_nearest(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits < 0x7bffu; bits++) {
    float low = bench_fp16_to_float((uint16_t)bits);
    float high = bench_fp16_to_float((uint16_t)(bits + 1));
    assert_int_equal(bench_fp16_from_float(low + 0.4375f * (high - low)), bits);
    assert_int_equal(bench_fp16_from_float(low + 0.5625f * (high - low)), bits + 1);
    uint32_t even = (bits & 1u) == 0 ? bits : bits + 1;
    assert_int_equal(bench_fp16_from_float(low + 0.5f * (high - low)), even);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_halves_survive),
      cmocka_unit_test(known_values),
      cmocka_unit_test(rounds_to_nearest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
