/* sparse for Hopper: the loop of flash_sm90_loop.h over the kept blocks of the mask alone, in the
 * order of sparse_order.h. A window, with or without a sink, needs no list.
 *
 * The rows of a block of threads belong to one block row, and its tiles of keys to one block. Mask
 * blocks of 128 and its multiples are worked on by two warpgroups in turn, as in flash. Blocks of
 * 64 leave one warpgroup to compute; up to head dim 128 a block of threads then has two pipes. */
#include "cuda/flash_sm90_launch.h"
#include "cuda/sparse_order.h"

BENCH_DEVICE_FN bool order_rows(const SparseOrder &order, const FlashShape &shape,
                                const MaskRows &mask, int block_rows, int place, FlashRows &rows) {
  sparse_place(order, shape, mask, block_rows, place, &rows.head, &rows.row);
  rows.last = min_i(rows.row + block_rows, shape.seq_q) - 1;
  return rows.row < shape.seq_q;
}

template <typename T, typename Plan>
BENCH_KERNEL_FN(Plan::THREADS)
void sparse_sm90_blocks(const BENCH_GRID_CONSTANT dev_tensor_map q,
                        const BENCH_GRID_CONSTANT dev_tensor_map k,
                        const BENCH_GRID_CONSTANT dev_tensor_map v, FlashShape shape, MaskRows mask,
                        SparseOrder order, HopperQueue *queue, FlashTensors<T> tensors) {
  BENCH_DYN_SMEM(memory, 128);
  const HopperWork<T, SparseOrder> work = {&q, &k, &v, shape, mask, order, queue, tensors};
  hopper_block<T, Plan, true>(work, hopper_memory(memory));
}

template <typename T, typename Plan>
static bench_code sparse_launch_plan(const bench_launch *launch, const int32_t *order) {
  SparseOrder rows;
  const FlashShape shape = sparse_shape(launch, Plan::ROWS, order, &rows);
  HopperMaps maps;
  const bench_code code = hopper_maps<Plan>(launch, &maps);
  if (code != BENCH_OK) {
    return code;
  }
  return BENCH_LAUNCH((sparse_sm90_blocks<T, Plan>), hopper_grid<Plan>(shape), Plan::THREADS,
                      Plan::SMEM_BYTES, launch->stream, maps.q, maps.k, maps.v, shape,
                      mask_rows_of(launch), rows, hopper_queue(launch), flash_tensors<T>(launch));
}

/* Blocks of 128 or 64 rows. A tile's keys divide a block's. */
template <typename T, int DIM, bool STATS>
static bench_code sparse_launch_dim(const bench_launch *launch, const int32_t *order) {
  typedef HopperSwitches<0, 8> Plain;
  constexpr int WIDE = DIM <= 128 ? 128 : 64;
  return order == nullptr || launch->blocks->block % 128 == 0
             ? sparse_launch_plan<T, HopperPlan<DIM, WIDE, 2, STATS, Plain>>(launch, order)
             : sparse_launch_plan<T, HopperPlan<DIM, 64, 1, STATS, Plain>>(launch, order);
}

template <typename T, bool STATS>
static bench_code sparse_launch_stats(const bench_launch *launch, const int32_t *order) {
  const int64_t dim = launch->attn->head_dim;
  if (dim <= 64) {
    return sparse_launch_dim<T, 64, STATS>(launch, order);
  }
  if (dim <= 96) {
    return sparse_launch_dim<T, 96, STATS>(launch, order);
  }
  if (dim <= 128) {
    return sparse_launch_dim<T, 128, STATS>(launch, order);
  }
  if (dim <= 192) {
    return sparse_launch_dim<T, 192, STATS>(launch, order);
  }
  return sparse_launch_dim<T, 256, STATS>(launch, order);
}

template <typename T>
static bench_code sparse_launch_as(const bench_launch *launch, const int32_t *order) {
  return launch->stats == nullptr ? sparse_launch_stats<T, false>(launch, order)
                                  : sparse_launch_stats<T, true>(launch, order);
}

static bench_code sparse_sm90_launch(const bench_launch *launch) {
  const int32_t *order;
  const bench_code code = sparse_begin(launch, hopper_queue(launch) + 1, &order);
  if (code != BENCH_OK) {
    return code;
  }
  return launch->attn->dtype == BENCH_FP16 ? sparse_launch_as<dev_fp16>(launch, order)
                                           : sparse_launch_as<dev_bf16>(launch, order);
}

/* The queue, and behind it the order. */
static size_t sparse_sm90_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  return hopper_workspace_bytes(attn, device) + sparse_workspace_bytes(attn, device);
}

static const char *sparse_sm90_why_not(const bench_attn *attn, const bench_device *device) {
  const char *reason = sparse_list_why_not(attn);
  return reason != nullptr ? reason : hopper_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, sparse) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(sparse),
    .summary = "the Hopper loop over the kept blocks of the mask only, heavy rows first",
    .wants_blocks = false, /* a simple mask needs no list; the others bring theirs */
    .block = 0,
    .fuses_stats = true,
    .why_not = sparse_sm90_why_not,
    .workspace_bytes = sparse_sm90_workspace_bytes,
    .launch = sparse_sm90_launch,
};
