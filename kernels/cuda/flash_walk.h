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

/* The rows [row, last] of one head, counted over batch and query heads, and the bounds of their
 * walk. It lies in shared memory: what is asked for once a tile is not to hold registers through
 * the products. Lengths fit in 32 bits. */
struct FlashRows {
  int head;
  int row;
  int last;
  int first;       /* first key of the first tile of the band */
  int sink_last;   /* first key of the sink's last tile; negative without one */
  int64_t entries; /* the kept walk of a list: the block row's first entry */
  int64_t kv;      /* where the head's keys and values begin, in elements */
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

/* Where the copies stand: the tile to copy next. */
struct FlashWalk {
  int key; /* its first one; negative behind the last tile */
  /* The kept walk of a list: */
  int part;        /* which tile of its block it is */
  int left;        /* entries of the block row up to and with this block's */
  int next_column; /* of the block before it in memory, fetched ahead */
};

template <int KEYS>
BENCH_DEVICE_FN int walk_begin_band(const MaskRows &mask, FlashRows &rows) {
  const int shift = (int)mask.shift;
  const int end = min_i(rows.last + shift + (int)mask.ahead + 1, (int)mask.seq_kv);
  const int begin = max_i(rows.row + shift - (int)mask.behind, 0);
  const int sink = min_i((int)mask_clamp(mask.sink, 0, mask.seq_kv), end);
  rows.first = begin / KEYS * KEYS;
  rows.sink_last = sink > 0 ? (sink - 1) / KEYS * KEYS : -KEYS;
  return end > begin ? (end - 1) / KEYS * KEYS : rows.sink_last;
}

/* From the first key to the last of all the rows' blocks. */
template <int KEYS>
BENCH_DEVICE_FN int walk_begin_list(const MaskRows &mask, FlashRows &rows) {
  const bench_blocklist &list = mask.blocks;
  const int block = (int)list.block;
  int begin = (int)mask.seq_kv;
  int end = 0;
  for (int row = rows.row; row <= rows.last; row += block - row % block) {
    const FlashEntries entries = flash_entries(mask, rows.head, row);
    if (entries.begin < entries.end) {
      begin = min_i(begin, load_global(list.column + entries.begin) * block);
      end = max_i(end, (load_global(list.column + entries.end - 1) + 1) * block);
    }
  }
  end = min_i(end, (int)mask.seq_kv);
  rows.first = begin / KEYS * KEYS;
  rows.sink_last = -KEYS;
  return end > begin ? (end - 1) / KEYS * KEYS : -KEYS;
}

/* Goes to the last tile of the block row's entry `left` - 1, in `column`. */
template <int KEYS>
BENCH_DEVICE_FN void walk_block(FlashWalk &walk, const MaskRows &mask, const FlashRows &rows,
                                int column) {
  const int block = (int)mask.blocks.block;
  const int begin = column * block;
  walk.part = (min_i((int)mask.seq_kv - begin, block) - 1) / KEYS; /* the edge may cut it */
  walk.key = begin + walk.part * KEYS;
  walk.next_column =
      walk.left > 1 ? load_global(mask.blocks.column + rows.entries + walk.left - 2) : 0;
}

template <int KEYS>
BENCH_DEVICE_FN void walk_begin_kept(FlashWalk &walk, const MaskRows &mask, FlashRows &rows) {
  const FlashEntries entries = flash_entries(mask, rows.head, rows.row);
  rows.entries = entries.begin;
  walk.left = (int)(entries.end - entries.begin);
  walk.key = -KEYS;
  if (walk.left > 0) {
    walk_block<KEYS>(walk, mask, rows, load_global(mask.blocks.column + entries.end - 1));
  }
}

/* Fills in the bounds of the rows' walk, and where it begins. */
template <int KEYS, bool KEPT>
BENCH_DEVICE_FN FlashWalk walk_begin(const MaskRows &mask, FlashRows &rows) {
  FlashWalk walk = {};
  if (mask.blocks.block == 0) {
    walk.key = walk_begin_band<KEYS>(mask, rows);
  } else if (KEPT) {
    walk_begin_kept<KEYS>(walk, mask, rows);
  } else {
    walk.key = walk_begin_list<KEYS>(mask, rows);
  }
  return walk;
}

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void walk_next(FlashWalk &walk, const MaskRows &mask, const FlashRows &rows) {
  walk.key -= KEYS;
  if (!KEPT || mask.blocks.block == 0) {
    if (walk.key < rows.first) {
      walk.key = min_i(walk.key, rows.sink_last);
    }
  } else if (--walk.part < 0) {
    walk.key = -KEYS;
    if (--walk.left > 0) {
      walk_block<KEYS>(walk, mask, rows, walk.next_column);
    }
  }
}

/* A tile of keys on its way through the ring. */
struct FlashTile {
  int key;   /* the first one; negative: there are no more tiles */
  int begin; /* the kept walk of a list: of the block that it is in, the first key */
  int tile;  /* and the tile in the list, which is on its way like the keys */
};

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void walk_announce(const FlashWalk &walk, const MaskRows &mask,
                                   const FlashRows &rows, FlashTile *tile) {
  tile->key = walk.key;
  if (KEPT && mask.blocks.block != 0 && walk.key >= 0) {
    tile->begin = walk.key - walk.part * KEYS;
    cp_async4(smem_of(&tile->tile), mask.blocks.tile + rows.entries + walk.left - 1);
  }
}

/* Whether every row sees every key of a tile of KEYS, as far as that is known without its bits. */
template <int KEYS, bool KEPT>
BENCH_DEVICE_FN bool tile_is_whole(const FlashTile &tile, const MaskRows &mask,
                                   const FlashRows &rows) {
  const int end = tile.key + KEYS;
  if (end > mask.seq_kv) {
    return false;
  }
  if (mask.blocks.block != 0) {
    return KEPT && tile.tile == BENCH_BLOCK_FULL;
  }
  const int shift = (int)mask.shift;
  return end <= rows.row + shift + (int)mask.ahead + 1 &&
         (tile.key >= rows.last + shift - (int)mask.behind || end <= mask.sink);
}

/* The keys of a tile that `row` sees, a bit each, under a simple mask or in a kept block. */
template <bool KEPT>
BENCH_DEVICE_FN uint64_t tile_row_bits(const FlashTile &tile, const MaskRows &mask, int row) {
  return KEPT && mask.blocks.block != 0
             ? flash_block_bits(mask, tile.begin, tile.tile, row, tile.key)
             : flash_band_bits(mask, row + (int)mask.shift, tile.key);
}

/* The dense walk over a list: a row's place is the number of entries of its block row that are not
 * yet behind it. */
BENCH_DEVICE_FN int walk_entries(const MaskRows &mask, int head, int row) {
  const FlashEntries entries = flash_entries(mask, head, row);
  return (int)(entries.end - entries.begin);
}

/* The keys of the tile that begins at `key` that `row` sees; to be asked once of every tile. */
BENCH_DEVICE_FN uint64_t walk_dense_bits(const MaskRows &mask, int key, int head, int row,
                                         int &left) {
  const bench_blocklist &list = mask.blocks;
  const int block = (int)list.block;
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
  return bits;
}

#endif
