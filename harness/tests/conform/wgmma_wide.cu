/* Conformance of wgmma: 128 columns and more. */
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
    EACH_N(128), EACH_N(160), EACH_N(176), EACH_N(192), EACH_N(208), EACH_N(224), EACH_N(256),
};
CONFORM_TABLE(wgmma_wide) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
