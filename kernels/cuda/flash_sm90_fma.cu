/* flash/sm90 at head dim 64, but every eighth weight is 2^x by FMA (flash_exp2.h): takes load off
 * the special function unit, and puts 57 instructions a tile on the schedulers. */
#include "cuda/flash_sm90_kernel.h"

static bench_code flash_fma_launch(const bench_launch *launch) {
  return flash_launch_narrow<HopperSwitches<8, 8>>(launch);
}

static const char *flash_fma_why_not(const bench_attn *attn, const bench_device *device) {
  return flash_narrow_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "sm90 at head dim 64, every eighth weight by a polynomial",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = flash_fma_why_not,
    .workspace_bytes = hopper_workspace_bytes,
    .launch = flash_fma_launch,
};
