/* sparse: the flash loop (flash_loop.h) over the kept blocks of the mask alone. Of an empty block
 * neither K nor V is touched, a full one runs without mask code, a partial one with its bits. A
 * window with or without a sink needs no list: its tiles follow from the row. Block rows are taken
 * in the order of sparse_order.h. A block of threads takes 128 rows where the mask's blocks allow,
 * else 64; either way they belong to one block row. */
#include "cuda/flash_launch.h"
#include "cuda/sparse_order.h"

template <typename T, typename Plan>
BENCH_KERNEL_FN_BLOCKS(Plan::THREADS, Plan::BLOCKS)
void sparse_blocks(FlashShape shape, MaskRows mask, SparseOrder order, FlashTensors<T> tensors) {
  BENCH_DYN_SMEM(memory, SMEM_ALIGN);
  int head;
  int row;
  sparse_place(order, shape, mask, Plan::ROWS, (int)block_x(), &head, &row);
  if (row < shape.seq_q) {
    flash_block<T, Plan, true>(shape, mask, head, row, tensors, memory);
  }
}

template <typename T, int DIM, int ROWS>
static bench_code sparse_launch_plan(const bench_launch *launch, const int32_t *order) {
  typedef FlashPlan<DIM, ROWS, false> Plan;
  SparseOrder rows;
  const FlashShape shape = sparse_shape(launch, Plan::ROWS, order, &rows);
  return BENCH_LAUNCH((sparse_blocks<T, Plan>), (unsigned)shape.heads * (unsigned)shape.row_blocks,
                      Plan::THREADS, Plan::SMEM_BYTES, launch->stream, shape, mask_rows_of(launch),
                      rows, flash_tensors<T>(launch));
}

template <typename T, int DIM>
static bench_code sparse_launch_dim(const bench_launch *launch, const int32_t *order) {
  return order == nullptr || launch->blocks->block % 128 == 0
             ? sparse_launch_plan<T, DIM, 128>(launch, order)
             : sparse_launch_plan<T, DIM, 64>(launch, order);
}

template <typename T>
static bench_code sparse_launch_as(const bench_launch *launch, const int32_t *order) {
  switch (flash_dim(launch->attn)) {
    case 32:
      return sparse_launch_dim<T, 32>(launch, order);
    case 64:
      return sparse_launch_dim<T, 64>(launch, order);
    case 96:
      return sparse_launch_dim<T, 96>(launch, order);
    case 128:
      return sparse_launch_dim<T, 128>(launch, order);
    case 192:
      return sparse_launch_dim<T, 192>(launch, order);
    default:
      return sparse_launch_dim<T, 256>(launch, order);
  }
}

static bench_code sparse_launch(const bench_launch *launch) {
  const int32_t *order;
  const bench_code code = sparse_begin(launch, launch->workspace, &order);
  if (code != BENCH_OK) {
    return code;
  }
  return launch->attn->dtype == BENCH_FP16 ? sparse_launch_as<dev_fp16>(launch, order)
                                           : sparse_launch_as<dev_bf16>(launch, order);
}

static const char *sparse_why_not(const bench_attn *attn, const bench_device *device) {
  const char *reason = sparse_list_why_not(attn);
  return reason != nullptr ? reason : flash_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, sparse) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(sparse),
    .summary = "the tensor-core flash loop over the kept blocks of the mask only",
    .wants_blocks = false, /* a simple mask needs no list; the others bring theirs */
    .block = 0,
    .fuses_stats = false,
    .why_not = sparse_why_not,
    .workspace_bytes = sparse_workspace_bytes,
    .launch = sparse_launch,
};
