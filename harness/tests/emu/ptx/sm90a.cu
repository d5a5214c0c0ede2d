/* Every wrapper of hand-written PTX that sm_90a has, in a kernel of its own: compiled to PTX, and
 * compared with what the PTX ISA asks for (sm90a.expected). Kernels take what they need as
 * parameters and store what they get, so that the compiler drops nothing and every operand can be
 * traced to its parameter. */
#include "golden.h"

#define GOLDEN_STMATRIX(form, count)                           \
  GOLDEN(stmatrix_##form, const uint32_t *in, smem_addr row) { \
    uint32_t r[count];                                         \
    for (int i = 0; i < count; i++) {                          \
      r[i] = in[i];                                            \
    }                                                          \
    stmatrix_##form(row, r);                                   \
  }
GOLDEN_STMATRIX(x1, 1)
GOLDEN_STMATRIX(x2, 2)
GOLDEN_STMATRIX(x4, 4)
GOLDEN_STMATRIX(x1_trans, 1)
GOLDEN_STMATRIX(x2_trans, 2)
GOLDEN_STMATRIX(x4_trans, 4)

GOLDEN(mbar_inval, smem_addr bar) {
  mbar_inval(bar);
}
GOLDEN(setmaxnreg_inc) {
  setmaxnreg_inc<240>();
}
GOLDEN(setmaxnreg_dec) {
  setmaxnreg_dec<24>();
}
GOLDEN(elect_one, uint32_t *out) {
  *out = elect_one();
}
GOLDEN(mapa, uint32_t *out, smem_addr address, uint32_t cta) {
  *out = mapa(address, cta);
}
GOLDEN(griddep_wait) {
  griddep_wait();
}
GOLDEN(griddep_launch) {
  griddep_launch();
}
GOLDEN(tma_prefetch, const dev_tensor_map *map) {
  tma_prefetch(map);
}
GOLDEN(wgmma_fence) {
  wgmma_fence();
}
GOLDEN(wgmma_commit) {
  wgmma_commit();
}
GOLDEN(wgmma_wait) {
  wgmma_wait<1>();
}

#define GOLDEN_WGMMA_SS(type, n, trans_a, trans_b)                                                \
  GOLDEN(wgmma_ss_##type##_##n##_##trans_a##trans_b, float *out, uint64_t a, uint64_t b, int c) { \
    float d[n / 2];                                                                               \
    for (int i = 0; i < n / 2; i++) {                                                             \
      d[i] = out[i];                                                                              \
    }                                                                                             \
    wgmma_ss<dev_##type, n, trans_a, trans_b>(d, a, b, c != 0);                                   \
    for (int i = 0; i < n / 2; i++) {                                                             \
      out[i] = d[i];                                                                              \
    }                                                                                             \
  }
#define GOLDEN_WGMMA_RS(type, n, trans_b)                                                       \
  GOLDEN(wgmma_rs_##type##_##n##_##trans_b, float *out, const uint32_t *a, uint64_t b, int c) { \
    float d[n / 2];                                                                             \
    const uint32_t from[4] = {a[0], a[1], a[2], a[3]};                                          \
    for (int i = 0; i < n / 2; i++) {                                                           \
      d[i] = out[i];                                                                            \
    }                                                                                           \
    wgmma_rs<dev_##type, n, trans_b>(d, from, b, c != 0);                                       \
    for (int i = 0; i < n / 2; i++) {                                                           \
      out[i] = d[i];                                                                            \
    }                                                                                           \
  }
#define GOLDEN_WGMMA(n)          \
  GOLDEN_WGMMA_SS(bf16, n, 0, 0) \
  GOLDEN_WGMMA_RS(bf16, n, 0)    \
  GOLDEN_WGMMA_SS(fp16, n, 0, 0) \
  GOLDEN_WGMMA_RS(fp16, n, 0)
GOLDEN_WGMMA(8)
GOLDEN_WGMMA(16)
GOLDEN_WGMMA(24)
GOLDEN_WGMMA(32)
GOLDEN_WGMMA(64)
GOLDEN_WGMMA(80)
GOLDEN_WGMMA(96)
GOLDEN_WGMMA(128)
GOLDEN_WGMMA(160)
GOLDEN_WGMMA(176)
GOLDEN_WGMMA(192)
GOLDEN_WGMMA(208)
GOLDEN_WGMMA(224)
GOLDEN_WGMMA(256)
GOLDEN_WGMMA_SS(bf16, 64, 0, 1)
GOLDEN_WGMMA_SS(bf16, 64, 1, 0)
GOLDEN_WGMMA_SS(fp16, 64, 1, 1)
GOLDEN_WGMMA_RS(bf16, 64, 1)
