/* vendor, variant cudnn: the fused attention of cuDNN, which is what a framework calls. Nothing of
 * it is ours but the call. */
#include "bench/cudnn.h"
#include "cuda/common.h"

static size_t vendor_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  (void)attn;
  (void)device;
  return BENCH_CUDNN_WORKSPACE_BYTES;
}

/* What cuDNN says it cannot do it says of a plan, at the first launch; here stand what its
 * documentation (Attention, "scaled dot product attention") rules out for all plans. */
static const char *vendor_why_not(const bench_attn *attn, const bench_device *device) {
  const bench_mask *mask = &attn->mask;
  const char *reason = cuda_why_not(BENCH_ARCHS, attn, device);
  if (reason != NULL) {
    return reason;
  }
  if (attn->dtype == BENCH_FP32) {
    return "cuDNN's fused attention takes fp16 and bf16";
  }
  if (attn->head_dim % 8 != 0) {
    return "cuDNN's fused attention takes head dims that are multiples of 8";
  }
  if (mask->kind != BENCH_MASK_FULL && mask->kind != BENCH_MASK_CAUSAL &&
      (mask->kind != BENCH_MASK_WINDOW || mask->both)) {
    return "cuDNN's fused attention has the masks full, causal and window alone";
  }
  if (mask->kind != BENCH_MASK_FULL && attn->seq_q > attn->seq_kv) {
    return "cuDNN's fused attention has no rows that see no key";
  }
  return bench_cudnn_why_not();
}

BENCH_KERNEL(cuda, vendor) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(vendor),
    .summary = "cuDNN's fused attention",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = vendor_why_not,
    .workspace_bytes = vendor_workspace_bytes,
    .launch = bench_cudnn_attention,
};
