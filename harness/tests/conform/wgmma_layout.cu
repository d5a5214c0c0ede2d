/* Conformance of wgmma: every layout of the operands in shared memory. */
#include "wgmma_case.h"

namespace CONFORM_SIDE {

#define EACH_LAYOUT(name, swizzle, steps)                                                         \
  WGMMA_CASE("wgmma_ss " name ", K-major", dev_bf16, 64, swizzle, steps, false, false, false),    \
      WGMMA_CASE("wgmma_ss " name ", A MN-major", dev_bf16, 64, swizzle, steps, true, false,      \
                 false),                                                                          \
      WGMMA_CASE("wgmma_ss " name ", B MN-major", dev_bf16, 64, swizzle, steps, false, true,      \
                 false),                                                                          \
      WGMMA_CASE("wgmma_ss " name ", MN-major", dev_bf16, 64, swizzle, steps, true, true, false), \
      WGMMA_CASE("wgmma_ss " name ", MN-major, n128", dev_fp16, 128, swizzle, (steps) | FP16,     \
                 true, true, false)
/* With a pattern of 64 bytes a K-major tile has two steps of 16 along k, with 32 bytes one. B that
 * is MN-major has n / (elements of a row of the pattern) spans. */
static const conform_case cases[] = {
    EACH_LAYOUT("plain", SWIZZLE_NONE, 1), EACH_LAYOUT("plain, 2 steps", SWIZZLE_NONE, 2),
    EACH_LAYOUT("32B", SWIZZLE_32B, 1),    EACH_LAYOUT("64B", SWIZZLE_64B, 2),
    EACH_LAYOUT("128B", SWIZZLE_128B, 4),
};
CONFORM_TABLE(wgmma_layout) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
