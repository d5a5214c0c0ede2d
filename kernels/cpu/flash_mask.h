/* What a strip of rows sees of a run of keys: where its keys begin and end, which of them only one
 * of its two vectors of rows sees, so that the other half is not computed, and the bits that hide
 * single scores. Included where the kind of products is known: it says from how many keys on a half
 * is worth a run of its own (HALF_KEYS). */
#ifndef BENCH_KERNELS_CPU_FLASH_MASK_H
#define BENCH_KERNELS_CPU_FLASH_MASK_H

#include "cpu/flash_lanes.h"

/* Keys [begin, end) of a run. */
typedef struct mask_span {
  int64_t begin;
  int64_t end;
} mask_span;

/* What a strip sees of a run: its keys, those of each half alone, and per key word the rows' bits,
 * 32 keys a word so that rows lie in lanes. */
typedef struct strip_mask {
  mask_span keys;
  mask_span half[2];
  bool partial;
  uint32_t bits[TILE_KEYS / 32][STRIP];
} strip_mask;

/* The number of low bits of word w that stand for one of `keys` keys, as a mask. */
static inline uint64_t word_of_keys(int64_t keys, int w) {
  const int64_t left = keys - 64 * w;
  return left >= 64 ? ~UINT64_C(0) : (left <= 0 ? 0 : (UINT64_C(1) << left) - 1);
}

/* From the first to the last bit; empty where there is none. */
static inline mask_span span_of(const uint64_t any[TILE_WORDS]) {
  const int first = any[0] != 0 ? 0 : 1;
  const int last = any[1] != 0 ? 1 : 0;
  return any[first] == 0 ? (mask_span){0, 0}
                         : (mask_span){64 * first + __builtin_ctzll(any[first]),
                                       64 * last + 64 - __builtin_clzll(any[last])};
}

/* `row` is the strip's first row in the tile. */
static void strip_mask_build(strip_mask *mask, const key_run *run, int64_t row, int64_t rows) {
  uint64_t any[2][TILE_WORDS] = {{0}};
  uint64_t all[TILE_WORDS] = {~UINT64_C(0), ~UINT64_C(0)};
  for (int w = 0; 64 * w < run->keys; w++) {
    for (int64_t r = 0; r < STRIP; r++) {
      const uint64_t bits = r < rows ? run->bits[(row + r) * run->stride + w] : 0;
      mask->bits[2 * w][r] = (uint32_t)bits;
      mask->bits[2 * w + 1][r] = (uint32_t)(bits >> 32);
      any[r / LANES][w] |= bits;
      all[w] &= r < rows ? bits : ~UINT64_C(0);
    }
  }
  mask->keys = mask->half[0] = mask->half[1] = (mask_span){0, run->keys};
  if (run->trim) {
    const uint64_t either[TILE_WORDS] = {any[0][0] | any[1][0], any[0][1] | any[1][1]};
    mask->keys = span_of(either);
    mask->half[0] = span_of(any[0]);
    mask->half[1] = span_of(any[1]);
  }
  mask->partial = false;
  for (int w = 0; 64 * w < run->keys; w++) {
    const uint64_t wanted = word_of_keys(mask->keys.end, w) & ~word_of_keys(mask->keys.begin, w);
    mask->partial |= (all[w] & wanted) != wanted;
  }
}

/* Keys of a run that the same halves of a strip see. */
typedef struct half_span {
  mask_span keys;
  strip_half half;
} half_span;

enum { HALF_SPANS = 3 };

/* The keys of a strip as up to HALF_SPANS such spans, in order: at the edge of a band they are
 * those of one half, of both, and of the other. How many. */
static int mask_halves(const strip_mask *mask, half_span out[HALF_SPANS]) {
  const mask_span first = mask->half[0];
  const mask_span second = mask->half[1];
  const bool band = first.begin <= second.begin && second.begin < first.end &&
                    first.end <= second.end; /* as all simple masks are */
  const int64_t begin = band && second.begin - first.begin >= HALF_KEYS ? second.begin : 0;
  const int64_t end = band && second.end - first.end >= HALF_KEYS ? first.end : 0;
  int count = 0;
  if (begin > 0) {
    out[count++] = (half_span){{mask->keys.begin, begin}, FIRST_HALF};
  }
  out[count++] = (half_span){{begin > 0 ? begin : mask->keys.begin, end > 0 ? end : mask->keys.end},
                             BOTH_HALVES};
  if (end > 0) {
    out[count++] = (half_span){{end, mask->keys.end}, SECOND_HALF};
  }
  return count;
}

/* Scores of keys that a row does not see become -inf, and max[r] rises to the largest of the
 * others; scores[0] is the strip's first key. */
static void strip_mask_apply(const strip_mask *mask, float *scores, float *max) {
  for (int64_t j = mask->keys.begin; j < mask->keys.end; j++, scores += STRIP) {
    const uint32_t *bits = mask->bits[j >> 5];
    const uint32_t bit = (uint32_t)j & 31;
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      scores[r] = (bits[r] >> bit & 1) != 0 ? scores[r] : -INFINITY;
      max[r] = scores[r] > max[r] ? scores[r] : max[r];
    }
  }
}

#endif
