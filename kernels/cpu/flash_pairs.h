/* The two matrix products of the flash loop by vectors of pairs of bf16 (AVX512-BF16): as
 * flash_micro.h has them in fp32, but a broadcast takes two elements of a key, or one column of two
 * keys, and each lane adds two products. Two roundings a pair, as by FMA in fp32; bf16 is never
 * widened. */
#ifndef BENCH_KERNELS_CPU_FLASH_PAIRS_H
#define BENCH_KERNELS_CPU_FLASH_PAIRS_H

#include "cpu/flash_pack.h"

/* K, V [TILE_PAIRS][head_dim], P. */
static inline size_t key_room_floats(const bench_attn *attn) {
  return (size_t)(SCORE_ROWS * padded_dim(attn->head_dim) / 2 + TILE_PAIRS * attn->head_dim +
                  TILE_PAIRS * STRIP);
}

static inline key_room key_room_at(float *at, const bench_attn *attn) {
  bf16_pair *p = (bf16_pair *)at; /* first, for its alignment */
  bf16_pair *k = p + TILE_PAIRS * STRIP;
  return (key_room){.p = p, .k = k, .v = k + SCORE_ROWS * padded_dim(attn->head_dim) / 2};
}

/* Keys [first, first + keys) of all, at `place` of the tile's TILE_KEYS places, of which they take
 * keys_places(keys). */
static inline run_keys keys_load(const bench_launch *launch, const key_room *room, int64_t place,
                                 int64_t first, int64_t keys) {
  const int64_t d = launch->attn->head_dim;
  const uint16_t *v = (const uint16_t *)launch->v + first * d;
  for (int64_t j = 0; 2 * j < keys; j++) {
    values_pair(v, keys, j, d, room->v + (place / 2 + j) * d);
  }
  return keys_of_pairs(launch, room, place, first, keys);
}

/* sum[i] += over j < depth of a[i * row + j * step] . b[j], for `n` rows of a and the rows of the
 * first `vectors` vectors of the strip; both numbers are constants to the compiler. */
FLASH_INLINE void pairs_group(const bf16_pair *a, int64_t row, int64_t step, const bf16_pair *b,
                              int64_t depth, int n, int vectors, line_ask ask, vec sum[8][2]) {
  for (int64_t j = 0; j < depth; j++, a += step, b += STRIP, ask.at += ask.step) {
    __builtin_prefetch(ask.at, 0, 2);
    pairs16 b_v[2];
    FLASH_UNROLL
    for (int v = 0; v < vectors; v++) {
      b_v[v] = *(const pairs16 *)(b + v * LANES);
    }
    FLASH_UNROLL
    for (int i = 0; i < n; i++) {
      FLASH_UNROLL
      for (int v = 0; v < vectors; v++) {
        sum[i][v] = dot_pairs(sum[i][v], (pairs16){0} + a[i * row], b_v[v]);
      }
    }
  }
}

/* scores[i][r] = k_i . q_r for `keys` keys; max[r] rises to the largest of them. */
FLASH_INLINE void scores_group(const bf16_pair *q, const bf16_pair *k, int64_t d_pairs, int keys,
                               int vectors, line_ask ask, float *scores, float *max) {
  vec sum[8][2];
  FLASH_UNROLL
  for (int i = 0; i < keys; i++) {
    sum[i][0] = sum[i][1] = (vec){0};
  }
  pairs_group(k, d_pairs, 1, q, d_pairs, keys, vectors, ask, sum);
  scores_store(sum, keys, vectors, scores, max);
}

/* o[c][r] = o[c][r] * alpha[r] + sum over `pairs` pairs of p[pair][r] . v[pair][c], for `columns`
 * columns: o and v begin with the first of them. */
FLASH_INLINE void values_group(const bf16_pair *p, const bf16_pair *v, int64_t d, int64_t pairs,
                               int columns, int vectors, const float *alpha, float *o) {
  vec sum[8][2];
  values_begin(o, alpha, columns, vectors, sum);
  pairs_group(v, 1, d, p, pairs, columns, vectors, ask_nothing(p), sum);
  values_store(sum, columns, vectors, o);
}

typedef void scores_fn(const bf16_pair *q, const bf16_pair *k, int64_t d_pairs, line_ask ask,
                       float *scores, float *max);
typedef void values_fn(const bf16_pair *p, const bf16_pair *v, int64_t d, int64_t pairs,
                       const float *alpha, float *o);
#define FLASH_TILE(n, vectors)                                                              \
  static __attribute__((noinline)) void scores_##n##_##vectors(                             \
      const bf16_pair *q, const bf16_pair *k, int64_t d_pairs, line_ask ask, float *scores, \
      float *max) {                                                                         \
    scores_group(q, k, d_pairs, n, vectors, ask, scores, max);                              \
  }                                                                                         \
  static __attribute__((noinline)) void values_##n##_##vectors(                             \
      const bf16_pair *p, const bf16_pair *v, int64_t d, int64_t pairs, const float *alpha, \
      float *o) {                                                                           \
    values_group(p, v, d, pairs, n, vectors, alpha, o);                                     \
  }
FLASH_SIZES(FLASH_TILE, 1)
FLASH_SIZES(FLASH_TILE, 2)
FLASH_TABLE(scores, 1)
FLASH_TABLE(scores, 2)
FLASH_TABLE(values, 1)
FLASH_TABLE(values, 2)

/* scores[keys][STRIP] = k[keys] . q[STRIP] for the keys of a run, of the first `rows` rows and
 * maybe more; max[STRIP] rises to the largest of each row. */
static inline void scores_of(bool few, const float *q, const run_keys *run, int64_t d, int64_t rows,
                             row_asks *asks, float *scores, float *max) {
  scores_fn *const *tiles = rows <= LANES ? scores_tiles_1 : scores_tiles_2;
  const int64_t d_pairs = padded_dim(d) / 2;
  int n;
  for (int64_t j = 0; j < run->keys; j += n) {
    n = next_group(run->keys - j);
    tiles[n]((const bf16_pair *)q, run->k + j * d_pairs, d_pairs, asks_take(asks, q),
             scores + j * STRIP, max);
  }
}

/* o[d][STRIP] = o * alpha[STRIP] + v[keys][d] . p[keys][STRIP] over the keys of all runs; as above
 */
static inline void values_of(bool few, const key_room *room, const run_keys *runs, int count,
                             const float *p, int64_t d, int64_t rows, const float *alpha,
                             float *o) {
  values_fn *const *tiles = rows <= LANES ? values_tiles_1 : values_tiles_2;
  const pair_span span = weights_pack(runs, count, p, room->p);
  int n;
  for (int64_t c = 0; c < d; c += n) {
    n = next_group(d - c);
    tiles[n](room->p + span.begin * STRIP, room->v + span.begin * d + c, d, span.end - span.begin,
             alpha, o + c * STRIP);
  }
}

static inline void products_open(void) {}
static inline void products_close(void) {}

#endif
