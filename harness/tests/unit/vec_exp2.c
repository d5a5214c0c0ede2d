/* vec_exp2 of cpu/flash_lanes.h against cpu_exp2, bit for bit: AVX-512 has a form of its own. */
#include "vec_exp2_test.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/flash_lanes.h"

static void assert_same(float x) {
  const vec powers = vec_exp2((vec){0} + x);
  for (int i = 0; i < LANES; i++) {
    assert_int_equal(float_bits(powers[i]), float_bits(cpu_exp2(x)));
  }
}

static void powers_are_those_of_one_number(void **state) {
  (void)state;
  for (uint32_t bits = float_bits(-0.0f); bits < float_bits(-200.0f); bits += 5003) {
    assert_same(float_of_bits(bits));
  }
  static const float ends[] = {0, -0.5f, -1.5f, -126, -126.00001f, -126.5f, -127, -INFINITY};
  for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
    assert_same(ends[i]);
  }
}

int vec_exp2_test(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(powers_are_those_of_one_number)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
