/* bench_gemm by OpenBLAS: products of parts of C, each by one thread and one call of sgemm after
 * another. */
#ifndef BENCH_CPU_GEMM_H
#define BENCH_CPU_GEMM_H

#include "bench/gemm.h"

/* What threads widen 16-bit operands into, kept from call to call so that no timed region pays for
 * new pages. Zero at first. */
typedef struct bench_cpu_gemm_scratch {
  float *memory;
  size_t bytes;
} bench_cpu_gemm_scratch;

/* Bytes of scratch that the product needs, of all threads: at most 3.5 MiB each, whatever its
 * sizes, and none where everything is float and can be multiplied where it stands. */
size_t bench_cpu_gemm_bytes(const bench_gemm *gemm, int threads);

bench_code bench_cpu_gemm(const bench_gemm *gemm, int threads, bench_cpu_gemm_scratch *scratch,
                          bench_error *error);
void bench_cpu_gemm_free(bench_cpu_gemm_scratch *scratch);

#endif
