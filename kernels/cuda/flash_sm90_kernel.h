/* The kernel of flash/sm90 and its launch with one plan: what its variants share. */
#ifndef BENCH_CUDA_FLASH_SM90_KERNEL_H
#define BENCH_CUDA_FLASH_SM90_KERNEL_H

#include "cuda/flash_sm90_launch.h"

/* The last rows of a head see the most keys under a causal mask: they come first. */
struct DenseOrder {};

BENCH_DEVICE_FN bool order_rows(const DenseOrder &, const FlashShape &shape, const MaskRows &,
                                int block_rows, int place, FlashRows &rows) {
  int rank;
  flash_place(shape, place, &rows.head, &rank);
  rows.row = (shape.row_blocks - 1 - rank) * block_rows;
  rows.last = min_i(rows.row + block_rows, shape.seq_q) - 1;
  return true;
}

template <typename T, typename Plan>
BENCH_KERNEL_FN(Plan::THREADS)
void flash_sm90_blocks(const BENCH_GRID_CONSTANT dev_tensor_map q,
                       const BENCH_GRID_CONSTANT dev_tensor_map k,
                       const BENCH_GRID_CONSTANT dev_tensor_map v, FlashShape shape, MaskRows mask,
                       HopperQueue *queue, FlashTensors<T> tensors) {
  BENCH_DYN_SMEM(memory, 128);
  HopperWork<T, DenseOrder> work = {&q, &k, &v, shape, mask, DenseOrder{}, queue, tensors};
  if constexpr (!Plan::LISTS) {
    work.mask.blocks.block = 0; /* which the compiler now knows */
  }
  hopper_block<T, Plan, false>(work, hopper_memory(memory));
}

template <typename T, typename Plan>
static bench_code flash_launch_plan(const bench_launch *launch) {
  const FlashShape shape = flash_shape(launch->attn, Plan::ROWS);
  HopperMaps maps;
  const bench_code code = hopper_maps<Plan>(launch, &maps);
  if (code != BENCH_OK) {
    return code;
  }
  return BENCH_LAUNCH((flash_sm90_blocks<T, Plan>), hopper_grid<Plan>(shape), Plan::THREADS,
                      Plan::SMEM_BYTES, launch->stream, maps.q, maps.k, maps.v, shape,
                      mask_rows_of(launch), hopper_queue(launch), flash_tensors<T>(launch));
}

/* A variant of one plan for head dims up to 64, without statistics, to measure what its switches
 * do. */
template <typename Switches>
static bench_code flash_launch_narrow(const bench_launch *launch) {
  typedef HopperPlan<64, 128, 3, false, Switches> Plan;
  return launch->attn->dtype == BENCH_FP16 ? flash_launch_plan<dev_fp16, Plan>(launch)
                                           : flash_launch_plan<dev_bf16, Plan>(launch);
}

static inline const char *flash_narrow_why_not(const char *archs, const bench_attn *attn,
                                               const bench_device *device) {
  if (attn->head_dim > 64) {
    return "head_dim is above 64: the variant is there to measure one switch at 64";
  }
  return hopper_why_not(archs, attn, device);
}

#endif
