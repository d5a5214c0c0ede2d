/* bench_gemm by cuBLAS. The prototypes and values below are those of cuBLAS's documented C API, of
 * which four functions are needed; its header is not, so that a build without it is the same.
 *
 * cuBLAS thinks in columns. A row-major matrix is the transpose of a column-major one with the same
 * leading dimension, and the transpose of A B is B^T A^T: so B comes first, A second, and m and n
 * change places. */
#include "bench/cublas.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

typedef int cublas_create_fn(void **handle);
typedef int cublas_set_stream_fn(void *handle, void *stream);
typedef int cublas_gemm_fn(void *handle, int transpose_a, int transpose_b, int m, int n, int k,
                           const void *alpha, const void *a, int a_type, int lda,
                           long long stride_a, const void *b, int b_type, int ldb,
                           long long stride_b, const void *beta, void *c, int c_type, int ldc,
                           long long stride_c, int count, int compute_type, int algorithm);

enum {
  CUBLAS_PLAIN = 0,      /* CUBLAS_OP_N */
  CUBLAS_TRANSPOSED = 1, /* CUBLAS_OP_T */
  CUBLAS_COMPUTE_32F = 68,
  CUBLAS_DEFAULT_ALGORITHM = -1, /* CUBLAS_GEMM_DEFAULT */
};

/* cudaDataType_t: CUDA_R_32F, CUDA_R_16F, CUDA_R_16BF. */
static const int data_types[] = {[BENCH_FP32] = 0, [BENCH_FP16] = 2, [BENCH_BF16] = 14};

static struct {
  cublas_create_fn *create;
  cublas_set_stream_fn *set_stream;
  cublas_gemm_fn *gemm;
  void *handle;
  char why_not[512];
} cublas;

static void open_library(void) {
  static const char *const names[] = {"libcublas.so.13", "libcublas.so.12", "libcublas.so"};
  void *library = NULL;
  for (size_t i = 0; library == NULL && i < sizeof names / sizeof names[0]; i++) {
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
  }
  if (library == NULL) {
    snprintf(
        cublas.why_not, sizeof cublas.why_not,
        "cuBLAS is not there: neither libcublas.so.13, libcublas.so.12 nor libcublas.so opens");
    return;
  }
  const struct {
    const char *name;
    void *to;
  } symbols[] = {{"cublasCreate_v2", &cublas.create},
                 {"cublasSetStream_v2", &cublas.set_stream},
                 {"cublasGemmStridedBatchedEx", &cublas.gemm}};
  for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
    void *found = dlsym(library, symbols[i].name);
    if (found == NULL) {
      snprintf(cublas.why_not, sizeof cublas.why_not, "the cuBLAS that is there has no %s",
               symbols[i].name);
    }
    memcpy(symbols[i].to, &found, sizeof found);
  }
}

const char *bench_cublas_why_not(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, open_library);
  return cublas.why_not[0] != '\0' ? cublas.why_not : NULL;
}

static bench_code check(int status, const char *what, bench_error *error) {
  static const char *const names[] = {
      [1] = "NOT_INITIALIZED", [3] = "ALLOC_FAILED",   [7] = "INVALID_VALUE",
      [8] = "ARCH_MISMATCH",   [11] = "MAPPING_ERROR", [13] = "EXECUTION_FAILED",
      [14] = "INTERNAL_ERROR", [15] = "NOT_SUPPORTED"};
  if (status == 0) {
    return BENCH_OK;
  }
  const bool known = status > 0 && status < (int)(sizeof names / sizeof names[0]);
  const char *name = known && names[status] != NULL ? names[status] : "an unknown status";
  return bench_fail(error, status == 3 ? BENCH_ERR_NOMEM : BENCH_ERR_DEVICE, "%s: %s (%d)", what,
                    name, status);
}

static bench_code ready(void *stream, bench_error *error) {
  const char *why_not = bench_cublas_why_not();
  if (why_not != NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s", why_not);
  }
  bench_code code = BENCH_OK;
  if (cublas.handle == NULL) {
    code = check(cublas.create(&cublas.handle), "cublasCreate", error);
  }
  return code == BENCH_OK
             ? check(cublas.set_stream(cublas.handle, stream), "cublasSetStream", error)
             : code;
}

static bench_code check_sizes(const bench_gemm *gemm, bench_error *error) {
  const int64_t sizes[] = {gemm->m, gemm->n, gemm->k, gemm->count, gemm->lda, gemm->ldb, gemm->ldc};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    if (sizes[i] < 1 || sizes[i] > INT32_MAX) {
      return bench_fail(error, BENCH_ERR_UNSUPPORTED,
                        "a matrix product with a size of %" PRId64 " is not one for cuBLAS",
                        sizes[i]);
    }
  }
  return BENCH_OK;
}

bench_code bench_cublas_gemm(void *stream, const bench_gemm *gemm, bench_error *error) {
  bench_code code = check_sizes(gemm, error);
  if (code == BENCH_OK) {
    code = ready(stream, error);
  }
  const int type = data_types[gemm->dtype];
  const int64_t item = (int64_t)bench_dtype_bytes(gemm->dtype);
  const int64_t b_piece = gemm->k * (gemm->transpose_b ? 1 : gemm->ldb);
  for (int64_t piece = 0; code == BENCH_OK && piece < gemm->pieces; piece++) {
    const char *a = (const char *)gemm->a + piece * gemm->stride_piece * item;
    const char *b = (const char *)gemm->b + piece * b_piece * item;
    const float beta = piece == 0 ? gemm->beta : 1.0f;
    code = check(
        cublas.gemm(cublas.handle, gemm->transpose_b ? CUBLAS_TRANSPOSED : CUBLAS_PLAIN,
                    CUBLAS_PLAIN, (int)gemm->n, (int)gemm->m, (int)gemm->k, &gemm->alpha, b, type,
                    (int)gemm->ldb, gemm->stride_b, a, type, (int)gemm->lda, gemm->stride_a, &beta,
                    gemm->c, data_types[gemm->c_dtype], (int)gemm->ldc, gemm->stride_c,
                    (int)gemm->count, CUBLAS_COMPUTE_32F, CUBLAS_DEFAULT_ALGORITHM),
        "cublasGemmStridedBatchedEx", error);
  }
  return code;
}
