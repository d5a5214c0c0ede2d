/* Masks: their text, their rows, and the block list to which every mask can be resolved.
 *
 * Text forms (design: the table of masks):
 *   full | causal | window:W | window:W:both | sink:K+window:W
 *   block:density=D:size=B:layout=random|skewed      (layout may be left out: random)
 *
 * Kernels know the simple forms (full, causal, window, sink+window) as rows of at most two spans,
 * and one general form, the block list. */
#ifndef BENCH_MASK_H
#define BENCH_MASK_H

#include "bench/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_span {
  int64_t begin; /* first visible key */
  int64_t end;   /* one past the last */
} bench_span;

/* Block row r covers query rows [r*block, min((r+1)*block, seq_q)); block column c likewise over
 * keys. Only kept blocks stand in the list, in ascending column order within a row. A block is
 * full when every in-range row of it sees every in-range key of it. Else `tile` names its bit
 * tile: bit (c & 63) of word tiles[(tile * block + r) * words + (c >> 6)] is set where row r of
 * the block sees key c of it; bits out of range are zero. Equal tiles are stored once.
 * The same list holds for every layer, batch entry and head. */
typedef struct bench_blocklist {
  int64_t seq_q;
  int64_t seq_kv;
  int64_t block;
  int64_t rows;       /* number of block rows, ceil(seq_q / block) */
  int64_t blocks;     /* number of kept blocks = row_begin[rows] */
  int64_t words;      /* 64-bit words per tile row, ceil(block / 64) */
  int64_t tile_count; /* number of distinct bit tiles */
  int64_t pairs;      /* exact number of visible (row, key) pairs */
  int64_t *row_begin; /* [rows + 1] */
  int32_t *column;    /* [blocks] */
  int32_t *tile;      /* [blocks] index of the bit tile, or BENCH_BLOCK_FULL */
  uint64_t *tiles;    /* [tile_count][block][words] */
} bench_blocklist;

#define BENCH_BLOCK_FULL (-1)

/* The message says what is wrong with which part of the text. */
bench_code bench_mask_parse(const char *text, bench_mask *out, bench_error *error);

/* The canonical text, such that parse(format(mask)) == mask. At most BENCH_MASK_TEXT_MAX bytes. */
#define BENCH_MASK_TEXT_MAX 128
void bench_mask_format(const bench_mask *mask, char text[BENCH_MASK_TEXT_MAX]);

/* True for the masks whose rows are at most two spans (all but BLOCK). */
bool bench_mask_is_simple(const bench_mask *mask);

/* Simple masks: writes the visible keys of `row` (0 .. seq_q-1) as disjoint ascending non-empty
 * spans and returns how many (0, 1 or 2). Constant time. */
int bench_mask_spans(const bench_attn *attn, int64_t row, bench_span spans[2]);

/* Exact number of visible pairs of one (batch entry, head). Constant time for full, causal,
 * window and sink+window; linear in causal blocks for BLOCK, whose draw depends on attn->seed. */
bench_code bench_mask_pairs(const bench_attn *attn, int64_t *pairs, bench_error *error);

/* Resolves any mask to blocks of `block` rows and keys. For a BLOCK mask, `block` must be
 * attn->mask.block. Memory is linear in block rows and kept blocks, and so is time but for BLOCK,
 * whose draw visits every causal block once.
 * The caller frees `out` with bench_blocklist_free; after a failure there is nothing to free. */
bench_code bench_blocklist_build(const bench_attn *attn, int64_t block, bench_blocklist *out,
                                 bench_error *error);
void bench_blocklist_free(bench_blocklist *list);

/* Does `row` see `key`? For tests and the reference; not fast. */
bool bench_blocklist_visible(const bench_blocklist *list, int64_t row, int64_t key);
bool bench_mask_visible(const bench_attn *attn, const bench_blocklist *list, int64_t row,
                        int64_t key);

#ifdef __cplusplus
}
#endif
#endif
