/* A kernel that ci/compile-log must refuse: without wgmma_fence() ptxas puts one in, and says so.
 */
#include "cuda/device.h"

BENCH_KERNEL_FN(128) void serialised(float *out, uint64_t a, uint64_t b) {
  float d[4];
  wgmma_ss<dev_bf16, 8, false, false>(d, a, b, false);
  wgmma_commit();
  wgmma_wait<0>();
  for (int i = 0; i < 4; i++) {
    out[thread_x() * 4 + i] = d[i];
  }
}
