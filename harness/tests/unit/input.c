/* The inputs can never change silently: literal values, moments, and the fill of every dtype equal
 * to its elements one by one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/input.h"

#define COUNT 1000000

/* splitmix64 as published (Steele, Lea, Flood 2014), one step. */
static uint64_t splitmix64(uint64_t *state) {
  uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static void hash_is_a_splitmix64_sequence(void **state) {
  (void)state;
  for (uint64_t a = 0; a < 5; a++) {
    for (uint64_t b = 0; b < 5; b++) {
      uint64_t outer = a;
      uint64_t inner = splitmix64(&outer) + b;
      uint64_t sequence = splitmix64(&inner);
      for (uint64_t c = 0; c < 100; c++) {
        assert_true(bench_hash64(a, b, c) == splitmix64(&sequence));
      }
    }
  }
}

static void golden_hashes(void **state) {
  (void)state;
  assert_true(bench_hash64(0, 0, 0) == UINT64_C(0x238275bc38fcbe91));
  assert_true(bench_hash64(1, 2, 3) == UINT64_C(0x2a38bbe987fdf051));
  assert_true(bench_hash64(UINT64_MAX, 7, UINT64_C(1) << 40) == UINT64_C(0x6e814dad99e26392));
}

static void golden_elements(void **state) {
  (void)state;
  static const struct {
    bench_input input;
    uint64_t seed;
    int64_t layer;
    bench_tensor tensor;
    int64_t element;
    float value;
  } golden[] = {
      {BENCH_INPUT_NORMAL, 1, 0, BENCH_TENSOR_Q, INT64_C(0), -0x1.8644p-1f},
      {BENCH_INPUT_NORMAL, 1, 0, BENCH_TENSOR_Q, INT64_C(1), -0x1.876p-4f},
      {BENCH_INPUT_NORMAL, 1, 0, BENCH_TENSOR_K, INT64_C(0), -0x1.c03p-2f},
      {BENCH_INPUT_NORMAL, 1, 0, BENCH_TENSOR_V, INT64_C(0), 0x1.9adep-1f},
      {BENCH_INPUT_NORMAL, 1, 1, BENCH_TENSOR_Q, INT64_C(0), -0x1.127p+0f},
      {BENCH_INPUT_NORMAL, 2, 0, BENCH_TENSOR_Q, INT64_C(0), 0x1.20bp-4f},
      {BENCH_INPUT_NORMAL, 12345, 31, BENCH_TENSOR_K, INT64_C(1099511627776), -0x1.a62p-1f},
      {BENCH_INPUT_NORMAL, 1, 0, BENCH_TENSOR_X, INT64_C(0), 0x1.2bdf8p+1f},
      {BENCH_INPUT_NORMAL, 1, 7, BENCH_TENSOR_WO, INT64_C(5), -0x1.4b68p+1f},
      {BENCH_INPUT_UNIFORM, 1, 0, BENCH_TENSOR_Q, INT64_C(0), 0x1.8c501p-2f},
      {BENCH_INPUT_UNIFORM, 1, 0, BENCH_TENSOR_Q, INT64_C(1), 0x1.e316d8p-1f},
      {BENCH_INPUT_UNIFORM, 7, 3, BENCH_TENSOR_V, INT64_C(999999), 0x1.a2514p-4f},
      {BENCH_INPUT_OUTLIER, 1, 0, BENCH_TENSOR_K, INT64_C(0), -0x1.c03p-2f},
      {BENCH_INPUT_HUGE, 1, 0, BENCH_TENSOR_K, INT64_C(0), -0x1.c03p-2f},
      {BENCH_INPUT_OUTLIER, 1, 0, BENCH_TENSOR_K, 64, -0x1.14628p+1f},
      {BENCH_INPUT_HUGE, 1, 0, BENCH_TENSOR_K, 64, -0x1.0b38e4p+11f},
      {BENCH_INPUT_OUTLIER, 1, 0, BENCH_TENSOR_K, 1358, -0x1.11514p+2f},
      {BENCH_INPUT_HUGE, 1, 0, BENCH_TENSOR_K, 1358, -0x1.659d1p+11f},
      {BENCH_INPUT_OUTLIER, 1, 0, BENCH_TENSOR_K, 1986, -0x1.56p-1f},
      {BENCH_INPUT_HUGE, 1, 0, BENCH_TENSOR_K, 1986, -0x1.2ab628p+10f},
  };
  for (size_t n = 0; n < sizeof golden / sizeof golden[0]; n++) {
    const float value = bench_input_element(golden[n].input, golden[n].seed, golden[n].layer,
                                            golden[n].tensor, golden[n].element);
    if (value != golden[n].value) {
      fail_msg("golden value %zu is %a, not %a", n, (double)value, (double)golden[n].value);
    }
  }
}

static void fill_equals_elements(void **state) {
  (void)state;
  enum { FEW = 5001 }; /* more than two chunks, and ragged */
  for (int input = BENCH_INPUT_NORMAL; input < BENCH_INPUT_MODEL; input++) {
    for (int tensor = BENCH_TENSOR_Q; tensor <= BENCH_TENSOR_V; tensor++) {
      for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
        const size_t bytes = bench_dtype_bytes((bench_dtype)dtype);
        char *filled = malloc(FEW * bytes + 4);
        assert_non_null(filled);
        memset(filled, 0x5a, FEW * bytes + 4);
        bench_input_fill((bench_input)input, 9, 3, (bench_tensor)tensor, (bench_dtype)dtype, filled,
                         FEW);
        for (int64_t e = 0; e < FEW; e++) {
          const float value =
              bench_input_element((bench_input)input, 9, 3, (bench_tensor)tensor, e);
          char stored[4];
          bench_from_float((bench_dtype)dtype, &value, stored, 1);
          assert_memory_equal(filled + (size_t)e * bytes, stored, bytes);
        }
        assert_memory_equal(filled + FEW * bytes, "ZZZZ", 4);
        free(filled);
      }
    }
  }
}

static void moments(bench_input input, double moment[5], double *largest) {
  float *x = malloc(COUNT * sizeof *x);
  assert_non_null(x);
  bench_input_fill(input, 1, 0, BENCH_TENSOR_Q, BENCH_FP32, x, COUNT);
  memset(moment, 0, 5 * sizeof *moment);
  *largest = 0.0;
  for (int64_t e = 0; e < COUNT; e++) {
    double power = 1.0;
    for (int m = 0; m < 5; m++) {
      moment[m] += power / COUNT;
      power *= x[e];
    }
    *largest = fmax(*largest, fabs((double)x[e]));
  }
  free(x);
}

/* Five standard errors on a million draws. */
static void normal_moments(void **state) {
  (void)state;
  double moment[5];
  double largest;
  moments(BENCH_INPUT_NORMAL, moment, &largest);
  assert_true(fabs(moment[1]) < 0.005);
  assert_true(fabs(moment[2] - 1.0) < 0.007);
  assert_true(fabs(moment[3]) < 0.02);
  assert_true(fabs(moment[4] - 2.9) < 0.05);
  assert_true(largest > 4.0 && largest < 6.0);
}

static void uniform_moments(void **state) {
  (void)state;
  double moment[5];
  double largest;
  moments(BENCH_INPUT_UNIFORM, moment, &largest);
  assert_true(fabs(moment[1]) < 0.003);
  assert_true(fabs(moment[2] - 1.0 / 3.0) < 0.0015);
  assert_true(fabs(moment[4] - 1.0 / 5.0) < 0.0014);
  assert_true(largest > 0.9999 && largest <= 1.0);
}

static double correlation(uint64_t seed, int64_t layer, bench_tensor tensor) {
  double sum = 0.0;
  for (int64_t e = 0; e < 100000; e++) {
    sum += (double)bench_input_element(BENCH_INPUT_NORMAL, 1, 0, BENCH_TENSOR_Q, e) *
           bench_input_element(BENCH_INPUT_NORMAL, seed, layer, tensor, e);
  }
  return sum / 100000;
}

static void streams_are_independent(void **state) {
  (void)state;
  assert_true(fabs(correlation(1, 0, BENCH_TENSOR_Q) - 1.0) < 0.02);
  assert_true(fabs(correlation(2, 0, BENCH_TENSOR_Q)) < 0.016);
  assert_true(fabs(correlation(1, 1, BENCH_TENSOR_Q)) < 0.016);
  assert_true(fabs(correlation(1, 0, BENCH_TENSOR_K)) < 0.016);
  assert_true(fabs(correlation(1, 0, BENCH_TENSOR_V)) < 0.016);
  for (int tensor = BENCH_TENSOR_X; tensor <= BENCH_TENSOR_WO; tensor++) {
    assert_true(fabs(correlation(1, 0, (bench_tensor)tensor)) < 0.016);
  }
}

/* No layer's tensor is another's: all first elements differ. */
static void tensors_are_their_own(void **state) {
  (void)state;
  enum { LAYERS = 100, TENSORS = BENCH_TENSOR_WO + 1 };
  float first[LAYERS * TENSORS];
  for (int n = 0; n < LAYERS * TENSORS; n++) {
    first[n] =
        bench_input_element(BENCH_INPUT_UNIFORM, 1, n / TENSORS, (bench_tensor)(n % TENSORS), 77);
    for (int other = 0; other < n; other++) {
      assert_true(first[other] != first[n]);
    }
  }
}

static void scaled_fill_is_rounded_once(void **state) {
  (void)state;
  enum { FEW = 3000 };
  uint16_t filled[FEW];
  bench_input_fill_scaled(BENCH_INPUT_NORMAL, 9, 3, BENCH_TENSOR_WK, 0.3f, BENCH_BF16, filled, FEW);
  for (int64_t e = 0; e < FEW; e++) {
    const float value = bench_input_element(BENCH_INPUT_NORMAL, 9, 3, BENCH_TENSOR_WK, e);
    assert_int_equal(filled[e], bench_bf16_from_float(value * 0.3f));
  }
}

/* OUTLIER is NORMAL plus 10 (HUGE: 1e4) normals in one K element of a thousand: 1000 +- 160 of a
 * million; Q and V are plain. */
static void check_outliers(bench_input input, double scale) {
  int64_t count = 0;
  double square = 0.0;
  for (int64_t e = 0; e < COUNT; e++) {
    const float plain = bench_input_element(BENCH_INPUT_NORMAL, 5, 2, BENCH_TENSOR_K, e);
    const double added = (double)bench_input_element(input, 5, 2, BENCH_TENSOR_K, e) - plain;
    count += added != 0.0;
    square += added * added;
    if (e < 2000) {
      assert_true(bench_input_element(input, 5, 2, BENCH_TENSOR_Q, e) ==
                  bench_input_element(BENCH_INPUT_NORMAL, 5, 2, BENCH_TENSOR_Q, e));
      assert_true(bench_input_element(input, 5, 2, BENCH_TENSOR_V, e) ==
                  bench_input_element(BENCH_INPUT_NORMAL, 5, 2, BENCH_TENSOR_V, e));
    }
  }
  assert_in_range(count, 840, 1160);
  assert_true(fabs(sqrt(square / (double)count) / scale - 1.0) < 0.12);
}

static void outliers_are_rare_and_large(void **state) {
  (void)state;
  check_outliers(BENCH_INPUT_OUTLIER, 10.0);
  check_outliers(BENCH_INPUT_HUGE, 10000.0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hash_is_a_splitmix64_sequence),
      cmocka_unit_test(golden_hashes),
      cmocka_unit_test(golden_elements),
      cmocka_unit_test(fill_equals_elements),
      cmocka_unit_test(normal_moments),
      cmocka_unit_test(uniform_moments),
      cmocka_unit_test(streams_are_independent),
      cmocka_unit_test(tensors_are_their_own),
      cmocka_unit_test(scaled_fill_is_rounded_once),
      cmocka_unit_test(outliers_are_rare_and_large),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
