/* Conformance of wgmma: 128 columns and more. */
#include "wgmma_case.h"

namespace CONFORM_SIDE {

static const conform_case cases[] = {
    WGMMA_OF_N(128), WGMMA_OF_N(160), WGMMA_OF_N(176), WGMMA_OF_N(192),
    WGMMA_OF_N(208), WGMMA_OF_N(224), WGMMA_OF_N(256),
};
CONFORM_TABLE(wgmma_wide) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
