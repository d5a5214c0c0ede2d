/* What the makers of a block list share: which blocks of a block row are diagonal, and how a block
 * gets into the list. */
#ifndef BENCH_BLOCKLIST_H
#define BENCH_BLOCKLIST_H

#include "bench/mask.h"
#include "mask_band.h"
#include "minmax.h"

/* Hash tables with open addressing; capacities are powers of two. */
typedef struct bench_tile_key { /* all that a tile depends on */
  int64_t relative;             /* position of the first row, from the block's first key */
  int32_t rows;
  int32_t keys;
  int32_t sink; /* keys of the block that are sinks */
  int32_t part; /* which mask, of a hybrid */
} bench_tile_key;

typedef struct bench_tile_memo {
  bench_tile_key key;
  int32_t tile; /* index, or BENCH_BLOCK_FULL */
  bool empty;   /* no pair is visible: the block is not kept */
  bool used;
} bench_tile_memo;

typedef struct bench_list_builder {
  bench_attn attn; /* with a pure mask: that of the pattern being made */
  bench_band band;
  int part; /* which of a hybrid's it is */
  bench_blocklist *list;
  int64_t columns;        /* block columns */
  int64_t first;          /* position of row 0 */
  int64_t at;             /* index into row_begin of the row being made */
  int64_t block_capacity; /* entries of column and tile */
  int64_t tile_capacity;
  int64_t tile_words;    /* words of a tile */
  uint64_t *bits;        /* one tile, being made */
  bench_tile_memo *memo; /* tiles by what they depend on */
  size_t memo_count;
  size_t memo_capacity;
  int32_t *same; /* index + 1 of tiles, by their content */
  size_t same_capacity;
} bench_list_builder;

/* Query rows and keys of a block. */
static inline int64_t list_rows_of(const bench_blocklist *list, int64_t row) {
  return min64(list->block, list->seq_q - row * list->block);
}
static inline int64_t list_keys_of(const bench_blocklist *list, int64_t column) {
  return min64(list->block, list->seq_kv - column * list->block);
}

/* The diagonal blocks of a block row: those with a pair j = i. The causal ones before them are
 * full: their last key stands before the diagonal's first, which is no later than the first row.
 * Nor is one of them the ragged last column, which holds the last row's own position. Empty at 0
 * where no row of it stands at a position >= 0. */
static inline bench_span list_diagonal(int64_t first, int64_t block, int64_t row, int64_t rows) {
  const int64_t begin = first + row * block;
  const int64_t last = begin + rows - 1;
  if (last < 0) {
    return (bench_span){0, 0};
  }
  return (bench_span){max64(0, begin) / block, last / block + 1};
}

/* blocklist_tile.c: the tile of a block; NULL without memory. */
const bench_tile_memo *bench_list_tile(bench_list_builder *b, int64_t row, int64_t column);

/* Appends a block of the row being made; one without a visible pair is left out. False without
 * memory. */
bool bench_list_push(bench_list_builder *b, int64_t row, int64_t column);
bool bench_list_push_range(bench_list_builder *b, int64_t row, bench_span range);

/* Opens the next block row of the list: what is pushed from here on is its. */
void bench_list_open_row(bench_list_builder *b);

/* blocklist_draw.c: all rows of a pattern of a BLOCK or BIGBIRD mask. */
bool bench_list_draw(bench_list_builder *b);

/* blocklist_topk.c: pairs of a head of a TOPK mask, from the shape alone, and the off-diagonal
 * blocks that the heads of a TOPK mask choose. */
int64_t bench_blocklist_topk_pairs(const bench_attn *attn);
typedef struct bench_list_choice {
  int64_t wanted;   /* columns of a row at most */
  int64_t rows;     /* block rows */
  int32_t *columns; /* [heads][rows][wanted], ascending, then -1 */
} bench_list_choice;
bench_code bench_list_choose(const bench_attn *attn, int64_t block, const void *q, const void *k,
                             bench_list_choice *out, bench_error *error);
/* All rows of the pattern of `head`. */
bool bench_list_chosen(bench_list_builder *b, const bench_list_choice *choice, int64_t head);

#endif
