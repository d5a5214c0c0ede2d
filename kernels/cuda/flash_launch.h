/* From a launch to the kernel of the flash loop: what `flash` and `sparse` share on the host. */
#ifndef BENCH_CUDA_FLASH_LAUNCH_H
#define BENCH_CUDA_FLASH_LAUNCH_H

#include <math.h>

#include "cuda/common.h"
#include "cuda/flash_loop.h"

/* K and V of the heads that are worked on side by side: a share of every second-level cache of
 * more than 32 MB; in a smaller one neighbouring blocks of a head meet at least. */
#define SECTION_BYTES (INT64_C(16) << 20)

/* The least head dim with a plan that holds the problem's. */
static inline int flash_dim(const bench_attn *attn) {
  static const int dims[] = {32, 64, 96, 128, 192, 256};
  int n = 0;
  while (dims[n] < attn->head_dim) {
    n++;
  }
  return dims[n];
}

/* Blocks of `rows` rows of a head. */
static inline int64_t flash_row_blocks(const bench_attn *attn, int rows) {
  return (attn->seq_q + rows - 1) / rows;
}

static inline const char *flash_why_not(const char *archs, const bench_attn *attn,
                                        const bench_device *device) {
  if (attn->dtype == BENCH_FP32) {
    return "the tensor cores of sm_80 multiply fp16 and bf16, not fp32";
  }
  if (attn->head_dim > 256) {
    return "head_dim is above 256";
  }
  if (attn->head_dim % CHUNK != 0) {
    return "head_dim is not a multiple of 8: rows are copied 16 bytes at a time";
  }
  if (device->cc < 80) {
    return "needs compute capability 8.0: cp.async and mma.sync m16n8k16";
  }
  return cuda_why_not(archs, attn, device);
}

static inline FlashShape flash_shape(const bench_attn *attn, int rows) {
  const int64_t kv_bytes = 4 * attn->seq_kv * attn->head_dim; /* K and V of a head */
  const int64_t group = attn->heads_q / attn->heads_kv;
  const int64_t fitting = SECTION_BYTES / kv_bytes > 1 ? SECTION_BYTES / kv_bytes : 1;
  FlashShape shape;
  shape.heads = (int)(attn->batch * attn->heads_q);
  shape.seq_q = (int)attn->seq_q;
  shape.seq_kv = (int)attn->seq_kv;
  shape.head_dim = (int)attn->head_dim;
  shape.group = (int)group;
  shape.row_blocks = (int)flash_row_blocks(attn, rows);
  /* As few sections as fit, and all alike: what is left over would not fill the GPU. */
  const int64_t kv_heads = attn->batch * attn->heads_kv;
  const int64_t sections = (kv_heads + fitting - 1) / fitting;
  shape.section = (int)((kv_heads + sections - 1) / sections * group);
  shape.scale_log2 = 1.44269504088896340736f / sqrtf((float)attn->head_dim);
  return shape;
}

template <typename T>
static FlashTensors<T> flash_tensors(const bench_launch *launch) {
  return FlashTensors<T>{static_cast<const T *>(launch->q),
                         static_cast<const T *>(launch->k),
                         static_cast<const T *>(launch->v),
                         static_cast<T *>(launch->o),
                         launch->lse,
                         launch->stats};
}

#endif
