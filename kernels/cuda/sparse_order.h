/* The order in which `sparse` kernels take the block rows of a list: those with the most kept
 * blocks first, as the last blocks of a grid run alone. A first kernel sorts the block rows of each
 * pattern: a counting sort by one block of threads, into the launch's workspace. */
#ifndef BENCH_CUDA_SPARSE_ORDER_H
#define BENCH_CUDA_SPARSE_ORDER_H

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
static BENCH_KERNEL_FN(SORT_THREADS) void sparse_sort(bench_blocklist list, int columns,
                                                      int32_t *order, uint32_t *bins) {
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

/* The head and the first row of the ROWS rows at place `index` of the order. The last block row may
 * lack its last part: then the row is none of the head's. */
BENCH_DEVICE_FN void sparse_place(const SparseOrder &order, const FlashShape &shape,
                                  const MaskRows &mask, int rows, int index, int *head, int *row) {
  int rank;
  flash_place(shape, index, head, &rank);
  *row = (shape.row_blocks - 1 - rank) * rows; /* without a list the last rows see the most */
  if (order.order != nullptr) {
    const int64_t pattern =
        mask.blocks.pattern == nullptr ? 0 : load_global(mask.blocks.pattern + *head);
    const int block_row =
        load_global(order.order + pattern * mask.blocks.rows + rank / order.parts);
    *row = block_row * (int)mask.blocks.block + rank % order.parts * rows;
  }
}

static inline int64_t sparse_block(const bench_attn *attn) {
  const int64_t fixed = bench_mask_block(attn);
  return fixed > 0 ? fixed : SPARSE_BLOCK;
}

static inline int64_t sparse_columns(const bench_attn *attn) {
  return (attn->seq_kv + sparse_block(attn) - 1) / sparse_block(attn);
}

static inline int64_t sparse_order_rows(const bench_attn *attn) {
  const int64_t rows = (attn->seq_q + sparse_block(attn) - 1) / sparse_block(attn);
  return bench_mask_patterns(attn) * rows;
}

static inline size_t sparse_workspace_bytes(const bench_attn *attn, const bench_device *) {
  if (bench_mask_is_simple(&attn->mask)) {
    return 0;
  }
  const int64_t bins = bench_mask_patterns(attn) * (sparse_columns(attn) + 1);
  return (size_t)(sparse_order_rows(attn) + bins) * sizeof(int32_t);
}

/* Sorts, if there is a list, into `memory` of sparse_workspace_bytes(). *order is NULL else. */
static inline bench_code sparse_begin(const bench_launch *launch, void *memory,
                                      const int32_t **order) {
  const bench_attn *attn = launch->attn;
  *order = nullptr;
  if (bench_mask_is_simple(&attn->mask)) {
    return BENCH_OK;
  }
  int32_t *const made = static_cast<int32_t *>(memory);
  uint32_t *const bins = static_cast<uint32_t *>(memory) + sparse_order_rows(attn);
  *order = made;
  return BENCH_LAUNCH(sparse_sort, (unsigned)launch->blocks->patterns, SORT_THREADS, 0,
                      launch->stream, *launch->blocks, (int)sparse_columns(attn), made, bins);
}

/* The shape and the order of a launch in blocks of `rows` rows, of which a mask block is a
 * multiple. */
static inline FlashShape sparse_shape(const bench_launch *launch, int rows, const int32_t *order,
                                      SparseOrder *out) {
  FlashShape shape = flash_shape(launch->attn, rows);
  *out = SparseOrder{order, 1};
  if (order != nullptr) {
    out->parts = (int)launch->blocks->block / rows;
    shape.row_blocks = (int)launch->blocks->rows * out->parts;
  }
  return shape;
}

/* Why a list of the mask cannot be worked on, or NULL. */
static inline const char *sparse_list_why_not(const bench_attn *attn) {
  if (!bench_mask_is_simple(&attn->mask) && sparse_block(attn) % SPARSE_BLOCK != 0) {
    return "the mask's block size is not a multiple of 64, the rows and keys of a tile";
  }
  if (attn->mask.kind == BENCH_MASK_STRIDED && attn->mask.stride < INT64_C(2) * SPARSE_BLOCK) {
    return "no causal block of 64 keys is empty at a stride below 128: there is nothing to skip";
  }
  return nullptr;
}

#endif
