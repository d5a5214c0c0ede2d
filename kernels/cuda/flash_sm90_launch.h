/* From a launch to the Hopper loop: what `flash` and `sparse` share on the host. */
#ifndef BENCH_CUDA_FLASH_SM90_LAUNCH_H
#define BENCH_CUDA_FLASH_SM90_LAUNCH_H

#include "cuda/flash_launch.h"
#include "cuda/flash_sm90_loop.h"

static inline const char *hopper_why_not(const char *archs, const bench_attn *attn,
                                         const bench_device *device) {
  if (device->cc != 90) {
    return "needs compute capability 9.0 exactly: wgmma, setmaxnreg and the TMA of sm_90a";
  }
  if (attn->dtype == BENCH_FP32) {
    return "wgmma multiplies fp16 and bf16, not fp32";
  }
  if (attn->head_dim > 256) {
    return "head_dim is above 256";
  }
  if (attn->head_dim % CHUNK != 0) {
    return "head_dim is not a multiple of 8: the TMA wants rows of whole 16 bytes";
  }
  if (attn->batch * attn->heads_q > (INT64_C(1) << 30) / flash_row_blocks(attn, 64)) {
    return "more than 2^30 blocks of 64 rows";
  }
  return cuda_why_not(archs, attn, device);
}

/* [heads][seq][head_dim], a head at a time: what lies outside of one reads as zero. */
static inline bench_code hopper_map(dev_tensor_map *out, const bench_attn *attn, const void *base,
                                    int64_t seq, int64_t heads, int rows) {
  const int64_t pitch = attn->head_dim * 2;
  const int64_t dims[3] = {attn->head_dim, seq, heads};
  const int64_t strides[2] = {pitch, pitch * seq};
  const int32_t box[3] = {PANEL, rows, 1};
  return tensor_map_make(out, attn->dtype, 3, base, dims, strides, box, SWIZZLE_128B);
}

struct HopperMaps {
  dev_tensor_map q;
  dev_tensor_map k;
  dev_tensor_map v;
};

template <typename Plan>
static bench_code hopper_maps(const bench_launch *launch, HopperMaps *out) {
  const bench_attn *attn = launch->attn;
  const int64_t kv_heads = attn->batch * attn->heads_kv;
  bench_code code =
      hopper_map(&out->q, attn, launch->q, attn->seq_q, attn->batch * attn->heads_q, Plan::ROWS);
  if (code == BENCH_OK) {
    code = hopper_map(&out->k, attn, launch->k, attn->seq_kv, kv_heads, Plan::KEYS);
  }
  if (code == BENCH_OK) {
    code = hopper_map(&out->v, attn, launch->v, attn->seq_kv, kv_heads, Plan::KEYS);
  }
  return code;
}

static inline HopperQueue *hopper_queue(const bench_launch *launch) {
  return static_cast<HopperQueue *>(launch->workspace);
}

static inline size_t hopper_workspace_bytes(const bench_attn *, const bench_device *) {
  return sizeof(HopperQueue);
}

/* A block of threads for each multiprocessor, or as many as there is work for. */
template <typename Plan>
static unsigned hopper_grid(const FlashShape &shape) {
  const int64_t places = (int64_t)shape.heads * shape.row_blocks;
  const int64_t blocks = (places + Plan::PIPES - 1) / Plan::PIPES;
  const int64_t held = device_sm_count();
  return (unsigned)(blocks < held ? blocks : held);
}

#endif
