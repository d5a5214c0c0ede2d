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

/* scores[i][r] = k_i . q_r for `keys` keys, keys <= GROUP, and the rows of the first `vectors`
 * vectors of the strip; both are constants to the compiler. */
FLASH_INLINE void scores_group(const float *q, const float *k, int64_t d, int keys, int vectors,
                               float *scores) {
  vec sum[8][2];
  for (int i = 0; i < keys; i++) {
    sum[i][0] = sum[i][1] = (vec){0};
  }
  for (int64_t c = 0; c < d; c++) {
    for (int n = 0; n < vectors; n++) {
      const vec q_n = load(q + c * STRIP + n * LANES);
      for (int i = 0; i < keys; i++) {
        sum[i][n] += k[i * d + c] * q_n;
      }
    }
  }
  for (int i = 0; i < keys; i++) {
    for (int n = 0; n < vectors; n++) {
      store(scores + i * STRIP + n * LANES, sum[i][n]);
    }
  }
}

/* o[c][r] = o[c][r] * alpha[r] + sum over runs and keys of p[key][r] * v[key][c], for `columns`
 * columns from `column` on and the rows of the first `vectors` vectors; both numbers are constants
 * to the compiler. */
FLASH_INLINE void values_group(const key_run *runs, int count, const float *p, int64_t d,
                               int64_t column, int columns, int vectors, const float *alpha,
                               float *o) {
  vec sum[8][2];
  for (int i = 0; i < columns; i++) {
    for (int n = 0; n < vectors; n++) {
      sum[i][n] = load(o + (column + i) * STRIP + n * LANES) * load(alpha + n * LANES);
    }
  }
  for (int r = 0; r < count; r++) {
    const float *v = runs[r].v + column;
    for (int64_t j = 0; j < runs[r].keys; j++, p += STRIP, v += d) {
      for (int n = 0; n < vectors; n++) {
        const vec p_n = load(p + n * LANES);
        for (int i = 0; i < columns; i++) {
          sum[i][n] += v[i] * p_n;
        }
      }
    }
  }
  for (int i = 0; i < columns; i++) {
    for (int n = 0; n < vectors; n++) {
      store(o + (column + i) * STRIP + n * LANES, sum[i][n]);
    }
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
#define FLASH_TILE(n, vectors)                                                                 \
  static __attribute__((noinline)) void scores_##n##_##vectors(const float *q, const float *k, \
                                                               int64_t d, float *scores) {     \
    scores_group(q, k, d, n, vectors, scores);                                                 \
  }                                                                                            \
  static __attribute__((noinline)) void values_##n##_##vectors(                                \
      const key_run *runs, int count, const float *p, int64_t d, int64_t column,               \
      const float *alpha, float *o) {                                                          \
    values_group(runs, count, p, d, column, n, vectors, alpha, o);                             \
  }
#define FLASH_TILES(vectors)                                               \
  FLASH_TILE(1, vectors)                                                   \
  FLASH_TILE(2, vectors)                                                   \
  FLASH_TILE(3, vectors)                                                   \
  FLASH_TILE(4, vectors)                                                   \
  FLASH_TILE(5, vectors)                                                   \
  FLASH_TILE(6, vectors)                                                   \
  FLASH_TILE(7, vectors)                                                   \
  FLASH_TILE(8, vectors)                                                   \
  static scores_fn *const scores_tiles_##vectors[] = {NULL,                \
                                                      scores_1_##vectors,  \
                                                      scores_2_##vectors,  \
                                                      scores_3_##vectors,  \
                                                      scores_4_##vectors,  \
                                                      scores_5_##vectors,  \
                                                      scores_6_##vectors,  \
                                                      scores_7_##vectors,  \
                                                      scores_8_##vectors}; \
  static values_fn *const values_tiles_##vectors[] = {NULL,                \
                                                      values_1_##vectors,  \
                                                      values_2_##vectors,  \
                                                      values_3_##vectors,  \
                                                      values_4_##vectors,  \
                                                      values_5_##vectors,  \
                                                      values_6_##vectors,  \
                                                      values_7_##vectors,  \
                                                      values_8_##vectors};
FLASH_TILES(1)
FLASH_TILES(2)

/* scores[keys][STRIP] = k[keys][d] . q[d][STRIP], of the first `rows` rows and maybe more */
static inline void strip_scores(const float *q, const float *k, int64_t keys, int64_t d,
                                int64_t rows, float *scores) {
  scores_fn *const *tiles = rows <= LANES ? scores_tiles_1 : scores_tiles_2;
  int n;
  for (int64_t j = 0; j < keys; j += n) {
    n = next_group(keys - j);
    tiles[n](q, k + j * d, d, scores + j * STRIP);
  }
}

/* o[d][STRIP] = o * alpha[STRIP] + v[keys][d] . p[keys][STRIP] over the keys of all runs; as above
 */
static inline void strip_values(const key_run *runs, int count, const float *p, int64_t d,
                                int64_t rows, const float *alpha, float *o) {
  values_fn *const *tiles = rows <= LANES ? values_tiles_1 : values_tiles_2;
  int n;
  for (int64_t c = 0; c < d; c += n) {
    n = next_group(d - c);
    tiles[n](runs, count, p, d, c, alpha, o);
  }
}

#endif
