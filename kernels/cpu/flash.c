/* flash: tiled attention with the online softmax (flash_tile.h), the suite's main CPU kernel.
 *
 * Work items (flash_items.h) of a head go from the last rows to the first, which for causal masks
 * is from heavy to light, heads in order, so that neighbours share a head's K and V in cache. Keys
 * that a simple mask hides from all rows of an item are skipped, whole tiles and edges alike, and
 * from all rows of a strip also within. A BLOCK mask is not exploited: all keys up to the last
 * visible one are computed and the list's bits applied, so that this is the dense kernel beside
 * which `sparse` stands. */
#include "bench/kernel.h"
#include "cpu/flash_items.h"
#include "cpu/row_runs.h"

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

/* Does every row see all keys [key, end)? If so the cursors go on to the keys behind them. */
static bool tile_full(row_cursor *cursors, int64_t rows, int64_t key, int64_t end) {
  for (int64_t r = 0; r < rows; r++) {
    if (cursors[r].run.begin > key || cursors[r].run.end < end) {
      return false;
    }
  }
  for (int64_t r = 0; r < rows; r++) {
    if (cursors[r].run.end == end) {
      cursor_next(&cursors[r]);
    }
  }
  return true;
}

/* The rows' bits of keys [key, key + keys). */
static void tile_bits(row_cursor *cursors, int64_t rows, int64_t key, int64_t keys,
                      uint64_t bits[][TILE_WORDS]) {
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
    key_run run = {.keys = keys, .stride = TILE_WORDS, .trim = simple};
    if (!tile_full(cursors, rows, key, key + keys)) {
      tile_bits(cursors, rows, key, keys, bits);
      run.bits = bits[0];
    }
    tile_add(tile, kv_head, key, run);
    tile_step(tile);
    key = simple ? next_visible(cursors, rows, key + keys) : key + keys;
  }
}

static size_t flash_all_bytes(const bench_attn *attn, const bench_device *device) {
  const flash_items items = items_of(attn, true);
  return flash_workspace_bytes(attn, device) + items_bytes(&items, attn);
}

static bench_code flash_launch(const bench_launch *launch) {
  const flash_items items = items_of(launch->attn, true);
  items_run(&items, launch, flash_item);
  return BENCH_OK;
}

BENCH_KERNEL(cpu, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "tiled, online softmax, queries in the lanes; O(seq) memory",
    .fuses_stats = true,
    .why_not = flash_why_not,
    .workspace_bytes = flash_all_bytes,
    .launch = flash_launch,
};
