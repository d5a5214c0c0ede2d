/* bench_gemm: matrix products of a backend, for the projections of scope=block and for whoever
 * needs cuBLAS or OpenBLAS without their headers.
 *
 *   C[i] = alpha * A[i] * op(B[i]) + beta * C[i]     for i = 0 .. count-1
 *
 * All matrices are row-major. A is m x (pieces * k): its columns come as `pieces` matrices of
 * m x k, stride_piece elements apart, each with rows lda elements apart; so the heads of a BHSD
 * tensor are one matrix without being copied. B is (pieces * k) x n, or n x (pieces * k) if
 * transpose_b, C is m x n. Entry i of a matrix stands `stride` elements after entry i-1; a stride
 * of 0 shares one A or B between all entries. A and B are of `dtype`, C of `c_dtype`. Products are
 * summed in float, and C is rounded once: with more than one piece c_dtype is BENCH_FP32. With
 * beta 0, C is not read. */
#ifndef BENCH_GEMM_H
#define BENCH_GEMM_H

#include "bench/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_gemm {
  bench_dtype dtype;
  bench_dtype c_dtype; /* dtype or BENCH_FP32 */
  bool transpose_b;
  int64_t m, n, k;
  int64_t pieces; /* at least 1 */
  int64_t count;
  const void *a;
  const void *b;
  void *c;
  int64_t lda, ldb, ldc;
  int64_t stride_piece;
  int64_t stride_a, stride_b, stride_c;
  float alpha, beta;
} bench_gemm;

#ifdef __cplusplus
}
#endif
#endif
