/* Random masks and shapes, and the definition of each simple mask written out, for the tests of
 * masks, block lists and statistics. */
#ifndef BENCH_TEST_MASK_SHAPES_H
#define BENCH_TEST_MASK_SHAPES_H

#include <stdlib.h>
#include <string.h>

#include "bench/attn.h"

/* xorshift64: the tests' own, so that they do not lean on what they test. */
static inline uint64_t shape_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state >> 11;
}

static inline int64_t shape_between(uint64_t *state, int64_t low, int64_t high) {
  return low + (int64_t)(shape_random(state) % (uint64_t)(high - low + 1));
}

static inline bench_attn shape_of(int64_t seq_q, int64_t seq_kv, bench_mask_kind kind) {
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = attn.batch = attn.heads_q = attn.heads_kv = 1;
  attn.head_dim = 16;
  attn.seq_q = seq_q;
  attn.seq_kv = seq_kv;
  attn.seed = 1;
  attn.mask.kind = kind;
  return attn;
}

/* Square, longer than its keys, shorter, or one row; any simple mask, its widths also far beyond
 * the sequence. */
static inline bench_attn shape_simple(uint64_t *state, int64_t longest) {
  const int64_t seq_q = shape_between(state, 1, longest);
  const int64_t seq_kv = shape_between(state, 1, longest);
  const int64_t kind = shape_between(state, 0, 3);
  bench_attn attn = shape_of(seq_q, seq_kv, (bench_mask_kind)kind);
  switch (shape_between(state, 0, 3)) {
    case 0:
      attn.seq_q = attn.seq_kv;
      break;
    case 1:
      attn.seq_q = shape_between(state, 1, 3);
      break;
    default:
      break;
  }
  const int64_t widest = shape_between(state, 0, 4) == 0 ? 4 * longest : longest / 2 + 1;
  if (attn.mask.kind == BENCH_MASK_WINDOW) {
    attn.mask.window = shape_between(state, 1, widest);
    attn.mask.both = shape_between(state, 0, 1) == 1;
  } else if (attn.mask.kind == BENCH_MASK_SINK_WINDOW) {
    attn.mask.window = shape_between(state, 1, widest);
    attn.mask.sink = shape_between(state, 1, widest);
  }
  return attn;
}

static inline bool shape_sees(const bench_attn *attn, int64_t row, int64_t key) {
  const int64_t i = row + attn->seq_kv - attn->seq_q;
  const int64_t distance = i - key;
  switch (attn->mask.kind) {
    case BENCH_MASK_FULL:
      return true;
    case BENCH_MASK_WINDOW:
      if (attn->mask.both) {
        return llabs(distance) < attn->mask.window;
      }
      return distance >= 0 && distance < attn->mask.window;
    case BENCH_MASK_SINK_WINDOW:
      return distance >= 0 && (key < attn->mask.sink || distance < attn->mask.window);
    default:
      return distance >= 0;
  }
}

#endif
