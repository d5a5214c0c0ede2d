/* flash/sm90 at head dim 64, but sums are taken to a new maximum whenever it rises: what it costs
 * to be exact about a maximum that cancels in the end. */
#include "cuda/flash_sm90_kernel.h"

static bench_code flash_rescale_launch(const bench_launch *launch) {
  return flash_launch_narrow<HopperSwitches<0, 0>>(launch);
}

static const char *flash_rescale_why_not(const bench_attn *attn, const bench_device *device) {
  return flash_narrow_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "sm90 at head dim 64, rescaled at every rise of a maximum",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = flash_rescale_why_not,
    .workspace_bytes = hopper_workspace_bytes,
    .launch = flash_rescale_launch,
};
