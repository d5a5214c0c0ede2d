/* bench_gemm against loops in double: for the tests of every implementation of it. */
#ifndef BENCH_TEST_GEMM_CASES_H
#define BENCH_TEST_GEMM_CASES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/gemm.h"
#include "bench/input.h"

typedef bench_code gemm_fn(void *context, const bench_gemm *gemm, bench_error *error);

/* A tensor of `count` values of the generator. */
static inline void *gemm_tensor(bench_dtype dtype, int64_t layer, int64_t count) {
  void *memory = malloc((size_t)count * bench_dtype_bytes(dtype));
  assert_non_null(memory);
  bench_input_fill(BENCH_INPUT_NORMAL, 5, layer, BENCH_TENSOR_Q, dtype, memory, count);
  return memory;
}

static inline double gemm_value(bench_dtype dtype, const void *tensor, int64_t index) {
  float value;
  bench_to_float(dtype, (const char *)tensor + (size_t)index * bench_dtype_bytes(dtype), &value, 1);
  return (double)value;
}

/* Elements from the first entry's first to the last one's last. */
static inline int64_t gemm_extent(int64_t entries, int64_t stride, int64_t pieces,
                                  int64_t stride_piece, int64_t rows, int64_t ld, int64_t columns) {
  return (entries - 1) * stride + (pieces - 1) * stride_piece + (rows - 1) * ld + columns;
}

/* One element against its sum in double. In float that is off by at most one rounding a term; it is
 * then rounded to the dtype, which keeps the order of numbers. */
static inline void gemm_check_element(const bench_gemm *g, const void *before, int64_t entry,
                                      int64_t row, int64_t column) {
  const int64_t depth = g->pieces * g->k;
  const int64_t at = entry * g->stride_c + row * g->ldc + column;
  double expected = g->beta == 0 ? 0 : (double)g->beta * gemm_value(g->c_dtype, before, at);
  double size = fabs(expected);
  for (int64_t l = 0; l < depth; l++) {
    const int64_t a_at = entry * g->stride_a + l / g->k * g->stride_piece + row * g->lda + l % g->k;
    const int64_t b_at =
        entry * g->stride_b + (g->transpose_b ? column * g->ldb + l : l * g->ldb + column);
    const double term =
        (double)g->alpha * gemm_value(g->dtype, g->a, a_at) * gemm_value(g->dtype, g->b, b_at);
    expected += term;
    size += fabs(term);
  }
  const double off = (double)(depth + 3) * 0x1p-24 * size;
  const double got = gemm_value(g->c_dtype, g->c, at);
  if (!(got >= (double)bench_round_to(g->c_dtype, (float)(expected - off)) &&
        got <= (double)bench_round_to(g->c_dtype, (float)(expected + off)))) {
    fail_msg("m=%d n=%d k=%d pieces=%d count=%d dtype=%d: C[%d][%d][%d] = %.9g, not %.9g",
             (int)g->m, (int)g->n, (int)g->k, (int)g->pieces, (int)g->count, (int)g->dtype,
             (int)entry, (int)row, (int)column, got, expected);
  }
}

/* A product whose strides are given: one element in `step` of it, and all that stands between its
 * rows, which is not touched. The operands have no room behind their last element. */
static inline void gemm_check_layout(void *context, gemm_fn *multiply, bench_gemm g, int64_t step) {
  const int64_t depth = g.pieces * g.k;
  const int64_t c_count = gemm_extent(g.count, g.stride_c, 1, 0, g.m, g.ldc, g.n);
  void *a = gemm_tensor(
      g.dtype, 0, gemm_extent(g.count, g.stride_a, g.pieces, g.stride_piece, g.m, g.lda, g.k));
  void *b = gemm_tensor(g.dtype, 1,
                        gemm_extent(g.count, g.stride_b, 1, 0, g.transpose_b ? g.n : depth, g.ldb,
                                    g.transpose_b ? depth : g.n));
  void *c = gemm_tensor(g.c_dtype, 2, c_count);
  void *before = gemm_tensor(g.c_dtype, 2, c_count);
  bool *written = calloc((size_t)c_count, sizeof *written);
  assert_non_null(written);
  const size_t item = bench_dtype_bytes(g.c_dtype);
  if (g.beta == 0) { /* C is not read: NaN in it does no harm */
    memset(c, 0xff, (size_t)c_count * item);
    memset(before, 0xff, (size_t)c_count * item);
  }
  g.a = a;
  g.b = b;
  g.c = c;
  bench_error error = {0};
  if (multiply(context, &g, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  const int64_t elements = g.count * g.m * g.n;
  for (int64_t i = 0; i < elements; i++) {
    const int64_t entry = i / g.n / g.m;
    const int64_t row = i / g.n % g.m;
    written[entry * g.stride_c + row * g.ldc + i % g.n] = true;
    if (i % step == 0 || i == elements - 1) {
      gemm_check_element(&g, before, entry, row, i % g.n);
    }
  }
  for (int64_t at = 0; at < c_count; at++) {
    if (!written[at]) {
      assert_memory_equal((char *)c + (size_t)at * item, (char *)before + (size_t)at * item, item);
    }
  }
  free(a);
  free(b);
  free(c);
  free(before);
  free(written);
}

/* Rows and entries a few elements apart; a stride below zero shares the operand. */
static inline void gemm_check(void *context, gemm_fn *multiply, bench_gemm g) {
  const int64_t depth = g.pieces * g.k;
  const int64_t gap = 3;
  g.lda = g.k + gap;
  g.ldb = (g.transpose_b ? depth : g.n) + gap;
  g.ldc = g.n + gap;
  g.stride_piece = g.m * g.lda;
  g.stride_a = g.stride_a < 0 ? 0 : g.pieces * g.stride_piece;
  g.stride_b = g.stride_b < 0 ? 0 : (g.transpose_b ? g.n : depth) * g.ldb;
  g.stride_c = g.m * g.ldc + gap;
  gemm_check_layout(context, multiply, g, 1);
}

/* Dtypes, transposes, shared operands, pieces, beta, sizes that no tile divides. */
static inline void gemm_check_all(void *context, gemm_fn *multiply) {
  static const int64_t sizes[][3] = {
      {1, 1, 1}, {3, 5, 7}, {16, 17, 33}, {1, 70, 130}, {150, 40, 9}};
  for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
      bench_gemm gemm = {.dtype = (bench_dtype)dtype,
                         .c_dtype = (bench_dtype)dtype,
                         .m = sizes[s][0],
                         .n = sizes[s][1],
                         .k = sizes[s][2],
                         .pieces = 1,
                         .count = 1,
                         .alpha = 1};
      gemm_check(context, multiply, gemm);
      gemm.transpose_b = true;
      gemm.alpha = -0.5f;
      gemm_check(context, multiply, gemm);
      gemm.count = 3;
      gemm.stride_a = -1; /* one A for all */
      gemm_check(context, multiply, gemm);
      gemm.transpose_b = false;
      gemm.stride_a = 0;
      gemm.stride_b = -1;
      gemm.beta = 2;
      gemm_check(context, multiply, gemm);
      gemm.c_dtype = BENCH_FP32;
      gemm.pieces = 4;
      gemm.beta = 0;
      gemm_check(context, multiply, gemm);
    }
  }
}

#endif
