/* Rows that are needed soon, asked for into the second-level cache: K and V of a tile behind the
 * keys that its first strip is at, O of an item before it is written, and Q of a later item. Where
 * the keys of an item are few or not in a row, as with blocks and windows, nothing else brings them
 * in time.
 *
 * Asked for all at once they would wait for one another and the products for them. So each register
 * tile of scores asks for a few, one cache line for each step of its inner loop, which for ASK_ROWS
 * rows of a tensor, [row][head_dim], makes up all of their lines. Asking is a hint, and rows past
 * the end of a tensor may be asked for. */
#ifndef BENCH_KERNELS_CPU_FLASH_AHEAD_H
#define BENCH_KERNELS_CPU_FLASH_AHEAD_H

#include "cpu/flash_lanes.h"

enum {
  ASK_LINE = 64,                        /* bytes of a cache line */
  ASK_ELEMENT = CPU_PAIRS == 0 ? 4 : 2, /* bytes; other types are not read where they stand */
  ASK_ROWS = 16, /* whose lines are as many as the steps of a register tile */
  ASKS = 2 * (TILE_KEYS / ASK_ROWS + TILE_RUNS) + 2 * TILE_ROWS / ASK_ROWS
};

/* Rows [first, first + rows) of a tensor, [batch * heads * seq][head_dim]. */
typedef struct row_span {
  int64_t first;
  int64_t rows;
} row_span;

/* Up to `rows` rows of a span from its row `begin` on. */
static inline row_span span_from(row_span span, int64_t begin, int64_t rows) {
  const int64_t left = span.rows - begin;
  return (row_span){span.first + begin, left < rows ? left : rows};
}

/* What is to be asked for, in order: the first rows of up to ASK_ROWS. */
typedef struct row_asks {
  const char *rows[ASKS];
  int next;
  int count;
} row_asks;

/* One line for each step from `at` on; step is 0 where there is nothing to ask for, and the line
 * one that is at hand. */
typedef struct line_ask {
  const char *at;
  int64_t step;
} line_ask;

static inline void asks_clear(row_asks *asks) {
  asks->next = asks->count = 0;
}

/* Rows of one of the problem's tensors. What is too much is left out. */
static inline void asks_add(row_asks *asks, const bench_attn *attn, const void *tensor,
                            row_span span) {
  const int64_t row_bytes = attn->head_dim * ASK_ELEMENT;
  const int64_t rows = bench_dtype_bytes(attn->dtype) == ASK_ELEMENT ? span.rows : 0;
  for (int64_t r = 0; r < rows && asks->count < ASKS; r += ASK_ROWS) {
    asks->rows[asks->count++] = (const char *)tensor + (span.first + r) * row_bytes;
  }
}

/* Of what is in the cache anyhow. */
static inline line_ask ask_nothing(const void *at_hand) {
  return (line_ask){at_hand, 0};
}

/* The next ask of a register tile, which has `at_hand` in its cache. */
static inline line_ask asks_take(row_asks *asks, const void *at_hand) {
  return asks->next < asks->count ? (line_ask){asks->rows[asks->next++], ASK_LINE}
                                  : ask_nothing(at_hand);
}

#endif
