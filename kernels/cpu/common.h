/* What the CPU kernels share: the problems and machines they do not take, and per-thread scratch.
 *
 * CPU_LANES is the number of floats in the widest vector a file is compiled for, set together with
 * the compiler flags in kernels/CMakeLists.txt: 4 (the default, any CPU), 8 (AVX2), 16 (AVX-512).
 * CPU_PAIRS, set likewise, says what multiplies pairs of bf16: 0 (the default) nothing, 1 vectors
 * (AVX512-BF16), 2 tile registers (AMX-BF16). */
#ifndef BENCH_KERNELS_CPU_COMMON_H
#define BENCH_KERNELS_CPU_COMMON_H

#include <omp.h>

#include "bench/kernel.h"

#ifndef CPU_LANES
#define CPU_LANES 4
#endif
#ifndef CPU_PAIRS
#define CPU_PAIRS 0
#endif

static inline const char *cpu_why_not(const bench_attn *attn, const bench_device *device) {
  if (attn->direction != BENCH_FWD) {
    return "the CPU kernels compute the forward pass only";
  }
  if (CPU_LANES == 8 && !device->has_avx2) {
    return "this CPU lacks AVX2, FMA or F16C";
  }
  if (CPU_LANES == 16 && !device->has_avx512) {
    return "this CPU lacks AVX-512 F, BW, DQ or VL";
  }
  if (CPU_PAIRS != 0 && attn->dtype != BENCH_BF16) {
    return "products of bf16 pairs take the dtype bf16 only";
  }
  if (CPU_PAIRS != 0 && !device->has_avx512_bf16) {
    return "this CPU lacks AVX512-BF16";
  }
  if (CPU_PAIRS == 2 && !device->has_amx_bf16) {
    return "this CPU lacks AMX-BF16, or its system grants no tile registers";
  }
  return NULL;
}

/* Two cache lines, so that neighbouring threads share none, prefetched pairs included. */
static inline size_t cpu_align(size_t bytes) {
  return (bytes + 127) & ~(size_t)127;
}

/* Workspace of a kernel in which each thread needs `each` bytes (a result of cpu_align). The
 * backend promises 64-byte alignment only; the slack lets cpu_scratch round up to 128. */
static inline size_t cpu_workspace_bytes(const bench_device *device, size_t each) {
  return (size_t)(device->threads > 1 ? device->threads : 1) * each + 128;
}

/* The calling thread's part of the workspace. */
static inline void *cpu_scratch(const bench_launch *launch, size_t each) {
  const size_t base = cpu_align((uintptr_t)launch->workspace);
  return (void *)(base + (size_t)omp_get_thread_num() * each);
}

#endif
