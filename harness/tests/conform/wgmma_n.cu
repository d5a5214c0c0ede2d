/* Conformance of wgmma: up to 96 columns. */
#include "wgmma_case.h"

namespace CONFORM_SIDE {

static const conform_case cases[] = {
    WGMMA_OF_N(8),  WGMMA_OF_N(16), WGMMA_OF_N(24), WGMMA_OF_N(32),
    WGMMA_OF_N(64), WGMMA_OF_N(80), WGMMA_OF_N(96),
};
CONFORM_TABLE(wgmma_n) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
