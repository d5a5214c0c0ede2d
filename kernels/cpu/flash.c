/* flash: tiled attention with the online softmax (flash_tile.h), the suite's main CPU kernel.
 *
 * Work items are 64 query rows of one head. Items of a head go from the last rows to the first,
 * which for causal masks is from heavy to light, heads in order: threads take them as they come
 * free, and neighbours share a head's K and V in cache. Where a head has few rows, as in decoding,
 * an item has those of all heads that share a key head, which stand one behind the other in Q: K
 * and V are then read once for all of them. Keys that a simple mask hides from all 64 rows are
 * skipped, whole tiles and edges alike. A BLOCK mask is not exploited: all keys up to the last
 * visible one are computed and the list's bits applied, so that this is the dense kernel beside
 * which `sparse` stands. */
#include "bench/kernel.h"
#include "cpu/flash_split.h"
#include "cpu/row_runs.h"

enum {
  FEW_ROWS = TILE_ROWS / 4, /* of a head, so that its item would be nearly empty */
  PART_KEYS = 4096          /* of a part, where an item's keys are taken in parts */
};

/* Where one row stands in the stream of its visible runs: `run` is the first one that does not
 * end before the current tile of keys. */
typedef struct row_cursor {
  row_runs runs;
  bench_span run;
} row_cursor;

static void cursor_next(row_cursor *cursor) {
  if (!row_runs_next(&cursor->runs, &cursor->run)) {
    cursor->run = (bench_span){INT64_MAX, INT64_MAX};
  }
}

/* Sets the bits of keys [begin, end) of the row, keys counted from the tile's first. */
static void set_bits(uint64_t *words, int64_t begin, int64_t end) {
  for (int w = 0; w < TILE_WORDS; w++) {
    words[w] |= word_of_keys(end, w) & ~word_of_keys(begin, w);
  }
}

/* The rows' bits of keys [key, key + keys). True if every row sees every key; then the bits are
 * not filled in. */
static bool tile_bits(row_cursor *cursors, int64_t rows, int64_t key, int64_t keys,
                      uint64_t bits[][TILE_WORDS]) {
  bool full = true;
  for (int64_t r = 0; r < rows && full; r++) {
    full = cursors[r].run.begin <= key && cursors[r].run.end >= key + keys;
  }
  for (int64_t r = 0; r < rows; r++) {
    row_cursor *cursor = &cursors[r];
    for (int w = 0; w < TILE_WORDS; w++) {
      bits[r][w] = 0;
    }
    while (cursor->run.begin < key + keys) {
      const int64_t begin = cursor->run.begin > key ? cursor->run.begin - key : 0;
      const int64_t end = cursor->run.end - key;
      set_bits(bits[r], begin, end < keys ? end : keys);
      if (end > keys) {
        break;
      }
      cursor_next(cursor);
    }
  }
  return full;
}

/* The first key at or after `key` that one of the rows sees. */
static int64_t next_visible(const row_cursor *cursors, int64_t rows, int64_t key) {
  int64_t next = INT64_MAX;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t begin = cursors[r].run.begin;
    const int64_t at = begin == INT64_MAX || begin > key ? begin : key;
    next = at < next ? at : next;
  }
  return next;
}

/* One past the last key that the row of a block list sees. */
static int64_t list_end(const bench_blocklist *list, int64_t head, int64_t row) {
  const int64_t b = bench_blocklist_row(list, head, row);
  if (list->row_begin[b] == list->row_begin[b + 1]) {
    return 0;
  }
  const int64_t end = (list->column[list->row_begin[b + 1] - 1] + INT64_C(1)) * list->block;
  return end < list->seq_kv ? end : list->seq_kv;
}

/* How the query rows, numbered through all heads, are cut into items: runs of rows that share a key
 * head, each cut into tiles, each of which takes its keys in parts. */
typedef struct flash_items {
  int64_t run_rows;
  int64_t run_tiles;
  int64_t tiles; /* of all runs */
  int64_t parts;
} flash_items;

static flash_items items_of(const bench_attn *attn) {
  const bool few = attn->seq_q <= FEW_ROWS;
  flash_items items = {.run_rows = few ? attn->heads_q / attn->heads_kv * attn->seq_q : attn->seq_q,
                       .parts = few ? (attn->seq_kv + PART_KEYS - 1) / PART_KEYS : 1};
  items.run_tiles = (items.run_rows + TILE_ROWS - 1) / TILE_ROWS;
  items.tiles = bench_attn_rows(attn) / items.run_rows * items.run_tiles;
  return items;
}

/* The rows of a tile: the first of all, and how many. In each run from the last to the first. */
static int64_t tile_rows(const flash_items *items, int64_t tile, int64_t *rows) {
  const int64_t row = (items->run_tiles - 1 - tile % items->run_tiles) * TILE_ROWS;
  const int64_t left = items->run_rows - row;
  *rows = left < TILE_ROWS ? left : TILE_ROWS;
  return tile / items->run_tiles * items->run_rows + row;
}

/* Rows [first, first + rows) of all, which share a key head, and the keys of one part; the last
 * step is left to take. */
static void flash_item(flash_tile *tile, int64_t first, int64_t rows, bench_span part) {
  const bench_attn *attn = tile->launch->attn;
  const bench_blocklist *list = tile->launch->blocks;
  const bool simple = bench_mask_is_simple(&attn->mask);
  const int64_t kv_head = first / attn->seq_q / (attn->heads_q / attn->heads_kv);
  int64_t end = simple ? attn->seq_kv : 0;
  row_cursor cursors[TILE_ROWS];
  uint64_t bits[TILE_ROWS][TILE_WORDS];
  for (int64_t r = 0; r < rows; r++) {
    const int64_t head = (first + r) / attn->seq_q;
    const int64_t row = (first + r) % attn->seq_q;
    cursors[r].runs = row_runs_of(attn, list, head, row);
    cursor_next(&cursors[r]);
    while (cursors[r].run.end <= part.begin) {
      cursor_next(&cursors[r]);
    }
    const int64_t own = simple ? 0 : list_end(list, head, row);
    end = own > end ? own : end;
  }
  end = part.end < end ? part.end : end;
  int64_t key = simple ? next_visible(cursors, rows, part.begin) : part.begin;
  tile_begin(tile, first, rows);
  while (key < end) {
    const int64_t keys = end - key < TILE_KEYS ? end - key : TILE_KEYS;
    const bool full = tile_bits(cursors, rows, key, keys, bits);
    tile_add(
        tile, kv_head, key,
        (key_run){
            .keys = keys, .bits = full ? NULL : bits[0], .stride = TILE_WORDS, .trim = simple});
    tile_step(tile);
    key = simple ? next_visible(cursors, rows, key + keys) : key + keys;
  }
}

static size_t flash_parts_bytes(const bench_attn *attn) {
  const flash_items items = items_of(attn);
  return items.parts == 1
             ? 0
             : cpu_align((size_t)(items.tiles * items.parts * part_floats(attn)) * sizeof(float));
}

static size_t flash_all_bytes(const bench_attn *attn, const bench_device *device) {
  return flash_workspace_bytes(attn, device) + flash_parts_bytes(attn);
}

static bench_code flash_launch(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const flash_items items = items_of(attn);
  const size_t threads_bytes = (size_t)launch->threads * flash_scratch_bytes(attn);
  float *parts = (float *)(cpu_align((uintptr_t)launch->workspace) + threads_bytes);
#pragma omp parallel num_threads(launch->threads)
  {
    int64_t rows;
    flash_tile tile;
    tile_init(&tile, launch);
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < items.tiles * items.parts; i++) {
      const int64_t first = tile_rows(&items, i / items.parts, &rows);
      const int64_t begin = i % items.parts * PART_KEYS;
      if (items.parts == 1) {
        flash_item(&tile, first, rows, (bench_span){0, attn->seq_kv});
        tile_end(&tile, first);
      } else {
        flash_item(&tile, first, rows, (bench_span){begin, begin + PART_KEYS});
        part_keep(&tile, parts + i * part_floats(attn));
      }
    }
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < (items.parts == 1 ? 0 : items.tiles); i++) {
      const int64_t first = tile_rows(&items, i, &rows);
      parts_merge(&tile, parts + i * items.parts * part_floats(attn), items.parts, first, rows);
    }
  }
  return BENCH_OK;
}

BENCH_KERNEL(cpu, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "tiled, online softmax, queries in the lanes; O(seq) memory",
    .why_not = cpu_why_not,
    .workspace_bytes = flash_all_bytes,
    .launch = flash_launch,
};
