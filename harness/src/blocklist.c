/* The block list, to which every mask can be resolved.
 *
 * Simple masks: which blocks of a block row are kept, and which of those are full, follows from
 * the positions of its first and last row (mask_band.h), so the work is linear in kept blocks. A
 * simple mask has a handful of distinct bit tiles whatever its length, for the pattern repeats
 * from block row to block row: the tiles are therefore compared one by one.
 *
 * BLOCK masks: of the causal blocks (those with at least one pair j <= i), the ones with a
 * diagonal pair j = i are always kept; max(diagonal blocks, llround(density * causal blocks)) are
 * kept in all. The others are drawn in order by selection sampling (Knuth, Algorithm S): block k
 * is taken with probability needed / remaining, which gives an exact count and, within a class of
 * rows, the uniform law. The draw visits each causal block once: linear in those, too.
 *   random  one class: uniform over all off-diagonal causal blocks.
 *   skewed  in every eight consecutive block rows one, drawn by the seed, is heavy. The heavy rows
 *           get three quarters of the drawn blocks, or all of theirs if they have fewer, and the
 *           light rows the rest: few rows keep many blocks and most rows few. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "bench/mask.h"
#include "mask_band.h"

#define BLOCK_MAX 1024 /* a bit tile grows with the square */
#define SKEW_PERIOD 8  /* one heavy row in so many */

/* Streams of the hash: what a draw is for. */
#define DRAW_BLOCK UINT64_C(0x626c6f636b)
#define DRAW_HEAVY UINT64_C(0x6865617679)

__extension__ typedef unsigned __int128 wide;

typedef struct builder {
  const bench_attn *attn;
  bench_band band;
  bench_blocklist *list;
  int64_t columns;       /* block columns */
  int64_t first;         /* position of row 0 */
  int64_t tile_capacity; /* tiles that fit */
  int64_t tile_words;    /* words of a tile */
  uint64_t *bits;        /* one tile, being made */
} builder;

/* What is left to draw of one class of rows. */
typedef struct lottery {
  int64_t needed;
  int64_t remaining;
} lottery;

static int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static int64_t max64(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static int64_t rows_of(const builder *b, int64_t row) {
  return min64(b->list->block, b->list->seq_q - row * b->list->block);
}

static int64_t keys_of(const builder *b, int64_t column) {
  return min64(b->list->block, b->list->seq_kv - column * b->list->block);
}

/* Positions of the first and last row of a block row. */
static int64_t first_position(const builder *b, int64_t row) {
  return b->first + row * b->list->block;
}

static int64_t last_position(const builder *b, int64_t row) {
  return first_position(b, row) + rows_of(b, row) - 1;
}

/* Block columns in which some row of the block row sees a key: at most two disjoint ranges. */
static int simple_ranges(const builder *b, int64_t row, bench_span ranges[2]) {
  const int64_t block = b->list->block;
  const int64_t reach = last_position(b, row) + b->band.ahead + 1; /* keys below are causal */
  if (reach <= 0) {
    return 0;
  }
  const int64_t end = min64(b->columns, (reach - 1) / block + 1);
  const int64_t begin = max64(0, first_position(b, row) - b->band.behind) / block;
  const int64_t sink = min64(end, (min64(b->band.sink, reach) + block - 1) / block);
  if (begin <= sink) {
    ranges[0] = (bench_span){0, end};
    return 1;
  }
  int count = 0;
  if (sink > 0) {
    ranges[count++] = (bench_span){0, sink};
  }
  if (begin < end) {
    ranges[count++] = (bench_span){begin, end};
  }
  return count;
}

/* The diagonal blocks of a block row of a BLOCK mask; the causal ones before them are what can be
 * drawn. Empty at 0 where no row of it stands at a position >= 0. */
static bench_span diagonal_range(const builder *b, int64_t row) {
  const int64_t last = last_position(b, row);
  if (last < 0) {
    return (bench_span){0, 0};
  }
  const int64_t block = b->list->block;
  return (bench_span){max64(0, first_position(b, row)) / block, last / block + 1};
}

static bool is_full(const builder *b, int64_t row, int64_t column) {
  const int64_t begin = column * b->list->block;
  const int64_t end = begin + keys_of(b, column);
  return end - 1 <= first_position(b, row) + b->band.ahead &&
         (end <= b->band.sink ||
          max64(begin, b->band.sink) >= last_position(b, row) - b->band.behind);
}

/* Sets bits [begin, end) of a tile row. */
static void set_bits(uint64_t *words, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end;) {
    const int64_t stop = min64(end, (at | 63) + 1);
    const int64_t count = stop - at;
    words[at >> 6] |= (count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1) << (at & 63);
    at = stop;
  }
}

/* Draws the block into b->bits and returns its number of pairs. */
static int64_t draw_tile(builder *b, int64_t row, int64_t column) {
  const int64_t begin = column * b->list->block;
  const int64_t keys = keys_of(b, column);
  const int64_t sink = min64(max64(b->band.sink - begin, 0), keys);
  int64_t pairs = 0;
  memset(b->bits, 0, (size_t)b->tile_words * sizeof *b->bits);
  for (int64_t r = 0; r < rows_of(b, row); r++) {
    const int64_t i = first_position(b, row) + r - begin; /* counted from the block's first key */
    const int64_t end = min64(max64(i + b->band.ahead + 1, 0), keys);
    const int64_t head = min64(sink, end);
    const int64_t tail = max64(max64(i - b->band.behind, head), 0);
    uint64_t *words = b->bits + r * b->list->words;
    set_bits(words, 0, head);
    set_bits(words, tail, end);
    pairs += head + max64(end - tail, 0);
  }
  return pairs;
}

/* Index of the tile that equals b->bits, stored if it is new; -1 without memory. */
static int32_t store_tile(builder *b) {
  bench_blocklist *list = b->list;
  const size_t bytes = (size_t)b->tile_words * sizeof *b->bits;
  for (int64_t t = 0; t < list->tile_count; t++) {
    if (memcmp(list->tiles + t * b->tile_words, b->bits, bytes) == 0) {
      return (int32_t)t;
    }
  }
  if (list->tile_count == b->tile_capacity) {
    const int64_t capacity = b->tile_capacity == 0 ? 4 : 2 * b->tile_capacity;
    uint64_t *grown = realloc(list->tiles, (size_t)capacity * bytes);
    if (grown == NULL) {
      return -1;
    }
    list->tiles = grown;
    b->tile_capacity = capacity;
  }
  memcpy(list->tiles + list->tile_count * b->tile_words, b->bits, bytes);
  return (int32_t)list->tile_count++;
}

/* Appends one kept block; false without memory. */
static bool push(builder *b, int64_t row, int64_t column) {
  bench_blocklist *list = b->list;
  int32_t tile = BENCH_BLOCK_FULL;
  if (is_full(b, row, column)) {
    list->pairs += rows_of(b, row) * keys_of(b, column);
  } else {
    list->pairs += draw_tile(b, row, column);
    tile = store_tile(b);
    if (tile < 0) {
      return false;
    }
  }
  const int64_t at = list->row_begin[row + 1]++;
  list->column[at] = (int32_t)column;
  list->tile[at] = tile;
  return true;
}

static bool push_range(builder *b, int64_t row, bench_span range) {
  for (int64_t column = range.begin; column < range.end; column++) {
    if (!push(b, row, column)) {
      return false;
    }
  }
  return true;
}

static int64_t count_simple(const builder *b) {
  int64_t blocks = 0;
  for (int64_t row = 0; row < b->list->rows; row++) {
    bench_span ranges[2];
    const int count = simple_ranges(b, row, ranges);
    for (int n = 0; n < count; n++) {
      blocks += ranges[n].end - ranges[n].begin;
    }
  }
  return blocks;
}

static bool fill_simple(builder *b) {
  for (int64_t row = 0; row < b->list->rows; row++) {
    bench_span ranges[2];
    const int count = simple_ranges(b, row, ranges);
    b->list->row_begin[row + 1] = b->list->row_begin[row];
    for (int n = 0; n < count; n++) {
      if (!push_range(b, row, ranges[n])) {
        return false;
      }
    }
  }
  return true;
}

static bool is_heavy(const builder *b, int64_t row) {
  return b->attn->mask.layout == BENCH_LAYOUT_SKEWED &&
         bench_hash64(b->attn->seed, DRAW_HEAVY, (uint64_t)(row / SKEW_PERIOD)) % SKEW_PERIOD ==
             (uint64_t)(row % SKEW_PERIOD);
}

/* Sets up the draw, class 0 the light rows and 1 the heavy ones, and returns the kept count. */
static int64_t count_drawn(const builder *b, lottery classes[2]) {
  int64_t diagonal = 0;
  classes[0] = classes[1] = (lottery){0, 0};
  for (int64_t row = 0; row < b->list->rows; row++) {
    const bench_span range = diagonal_range(b, row);
    diagonal += range.end - range.begin;
    classes[is_heavy(b, row)].remaining += range.begin;
  }
  const int64_t light = classes[0].remaining;
  const int64_t heavy = classes[1].remaining;
  const int64_t causal = diagonal + light + heavy;
  const int64_t kept = max64(diagonal, llround(b->attn->mask.density * (double)causal));
  const int64_t drawn = kept - diagonal;
  classes[1].needed = min64(heavy, max64(drawn - light, drawn - drawn / 4));
  classes[0].needed = drawn - classes[1].needed;
  return kept;
}

static bool fill_drawn(builder *b, lottery classes[2]) {
  for (int64_t row = 0; row < b->list->rows; row++) {
    const bench_span diagonal = diagonal_range(b, row);
    lottery *from = &classes[is_heavy(b, row)];
    b->list->row_begin[row + 1] = b->list->row_begin[row];
    for (int64_t column = 0; column < diagonal.begin; column++) {
      const uint64_t hash =
          bench_hash64(b->attn->seed, DRAW_BLOCK, (uint64_t)(row * b->columns + column));
      const int64_t ticket = (int64_t)(((wide)hash * (wide)from->remaining) >> 64);
      from->remaining--;
      if (ticket < from->needed) {
        from->needed--;
        if (!push(b, row, column)) {
          return false;
        }
      }
    }
    if (!push_range(b, row, diagonal)) {
      return false;
    }
  }
  return true;
}

bench_code bench_blocklist_build(const bench_attn *attn, int64_t block, bench_blocklist *out,
                                 bench_error *error) {
  const bool simple = bench_mask_is_simple(&attn->mask);
  if (block < 1 || block > BLOCK_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE, "block size %" PRId64 " is outside 1 .. %d", block,
                      BLOCK_MAX);
  }
  if (!simple && block != attn->mask.block) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "block size %" PRId64 " differs from the mask's own, %" PRId64, block,
                      attn->mask.block);
  }
  memset(out, 0, sizeof *out);
  out->seq_q = attn->seq_q;
  out->seq_kv = attn->seq_kv;
  out->block = block;
  out->rows = (attn->seq_q + block - 1) / block;
  out->words = (block + 63) / 64;
  builder b = {.attn = attn,
               .band = bench_mask_band(attn),
               .list = out,
               .columns = (attn->seq_kv + block - 1) / block,
               .first = attn->seq_kv - attn->seq_q,
               .tile_words = block * out->words};
  lottery classes[2];
  out->blocks = simple ? count_simple(&b) : count_drawn(&b, classes);
  const size_t entries = (size_t)max64(out->blocks, 1);
  out->row_begin = calloc((size_t)out->rows + 1, sizeof *out->row_begin);
  out->column = malloc(entries * sizeof *out->column);
  out->tile = malloc(entries * sizeof *out->tile);
  b.bits = malloc((size_t)b.tile_words * sizeof *b.bits);
  const bool built = out->row_begin != NULL && out->column != NULL && out->tile != NULL &&
                     b.bits != NULL && (simple ? fill_simple(&b) : fill_drawn(&b, classes));
  free(b.bits);
  if (!built) {
    const int64_t blocks = out->blocks;
    bench_blocklist_free(out);
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for a list of %" PRId64 " blocks", blocks);
  }
  assert(out->row_begin[out->rows] == out->blocks);
  return BENCH_OK;
}

void bench_blocklist_free(bench_blocklist *list) {
  free(list->row_begin);
  free(list->column);
  free(list->tile);
  free(list->tiles);
  memset(list, 0, sizeof *list);
}

bool bench_blocklist_visible(const bench_blocklist *list, int64_t row, int64_t key) {
  if (row < 0 || row >= list->seq_q || key < 0 || key >= list->seq_kv) {
    return false;
  }
  const int64_t column = key / list->block;
  int64_t low = list->row_begin[row / list->block];
  int64_t high = list->row_begin[row / list->block + 1];
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (list->column[middle] < column) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == list->row_begin[row / list->block + 1] || list->column[low] != column) {
    return false;
  }
  if (list->tile[low] == BENCH_BLOCK_FULL) {
    return true;
  }
  const int64_t c = key % list->block;
  const int64_t word = (list->tile[low] * list->block + row % list->block) * list->words + (c >> 6);
  return (list->tiles[word] >> (c & 63)) & 1;
}
