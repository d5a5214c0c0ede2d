/* cuBLAS, opened when it is first asked for and not linked: a machine without it lacks the kernels
 * that need it and nothing else. Compiled into the CUDA plug-in. */
#ifndef BENCH_CUBLAS_H
#define BENCH_CUBLAS_H

#include "bench/gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* NULL, or why there is no cuBLAS: one sentence that lives as long as the process. Looks for
 * libcublas.so.13, .12 and libcublas.so where the loader looks. Safe to call from any thread. */
const char *bench_cublas_why_not(void);

/* Enqueues the product on `stream` (cudaStream_t) of the current device; the first call makes the
 * handle. 16-bit matrices go through the tensor cores with sums in float; float ones are
 * multiplied in float, not in TF32. Sizes and leading dimensions beyond int32 are
 * BENCH_ERR_UNSUPPORTED, what cuBLAS refuses is BENCH_ERR_DEVICE with its status in `error`
 * (which may be NULL). Not to be called from two threads at once. */
bench_code bench_cublas_gemm(void *stream, const bench_gemm *gemm, bench_error *error);

#ifdef __cplusplus
}
#endif
#endif
