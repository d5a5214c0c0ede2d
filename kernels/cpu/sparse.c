/* sparse: the flash loop (flash_tile.h) driven by the block list alone. Work follows the kept
 * blocks: full ones run without mask code, partial ones with their bits, and of an empty one
 * neither K nor V is touched. Small blocks are gathered until a softmax step is worth taking.
 *
 * Block rows go from the most kept blocks to the fewest, heads in order, and threads take them as
 * they come free. A block row of many query rows is several work items; where all of a head's rows
 * are few and in one block row, as in decoding, items are those of flash_items.h. */
#include "bench/kernel.h"
#include "cpu/flash_items.h"

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
  return flash_why_not(attn, device);
}

static bool sparse_few(const bench_attn *attn) {
  return attn->seq_q <= FEW_ROWS && attn->seq_q <= sparse_block(attn);
}

/* Heads with one pattern for all see the same blocks. */
static flash_items sparse_items(const bench_attn *attn) {
  return items_of(attn, bench_mask_patterns(attn) == 1);
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
  const flash_items items = sparse_items(attn);
  return flash_workspace_bytes(attn, device) +
         (sparse_few(attn) ? items_bytes(&items, attn) : sparse_order_bytes(attn));
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

/* The bits of keys [64 word, 64 word + TILE_KEYS) of a partial block for rows of several heads,
 * which in the block are the same rows again and again. */
static void gather_bits(const bench_blocklist *list, const uint64_t *block_bits, int64_t first,
                        int64_t rows, int64_t seq_q, int64_t word,
                        uint64_t bits[TILE_ROWS][TILE_WORDS]) {
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t w = 0; w < TILE_WORDS && word + w < list->words; w++) {
      bits[r][w] = block_bits[(first + r) % seq_q * list->words + word + w];
    }
  }
}

/* Rows [first, first + rows) of all, whose blocks are the same: of one block row, or of several
 * heads' first, and of the kept blocks those that begin in `part`. */
static void sparse_item(flash_tile *tile, int64_t first, int64_t rows, bench_span part) {
  const bench_attn *attn = tile->launch->attn;
  const bench_blocklist *list = tile->launch->blocks;
  const int64_t head = first / attn->seq_q;
  const int64_t row = first % attn->seq_q;
  const bool several = row + rows > attn->seq_q;
  const int64_t kv_head = head / (attn->heads_q / attn->heads_kv);
  const int64_t block_row = bench_blocklist_row(list, head, row);
  uint64_t bits[TILE_ROWS][TILE_WORDS];
  tile_begin(tile, first, rows);
  for (int64_t i = list->row_begin[block_row]; i < list->row_begin[block_row + 1]; i++) {
    const int64_t begin = list->column[i] * list->block;
    if (begin < part.begin || begin >= part.end) {
      continue;
    }
    const int64_t left = list->seq_kv - begin;
    const int64_t keys = left < list->block ? left : list->block;
    const bool partial = list->tile[i] != BENCH_BLOCK_FULL;
    const uint64_t *block_bits =
        partial ? list->tiles + list->tile[i] * list->block * list->words : NULL;
    for (int64_t j = 0; j < keys; j += TILE_KEYS) {
      key_run run = {.keys = keys - j < TILE_KEYS ? keys - j : TILE_KEYS, .trim = true};
      if (partial && several) {
        tile_step(tile); /* takes the keys whose bits stand here */
        gather_bits(list, block_bits, first, rows, attn->seq_q, j >> 6, bits);
        run.bits = bits[0];
        run.stride = TILE_WORDS;
      } else if (partial) {
        run.bits = block_bits + row % list->block * list->words + (j >> 6);
        run.stride = list->words;
      }
      tile_add(tile, kv_head, begin + j, run);
    }
  }
  tile_step(tile); /* while `bits` is there */
}

static bench_code sparse_launch_few(const bench_launch *launch) {
  const flash_items items = sparse_items(launch->attn);
  items_run(&items, launch, sparse_item);
  return BENCH_OK;
}

/* The items of a block list: block rows, of many query rows in parts. */
typedef struct list_items {
  const bench_blocklist *list;
  const int32_t *order; /* heavy_first of every pattern */
  int64_t parts;        /* items of a block row */
  int64_t count;
} list_items;

/* The rows of an item; none of one past the last, or past the last row of its head. */
static row_span list_rows(const list_items *items, int64_t item) {
  const bench_blocklist *list = items->list;
  if (item >= items->count) {
    return (row_span){0};
  }
  const int64_t head = item / (items->parts * list->rows);
  const int64_t pattern = list->pattern == NULL ? 0 : list->pattern[head];
  const int64_t block_row = items->order[pattern * list->rows + item / items->parts % list->rows];
  const int64_t row = block_row * list->block + item % items->parts * TILE_ROWS;
  const int64_t block_end = (block_row + 1) * list->block;
  const int64_t left = (block_end < list->seq_q ? block_end : list->seq_q) - row;
  return (row_span){head * list->seq_q + row, left < TILE_ROWS ? left : TILE_ROWS};
}

static bench_code sparse_launch(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  if (sparse_few(attn)) {
    return sparse_launch_few(launch);
  }
  const bench_blocklist *list = launch->blocks;
  const int64_t parts = (list->block + TILE_ROWS - 1) / TILE_ROWS;
  const size_t threads_bytes = (size_t)launch->threads * flash_scratch_bytes(attn);
  int32_t *order = (int32_t *)(cpu_align((uintptr_t)launch->workspace) + threads_bytes);
  for (int64_t p = 0; p < list->patterns; p++) {
    heavy_first(list, p, order + p * list->rows, order + list->patterns * list->rows);
  }
  const list_items items = {.list = list,
                            .order = order,
                            .parts = parts,
                            .count = attn->batch * attn->heads_q * list->rows * parts};
#pragma omp parallel num_threads(launch->threads)
  {
    flash_tile tile;
    tile_init(&tile, launch);
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < items.count; i++) {
      const row_span rows = list_rows(&items, i);
      if (rows.rows > 0) {
        tile.later = list_rows(&items, i + launch->threads);
        sparse_item(&tile, rows.first, rows.rows, (bench_span){0, attn->seq_kv});
        tile_end(&tile, rows.first);
      }
    }
    tile_close(&tile);
  }
  return BENCH_OK;
}

BENCH_KERNEL(cpu, sparse) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(sparse),
    .summary = "the flash loop over the kept blocks of the mask only",
    .wants_blocks = true,
    .block = SPARSE_BLOCK,
    .fuses_stats = true,
    .why_not = sparse_why_not,
    .workspace_bytes = sparse_workspace_bytes,
    .launch = sparse_launch,
};
