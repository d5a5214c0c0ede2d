/* Masks: their text, their rows, and the block list to which every mask can be resolved.
 *
 * Text forms (design: the table of masks):
 *   full | causal | window:W | window:W:both | sink:K+window:W | strided:S
 *   block:density=D:size=B:layout=random|skewed      (layout may be left out: random)
 *   bigbird:window=W:global=G:random=R:size=B        (size may be left out: 64)
 *   topk:blocks=N:size=B
 *   hybrid:MASK/MASK@heads=A-B | hybrid:MASK/MASK@layers=A-B
 *
 * Kernels know the simple forms (full, causal, window, sink+window) as rows of at most two spans,
 * and one general form, the block list. A hybrid over layers gives each layer a mask of its own
 * (bench_attn_layer), a hybrid over heads a block list of two patterns. */
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

/* The visible blocks of every head. Heads that see the same keys share a pattern: head h, counted
 * over batch and query heads (h = b * heads_q + head), has pattern[h], or pattern 0 where `pattern`
 * is NULL. Block row r of pattern p, at row_begin[p * rows + r], covers query rows
 * [r*block, min((r+1)*block, seq_q)); block column c likewise over keys. Only kept blocks stand in
 * the list, in ascending column order within a row. A block is full when every in-range row of it
 * sees every in-range key of it. Else `tile` names its bit tile: bit (c & 63) of word
 * tiles[(tile * block + r) * words + (c >> 6)] is set where row r of the block sees key c of it;
 * bits out of range are zero. Equal tiles are stored once. */
typedef struct bench_blocklist {
  int64_t seq_q;
  int64_t seq_kv;
  int64_t block;
  int64_t rows;       /* block rows of a pattern, ceil(seq_q / block) */
  int64_t patterns;   /* at least 1 */
  int64_t heads;      /* entries of `pattern`: batch * heads_q */
  int64_t blocks;     /* kept blocks of all patterns = row_begin[patterns * rows] */
  int64_t words;      /* 64-bit words per tile row, ceil(block / 64) */
  int64_t tile_count; /* number of distinct bit tiles */
  int64_t *row_begin; /* [patterns * rows + 1] */
  int32_t *column;    /* [blocks] */
  int32_t *tile;      /* [blocks] index of the bit tile, or BENCH_BLOCK_FULL */
  uint64_t *tiles;    /* [tile_count][block][words] */
  int32_t *pattern;   /* [heads], or NULL: all heads have pattern 0 */
} bench_blocklist;

#define BENCH_BLOCK_FULL (-1)

/* Index into row_begin of the block row that holds `row` of `head` (over batch and heads). */
static inline int64_t bench_blocklist_row(const bench_blocklist *list, int64_t head, int64_t row) {
  const int64_t pattern = list->pattern == NULL ? 0 : list->pattern[head];
  return pattern * list->rows + row / list->block;
}

/* A mask as a config names it: with its two parts if it is a HYBRID. */
typedef struct bench_mask_choice {
  bench_mask mask;
  bench_mask part[2];
} bench_mask_choice;

void bench_attn_set_mask(bench_attn *attn, const bench_mask_choice *choice);

/* The message says what is wrong with which part of the text. */
bench_code bench_mask_parse(const char *text, bench_mask_choice *out, bench_error *error);

/* The canonical text, such that parse(format(mask)) == mask. `part` may be NULL unless the mask is
 * a HYBRID. At most BENCH_MASK_TEXT_MAX bytes. */
#define BENCH_MASK_TEXT_MAX 256
void bench_mask_format(const bench_mask *mask, const bench_mask part[2],
                       char text[BENCH_MASK_TEXT_MAX]);

/* The four that follow are what a kernel may ask about a mask before it has a list. */

/* True for the masks whose rows are at most two spans: full, causal, window, sink+window. */
static inline bool bench_mask_is_simple(const bench_mask *mask) {
  return mask->kind <= BENCH_MASK_SINK_WINDOW;
}

static inline bool bench_mask_alternates_over_heads(const bench_attn *attn) {
  return attn->mask.kind == BENCH_MASK_HYBRID && attn->mask.over == BENCH_HYBRID_HEADS;
}

/* The block size that the mask fixes, or 0 if it leaves the choice to the kernel. */
static inline int64_t bench_mask_block(const bench_attn *attn) {
  if (!bench_mask_alternates_over_heads(attn)) {
    return attn->mask.block;
  }
  const int64_t first = attn->part[0].block; /* they are equal, or one leaves it free */
  return first > attn->part[1].block ? first : attn->part[1].block;
}

/* True where the visible keys depend on Q and K: TOPK, or a HYBRID over heads with such a part. */
static inline bool bench_mask_needs_input(const bench_attn *attn) {
  return bench_mask_alternates_over_heads(attn)
             ? attn->part[0].kind == BENCH_MASK_TOPK || attn->part[1].kind == BENCH_MASK_TOPK
             : attn->mask.kind == BENCH_MASK_TOPK;
}

/* Patterns that the block list of the mask has at most: 1, 2 for a HYBRID over heads, batch *
 * heads_q where the mask needs input. */
static inline int64_t bench_mask_patterns(const bench_attn *attn) {
  return bench_mask_needs_input(attn)             ? attn->batch * attn->heads_q
         : bench_mask_alternates_over_heads(attn) ? 2
                                                  : 1;
}

/* Which part of a HYBRID (0 or 1) query head or layer `index` has; 0 for any other mask. */
int bench_mask_part(const bench_mask *mask, int64_t index);

/* Simple masks: writes the visible keys of `row` (0 .. seq_q-1) as disjoint ascending non-empty
 * spans and returns how many (0, 1 or 2). Constant time. */
int bench_mask_spans(const bench_attn *attn, int64_t row, bench_span spans[2]);

/* Exact number of visible pairs of one (batch entry, head) under a mask that is no HYBRID; the
 * same for every head and every input. Constant time for the simple masks, linear in block rows
 * for TOPK and STRIDED, and in causal blocks for BLOCK and BIGBIRD, whose draw depends on
 * attn->seed. */
bench_code bench_mask_pairs(const bench_attn *attn, int64_t *pairs, bench_error *error);

/* Resolves any mask but a HYBRID over layers to blocks of `block` rows and keys, which must be the
 * mask's own size where it fixes one. Q and K are the layer's tensors in host memory, read only if
 * bench_mask_needs_input, else they may be NULL. Memory is linear in block rows and kept blocks,
 * and so is time but for BLOCK, BIGBIRD and TOPK, which look at every causal block once.
 * The caller frees `out` with bench_blocklist_free; after a failure there is nothing to free. */
bench_code bench_blocklist_build(const bench_attn *attn, int64_t block, const void *q,
                                 const void *k, bench_blocklist *out, bench_error *error);
void bench_blocklist_free(bench_blocklist *list);

/* Does `row` of `head` (over batch and heads) see `key`? For tests; not fast. */
bool bench_blocklist_visible(const bench_blocklist *list, int64_t head, int64_t row, int64_t key);
bool bench_mask_visible(const bench_attn *attn, const bench_blocklist *list, int64_t head,
                        int64_t row, int64_t key);

/* Exact number of visible pairs of all heads of the list. */
int64_t bench_blocklist_pairs(const bench_blocklist *list);

#ifdef __cplusplus
}
#endif
#endif
