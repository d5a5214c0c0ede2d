/* decode: the next tokens. One to 16 query rows see a long past: little arithmetic, and K and V to
 * be read once, as fast as memory gives them.
 *
 * Three ideas over the flash kernels:
 *   - The query rows of all heads that share a key head stand one after the other in Q and O.
 * Packed into the 16 (or 32, 64) rows of one matrix tile they read their keys once, and the tensor
 * cores have the rows that they multiply anyway.
 *   - The keys are split over blocks, so that all multiprocessors read even where there are few
 *     heads. decode_plan.h says over how many.
 *   - A block leaves what it has of its rows, maximum, sum and output, in the workspace, and counts
 *     itself. The last block of a key head to arrive merges what all left, in the order of the keys
 *     whoever is last, so that equal inputs give equal bits. No second launch is needed.
 * Within a block (decode_tile.h) K and V come by cp.async through a ring of slots, in turn and up
 * to three ahead. Of 16 rows the four warps take a quarter of each tile of keys, and are merged as
 * the splits are, but in shared memory; of 64 rows each warp takes 16, and all keys.
 *
 * fp32 goes the same way, but for its products, which are plain FMA: one for each row and element,
 * so 16 for 4 bytes of K or V.
 *
 * Predicted limit: the bytes of K and V in the tiles that the mask shows, over the bandwidth of a
 * copy. What the splits leave adds little to it by plan; for a short past it is the latency of a
 * launch, of a few copies on their way together, and of the merge that counts. */
#include <math.h>

#include "cuda/common.h"
#include "cuda/decode_merge.h"
#include "cuda/decode_plan.h"
#include "cuda/decode_tile.h"
#include "cuda/device.h"
#include "cuda/mask_rows.h"

#define SEQ_Q_MAX 16
#define HEAD_DIM_MAX 256

/* Block x: of all units one after the other, each split. */
template <typename Layout, typename T>
BENCH_KERNEL_FN(Layout::THREADS)
void decode_blocks(DecodeShape shape, MaskRows mask, DecodeWorkspace workspace, const T *q,
                   const T *k, const T *v, T *o, float *lse) {
  BENCH_DYN_SMEM(smem, 16);
  DecodeBlock block;
  block.unit = block_x() / shape.splits;
  block.split = block_x() % shape.splits;
  block.head = block.unit / shape.row_tiles;
  block.row = block.unit % shape.row_tiles * Layout::ROWS;
  block.rows = shape.rows - block.row;
  block.first = shape.keys.tiles * block.split / shape.splits;
  block.end = shape.keys.tiles * (block.split + 1) / shape.splits;
  block.ring = smem;
  block.q = smem + Layout::RING_BYTES;
  DecodeRows<Layout> rows = {};
  for (int h = 0; h < 2; h++) {
    const int row = decode_warp_row<Layout>() + decode_lane() / 4 + h * 8;
    const int64_t i = (block.row + row) % shape.seq_q + mask.shift;
    rows.begin[h] = i - mask.behind;
    rows.end[h] = mask_clamp(i + mask.ahead + 1, 0, shape.seq_kv);
    rows.max[h] = minus_infinity();
  }
  decode_tiles<Layout>(shape, mask, block, q, k, v, rows);
  const DecodeMerge<Layout> merge = decode_merge_of<Layout>(block);
  decode_leave_warp(merge, rows);
  decode_leave_block(shape, block, merge, workspace, o, lse);
  if (shape.splits > 1 && decode_is_last(shape, block, merge, workspace)) {
    decode_merge_splits(shape, block, merge, workspace, o, lse);
  }
}

static int64_t decode_units(const bench_attn *attn, const DecodeShape &shape) {
  return attn->batch * attn->heads_kv * shape.row_tiles;
}

template <typename Layout>
static DecodeShape decode_shape(const bench_attn *attn, const bench_device *device) {
  bench_launch simple = {};
  simple.attn = attn;
  const MaskRows mask = mask_rows_of(&simple);
  DecodeShape shape = {};
  shape.rows = attn->heads_q / attn->heads_kv * attn->seq_q;
  shape.row_tiles = (shape.rows + Layout::ROWS - 1) / Layout::ROWS;
  shape.seq_q = attn->seq_q;
  shape.seq_kv = attn->seq_kv;
  shape.keys = decode_keys(mask.shift - mask.behind, attn->seq_kv, mask.sink, Layout::KEYS);
  shape.splits = decode_splits(decode_units(attn, shape), shape.rows, shape.keys.tiles,
                               Layout::KEYS, decode_slots(device, Layout::SMEM_BYTES));
  shape.head_dim = (int)attn->head_dim;
  shape.scale_log2 = 1.44269504088896340736f / sqrtf((float)attn->head_dim);
  return shape;
}

/* Calls visit with the layout that the problem takes. For head_dim 256 the outputs of more than 32
 * rows, with all that a block keeps of its scores, would not fit into the registers. */
template <int BYTES, typename Visit>
static auto decode_visit_bytes(const bench_attn *attn, Visit visit) {
  const bool few = attn->heads_q / attn->heads_kv * attn->seq_q <= 16;
  if (attn->head_dim <= 64) {
    return few ? visit(DecodeLayout<64, 1, BYTES>{}) : visit(DecodeLayout<64, 4, BYTES>{});
  }
  if (attn->head_dim <= 128) {
    return few ? visit(DecodeLayout<128, 1, BYTES>{}) : visit(DecodeLayout<128, 4, BYTES>{});
  }
  return few ? visit(DecodeLayout<256, 1, BYTES>{}) : visit(DecodeLayout<256, 2, BYTES>{});
}

template <typename Visit>
static auto decode_visit(const bench_attn *attn, Visit visit) {
  return attn->dtype == BENCH_FP32 ? decode_visit_bytes<4>(attn, visit)
                                   : decode_visit_bytes<2>(attn, visit);
}

/* The workspace: counters, maxima, sums, outputs. Nothing is left where nothing is split. */
template <typename Layout>
static size_t decode_workspace(const bench_attn *attn, const DecodeShape &shape, void *memory,
                               DecodeWorkspace *out) {
  if (shape.splits == 1) {
    return 0;
  }
  const int64_t left = decode_units(attn, shape) * shape.splits * Layout::ROWS;
  unsigned char *bytes = static_cast<unsigned char *>(memory);
  if (out != nullptr) {
    out->arrived = reinterpret_cast<uint32_t *>(bytes);
    out->max = reinterpret_cast<float *>(bytes + BENCH_WORKSPACE_ZEROED);
    out->sum = out->max + left;
    out->out = out->sum + left;
  }
  return BENCH_WORKSPACE_ZEROED + (size_t)(left * (2 + Layout::D)) * sizeof(float);
}

static size_t decode_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  return decode_visit(attn, [=](auto layout) {
    using Layout = decltype(layout);
    return decode_workspace<Layout>(attn, decode_shape<Layout>(attn, device), nullptr, nullptr);
  });
}

template <typename Layout, typename T>
static bench_code decode_launch_as(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const DecodeShape shape = decode_shape<Layout>(attn, launch->device);
  DecodeWorkspace workspace = {};
  decode_workspace<Layout>(attn, shape, launch->workspace, &workspace);
  return BENCH_LAUNCH((decode_blocks<Layout, T>),
                      (unsigned)(decode_units(attn, shape) * shape.splits), Layout::THREADS,
                      Layout::SMEM_BYTES, launch->stream, shape, mask_rows_of(launch), workspace,
                      static_cast<const T *>(launch->q), static_cast<const T *>(launch->k),
                      static_cast<const T *>(launch->v), static_cast<T *>(launch->o), launch->lse);
}

static bench_code decode_launch(const bench_launch *launch) {
  return decode_visit(launch->attn, [=](auto layout) {
    using Layout = decltype(layout);
    if constexpr (Layout::BYTES == 4) {
      return decode_launch_as<Layout, float>(launch);
    } else {
      return launch->attn->dtype == BENCH_FP16 ? decode_launch_as<Layout, dev_fp16>(launch)
                                               : decode_launch_as<Layout, dev_bf16>(launch);
    }
  });
}

static const char *decode_why_not(const bench_attn *attn, const bench_device *device) {
  const bench_mask_kind kind = attn->mask.kind;
  if (attn->seq_q > SEQ_Q_MAX) {
    return "decode is for at most 16 query rows";
  }
  if (kind != BENCH_MASK_FULL && kind != BENCH_MASK_CAUSAL && kind != BENCH_MASK_WINDOW &&
      kind != BENCH_MASK_SINK_WINDOW) {
    return "decode knows the masks full, causal, window and sink+window only";
  }
  if (attn->head_dim > HEAD_DIM_MAX) {
    return "head_dim is above 256";
  }
  if (attn->head_dim * (int64_t)bench_dtype_bytes(attn->dtype) % 16 != 0) {
    return "decode copies 16 bytes at a time: a row of K is no multiple of them";
  }
  const bool small = decode_visit(attn, [=](auto layout) {
    using Layout = decltype(layout);
    return decode_units(attn, decode_shape<Layout>(attn, device)) <= INT32_MAX &&
           (device->smem_bytes == 0 || device->smem_bytes >= Layout::SMEM_BYTES);
  });
  if (!small) {
    return "more rows than a grid has blocks, or less shared memory than a block of them needs";
  }
  return cuda_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, decode) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(decode),
    .summary = "1 to 16 query rows: packed head groups, keys split over blocks, merged in the last",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = decode_why_not,
    .workspace_bytes = decode_workspace_bytes,
    .launch = decode_launch,
};
