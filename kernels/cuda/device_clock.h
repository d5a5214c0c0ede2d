/* The clocks and the place of a thread on a GPU, for the kernels with which the CUDA backend
 * measures the device itself. */
#ifndef BENCH_CUDA_DEVICE_CLOCK_H
#define BENCH_CUDA_DEVICE_CLOCK_H

#include "cuda/device.h"

/* Cycles of this multiprocessor; nanoseconds that all of them share, in steps of up to 1 us; the
 * number of this multiprocessor. */
BENCH_DEVICE_FN uint64_t clock_cycles() {
  return (uint64_t)clock64();
}
BENCH_DEVICE_FN uint64_t clock_global_ns() {
  uint64_t now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  return now;
}
BENCH_DEVICE_FN uint32_t multiprocessor() {
  uint32_t id;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(id));
  return id;
}

#endif
