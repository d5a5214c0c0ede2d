/* A stand-in for libcublas: the four functions that are used, by their documentation (cuBLAS
 * Library, cublasGemmStridedBatchedEx), in plain loops over column-major matrices and sums in
 * double. What the documentation forbids is refused with CUBLAS_STATUS_INVALID_VALUE. */
#include <stdint.h>
#include <stdlib.h>

#include "bench/attn.h"

enum { SUCCESS = 0, NOT_INITIALIZED = 1, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };

int cublasCreate_v2(void **handle);
int cublasSetStream_v2(void *handle, void *stream);
int cublasGemmStridedBatchedEx(void *handle, int transpose_a, int transpose_b, int m, int n, int k,
                               const void *alpha, const void *a, int a_type, int lda,
                               long long stride_a, const void *b, int b_type, int ldb,
                               long long stride_b, const void *beta, void *c, int c_type, int ldc,
                               long long stride_c, int count, int compute_type, int algorithm);

int cublasCreate_v2(void **handle) {
  static int one;
  *handle = &one;
  return SUCCESS;
}

int cublasSetStream_v2(void *handle, void *stream) {
  (void)stream;
  return handle == NULL ? NOT_INITIALIZED : SUCCESS;
}

/* cudaDataType_t of the three types: CUDA_R_32F 0, CUDA_R_16F 2, CUDA_R_16BF 14. */
static float load(int type, const void *from, long long index) {
  if (type == 0) {
    return ((const float *)from)[index];
  }
  const uint16_t bits = ((const uint16_t *)from)[index];
  return type == 2 ? bench_fp16_to_float(bits) : bench_bf16_to_float(bits);
}

static void store(int type, void *to, long long index, float value) {
  if (type == 0) {
    ((float *)to)[index] = value;
  } else {
    ((uint16_t *)to)[index] =
        type == 2 ? bench_fp16_from_float(value) : bench_bf16_from_float(value);
  }
}

int cublasGemmStridedBatchedEx(void *handle, int transpose_a, int transpose_b, int m, int n, int k,
                               const void *alpha, const void *a, int a_type, int lda,
                               long long stride_a, const void *b, int b_type, int ldb,
                               long long stride_b, const void *beta, void *c, int c_type, int ldc,
                               long long stride_c, int count, int compute_type, int algorithm) {
  const float alpha_value = *(const float *)alpha;
  const float beta_value = *(const float *)beta;
  (void)algorithm;
  if (handle == NULL) {
    return NOT_INITIALIZED;
  }
  if (m < 1 || n < 1 || k < 1 || count < 1 || lda < (transpose_a ? k : m) ||
      ldb < (transpose_b ? n : k) || ldc < m) {
    return INVALID_VALUE;
  }
  if (compute_type != 68 || a_type != b_type || (c_type != a_type && c_type != 0)) {
    return NOT_SUPPORTED; /* 68: CUBLAS_COMPUTE_32F */
  }
  for (long long i = 0; i < count; i++) {
    for (int column = 0; column < n; column++) {
      for (int row = 0; row < m; row++) {
        double sum = 0;
        for (int l = 0; l < k; l++) {
          const long long a_at = transpose_a ? l + (long long)row * lda : row + (long long)l * lda;
          const long long b_at =
              transpose_b ? column + (long long)l * ldb : l + (long long)column * ldb;
          sum += (double)load(a_type, a, i * stride_a + a_at) *
                 (double)load(b_type, b, i * stride_b + b_at);
        }
        const long long at = i * stride_c + row + (long long)column * ldc;
        const double old = beta_value == 0 ? 0 : (double)beta_value * (double)load(c_type, c, at);
        store(c_type, c, at, (float)((double)alpha_value * sum + old));
      }
    }
  }
  return SUCCESS;
}
