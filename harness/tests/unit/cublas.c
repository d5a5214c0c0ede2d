/* The cuBLAS peer without a GPU: kernels/peers/cublas.cu, executed on the host by
 * kernels/emu, calls a stand-in for the library (fake_cublas.c) through the same lazy
 * opening as the plug-in. It proves the order of the products, their strides, the softmax and the
 * masks; not that cuBLAS itself agrees with its documentation. */
#include "bench/cublas.h"
#include "cuda_host.h"
#include "gemm_cases.h"

extern const bench_kernel bench_kernel_cuda_blas_cublas;
static const bench_kernel *const kernel = &bench_kernel_cuda_blas_cublas;

#define LARGEST_V 4 /* of standard normal values, these few */

static void every_mask(void **state) {
  (void)state;
  static const char *const masks[] = {"full",
                                      "causal",
                                      "window:19:both",
                                      "sink:3+window:9",
                                      "block:density=0.4:size=16",
                                      "strided:13",
                                      "topk:blocks=2:size=8",
                                      "hybrid:causal/window:5@heads=1-1",
                                      "hybrid:topk:blocks=1:size=16/full@heads=1-2"};
  for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
    check(kernel, problem(masks[i], 1, 4, 2, 24, 41, 53, BENCH_FP32), LARGEST_V);
  }
}

static void every_dtype(void **state) {
  (void)state;
  for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
    check(kernel, problem("causal", 1, 2, 1, 64, 37, 300, (bench_dtype)dtype), LARGEST_V);
  }
}

/* More rows than keys: the first ones see nothing. */
static void rows_without_keys(void **state) {
  (void)state;
  check(kernel, problem("causal", 1, 2, 2, 16, 20, 9, BENCH_BF16), LARGEST_V);
}

/* The test's build bounds the workspace so that a key head at a time is all that fits. */
static void work_in_pieces(void **state) {
  (void)state;
  const bench_attn attn = problem("window:30", 2, 6, 3, 32, 33, 70, BENCH_FP16);
  const bench_device device = {.cc = 90};
  assert_true(kernel->workspace_bytes(&attn, &device) < (size_t)6 * 66 * 72 * sizeof(float));
  check(kernel, attn, LARGEST_V);
}

static void products_are_right(void **state) {
  (void)state;
  gemm_check_all(*state, bench_cublas_gemm);
}

static void bad_sizes_are_refused(void **state) {
  (void)state;
  float one = 1;
  bench_error error = {0};
  bench_gemm gemm = {.m = 2,
                     .n = 2,
                     .k = 2,
                     .pieces = 1,
                     .count = 1,
                     .a = &one,
                     .b = &one,
                     .c = &one,
                     .lda = 1,
                     .ldb = 2,
                     .ldc = 2,
                     .alpha = 1};
  assert_int_equal(bench_cublas_gemm(NULL, &gemm, &error), BENCH_ERR_DEVICE);
  assert_non_null(strstr(error.message, "INVALID_VALUE"));
  gemm.m = INT64_C(1) << 40;
  assert_int_equal(bench_cublas_gemm(NULL, &gemm, &error), BENCH_ERR_UNSUPPORTED);
}

int main(int argc, char **argv) {
  (void)argv;
  if (argc > 1) { /* run with a library that lacks what is needed: the reason, and no kernel */
    const char *why_not = bench_cublas_why_not();
    const bench_attn attn = problem("full", 1, 1, 1, 8, 8, 8, BENCH_FP32);
    const bench_device device = {.cc = 90};
    return why_not != NULL && strstr(why_not, "cuBLAS that is there has no cublas") != NULL &&
                   kernel->why_not(&attn, &device) == why_not
               ? 0
               : 1;
  }
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(products_are_right), cmocka_unit_test(every_mask),
      cmocka_unit_test(every_dtype),        cmocka_unit_test(rows_without_keys),
      cmocka_unit_test(work_in_pieces),     cmocka_unit_test(bad_sizes_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
