/* What the CPU kernels make of numbers: their conversions are the harness's, value for value, and
 * their power of two is as near as a float can be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/attn.h"
#include "cpu/convert.h"
#include "cpu/exp2.h"

/* The kernels' own conversions are the harness's, value for value. */
static void conversions_agree(void **state) {
  (void)state;
  for (uint32_t i = 0; i < 0x10000; i++) {
    const uint16_t half = (uint16_t)i;
    for (int dtype = BENCH_FP16; dtype <= BENCH_BF16; dtype++) {
      float buffer;
      float expected;
      convert_load((bench_dtype)dtype, &half, 0, 1, &buffer);
      bench_to_float((bench_dtype)dtype, &half, &expected, 1);
      assert_memory_equal(&buffer, &expected, sizeof buffer);
    }
  }
  for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += 997) {
    const float value = float_of_bits((uint32_t)bits);
    assert_int_equal(convert_to_fp16(value), bench_fp16_from_float(value));
    assert_int_equal(convert_to_bf16(value), bench_bf16_from_float(value));
  }
}

static void powers_of_two(void **state) {
  (void)state;
  for (double x = 0; x >= -126; x -= 0.00037) {
    const double exact = exp2((double)(float)x);
    assert_true(fabs((double)cpu_exp2((float)x) - exact) <= 1.2e-7 * exact);
  }
  assert_true(cpu_exp2(0) == 1);
  assert_true(cpu_exp2(-126) == 0x1p-126f);
  assert_true(cpu_exp2(-126.01f) == 0);
  assert_true(cpu_exp2(-1e30f) == 0);
  assert_true(cpu_exp2(-INFINITY) == 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(conversions_agree),
      cmocka_unit_test(powers_of_two),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
