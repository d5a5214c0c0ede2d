/* The functions of cpu/dot_pairs.h against what Intel's manual says of the instructions, number for
 * number: as the kernels' tests use them, in plain C, and as the CPU has them, where it does. */
#include "dot_pairs_tests.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/dot_pairs.h"

/* Of floats that bf16 can hold. */
static uint32_t pair(float first, float second) {
  return float_bits(first) >> 16 | (float_bits(second) & 0xffff0000);
}

static void assert_dot(float sum, uint32_t a, uint32_t b, float expected) {
  const floats16 got = dot_pairs((floats16){0} + sum, (pairs16){0} + a, (pairs16){0} + b);
  for (int i = 0; i < 16; i++) {
    assert_int_equal(float_bits(got[i]), float_bits(expected));
  }
}

static void sums_of_two_products(void **state) {
  (void)state;
  assert_dot(1, pair(2, 3), pair(5, 7), 32);
  assert_dot(0x1p24f, pair(1, -0x1p24f), pair(1, 1), 1);    /* the second elements come first */
  assert_dot(0x1p24f, pair(-0x1p24f, 1), pair(1, 1), 0);    /* and each addition rounds, */
  assert_dot(0x1p24f, pair(0, 3), pair(0, 1), 0x1p24f + 4); /* ties to even */
  assert_dot(-0x1p127f, pair(0, 0x1p64f), pair(0, 0x1p64f), 0x1p127f); /* a sum alone overflows */
  assert_dot(0, pair(0, 0x1p64f), pair(0, 0x1p64f), INFINITY);
}

static void subnormal_numbers_are_zero(void **state) {
  (void)state;
  assert_dot(1, pair(0x1p-127f, 0x1p-130f), pair(0x1p126f, 0x1p127f), 1);
  assert_dot(0x1p-127f, pair(0, 0), pair(0, 0), 0);
  assert_dot(0x1p-126f, pair(0, -0x1p-100f), pair(0, 0x1p-30f), 0);
  assert_dot(0x1p-125f, pair(0, -0x1p-100f), pair(0, 0x1p-30f), 0x1p-125f - 0x1p-130f);
}

static void rounding_to_pairs(void **state) {
  (void)state;
  const floats16 first = {1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1.02p-8f, -3, 0x1p-127f};
  const floats16 second = {5, 6, 7, 8, -9};
  const pairs16 pairs = dot_round(first, second);
  assert_int_equal(pairs[0], pair(1, 5));
  assert_int_equal(pairs[1], pair(1 + 0x1p-6f, 6));
  assert_int_equal(pairs[2], pair(1 + 0x1p-7f, 7));
  assert_int_equal(pairs[3], pair(-3, 8));
  assert_int_equal(pairs[4], pair(0, -9));
}

/* Numbers in [-128, 128) from a generator as good as any for this. */
static float next_number(uint32_t *seed) {
  *seed = *seed * 1664525 + 1013904223;
  return (float)(int)(*seed >> 24) - 128;
}

static const struct CMUnitTest vector_tests[] = {
    cmocka_unit_test(sums_of_two_products),
    cmocka_unit_test(subnormal_numbers_are_zero),
    cmocka_unit_test(rounding_to_pairs),
};

int dot_pairs_test_vectors(void) {
  return cmocka_run_group_tests_name("vectors", vector_tests, NULL, NULL);
}

enum { SIZE = 16 };

/* c[i][j] of whole numbers, so that every order of the sums gives the same. */
static void products_of_tiles(void **state) {
  (void)state;
  uint32_t a[SIZE][SIZE];
  uint32_t b[SIZE][SIZE];
  float c[SIZE][2 * SIZE]; /* of which the stride skips a half */
  float expected[SIZE][SIZE] = {{0}};
  float left[SIZE][2 * SIZE];
  float right[2 * SIZE][SIZE];
  uint32_t seed = 1;
  for (int i = 0; i < SIZE; i++) {
    for (int k = 0; k < 2 * SIZE; k++) {
      left[i][k] = next_number(&seed);
      right[k][i] = next_number(&seed);
      c[i][k] = next_number(&seed);
    }
  }
  for (int i = 0; i < SIZE; i++) {
    for (int j = 0; j < SIZE; j++) {
      a[i][j] = pair(left[i][2 * j], left[i][2 * j + 1]);
      b[i][j] = pair(right[2 * i][j], right[2 * i + 1][j]);
      expected[i][j] = c[i][j];
      for (int k = 0; k < 2 * SIZE; k++) {
        expected[i][j] += left[i][k] * right[k][j];
      }
    }
  }
  amx_load(5, a, sizeof a[0]);
  amx_load(6, b, sizeof b[0]);
  amx_load(7, c, sizeof c[0]);
  amx_dot(7, 5, 6);
  amx_store(7, c, sizeof c[0]);
  for (int i = 0; i < SIZE; i++) {
    for (int j = 0; j < SIZE; j++) {
      assert_true(c[i][j] == expected[i][j]);
    }
  }
  amx_zero(7);
  amx_store(7, c, sizeof c[0]);
  assert_true(c[3][5] == 0 && c[SIZE - 1][SIZE - 1] == 0);
}

/* The sums of first and of second elements begin at zero and meet before they meet c. */
static void order_of_sums(void **state) {
  (void)state;
  uint32_t a[SIZE][SIZE] = {{0}};
  uint32_t b[SIZE][SIZE] = {{0}};
  float c[SIZE][SIZE] = {{-0x1p24f, -0x1p24f}};
  a[0][0] = pair(1, 1);
  a[0][1] = pair(1, 1);
  b[0][0] = pair(0x1p24f, 1); /* 2^24 + 1 is a tie */
  b[0][1] = pair(0x1p24f, 1);
  b[1][1] = pair(0, 1); /* 2^24 + 2 is a number */
  amx_load(0, a, sizeof a[0]);
  amx_load(1, b, sizeof b[0]);
  amx_load(2, c, sizeof c[0]);
  amx_dot(2, 0, 1);
  amx_store(2, c, sizeof c[0]);
  assert_true(c[0][0] == 0);
  assert_true(c[0][1] == 2);
}

static int configure(void **state) {
  (void)state;
  amx_configure();
  return 0;
}

static int release(void **state) {
  (void)state;
  amx_release();
  return 0;
}

static const struct CMUnitTest tile_tests[] = {
    cmocka_unit_test_setup_teardown(products_of_tiles, configure, release),
    cmocka_unit_test_setup_teardown(order_of_sums, configure, release),
};

int dot_pairs_test_tiles(void) {
  return cmocka_run_group_tests_name("tiles", tile_tests, NULL, NULL);
}
