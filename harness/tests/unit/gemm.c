/* The CPU backend's matrix products, by OpenBLAS: right for any number of threads and any layout.
 */
#include "backends/cpu_gemm.h"
#include "bench/blas.h"
#include "gemm_cases.h"
#include "mask_shapes.h"
#include "platform/blas_core.h"
#include "platform/cpu_features.h"

typedef struct multiplier {
  int threads;
  bench_cpu_gemm_scratch scratch;
} multiplier;

static bench_code multiply(void *context, const bench_gemm *gemm, bench_error *error) {
  multiplier *with = context;
  return bench_cpu_gemm(gemm, with->threads, &with->scratch, error);
}

static int need_openblas(void **state) {
  (void)state;
  if (bench_blas_sgemm() == NULL) {
    skip();
  }
  return 0;
}

/* What OpenBLAS falls back to is replaced by what the CPU can do, and nothing else is. */
static void unknown_cpu(void **state) {
  (void)state;
  assert_string_equal(bench_blas_core_instead("Prescott", true, true), "SkylakeX");
  assert_string_equal(bench_blas_core_instead("Prescott", true, false), "Haswell");
  assert_null(bench_blas_core_instead("Prescott", false, false));
  assert_null(bench_blas_core_instead("Zen", true, true));
  assert_null(bench_blas_core_instead("", true, true)); /* a build for one CPU only */
}

/* No kernels of a Pentium 4 where there is AVX2, unless they were asked for. */
static void kernels_of_this_cpu(void **state) {
  (void)state;
  assert_non_null(strstr(bench_blas_config(), "OpenBLAS"));
  bench_device device = {0};
  bench_cpu_features(&device);
  if (getenv("OPENBLAS_CORETYPE") == NULL && device.has_avx2) {
    assert_null(strstr(bench_blas_config(), "Prescott"));
  }
}

static void products_are_right(void **state) {
  (void)state;
  for (int threads = 1; threads <= 4; threads++) {
    multiplier with = {.threads = threads};
    gemm_check_all(&with, multiply);
    bench_cpu_gemm_free(&with.scratch);
  }
}

/* Entries apart, shared, or with their rows side by side as heads have them. */
static void random_layout(uint64_t *random, bench_gemm *g) {
  const int64_t gap = shape_between(random, 0, 3);
  const int64_t b_rows = g->transpose_b ? g->n : g->pieces * g->k;
  const int64_t b_columns = g->transpose_b ? g->pieces * g->k : g->n;
  const bool b_beside = shape_between(random, 0, 1) == 1;
  const bool c_beside = shape_between(random, 0, 1) == 1;
  g->lda = g->k + gap;
  g->stride_piece = g->m * g->lda + gap;
  g->stride_a = shape_between(random, 0, 1) == 0 ? 0 : g->pieces * g->stride_piece;
  g->ldb = (b_beside ? g->count : 1) * b_columns + gap;
  g->stride_b = b_beside ? b_columns : b_rows * g->ldb;
  g->stride_b = shape_between(random, 0, 3) == 0 ? 0 : g->stride_b;
  g->ldc = (c_beside ? g->count : 1) * g->n + gap;
  g->stride_c = c_beside ? g->n : g->m * g->ldc + gap;
}

static void any_layout_is_right(void **state) {
  (void)state;
  static const float factors[] = {0.0f, 1.0f, -0.5f};
  uint64_t random = 20250406;
  multiplier with = {.threads = 1};
  for (int n = 0; n < 1000; n++) {
    bench_gemm gemm = {.dtype = (bench_dtype)shape_between(&random, 0, 2),
                       .transpose_b = shape_between(&random, 0, 1) == 1,
                       .m = shape_between(&random, 0, 2) == 0 ? 1 : shape_between(&random, 1, 40),
                       .n = shape_between(&random, 1, 40),
                       .k = shape_between(&random, 1, 40),
                       .pieces = shape_between(&random, 0, 1) == 0 ? 1 : 3,
                       .count = shape_between(&random, 1, 4),
                       .alpha = factors[shape_between(&random, 1, 2)],
                       .beta = factors[shape_between(&random, 0, 2)]};
    const bool wide = gemm.pieces > 1 || shape_between(&random, 0, 1) == 1;
    gemm.c_dtype = wide ? BENCH_FP32 : gemm.dtype;
    with.threads = (int)shape_between(&random, 1, 4);
    random_layout(&random, &gemm);
    gemm_check_layout(&with, multiply, gemm, 1);
  }
  /* B of single rows: the next entry's stands where the next row would, and is none. */
  with.threads = 1;
  gemm_check_layout(&with, multiply,
                    (bench_gemm){.m = 3,
                                 .n = 5,
                                 .k = 1,
                                 .pieces = 1,
                                 .count = 4,
                                 .lda = 1,
                                 .ldb = 5,
                                 .ldc = 5,
                                 .stride_b = 5,
                                 .stride_c = 15,
                                 .alpha = 1},
                    1);
  bench_cpu_gemm_free(&with.scratch);
}

/* A little more than a tile, a chunk and a slice; heads that cross the edges of tiles; slices that
 * end inside a piece. */
static void large_products_are_right(void **state) {
  (void)state;
  for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
    for (int threads = 1; threads <= 4; threads++) {
      multiplier with = {.threads = threads};
      bench_gemm gemm = {.dtype = (bench_dtype)dtype,
                         .c_dtype = (bench_dtype)dtype,
                         .transpose_b = threads % 2 == 0,
                         .m = threads < 3 ? 1027 : 5,
                         .n = 259,
                         .k = 519,
                         .pieces = 1,
                         .count = 3,
                         .lda = 519,
                         .ldc = 259,
                         .alpha = 1,
                         .beta = 1};
      gemm.ldb = gemm.transpose_b ? 519 : 3 * 259;
      gemm.stride_b = gemm.transpose_b ? 259 * 519 : 259;
      gemm.stride_c = gemm.m * 259;
      gemm_check_layout(&with, multiply, gemm, 97);
      gemm.k = 173;
      gemm.pieces = 3;
      gemm.lda = 173;
      gemm.stride_piece = gemm.m * 173;
      gemm.c_dtype = BENCH_FP32;
      gemm_check_layout(&with, multiply, gemm, 97);
      bench_cpu_gemm_free(&with.scratch);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(unknown_cpu),
      cmocka_unit_test_setup(kernels_of_this_cpu, need_openblas),
      cmocka_unit_test_setup(products_are_right, need_openblas),
      cmocka_unit_test_setup(any_layout_is_right, need_openblas),
      cmocka_unit_test_setup(large_products_are_right, need_openblas),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
