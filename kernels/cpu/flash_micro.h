/* The two matrix products of the flash loop, on tiles that stay in registers.
 *
 * Queries lie in the lanes: Q, the scores and O of a strip of 2 vectors of rows are stored
 * transposed, [head_dim][STRIP], [keys][STRIP] and [head_dim][STRIP], and one value of a key is
 * broadcast against two vectors of rows. GROUP x 2 vectors of sums are enough independent chains
 * to hide the latency of the FMA, and leave registers for the operands. Width comes from
 * CPU_LANES; there is one source for every CPU. */
#ifndef BENCH_KERNELS_CPU_FLASH_MICRO_H
#define BENCH_KERNELS_CPU_FLASH_MICRO_H

#include "cpu/common.h"

enum {
  LANES = CPU_LANES,
  STRIP = 2 * LANES,                             /* query rows in a strip */
  GROUP = LANES == 16 ? 8 : (LANES == 8 ? 6 : 4) /* keys, or columns of V, in a register tile */
};

typedef float vec __attribute__((vector_size(4 * LANES)));
#define FLASH_INLINE static inline __attribute__((always_inline))

/* Consecutive keys, all visible where `bits` is NULL. Else row r of the tile sees key j where bit
 * j & 63 of bits[r * stride + (j >> 6)] is set. */
typedef struct key_run {
  const float *k; /* [keys][head_dim] */
  const float *v;
  int64_t keys;
  const uint64_t *bits;
  int64_t stride;
  bool trim; /* compute only from the first to the last key that a strip sees */
} key_run;

FLASH_INLINE vec load(const float *from) {
  return *(const vec *)from;
}

FLASH_INLINE void store(float *to, vec value) {
  *(vec *)to = value;
}

/* scores[i][r] = k_i . q_r for `keys` keys (a constant to the compiler), keys <= GROUP. */
FLASH_INLINE void scores_group(const float *q, const float *k, int64_t d, int keys, float *scores) {
  vec sum[8][2];
  for (int i = 0; i < keys; i++) {
    sum[i][0] = sum[i][1] = (vec){0};
  }
  for (int64_t c = 0; c < d; c++) {
    const vec q0 = load(q + c * STRIP);
    const vec q1 = load(q + c * STRIP + LANES);
    for (int i = 0; i < keys; i++) {
      sum[i][0] += k[i * d + c] * q0;
      sum[i][1] += k[i * d + c] * q1;
    }
  }
  for (int i = 0; i < keys; i++) {
    store(scores + i * STRIP, sum[i][0]);
    store(scores + i * STRIP + LANES, sum[i][1]);
  }
}

/* o[c][r] = o[c][r] * alpha[r] + sum over runs and keys of p[key][r] * v[key][c], for `columns`
 * columns (a constant to the compiler) from `column` on. */
FLASH_INLINE void values_group(const key_run *runs, int count, const float *p, int64_t d,
                               int64_t column, int columns, const float *alpha, float *o) {
  vec sum[8][2];
  for (int i = 0; i < columns; i++) {
    sum[i][0] = load(o + (column + i) * STRIP) * load(alpha);
    sum[i][1] = load(o + (column + i) * STRIP + LANES) * load(alpha + LANES);
  }
  for (int r = 0; r < count; r++) {
    const float *v = runs[r].v + column;
    for (int64_t j = 0; j < runs[r].keys; j++, p += STRIP, v += d) {
      const vec p0 = load(p);
      const vec p1 = load(p + LANES);
      for (int i = 0; i < columns; i++) {
        sum[i][0] += v[i] * p0;
        sum[i][1] += v[i] * p1;
      }
    }
  }
  for (int i = 0; i < columns; i++) {
    store(o + (column + i) * STRIP, sum[i][0]);
    store(o + (column + i) * STRIP + LANES, sum[i][1]);
  }
}

/* The next register tile of `left` keys or columns: GROUP, but two even halves at the end, for a
 * tile of one or two would leave the FMA units waiting. */
static inline int next_group(int64_t left) {
  if (left > GROUP && left < GROUP + GROUP / 2) {
    return (int)(left + 1) / 2;
  }
  return left < GROUP ? (int)left : GROUP;
}

/* Each size of register tile is a function of its own, so that the compiler gives all registers to
 * its inner loop: in one large function gcc keeps operands on the stack. */
typedef void scores_fn(const float *q, const float *k, int64_t d, float *scores);
typedef void values_fn(const key_run *runs, int count, const float *p, int64_t d, int64_t column,
                       const float *alpha, float *o);
#define FLASH_TILE(n)                                                                              \
  static __attribute__((noinline)) void scores_##n(const float *q, const float *k, int64_t d,      \
                                                   float *scores) {                                \
    scores_group(q, k, d, n, scores);                                                              \
  }                                                                                                \
  static __attribute__((noinline)) void values_##n(const key_run *runs, int count, const float *p, \
                                                   int64_t d, int64_t column, const float *alpha,  \
                                                   float *o) {                                     \
    values_group(runs, count, p, d, column, n, alpha, o);                                          \
  }
FLASH_TILE(1)
FLASH_TILE(2)
FLASH_TILE(3)
FLASH_TILE(4)
FLASH_TILE(5)
FLASH_TILE(6)
FLASH_TILE(7)
FLASH_TILE(8)
static scores_fn *const scores_tiles[] = {NULL,     scores_1, scores_2, scores_3, scores_4,
                                          scores_5, scores_6, scores_7, scores_8};
static values_fn *const values_tiles[] = {NULL,     values_1, values_2, values_3, values_4,
                                          values_5, values_6, values_7, values_8};

/* scores[keys][STRIP] = k[keys][d] . q[d][STRIP] */
static inline void strip_scores(const float *q, const float *k, int64_t keys, int64_t d,
                                float *scores) {
  int n;
  for (int64_t j = 0; j < keys; j += n) {
    n = next_group(keys - j);
    scores_tiles[n](q, k + j * d, d, scores + j * STRIP);
  }
}

/* o[d][STRIP] = o * alpha[STRIP] + v[keys][d] . p[keys][STRIP] over the keys of all runs */
static inline void strip_values(const key_run *runs, int count, const float *p, int64_t d,
                                const float *alpha, float *o) {
  int n;
  for (int64_t c = 0; c < d; c += n) {
    n = next_group(d - c);
    values_tiles[n](runs, count, p, d, c, alpha, o);
  }
}

#endif
