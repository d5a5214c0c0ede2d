/* OpenBLAS, opened when it is first asked for and not linked: it starts its threads when it is
 * loaded, which costs more than the rest of a program's start. */
#ifndef BENCH_BLAS_H
#define BENCH_BLAS_H

#ifdef __cplusplus
extern "C" {
#endif

enum { BENCH_BLAS_ROW_MAJOR = 101, BENCH_BLAS_PLAIN = 111, BENCH_BLAS_TRANSPOSED = 112 };

/* C [m][n] = alpha op(A) op(B) + beta C, as cblas_sgemm. */
typedef void bench_sgemm_fn(int layout, int transpose_a, int transpose_b, int m, int n, int k,
                            float alpha, const float *a, int lda, const float *b, int ldb,
                            float beta, float *c, int ldc);

/* The library's sgemm, set to run in the calling thread alone, so that callers share the work out
 * themselves; NULL if OpenBLAS (libopenblas.so.0) is not installed. Safe to call from any
 * thread. */
bench_sgemm_fn *bench_blas_sgemm(void);

/* What the library says of itself: version, options, and whose kernels it runs ("OpenBLAS 0.3.21
 * NO_LAPACKE DYNAMIC_ARCH NO_AFFINITY SkylakeX MAX_THREADS=64"); "" if it is not installed. */
const char *bench_blas_config(void);

#ifdef __cplusplus
}
#endif
#endif
