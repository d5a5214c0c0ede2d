/* Conformance of wgmma: up to 96 columns. */
#include "wgmma_case.h"

namespace CONFORM_SIDE {

#define EACH_N(n)                                                                              \
  WGMMA_CASE("wgmma_ss bf16 n" #n, dev_bf16, n, SWIZZLE_128B, 4, false, false, false),         \
      WGMMA_CASE("wgmma_ss fp16 n" #n, dev_fp16, n, SWIZZLE_64B, 2 | FP16 | ACCUMULATE, false, \
                 false, false),                                                                \
      WGMMA_CASE("wgmma_rs bf16 n" #n, dev_bf16, n, SWIZZLE_128B, 2 | REGISTERS, false, true,  \
                 true),                                                                        \
      WGMMA_CASE("wgmma_rs fp16 n" #n, dev_fp16, n, SWIZZLE_128B,                              \
                 4 | FP16 | ACCUMULATE | REGISTERS, false, false, true)
static const conform_case cases[] = {
    EACH_N(8), EACH_N(16), EACH_N(24), EACH_N(32), EACH_N(64), EACH_N(80), EACH_N(96),
};
CONFORM_TABLE(wgmma_n) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
