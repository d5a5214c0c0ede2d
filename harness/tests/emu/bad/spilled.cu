/* A kernel that ci/compile-log must refuse: 1024 threads leave 64 registers each for 96 values. */
#include "cuda/device.h"

#define VALUES 96

BENCH_KERNEL_FN(1024) void spilled(float *data) {
  float value[VALUES];
#pragma unroll
  for (int i = 0; i < VALUES; i++) {
    value[i] = data[i * block_dim_x() + thread_x()];
  }
  sync_threads();
#pragma unroll
  for (int i = 0; i < VALUES; i++) {
    data[i * block_dim_x() + thread_x()] = value[i] * value[(i * 7 + 1) % VALUES];
  }
}
