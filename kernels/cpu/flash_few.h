/* The two matrix products for a strip of at most FEW_LANES rows, as in decoding: with queries in
 * the lanes most lanes would be idle, and each value of a key a load of its own. Here head_dim lies
 * in the lanes: Q and O are row-major, [row][head_dim], and a vector of a key is loaded once for
 * all rows, so that memory is what is waited for. It is kept busy by asking ahead: for V of the
 * same keys along with the scores, and for K of the keys behind them along with the values;
 * without, decoding takes twice as long. Scores and probabilities are those of flash_micro.h,
 * [keys][STRIP]. */
#ifndef BENCH_KERNELS_CPU_FLASH_FEW_H
#define BENCH_KERNELS_CPU_FLASH_FEW_H

#include "cpu/flash_micro.h"

enum {
  FEW_LANES = 4,
  FEW_LINE = 16, /* floats of a cache line */
  FEW_AHEAD = 8  /* keys between asking for K and its use; little more than a memory's latency */
};

/* Asks for `count` floats ahead of their use, into the second-level cache. They may lie past the
 * end. */
FLASH_INLINE void few_fetch(const float *from, int64_t count) {
  for (int64_t c = 0; c < count; c += FEW_LINE) {
    __builtin_prefetch(from + c, 0, 2);
  }
}

/* Whether a strip of so many rows goes this way; head_dim must be whole vectors. */
static inline bool few_rows(int64_t rows, int64_t d) {
  return rows <= FEW_LANES && d % LANES == 0;
}

/* The lanes of a vector, added up to four. */
FLASH_INLINE quad fold(vec a) {
  quad parts[LANES / 4];
  memcpy(parts, &a, sizeof parts);
  quad sum = parts[0];
  FLASH_UNROLL
  for (int i = 1; i < LANES / 4; i++) {
    sum += parts[i];
  }
  return sum;
}

/* The sums of four vectors' lanes. */
FLASH_INLINE quad sums_of_four(const vec a[FEW_LANES]) {
  const quad a0 = fold(a[0]);
  const quad a1 = fold(a[1]);
  const quad a2 = fold(a[2]);
  const quad a3 = fold(a[3]);
  const quad b0 =
      __builtin_shufflevector(a0, a1, 0, 4, 1, 5) + __builtin_shufflevector(a0, a1, 2, 6, 3, 7);
  const quad b1 =
      __builtin_shufflevector(a2, a3, 0, 4, 1, 5) + __builtin_shufflevector(a2, a3, 2, 6, 3, 7);
  return __builtin_shufflevector(b0, b1, 0, 1, 4, 5) + __builtin_shufflevector(b0, b1, 2, 3, 6, 7);
}

/* As scores_group, for `rows` rows and `keys` keys, at most 2; both are constants to the compiler.
 */
FLASH_INLINE void few_scores_group(const float *q, const float *k, int64_t d, int keys, int rows,
                                   float *scores, float *max) {
  vec sum[2][FEW_LANES];
  FLASH_UNROLL
  for (int i = 0; i < keys; i++) {
    FLASH_UNROLL
    for (int r = 0; r < FEW_LANES; r++) {
      sum[i][r] = (vec){0};
    }
  }
  for (int64_t c = 0; c < d; c += LANES) {
    vec k_i[2];
    FLASH_UNROLL
    for (int i = 0; i < keys; i++) {
      k_i[i] = load(k + i * d + c);
    }
    FLASH_UNROLL
    for (int r = 0; r < rows; r++) {
      const vec q_r = load(q + r * d + c);
      FLASH_UNROLL
      for (int i = 0; i < keys; i++) {
        sum[i][r] += k_i[i] * q_r;
      }
    }
  }
  FLASH_UNROLL
  for (int i = 0; i < keys; i++) {
    const quad row = sums_of_four(sum[i]);
    memcpy(scores + i * STRIP, &row, sizeof row);
    FLASH_UNROLL
    for (int r = 0; r < rows; r++) {
      max[r] = row[r] > max[r] ? row[r] : max[r];
    }
  }
}

/* As values_group, for `rows` rows and `vectors` vectors of columns; both are constants to the
 * compiler. */
FLASH_INLINE void few_values_group(const run_keys *runs, int count, const float *p, int64_t d,
                                   int64_t column, int vectors, int rows, const float *alpha,
                                   float *o) {
  vec sum[FEW_LANES][2];
  FLASH_UNROLL
  for (int r = 0; r < rows; r++) {
    FLASH_UNROLL
    for (int n = 0; n < vectors; n++) {
      sum[r][n] = load(o + r * d + column + n * LANES) * alpha[r];
    }
  }
  for (int i = 0; i < count; i++) {
    const float *v = runs[i].v + column;
    const float *ahead =
        runs[i].k + runs[i].keys * (d + column); /* each column asks for its share */
    for (int64_t j = 0; j < runs[i].keys; j++, p += STRIP, v += d, ahead += vectors * LANES) {
      few_fetch(ahead, vectors * LANES);
      vec v_n[2];
      FLASH_UNROLL
      for (int n = 0; n < vectors; n++) {
        v_n[n] = load(v + n * LANES);
      }
      FLASH_UNROLL
      for (int r = 0; r < rows; r++) {
        FLASH_UNROLL
        for (int n = 0; n < vectors; n++) {
          sum[r][n] += v_n[n] * p[r];
        }
      }
    }
  }
  FLASH_UNROLL
  for (int r = 0; r < rows; r++) {
    FLASH_UNROLL
    for (int n = 0; n < vectors; n++) {
      store(o + r * d + column + n * LANES, sum[r][n]);
    }
  }
}

FLASH_INLINE void few_scores_rows(const float *q, const run_keys *run, int64_t d, int rows,
                                  float *scores, float *max) {
  int64_t j = 0;
  for (; j + 2 <= run->keys; j += 2) {
    few_fetch(run->v + j * d, 2 * d);
    few_fetch(run->k + (j + FEW_AHEAD) * d, 2 * d);
    few_scores_group(q, run->k + j * d, d, 2, rows, scores + j * STRIP, max);
  }
  if (j < run->keys) {
    few_fetch(run->v + j * d, d);
    few_scores_group(q, run->k + j * d, d, 1, rows, scores + j * STRIP, max);
  }
}

FLASH_INLINE void few_values_rows(const run_keys *runs, int count, const float *p, int64_t d,
                                  int rows, const float *alpha, float *o) {
  int64_t c = 0;
  for (; c + 2 * LANES <= d; c += 2 * LANES) {
    few_values_group(runs, count, p, d, c, 2, rows, alpha, o);
  }
  if (c < d) {
    few_values_group(runs, count, p, d, c, 1, rows, alpha, o);
  }
}

/* As strip_scores and strip_values. */
static void few_scores(const float *q, const run_keys *run, int64_t d, int64_t rows, float *scores,
                       float *max) {
  switch (rows) {
    case 1:
      few_scores_rows(q, run, d, 1, scores, max);
      break;
    case 2:
      few_scores_rows(q, run, d, 2, scores, max);
      break;
    case 3:
      few_scores_rows(q, run, d, 3, scores, max);
      break;
    default:
      few_scores_rows(q, run, d, 4, scores, max);
  }
}

static void few_values(const run_keys *runs, int count, const float *p, int64_t d, int64_t rows,
                       const float *alpha, float *o) {
  switch (rows) {
    case 1:
      few_values_rows(runs, count, p, d, 1, alpha, o);
      break;
    case 2:
      few_values_rows(runs, count, p, d, 2, alpha, o);
      break;
    case 3:
      few_values_rows(runs, count, p, d, 3, alpha, o);
      break;
    default:
      few_values_rows(runs, count, p, d, 4, alpha, o);
  }
}

#endif
