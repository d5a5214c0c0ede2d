/* sparse: the flash loop (flash_tile.h) driven by the block list alone. Work follows the kept
 * blocks: full ones run without mask code, partial ones with their bits, and of an empty one
 * neither K nor V is touched. Small blocks are gathered until a softmax step is worth taking.
 *
 * Block rows go from the most kept blocks to the fewest, heads in order, and threads take them as
 * they come free. A block row of more than 64 query rows is several work items. */
#include "bench/kernel.h"
#include "cpu/flash_tile.h"

enum { SPARSE_BLOCK = 64 }; /* for the simple masks; BLOCK masks bring theirs */

static int64_t sparse_block(const bench_attn *attn) {
  const int64_t fixed = bench_mask_block(attn);
  return fixed > 0 ? fixed : SPARSE_BLOCK;
}

/* With a stride so small every causal block has a visible pair. */
static const char *sparse_why_not(const bench_attn *attn, const bench_device *device) {
  if (attn->mask.kind == BENCH_MASK_STRIDED && attn->mask.stride < INT64_C(2) * SPARSE_BLOCK) {
    return "no causal block of 64 keys is empty at a stride below 128: there is nothing to skip";
  }
  return cpu_why_not(attn, device);
}

/* The order of block rows, [patterns][rows], and a counter for each number of kept blocks,
 * [columns + 2]. */
static size_t sparse_order_bytes(const bench_attn *attn) {
  const int64_t block = sparse_block(attn);
  const int64_t rows = (attn->seq_q + block - 1) / block;
  const int64_t columns = (attn->seq_kv + block - 1) / block;
  return cpu_align((size_t)(bench_mask_patterns(attn) * rows + columns + 2) * sizeof(int32_t));
}

static size_t sparse_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  return flash_workspace_bytes(attn, device) + sparse_order_bytes(attn);
}

/* Counting sort of the block rows of one pattern, most kept blocks first. `begin` counts the rows
 * with c blocks at columns - c. */
static void heavy_first(const bench_blocklist *list, int64_t pattern, int32_t *order,
                        int32_t *begin) {
  const int64_t columns = (list->seq_kv + list->block - 1) / list->block;
  const int64_t *row_begin = list->row_begin + pattern * list->rows;
  memset(begin, 0, (size_t)(columns + 2) * sizeof *begin);
  for (int64_t r = 0; r < list->rows; r++) {
    begin[columns - (row_begin[r + 1] - row_begin[r]) + 1]++;
  }
  for (int64_t c = 0; c < columns; c++) {
    begin[c + 1] += begin[c];
  }
  for (int64_t r = list->rows - 1; r >= 0; r--) {
    order[begin[columns - (row_begin[r + 1] - row_begin[r])]++] = (int32_t)r;
  }
}

/* Query rows [row, row + rows) of `head` (over batch and heads), all in one block row. */
static void sparse_item(flash_tile *tile, int64_t head, int64_t row, int64_t rows) {
  const bench_attn *attn = tile->launch->attn;
  const bench_blocklist *list = tile->launch->blocks;
  const int64_t kv_head = head / (attn->heads_q / attn->heads_kv);
  const int64_t block_row = bench_blocklist_row(list, head, row);
  tile_begin(tile, head * attn->seq_q + row, rows);
  for (int64_t i = list->row_begin[block_row]; i < list->row_begin[block_row + 1]; i++) {
    const int64_t first = list->column[i] * list->block;
    const int64_t left = list->seq_kv - first;
    const int64_t keys = left < list->block ? left : list->block;
    const uint64_t *bits = NULL;
    if (list->tile[i] != BENCH_BLOCK_FULL) {
      bits = list->tiles + (list->tile[i] * list->block + row % list->block) * list->words;
    }
    for (int64_t j = 0; j < keys; j += TILE_KEYS) {
      tile_add(tile, kv_head, first + j,
               (key_run){.keys = keys - j < TILE_KEYS ? keys - j : TILE_KEYS,
                         .bits = bits == NULL ? NULL : bits + (j >> 6),
                         .stride = list->words,
                         .trim = true});
    }
  }
  tile_end(tile, head * attn->seq_q + row);
}

static bench_code sparse_launch(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const bench_blocklist *list = launch->blocks;
  const int64_t parts = (list->block + TILE_ROWS - 1) / TILE_ROWS; /* items per block row */
  const int64_t items = attn->batch * attn->heads_q * list->rows * parts;
  const size_t threads_bytes = (size_t)launch->threads * flash_scratch_bytes(attn);
  int32_t *order = (int32_t *)(cpu_align((uintptr_t)launch->workspace) + threads_bytes);
  for (int64_t p = 0; p < list->patterns; p++) {
    heavy_first(list, p, order + p * list->rows, order + list->patterns * list->rows);
  }
#pragma omp parallel num_threads(launch->threads)
  {
    flash_tile tile;
    tile_init(&tile, launch);
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < items; i++) {
      const int64_t head = i / (parts * list->rows);
      const int64_t pattern = list->pattern == NULL ? 0 : list->pattern[head];
      const int64_t block_row = order[pattern * list->rows + i / parts % list->rows];
      const int64_t row = block_row * list->block + i % parts * TILE_ROWS;
      const int64_t block_end = (block_row + 1) * list->block;
      const int64_t left = (block_end < attn->seq_q ? block_end : attn->seq_q) - row;
      if (left > 0) {
        sparse_item(&tile, head, row, left < TILE_ROWS ? left : TILE_ROWS);
      }
    }
  }
  return BENCH_OK;
}

BENCH_KERNEL(cpu, sparse) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(sparse),
    .summary = "the flash loop over the kept blocks of the mask only",
    .wants_blocks = true,
    .block = SPARSE_BLOCK,
    .why_not = sparse_why_not,
    .workspace_bytes = sparse_workspace_bytes,
    .launch = sparse_launch,
};
