/* What the threads share out among them: the query rows, numbered through all heads, cut into runs
 * that share a key head, each run into tiles of rows, and, where a head has few rows, the keys of a
 * tile into parts. With few rows, as in decoding, a run has those of all heads that share a key
 * head, which stand one behind the other in Q: K and V are then read once for all of them. */
#ifndef BENCH_KERNELS_CPU_FLASH_ITEMS_H
#define BENCH_KERNELS_CPU_FLASH_ITEMS_H

#include "bench/mask.h"
#include "cpu/flash_split.h"

enum {
  FEW_ROWS = 16,   /* of a head, so that an item of its own would be nearly empty */
  PART_KEYS = 4096 /* of a part, where an item's keys are taken in parts */
};

typedef struct flash_items {
  int64_t run_rows;
  int64_t run_tiles;
  int64_t tiles;     /* of all runs */
  int64_t part_keys; /* all keys where parts is 1 */
  int64_t parts;
} flash_items;

/* With `shared`, the heads that share a key head also see the same keys in the same order, and may
 * be one run. */
static inline flash_items items_of(const bench_attn *attn, bool shared) {
  const bool few = attn->seq_q <= FEW_ROWS;
  const int64_t heads = few && shared ? attn->heads_q / attn->heads_kv : 1;
  flash_items items = {.run_rows = heads * attn->seq_q,
                       .part_keys = few ? PART_KEYS : attn->seq_kv};
  items.parts = (attn->seq_kv + items.part_keys - 1) / items.part_keys;
  items.run_tiles = (items.run_rows + TILE_ROWS - 1) / TILE_ROWS;
  items.tiles = bench_attn_rows(attn) / items.run_rows * items.run_tiles;
  return items;
}

/* The rows of a tile; none past the last tile. In each run from the last to the first. */
static inline row_span item_rows(const flash_items *items, int64_t tile) {
  const int64_t row = (items->run_tiles - 1 - tile % items->run_tiles) * TILE_ROWS;
  const int64_t left = items->run_rows - row;
  const int64_t rows = left < TILE_ROWS ? left : TILE_ROWS;
  return (row_span){tile / items->run_tiles * items->run_rows + row,
                    tile < items->tiles ? rows : 0};
}

/* What is kept of the parts, behind the threads' scratch. */
static inline size_t items_bytes(const flash_items *items, const bench_attn *attn) {
  return items->parts == 1
             ? 0
             : cpu_align((size_t)(items->tiles * items->parts * part_floats(attn)) * sizeof(float));
}

/* Begins rows [first, first + rows) of all, which share a key head, and takes all steps over the
 * keys of one part. */
typedef void flash_item_fn(flash_tile *tile, int64_t first, int64_t rows, bench_span part);

/* All items, by all threads, which take them as they come free, and what the parts add up to. */
static inline void items_run(const flash_items *items, const bench_launch *launch,
                             flash_item_fn *item) {
  const bench_attn *attn = launch->attn;
  const size_t threads_bytes = (size_t)launch->threads * flash_scratch_bytes(attn);
  float *parts = (float *)(cpu_align((uintptr_t)launch->workspace) + threads_bytes);
#pragma omp parallel num_threads(launch->threads)
  {
    flash_tile tile;
    tile_init(&tile, launch);
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < items->tiles * items->parts; i++) {
      const row_span rows = item_rows(items, i / items->parts);
      const int64_t begin = i % items->parts * items->part_keys;
      tile.later = item_rows(items, (i + launch->threads) / items->parts);
      item(&tile, rows.first, rows.rows, (bench_span){begin, begin + items->part_keys});
      if (items->parts == 1) {
        tile_end(&tile, rows.first);
      } else {
        part_keep(&tile, parts + i * part_floats(attn));
      }
    }
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < (items->parts == 1 ? 0 : items->tiles); i++) {
      const row_span rows = item_rows(items, i);
      parts_merge(&tile, parts + i * items->parts * part_floats(attn), items->parts, rows.first,
                  rows.rows);
    }
    tile_close(&tile);
  }
}

#endif
