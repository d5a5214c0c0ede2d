/* Which of OpenBLAS's kernels are to run on a CPU that OpenBLAS does not know. */
#ifndef BENCH_PLATFORM_BLAS_CORE_H
#define BENCH_PLATFORM_BLAS_CORE_H

#include <stdbool.h>

/* A core as OPENBLAS_CORETYPE names it, for a CPU of these extensions for which OpenBLAS chose
 * `core`; NULL if the choice stands. "Prescott" is what OpenBLAS falls back to. */
const char *bench_blas_core_instead(const char *core, bool avx2, bool avx512);

#endif
