/* flash/sm90 up to head dim 128 with the core statistics computed along, into its own workspace: to
 * measure in a sweep what they cost beside sm90. They are the same as those that sm90 gives to a
 * launch that asks for them. */
#include "cuda/flash_sm90_choice.h"

#define WIDEST_DIM 128

static size_t flash_stats_workspace_bytes(const bench_attn *attn, const bench_device *) {
  const int64_t rows = attn->batch * attn->heads_q * attn->seq_q;
  return BENCH_WORKSPACE_ZEROED + (size_t)(rows * BENCH_FUSED_STATS) * sizeof(float);
}

static bench_code flash_stats_launch(const bench_launch *launch) {
  bench_launch asking = *launch;
  asking.stats = reinterpret_cast<float *>(static_cast<unsigned char *>(launch->workspace) +
                                           BENCH_WORKSPACE_ZEROED);
  return launch->attn->dtype == BENCH_FP16
             ? flash_launch_chosen<dev_fp16, true, WIDEST_DIM>(&asking)
             : flash_launch_chosen<dev_bf16, true, WIDEST_DIM>(&asking);
}

static const char *flash_stats_why_not(const bench_attn *attn, const bench_device *device) {
  if (attn->head_dim > WIDEST_DIM) {
    return "head_dim is above 128: the variant is there to measure statistics at 64 and 128";
  }
  return hopper_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "sm90 up to head dim 128, with the core statistics computed along",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = flash_stats_why_not,
    .workspace_bytes = flash_stats_workspace_bytes,
    .launch = flash_stats_launch,
};
