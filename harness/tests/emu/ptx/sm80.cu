/* Every wrapper of hand-written PTX that sm_80 has, in a kernel of its own: compiled to PTX, and
 * compared with what the PTX ISA asks for (sm80.expected). Kernels take what they need as
 * parameters and store what they get, so that the compiler drops nothing and every operand can be
 * traced to its parameter. */
#include "golden.h"

GOLDEN(exp2_approx, float *x) {
  *x = exp2_approx(*x);
}
GOLDEN(log2_approx, float *x) {
  *x = log2_approx(*x);
}
GOLDEN(rcp_approx, float *x) {
  *x = rcp_approx(*x);
}
GOLDEN(load_acquire, uint32_t *x) {
  x[1] = load_acquire(x);
}
GOLDEN(store_release, uint32_t *x, uint32_t value) {
  store_release(x, value);
}
GOLDEN(bar_sync, int threads) {
  bar_sync<3>(threads);
}
GOLDEN(bar_arrive, int threads) {
  bar_arrive<15>(threads);
}
GOLDEN(cp_async4, smem_addr to, const void *from) {
  cp_async4(to, from);
}
GOLDEN(cp_async8, smem_addr to, const void *from) {
  cp_async8(to, from);
}
GOLDEN(cp_async16, smem_addr to, const void *from) {
  cp_async16(to, from);
}
GOLDEN(cp_async16_zfill, smem_addr to, const void *from, int bytes) {
  cp_async16_zfill(to, from, bytes);
}
GOLDEN(cp_async_commit) {
  cp_async_commit();
}
GOLDEN(cp_async_wait) {
  cp_async_wait<2>();
}

#define GOLDEN_LDMATRIX(form, count)                      \
  GOLDEN(ldmatrix_##form, uint32_t *out, smem_addr row) { \
    uint32_t r[count];                                    \
    ldmatrix_##form(r, row);                              \
    for (int i = 0; i < count; i++) {                     \
      out[i] = r[i];                                      \
    }                                                     \
  }
GOLDEN_LDMATRIX(x1, 1)
GOLDEN_LDMATRIX(x2, 2)
GOLDEN_LDMATRIX(x4, 4)
GOLDEN_LDMATRIX(x1_trans, 1)
GOLDEN_LDMATRIX(x2_trans, 2)
GOLDEN_LDMATRIX(x4_trans, 4)

#define GOLDEN_MMA(type)                                                      \
  GOLDEN(mma_##type, float *c, const uint32_t *a, uint32_t b0, uint32_t b1) { \
    float d[4] = {c[0], c[1], c[2], c[3]};                                    \
    const uint32_t from[4] = {a[0], a[1], a[2], a[3]};                        \
    mma_m16n8k16<dev_##type>(d, from, b0, b1);                                \
    for (int i = 0; i < 4; i++) {                                             \
      c[i] = d[i];                                                            \
    }                                                                         \
  }
GOLDEN_MMA(bf16)
GOLDEN_MMA(fp16)
