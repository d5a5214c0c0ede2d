/* The bit tile of a block: drawn once for each thing that it depends on, stored once for each
 * content. Two hash tables find them again. */
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "blocklist.h"

/* Sets bits [begin, end) of a tile row. */
static void set_bits(uint64_t *words, int64_t begin, int64_t end) {
  for (int64_t at = begin; at < end;) {
    const int64_t stop = min64(end, (at | 63) + 1);
    const int64_t count = stop - at;
    words[at >> 6] |= (count == 64 ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1) << (at & 63);
    at = stop;
  }
}

/* The keys of one row of a block: row at position i and keys counted from the block's first. */
static int64_t draw_row(const bench_list_builder *b, const bench_tile_key *key, int64_t i,
                        uint64_t *words) {
  if (b->attn.mask.kind == BENCH_MASK_STRIDED) {
    const int64_t stride = b->attn.mask.stride;
    const int64_t end = clamp64(i + 1, 0, key->keys);
    const int64_t near = clamp64(i - stride + 1, 0, end);
    int64_t pairs = end - near;
    set_bits(words, near, end);
    for (int64_t j = near - 1; j >= 0; j--) {
      if ((i - j) % stride == 0) {
        set_bits(words, j, j + 1);
        pairs++;
        j -= min64(stride, j + 1) - 1;
      }
    }
    return pairs;
  }
  const int64_t end = clamp64(i + b->band.ahead + 1, 0, key->keys);
  const int64_t head = min64(key->sink, end);
  const int64_t tail = max64(max64(i - b->band.behind, head), 0);
  set_bits(words, 0, head);
  set_bits(words, tail, end);
  return head + max64(end - tail, 0);
}

/* Draws the block into b->bits and returns its number of pairs. */
static int64_t draw_tile(bench_list_builder *b, const bench_tile_key *key) {
  int64_t pairs = 0;
  memset(b->bits, 0, (size_t)b->tile_words * sizeof *b->bits);
  for (int64_t r = 0; r < key->rows; r++) {
    pairs += draw_row(b, key, key->relative + r, b->bits + r * b->list->words);
  }
  return pairs;
}

static uint64_t hash_words(const void *from, size_t words) {
  const uint64_t *word = from;
  uint64_t hash = words;
  for (size_t i = 0; i < words; i++) {
    hash = bench_hash64(hash, word[i], i);
  }
  return hash;
}

/* Doubles the table of contents when it is half full. */
static bool grow_same(bench_list_builder *b) {
  const bench_blocklist *list = b->list;
  if ((size_t)list->tile_count * 2 < b->same_capacity) {
    return true;
  }
  const size_t capacity = b->same_capacity == 0 ? 64 : 2 * b->same_capacity;
  int32_t *same = calloc(capacity, sizeof *same);
  if (same == NULL) {
    return false;
  }
  for (int64_t t = 0; t < list->tile_count; t++) {
    size_t at = hash_words(list->tiles + t * b->tile_words, (size_t)b->tile_words);
    for (at &= capacity - 1; same[at] != 0; at = (at + 1) & (capacity - 1)) {
    }
    same[at] = (int32_t)t + 1;
  }
  free(b->same);
  b->same = same;
  b->same_capacity = capacity;
  return true;
}

/* Index of the tile that equals b->bits, stored if it is new; -1 without memory. */
static int32_t store_tile(bench_list_builder *b) {
  bench_blocklist *list = b->list;
  const size_t bytes = (size_t)b->tile_words * sizeof *b->bits;
  if (!grow_same(b)) {
    return -1;
  }
  size_t at = hash_words(b->bits, (size_t)b->tile_words) & (b->same_capacity - 1);
  for (; b->same[at] != 0; at = (at + 1) & (b->same_capacity - 1)) {
    if (memcmp(list->tiles + (b->same[at] - 1) * b->tile_words, b->bits, bytes) == 0) {
      return b->same[at] - 1;
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
  b->same[at] = (int32_t)++list->tile_count;
  return (int32_t)list->tile_count - 1;
}

/* The place of a key in the memo: its own, or the free one where it belongs. */
static bench_tile_memo *memo_place(bench_tile_memo *memo, size_t capacity,
                                   const bench_tile_key *key) {
  const uint64_t sizes = (uint64_t)key->rows << 32 | (uint64_t)key->keys;
  size_t at =
      bench_hash64((uint64_t)key->relative, sizes, (uint64_t)key->sink << 1 | (uint64_t)key->part);
  for (at &= capacity - 1; memo[at].used; at = (at + 1) & (capacity - 1)) {
    if (memcmp(&memo[at].key, key, sizeof *key) == 0) {
      break;
    }
  }
  return &memo[at];
}

static bool grow_memo(bench_list_builder *b) {
  if (b->memo_count * 2 < b->memo_capacity) {
    return true;
  }
  const size_t capacity = b->memo_capacity == 0 ? 256 : 2 * b->memo_capacity;
  bench_tile_memo *memo = calloc(capacity, sizeof *memo);
  if (memo == NULL) {
    return false;
  }
  for (size_t i = 0; i < b->memo_capacity; i++) {
    if (b->memo[i].used) {
      *memo_place(memo, capacity, &b->memo[i].key) = b->memo[i];
    }
  }
  free(b->memo);
  b->memo = memo;
  b->memo_capacity = capacity;
  return true;
}

static bench_tile_key key_of(const bench_list_builder *b, int64_t row, int64_t column) {
  const bench_blocklist *list = b->list;
  const int64_t begin = column * list->block;
  const int64_t keys = list_keys_of(list, column);
  int64_t relative = b->first + row * list->block - begin;
  if (b->attn.mask.kind == BENCH_MASK_STRIDED) {
    const int64_t stride = b->attn.mask.stride;
    if (relative >= stride + list->block) { /* behind the near keys the pattern repeats */
      relative = (1 + (stride + list->block) / stride) * stride + relative % stride;
    }
  } else {
    /* Farther back than both edges of the band nothing changes. */
    relative = min64(relative, b->band.behind + 2 * list->block);
  }
  return (bench_tile_key){.relative = relative,
                          .rows = (int32_t)list_rows_of(list, row),
                          .keys = (int32_t)keys,
                          .sink = (int32_t)clamp64(b->band.sink - begin, 0, keys),
                          .part = b->part};
}

const bench_tile_memo *bench_list_tile(bench_list_builder *b, int64_t row, int64_t column) {
  const bench_tile_key key = key_of(b, row, column);
  if (!grow_memo(b)) {
    return NULL;
  }
  bench_tile_memo *place = memo_place(b->memo, b->memo_capacity, &key);
  if (!place->used) {
    const int64_t pairs = draw_tile(b, &key);
    place->key = key;
    place->empty = pairs == 0;
    place->tile = BENCH_BLOCK_FULL;
    if (pairs > 0 && pairs < (int64_t)key.rows * key.keys) {
      place->tile = store_tile(b);
      if (place->tile < 0) {
        return NULL;
      }
    }
    place->used = true;
    b->memo_count++;
  }
  return place;
}
