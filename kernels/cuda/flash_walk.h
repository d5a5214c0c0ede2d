/* Which tiles of keys a block of rows walks, and which keys of a tile a row sees.
 *
 * Tiles go from the last to the first, so a causal mask's cut tiles come first and key 0 comes
 * last. A tile that a warp's rows see whole is left alone, one of which they see nothing passed by;
 * of any other each row gets a word of one bit per key, whatever the mask. Two walks:
 *   dense  (KEPT false) a simple mask in registers: the tiles of its band, then those of its sink.
 *                       Of a block list all tiles from the last kept block to the first.
 *   kept   (KEPT true)  the same for a simple mask; of a block list the kept blocks alone. Rows
 *                       of one block row only. */
#ifndef BENCH_CUDA_FLASH_WALK_H
#define BENCH_CUDA_FLASH_WALK_H

#include "cuda/mask_rows.h"

/* The lowest n bits. */
BENCH_DEVICE_FN uint64_t low_bits(int n) {
  return n <= 0 ? 0 : n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1;
}

BENCH_DEVICE_FN int min_i(int a, int b) {
  return a < b ? a : b;
}
BENCH_DEVICE_FN int max_i(int a, int b) {
  return a > b ? a : b;
}

/* The rows [row, last] of one head, counted over batch and query heads; lengths fit in 32 bits. */
struct FlashRows {
  int head;
  int row;
  int last;
};

/* The entries of the block row that holds a row: [begin, end). 32-bit division, unlike that of
 * mask_block_row, is a few instructions. */
struct FlashEntries {
  int64_t begin;
  int64_t end;
};

BENCH_DEVICE_FN FlashEntries flash_entries(const MaskRows &mask, int head, int row) {
  const bench_blocklist &list = mask.blocks;
  const int64_t pattern = list.pattern == nullptr ? 0 : load_global(list.pattern + head);
  const int64_t *begin = list.row_begin + pattern * list.rows + row / (int)list.block;
  return FlashEntries{load_global(begin), load_global(begin + 1)};
}

/* The bits of keys [key, key + 64) that `row` sees of a block of keys that begins at `begin`, is
 * no farther away than 63 keys, and has `tile` in the list. */
BENCH_DEVICE_FN uint64_t flash_block_bits(const MaskRows &mask, int begin, int tile, int row,
                                          int key) {
  const bench_blocklist &list = mask.blocks;
  const int block = (int)list.block;
  const int skipped = key - begin; /* keys of the block before the tile, if positive */
  if (tile == BENCH_BLOCK_FULL) {
    const int end = min_i(begin + block, (int)mask.seq_kv);
    return low_bits(end - key) & ~low_bits(-skipped);
  }
  const uint64_t *words = list.tiles + (tile * list.block + row % block) * list.words;
  const int word = max_i(skipped, 0) >> 6;
  const int shift = skipped & 63;
  if (skipped < 0) { /* the block begins inside the tile */
    return load_global(words) << -skipped;
  }
  const uint64_t low = load_global(words + word) >> shift;
  return shift == 0 || word + 1 == list.words ? low
                                              : low | load_global(words + word + 1) << (64 - shift);
}

/* The bits of keys [key, key + 64) of a row at position i under a simple mask. */
BENCH_DEVICE_FN uint64_t flash_band_bits(const MaskRows &mask, int i, int key) {
  const int end = min_i(i + (int)mask.ahead + 1, (int)mask.seq_kv);
  const int sink = (int)mask_clamp(mask.sink, 0, mask.seq_kv);
  return low_bits(end - key) & (~low_bits(i - (int)mask.behind - key) | low_bits(sink - key));
}

/* Tiles of KEYS keys; `key` is the first one of the tile in hand, negative behind the last tile. */
template <int KEYS, bool KEPT>
struct FlashWalk {
  int key;
  int first;     /* first key of the band's first tile */
  int sink_last; /* first key of the sink's last tile; negative without one */
  /* Of a list's kept blocks: the one in hand and the one after, whose column is fetched ahead. */
  int64_t entry;
  int64_t begin; /* the block row's first entry */
  int part;      /* the tile in hand, within its block */
  int column;
  int tile; /* of the block, as in the list */
  int next_column;
};

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void walk_begin_band(FlashWalk<KEYS, KEPT> &walk, const MaskRows &mask,
                                     const FlashRows &rows) {
  const int shift = (int)mask.shift;
  const int end = min_i(rows.last + shift + (int)mask.ahead + 1, (int)mask.seq_kv);
  const int begin = max_i(rows.row + shift - (int)mask.behind, 0);
  const int sink = min_i((int)mask_clamp(mask.sink, 0, mask.seq_kv), end);
  walk.first = begin / KEYS * KEYS;
  walk.sink_last = sink > 0 ? (sink - 1) / KEYS * KEYS : -KEYS;
  walk.key = end > begin ? (end - 1) / KEYS * KEYS : end > 0 ? walk.sink_last : -KEYS;
}

/* From the first key to the last of all the rows' blocks. */
template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void walk_begin_list(FlashWalk<KEYS, KEPT> &walk, const MaskRows &mask,
                                     const FlashRows &rows) {
  const bench_blocklist &list = mask.blocks;
  int begin = (int)mask.seq_kv;
  int end = 0;
  const int block = (int)list.block;
  for (int row = rows.row; row <= rows.last; row += block - row % block) {
    const FlashEntries entries = flash_entries(mask, rows.head, row);
    if (entries.begin < entries.end) {
      const int64_t low = load_global(list.column + entries.begin) * list.block;
      const int64_t high = (load_global(list.column + entries.end - 1) + 1) * list.block;
      begin = (int)mask_clamp(low, 0, begin);
      end = (int)mask_clamp(high, end, mask.seq_kv);
    }
  }
  walk.first = begin / KEYS * KEYS;
  walk.sink_last = -KEYS;
  walk.key = end > begin ? (end - 1) / KEYS * KEYS : -KEYS;
}

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void walk_block(FlashWalk<KEYS, KEPT> &walk, const MaskRows &mask, int part) {
  walk.part = part;
  walk.tile = load_global(mask.blocks.tile + walk.entry);
  walk.key = walk.column * (int)mask.blocks.block + part * KEYS;
  walk.next_column =
      walk.entry > walk.begin ? load_global(mask.blocks.column + walk.entry - 1) : 0;
}

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void walk_begin_kept(FlashWalk<KEYS, KEPT> &walk, const MaskRows &mask,
                                     const FlashRows &rows) {
  const FlashEntries entries = flash_entries(mask, rows.head, rows.row);
  walk.begin = entries.begin;
  walk.entry = entries.end - 1;
  walk.key = -KEYS;
  if (entries.begin < entries.end) {
    walk.column = load_global(mask.blocks.column + walk.entry);
    const int block = (int)mask.blocks.block;
    const int keys = min_i((int)mask.seq_kv - walk.column * block, block); /* the edge may cut it */
    walk_block(walk, mask, (keys - 1) / KEYS);
  }
}

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN FlashWalk<KEYS, KEPT> walk_begin(const MaskRows &mask, const FlashRows &rows) {
  FlashWalk<KEYS, KEPT> walk = {};
  if (mask.blocks.block == 0) {
    walk_begin_band(walk, mask, rows);
  } else if (KEPT) {
    walk_begin_kept(walk, mask, rows);
  } else {
    walk_begin_list(walk, mask, rows);
  }
  return walk;
}

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void walk_next(FlashWalk<KEYS, KEPT> &walk, const MaskRows &mask) {
  if (!KEPT || mask.blocks.block == 0) {
    walk.key -= KEYS;
    if (walk.key < walk.first) {
      walk.key = min_i(walk.key, walk.sink_last);
    }
  } else if (walk.part > 0) {
    walk.part--;
    walk.key -= KEYS;
  } else if (walk.entry > walk.begin) {
    walk.entry--;
    walk.column = walk.next_column;
    walk_block(walk, mask, (int)mask.blocks.block / KEYS - 1);
  } else {
    walk.key = -KEYS;
  }
}

/* Whether every row sees every key of the tile in hand, as far as that is known without its bits. */
template <int KEYS, bool KEPT>
BENCH_DEVICE_FN bool walk_is_whole(const FlashWalk<KEYS, KEPT> &walk, const MaskRows &mask,
                                   const FlashRows &rows) {
  const int end = walk.key + KEYS;
  if (end > mask.seq_kv) {
    return false;
  }
  if (mask.blocks.block != 0) {
    return KEPT && walk.tile == BENCH_BLOCK_FULL;
  }
  const int shift = (int)mask.shift;
  return end <= rows.row + shift + (int)mask.ahead + 1 &&
         (walk.key >= rows.last + shift - (int)mask.behind || end <= mask.sink);
}

/* A row's place in its block row of the list, for the dense walk: the entries not yet behind it,
 * counted from the block row's first. */
BENCH_DEVICE_FN int walk_entries(const MaskRows &mask, int head, int row) {
  if (mask.blocks.block == 0) {
    return 0;
  }
  const FlashEntries entries = flash_entries(mask, head, row);
  return (int)(entries.end - entries.begin);
}

/* The keys that `row` sees of the tile in hand, a bit each; to be asked once of every tile where
 * the walk is dense and the mask a list, in which `left` is the row's place. */
template <int KEYS, bool KEPT>
BENCH_DEVICE_FN uint64_t walk_bits(const FlashWalk<KEYS, KEPT> &walk, const MaskRows &mask,
                                   int head, int row, int &left) {
  const bench_blocklist &list = mask.blocks;
  const int block = (int)list.block;
  const int key = walk.key;
  if (block == 0) {
    return flash_band_bits(mask, row + (int)mask.shift, key) & low_bits(KEYS);
  }
  if (KEPT) {
    return flash_block_bits(mask, walk.column * block, walk.tile, row, key) & low_bits(KEYS);
  }
  uint64_t bits = 0;
  for (const int64_t begin = flash_entries(mask, head, row).begin; left > 0; left--) {
    const int64_t entry = begin + left - 1;
    const int first = load_global(list.column + entry) * block;
    if (first + block > key) {
      bits |= flash_block_bits(mask, first, load_global(list.tile + entry), row, key);
    }
    if (first < key) { /* it is not over with this tile */
      break;
    }
  }
  return bits & low_bits(KEYS);
}

#endif
