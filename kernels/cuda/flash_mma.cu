/* flash on the tensor cores of sm_80 and later: mma.sync fed by ldmatrix from shared memory, which
 * cp.async fills while the tile before is at work.
 *
 * A step above the tiled kernel on the ladder: products are made of fragments in registers, P never
 * leaves them, and softmax costs what it must: one max, one FMA, one ex2 and one add a logit.
 */
#include "cuda/flash_launch.h"

#define FLASH_ROWS 128

template <typename T, typename Plan>
BENCH_KERNEL_FN_BLOCKS(Plan::THREADS, Plan::BLOCKS)
void flash_blocks(FlashShape shape, MaskRows mask, FlashTensors<T> tensors) {
  BENCH_DYN_SMEM(memory, SMEM_ALIGN);
  int head;
  int rank;
  flash_place(shape, (int)block_x(), &head, &rank);
  const int row = (shape.row_blocks - 1 - rank) * Plan::ROWS; /* the last see the most */
  flash_block<T, Plan, false>(shape, mask, head, row, tensors, memory);
}

template <typename T, int DIM, bool STATS>
static bench_code flash_launch_plan(const bench_launch *launch) {
  typedef FlashPlan<DIM, FLASH_ROWS, STATS> Plan;
  const FlashShape shape = flash_shape(launch->attn, Plan::ROWS);
  return BENCH_LAUNCH((flash_blocks<T, Plan>), (unsigned)shape.heads * (unsigned)shape.row_blocks,
                      Plan::THREADS, Plan::SMEM_BYTES, launch->stream, shape, mask_rows_of(launch),
                      flash_tensors<T>(launch));
}

template <typename T, int DIM>
static bench_code flash_launch_dim(const bench_launch *launch) {
  return launch->stats == nullptr ? flash_launch_plan<T, DIM, false>(launch)
                                  : flash_launch_plan<T, DIM, true>(launch);
}

template <typename T>
static bench_code flash_launch_as(const bench_launch *launch) {
  switch (flash_dim(launch->attn)) {
    case 32:
      return flash_launch_dim<T, 32>(launch);
    case 64:
      return flash_launch_dim<T, 64>(launch);
    case 96:
      return flash_launch_dim<T, 96>(launch);
    case 128:
      return flash_launch_dim<T, 128>(launch);
    case 192:
      return flash_launch_dim<T, 192>(launch);
    default:
      return flash_launch_dim<T, 256>(launch);
  }
}

static bench_code flash_mma_launch(const bench_launch *launch) {
  return launch->attn->dtype == BENCH_FP16 ? flash_launch_as<dev_fp16>(launch)
                                           : flash_launch_as<dev_bf16>(launch);
}

static const char *flash_mma_why_not(const bench_attn *attn, const bench_device *device) {
  return flash_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "mma.sync, ldmatrix and cp.async; 128 rows a block, tiles of 64 keys",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = true,
    .why_not = flash_mma_why_not,
    .workspace_bytes = nullptr,
    .launch = flash_mma_launch,
};
