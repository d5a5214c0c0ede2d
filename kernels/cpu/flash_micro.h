/* The two matrix products of the flash loop in fp32, on tiles that stay in registers.
 *
 * Q, the scores and O of a strip are [head_dim][STRIP], [keys][STRIP] and [head_dim][STRIP], and
 * one value of a key is broadcast against two vectors of rows. */
#ifndef BENCH_KERNELS_CPU_FLASH_MICRO_H
#define BENCH_KERNELS_CPU_FLASH_MICRO_H

#include "cpu/flash_ahead.h"

/* Keys between asking for a row of V and its use. Rows of V lie a power of two apart, so that those
 * of a tile share few sets of the first-level cache, which does not hold them all from one group of
 * columns to the next. */
enum { VALUES_AHEAD = 12 };

/* Consecutive keys as the products read them. */
typedef struct run_keys {
  const float *k; /* [keys][head_dim] */
  const float *v;
  int64_t keys;
  strip_half half; /* of a strip, that sees them */
} run_keys;

/* scores[i][r] = k_i . q_r for `keys` keys, keys <= GROUP, and the rows of the first `vectors`
 * vectors of the strip; both are constants to the compiler. max[r] rises to the largest of them. */
FLASH_INLINE void scores_group(const float *q, const float *k, int64_t d, int keys, int vectors,
                               line_ask ask, float *scores, float *max) {
  vec sum[8][2];
  FLASH_UNROLL
  for (int i = 0; i < keys; i++) {
    sum[i][0] = sum[i][1] = (vec){0};
  }
  for (int64_t c = 0; c < d; c++, ask.at += ask.step) {
    __builtin_prefetch(ask.at, 0, 2);
    vec q_n[2];
    FLASH_UNROLL
    for (int n = 0; n < vectors; n++) {
      q_n[n] = load(q + c * STRIP + n * LANES);
    }
    FLASH_UNROLL
    for (int i = 0; i < keys; i++) {
      FLASH_UNROLL
      for (int n = 0; n < vectors; n++) {
        sum[i][n] += k[i * d + c] * q_n[n];
      }
    }
  }
  scores_store(sum, keys, vectors, scores, max);
}

/* sum[i][n] += sum over the keys of a run of v[key][column + i] * p[key] for vectors [from, to) of
 * rows. */
FLASH_INLINE void values_run(const run_keys *run, const float *p, int64_t d, int64_t column,
                             int columns, int from, int to, vec sum[8][2]) {
  const float *v = run->v + column;
  for (int64_t j = 0; j < run->keys; j++, p += STRIP, v += d) {
    __builtin_prefetch(v + VALUES_AHEAD * d);
    vec p_n[2] = {{0}};
    FLASH_UNROLL
    for (int n = from; n < to; n++) {
      p_n[n] = load(p + n * LANES);
    }
    FLASH_UNROLL
    for (int i = 0; i < columns; i++) {
      FLASH_UNROLL
      for (int n = from; n < to; n++) {
        sum[i][n] += v[i] * p_n[n];
      }
    }
  }
}

/* o[c][r] = o[c][r] * alpha[r] + sum over runs and keys of p[key][r] * v[key][c], for `columns`
 * columns from `column` on and the rows of the first `vectors` vectors; both numbers are constants
 * to the compiler. */
FLASH_INLINE void values_group(const run_keys *runs, int count, const float *p, int64_t d,
                               int64_t column, int columns, int vectors, const float *alpha,
                               float *o) {
  vec sum[8][2];
  values_begin(o + column * STRIP, alpha, columns, vectors, sum);
  for (int r = 0; r < count; p += runs[r++].keys * STRIP) {
    if (vectors == 2 && runs[r].half == FIRST_HALF) {
      values_run(&runs[r], p, d, column, columns, 0, 1, sum);
    } else if (vectors == 2 && runs[r].half == SECOND_HALF) {
      values_run(&runs[r], p, d, column, columns, 1, 2, sum);
    } else {
      values_run(&runs[r], p, d, column, columns, 0, vectors, sum);
    }
  }
  values_store(sum, columns, vectors, o + column * STRIP);
}

typedef void scores_fn(const float *q, const float *k, int64_t d, line_ask ask, float *scores,
                       float *max);
typedef void values_fn(const run_keys *runs, int count, const float *p, int64_t d, int64_t column,
                       const float *alpha, float *o);
#define FLASH_TILE(n, vectors)                                                              \
  static __attribute__((noinline)) void scores_##n##_##vectors(                             \
      const float *q, const float *k, int64_t d, line_ask ask, float *scores, float *max) { \
    scores_group(q, k, d, n, vectors, ask, scores, max);                                    \
  }                                                                                         \
  static __attribute__((noinline)) void values_##n##_##vectors(                             \
      const run_keys *runs, int count, const float *p, int64_t d, int64_t column,           \
      const float *alpha, float *o) {                                                       \
    values_group(runs, count, p, d, column, n, vectors, alpha, o);                          \
  }
FLASH_SIZES(FLASH_TILE, 1)
FLASH_SIZES(FLASH_TILE, 2)
FLASH_TABLE(scores, 1)
FLASH_TABLE(scores, 2)
FLASH_TABLE(values, 1)
FLASH_TABLE(values, 2)

/* scores[keys][STRIP] = k[keys][d] . q[d][STRIP] for the keys of a run, of the first `rows` rows
 * and maybe more, but of those that see the run; max[STRIP] rises to the largest of each row. */
static inline void strip_scores(const float *q, const run_keys *run, int64_t d, int64_t rows,
                                row_asks *asks, float *scores, float *max) {
  const bool one = rows <= LANES || run->half != BOTH_HALVES;
  scores_fn *const *tiles = one ? scores_tiles_1 : scores_tiles_2;
  const int lane = run->half == SECOND_HALF ? LANES : 0;
  int n;
  for (int64_t j = 0; j < run->keys; j += n) {
    n = next_group(run->keys - j);
    tiles[n](q + lane, run->k + j * d, d, asks_take(asks, q), scores + j * STRIP + lane,
             max + lane);
  }
}

/* o[d][STRIP] = o * alpha[STRIP] + v[keys][d] . p[keys][STRIP] over the keys of all runs; as above
 */
static inline void strip_values(const run_keys *runs, int count, const float *p, int64_t d,
                                int64_t rows, const float *alpha, float *o) {
  values_fn *const *tiles = rows <= LANES ? values_tiles_1 : values_tiles_2;
  int n;
  for (int64_t c = 0; c < d; c += n) {
    n = next_group(d - c);
    tiles[n](runs, count, p, d, c, alpha, o);
  }
}

#endif
