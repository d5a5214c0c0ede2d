/* The visible keys of a query row on the device: a mask becomes a small value that is passed to a
 * kernel, and a row becomes a few pieces, each a range of keys with or without a bit per key.
 *
 * A simple mask is a band: row i sees the keys j <= i + ahead with j < sink or j >= i - behind,
 * hence at most two pieces. Any other mask comes as the block list, a piece per kept block. */
#ifndef BENCH_CUDA_MASK_ROWS_H
#define BENCH_CUDA_MASK_ROWS_H

#include "cuda/device.h"

typedef struct MaskRows {
  int64_t seq_kv;
  int64_t shift; /* position of row 0: seq_kv - seq_q */
  int64_t ahead; /* the band; unused with blocks */
  int64_t behind;
  int64_t sink;
  bench_blocklist blocks; /* block = 0: a simple mask */
} MaskRows;

typedef struct MaskPiece {
  int64_t begin;
  int64_t end;
  const uint64_t *bits; /* bit (j - begin): key j is visible. NULL: all of them are */
} MaskPiece;

static inline MaskRows mask_rows_of(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const int64_t all = attn->seq_q + attn->seq_kv; /* no key is farther from a row */
  const int64_t behind = attn->mask.window < all ? attn->mask.window - 1 : all;
  MaskRows rows = {};
  rows.seq_kv = attn->seq_kv;
  rows.shift = attn->seq_kv - attn->seq_q;
  rows.behind = all;
  switch (attn->mask.kind) {
    case BENCH_MASK_FULL:
      rows.ahead = all;
      break;
    case BENCH_MASK_WINDOW:
      rows.behind = behind;
      rows.ahead = attn->mask.both ? behind : 0;
      break;
    case BENCH_MASK_SINK_WINDOW:
      rows.behind = behind;
      rows.sink = attn->mask.sink;
      break;
    case BENCH_MASK_CAUSAL:
      break;
    default:
      rows.blocks = *launch->blocks;
      break;
  }
  return rows;
}

BENCH_DEVICE_FN int64_t mask_clamp(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : value > high ? high : value;
}

/* Where the blocks of a row of `head`, counted over batch and query heads, begin in the list. */
BENCH_DEVICE_FN const int64_t *mask_block_row(const bench_blocklist &list, int64_t head,
                                              int64_t row) {
  const int64_t pattern = list.pattern == nullptr ? 0 : load_global(list.pattern + head);
  return list.row_begin + pattern * list.rows + row / list.block;
}

BENCH_DEVICE_FN int64_t mask_piece_count(const MaskRows &rows, int64_t head, int64_t row) {
  if (rows.blocks.block == 0) {
    return rows.sink > 0 ? 2 : 1;
  }
  const int64_t *begin = mask_block_row(rows.blocks, head, row);
  return load_global(begin + 1) - load_global(begin);
}

/* Piece n of the row, in ascending order of keys; it may be empty. */
BENCH_DEVICE_FN MaskPiece mask_piece(const MaskRows &rows, int64_t head, int64_t row, int64_t n) {
  const int64_t block = rows.blocks.block;
  MaskPiece piece;
  if (block == 0) {
    const int64_t i = row + rows.shift;
    const int64_t end = mask_clamp(i + rows.ahead + 1, 0, rows.seq_kv);
    const int64_t sink = mask_clamp(rows.sink, 0, end);
    const bool is_sink = n == 0 && rows.sink > 0;
    piece.begin = is_sink ? 0 : mask_clamp(i - rows.behind, sink, end);
    piece.end = is_sink ? sink : end;
    piece.bits = nullptr;
    return piece;
  }
  const int64_t entry = load_global(mask_block_row(rows.blocks, head, row)) + n;
  const int64_t tile = load_global(rows.blocks.tile + entry);
  piece.begin = load_global(rows.blocks.column + entry) * block;
  piece.end = mask_clamp(piece.begin + block, 0, rows.seq_kv);
  piece.bits = tile == BENCH_BLOCK_FULL
                   ? nullptr
                   : rows.blocks.tiles + (tile * block + row % block) * rows.blocks.words;
  return piece;
}

BENCH_DEVICE_FN bool mask_sees(const MaskPiece &piece, int64_t key) {
  const int64_t bit = key - piece.begin;
  return piece.bits == nullptr || (load_global(piece.bits + (bit >> 6)) >> (bit & 63) & 1) != 0;
}

#endif
