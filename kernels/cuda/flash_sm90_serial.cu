/* The second step to flash/sm90, at head dims up to 64: one warpgroup fetches, with few registers,
 * and three compute, with many, each finishing a tile's output before it looks at the next one's
 * scores. Where one waits another may have work: that is all the overlap there is. The grid is as
 * large as the GPU, and takes heavy blocks of rows first.
 *
 * The next step, sm90 itself, starts the scores of the next tile first, so that a softmax always
 * runs beside a product, and lets the warpgroups start theirs in turn. */
#include "cuda/flash_sm90_kernel.h"

static bench_code flash_serial_launch(const bench_launch *launch) {
  return flash_launch_narrow<HopperSwitches<0, 8, true, false>>(launch);
}

static const char *flash_serial_why_not(const bench_attn *attn, const bench_device *device) {
  return flash_narrow_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "towards sm90, at head dim 64: one warpgroup fetches, three compute without overlap",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = flash_serial_why_not,
    .workspace_bytes = hopper_workspace_bytes,
    .launch = flash_serial_launch,
};
