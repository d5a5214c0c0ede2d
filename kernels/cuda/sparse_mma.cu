/* sparse: the flash loop (flash_loop.h) over the kept blocks of the mask alone. Of an empty block
 * neither K nor V is touched, a full one runs without mask code, a partial one with its bits. A
 * window with or without a sink needs no list: its tiles follow from the row.
 *
 * Rows of a block list differ in work, and the last blocks of a grid run alone, so a first kernel
 * sorts the block rows of each pattern, those with the most kept blocks first: a counting sort by
 * one block of threads. A block of threads takes 128 rows where the mask's blocks allow, else 64;
 * either way they belong to one block row. */
#include "cuda/flash_launch.h"

#define SORT_THREADS 256
#define SPARSE_BLOCK 64 /* of masks that leave the size open; mask blocks are multiples of it */

/* How the rows of a list are handed out; without a list `order` is NULL. */
struct SparseOrder {
  const int32_t *order; /* [patterns][list rows] block rows, heaviest first */
  int parts;            /* blocks of threads that share a block row */
};

BENCH_DEVICE_FN int sparse_kept(const bench_blocklist &list, int64_t pattern, int row) {
  const int64_t *begin = list.row_begin + pattern * list.rows + row;
  return (int)(load_global(begin + 1) - load_global(begin));
}

/* Turns counts by number of kept blocks, 0 .. columns, into the place of the first of each, where
 * more come before fewer. Each thread has a run of counts; the runs' sums meet in `sums`. */
BENCH_DEVICE_FN void sparse_scan(uint32_t *bins, int columns, uint32_t *sums) {
  const int run = columns / SORT_THREADS + 1;
  const int first = columns - thread_x() * run;
  uint32_t place = 0;
  for (int c = first; c > first - run && c >= 0; c--) {
    place += bins[c];
  }
  sums[thread_x()] = place;
  sync_threads();
  place = 0;
  for (int t = 0; t < thread_x(); t++) {
    place += sums[t];
  }
  for (int c = first; c > first - run && c >= 0; c--) {
    const uint32_t count = bins[c];
    bins[c] = place;
    place += count;
  }
}

/* Sorts the block rows of pattern block_x(). bins: [patterns][columns + 1]. Rows of equal weight
 * come in any order, which changes when a row is worked on and nothing else. */
BENCH_KERNEL_FN(SORT_THREADS)
void sparse_sort(bench_blocklist list, int columns, int32_t *order, uint32_t *bins) {
  BENCH_SHARED(uint32_t, sums, [SORT_THREADS]);
  const int64_t pattern = block_x();
  const int rows = (int)list.rows;
  bins += pattern * (columns + 1);
  order += pattern * rows;
  for (int c = thread_x(); c <= columns; c += SORT_THREADS) {
    bins[c] = 0;
  }
  sync_threads();
  for (int r = thread_x(); r < rows; r += SORT_THREADS) {
    atomic_add(&bins[sparse_kept(list, pattern, r)], 1u);
  }
  sync_threads();
  sparse_scan(bins, columns, sums);
  sync_threads();
  for (int r = thread_x(); r < rows; r += SORT_THREADS) {
    order[atomic_add(&bins[sparse_kept(list, pattern, r)], 1u)] = r;
  }
}

template <typename T, typename Plan>
BENCH_KERNEL_FN_BLOCKS(Plan::THREADS, Plan::BLOCKS)
void sparse_blocks(FlashShape shape, MaskRows mask, SparseOrder order, FlashTensors<T> tensors) {
  BENCH_DYN_SMEM(memory, SMEM_ALIGN);
  int head;
  int rank;
  flash_place(shape, (int)block_x(), &head, &rank);
  int row = (shape.row_blocks - 1 - rank) * Plan::ROWS;
  if (order.order != nullptr) {
    const int64_t pattern =
        mask.blocks.pattern == nullptr ? 0 : load_global(mask.blocks.pattern + head);
    const int block_row =
        load_global(order.order + pattern * mask.blocks.rows + rank / order.parts);
    row = block_row * (int)mask.blocks.block + rank % order.parts * Plan::ROWS;
  }
  if (row < shape.seq_q) { /* the last block row may lack its last part */
    flash_block<T, Plan, true>(shape, mask, head, row, tensors, memory);
  }
}

template <typename T, int DIM, int ROWS>
static bench_code sparse_launch_plan(const bench_launch *launch, const int32_t *order) {
  typedef FlashPlan<DIM, ROWS, false> Plan;
  const MaskRows mask = mask_rows_of(launch);
  FlashShape shape = flash_shape(launch->attn, Plan::ROWS);
  SparseOrder rows = {order, 1};
  if (order != nullptr) {
    rows.parts = (int)mask.blocks.block / Plan::ROWS;
    shape.row_blocks = (int)mask.blocks.rows * rows.parts;
  }
  return BENCH_LAUNCH((sparse_blocks<T, Plan>), (unsigned)shape.heads * (unsigned)shape.row_blocks,
                      Plan::THREADS, Plan::SMEM_BYTES, launch->stream, shape, mask, rows,
                      flash_tensors<T>(launch));
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

static int64_t sparse_block(const bench_attn *attn) {
  const int64_t fixed = bench_mask_block(attn);
  return fixed > 0 ? fixed : SPARSE_BLOCK;
}

static int64_t sparse_columns(const bench_attn *attn) {
  return (attn->seq_kv + sparse_block(attn) - 1) / sparse_block(attn);
}

static int64_t sparse_order_rows(const bench_attn *attn) {
  const int64_t rows = (attn->seq_q + sparse_block(attn) - 1) / sparse_block(attn);
  return bench_mask_patterns(attn) * rows;
}

static size_t sparse_workspace_bytes(const bench_attn *attn, const bench_device *) {
  if (bench_mask_is_simple(&attn->mask)) {
    return 0;
  }
  const int64_t bins = bench_mask_patterns(attn) * (sparse_columns(attn) + 1);
  return (size_t)(sparse_order_rows(attn) + bins) * sizeof(int32_t);
}

static bench_code sparse_launch(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  int32_t *order = nullptr;
  if (!bench_mask_is_simple(&attn->mask)) {
    order = static_cast<int32_t *>(launch->workspace);
    uint32_t *bins = static_cast<uint32_t *>(launch->workspace) + sparse_order_rows(attn);
    const bench_code code =
        BENCH_LAUNCH(sparse_sort, (unsigned)launch->blocks->patterns, SORT_THREADS, 0,
                     launch->stream, *launch->blocks, (int)sparse_columns(attn), order, bins);
    if (code != BENCH_OK) {
      return code;
    }
  }
  return attn->dtype == BENCH_FP16 ? sparse_launch_as<dev_fp16>(launch, order)
                                   : sparse_launch_as<dev_bf16>(launch, order);
}

static const char *sparse_why_not(const bench_attn *attn, const bench_device *device) {
  if (!bench_mask_is_simple(&attn->mask) && sparse_block(attn) % SPARSE_BLOCK != 0) {
    return "the mask's block size is not a multiple of 64, the rows and keys of a tile";
  }
  if (attn->mask.kind == BENCH_MASK_STRIDED && attn->mask.stride < INT64_C(2) * SPARSE_BLOCK) {
    return "no causal block of 64 keys is empty at a stride below 128: there is nothing to skip";
  }
  return flash_why_not(BENCH_ARCHS, attn, device);
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
