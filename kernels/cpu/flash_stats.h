/* The core statistics (bench/stat.h) as an option of the flash loop: what a row's softmax says
 * about itself, in the same pass. O and LSE do not change by a bit, as all that is added stands
 * beside the loop's own operations.
 *
 * With x = (score - maximum) * scale, e = 2^x, d = |i - j|, the sums are those of
 * harness/stats/core.c: of e x, e^2, e d, e d^2, of e in four windows, on key 0, on keys 0-3; sums
 * whose name says `beyond` leave key 0 out, so that the distance without the sink is exact even
 * where the sink takes nearly all. When the maximum rises by -u, with a = 2^u: (e x)' = a ((e x) +
 * u (e)), (e^2)' = a^2 (e^2), and all others times a. Keys that a window holds whole, or not at
 * all, cost it nothing. */
#ifndef BENCH_KERNELS_CPU_FLASH_STATS_H
#define BENCH_KERNELS_CPU_FLASH_STATS_H

#include <math.h>
#include <stddef.h>

#include "cpu/flash_lanes.h"

enum { STAT_WINDOWS = 4 };

/* Of the rows of a strip. */
typedef struct strip_sums {
  float ex[STRIP];
  float ee[STRIP];
  float beyond[STRIP];   /* e beyond key 0 */
  float beyond_d[STRIP]; /* e d beyond key 0 */
  float edd[STRIP];
  float key0[STRIP];
  float keys4[STRIP]; /* keys 0-3 */
  float window[STAT_WINDOWS][STRIP];
  float position[STRIP]; /* of the rows: no sum, and the same in all parts of a row's keys */
} strip_sums;

/* The windows hold keys at |i - j| < 16, 64, 256, 1024. */
static inline float stat_window(int w) {
  return (float)(16 << (2 * w));
}

/* Rows [first, first + rows) of all. */
static inline void sums_begin(strip_sums *sums, const bench_attn *attn, int64_t first,
                              int64_t rows) {
  memset(sums, 0, sizeof *sums);
  for (int64_t r = 0; r < STRIP; r++) { /* the lanes past the last row are like it */
    const int64_t row = (first + (r < rows ? r : rows - 1)) % attn->seq_q;
    sums->position[r] = (float)(row + attn->seq_kv - attn->seq_q);
  }
}

/* Takes the sums to new maxima: up = (old - new) * scale, a = 2^up, and the sum of e before. */
static inline void sums_shrink(strip_sums *sums, const float *up, const float *a,
                               const float *sum) {
#pragma omp simd
  for (int r = 0; r < STRIP; r++) {
    sums->ex[r] = a[r] > 0 ? a[r] * (sums->ex[r] + up[r] * sum[r]) : 0.0f;
    sums->ee[r] *= a[r] * a[r];
    sums->beyond[r] *= a[r];
    sums->beyond_d[r] *= a[r];
    sums->edd[r] *= a[r];
    sums->key0[r] *= a[r];
    sums->keys4[r] *= a[r];
  }
  for (int w = 0; w < STAT_WINDOWS; w++) {
#pragma omp simd
    for (int r = 0; r < STRIP; r++) {
      sums->window[w][r] *= a[r];
    }
  }
}

/* Adds what another part of the keys has, at the same maxima. */
static inline void sums_add(strip_sums *sums, const strip_sums *other) {
  const int64_t count = offsetof(strip_sums, position) / sizeof(float);
  float *to = (float *)sums;
  const float *from = (const float *)other;
  for (int64_t i = 0; i < count; i++) {
    to[i] += from[i];
  }
}

/* Consecutive keys of a step. */
typedef struct key_span {
  int64_t key;
  int64_t keys;
} key_span;

/* Which windows hold all the keys, and which only some: bits by window. */
typedef struct window_use {
  unsigned all;
  unsigned some;
} window_use;

static inline window_use windows_of(const strip_sums *sums, key_span span) {
  const float key = (float)span.key;
  const float key_last = (float)(span.key + span.keys - 1);
  float first = sums->position[0];
  float last = sums->position[0];
  window_use use = {0};
  for (int r = 1; r < STRIP; r++) {
    first = fminf(first, sums->position[r]);
    last = fmaxf(last, sums->position[r]);
  }
  for (int w = 0; w < STAT_WINDOWS; w++) {
    const float size = stat_window(w);
    if (key > last - size && key_last < first + size) {
      use.all |= 1u << w;
    } else if (key_last > first - size && key < last + size) {
      use.some |= 1u << w;
    }
  }
  return use;
}

FLASH_INLINE void add_to(float *sum, vec value) {
  store(sum, load(sum) + value);
}

/* powers_of for one vector of rows, `lane` its first, and keys that are key 0, or 1 to 3, or
 * beyond; `total` goes on from span to span as it does without statistics. */
FLASH_INLINE void span_powers(float *scores, key_span span, window_use use, int lane, vec base,
                              float scale, strip_sums *sums, vec *total) {
  const vec position = load(sums->position + lane);
  const vec x_least = (vec){0} - 1024.0f; /* its weight is 0 in float; -inf times 0 is no number */
  vec sum = {0};
  vec ex = {0};
  vec ee = {0};
  vec ed = {0};
  vec edd = {0};
  for (int64_t j = 0; j < span.keys; j++) {
    float *at = scores + j * STRIP + lane;
    const vec x = (load(at) - base) * scale;
    const vec e = vec_exp2(x);
    const vec d = (vec)((vec_bits)(position - (float)(span.key + j)) & 0x7fffffff);
    const vec w = e * d;
    store(at, e);
    *total += e;
    sum += e;
    ex += e * vec_max(x, x_least);
    ee += e * e;
    ed += w;
    edd += w * d;
    for (unsigned left = use.some; left != 0; left &= left - 1) {
      const int n = __builtin_ctz(left);
      add_to(sums->window[n] + lane, (vec)((vec_bits)e & (d < stat_window(n))));
    }
  }
  add_to(sums->ex + lane, ex);
  add_to(sums->ee + lane, ee);
  add_to(sums->edd + lane, edd);
  if (span.key == 0) {
    add_to(sums->key0 + lane, sum);
  } else {
    add_to(sums->beyond + lane, sum);
    add_to(sums->beyond_d + lane, ed);
  }
  if (span.key < 4) {
    add_to(sums->keys4 + lane, sum);
  }
  for (unsigned left = use.all; left != 0; left &= left - 1) {
    add_to(sums->window[__builtin_ctz(left)] + lane, sum);
  }
}

/* strip_powers with the statistics: the same operations on the same values in the same order, and
 * the sums beside them. The spans stand one behind the other in `scores`. */
static __attribute__((noinline)) void strip_powers_stats(float *scores, const key_span *spans,
                                                         int count, int64_t rows, const float *base,
                                                         float scale, float *sum,
                                                         strip_sums *sums) {
  for (int lane = 0; lane < (rows <= LANES ? LANES : STRIP); lane += LANES) {
    const vec base_n = load(base + lane);
    vec total = {0};
    float *at = scores;
    for (int i = 0; i < count; i++) {
      const int64_t end = spans[i].key + spans[i].keys;
      for (key_span span = {.key = spans[i].key}; span.key < end; span.key += span.keys) {
        const int64_t limit = span.key == 0 ? 1 : (span.key < 4 && end > 4 ? 4 : end);
        span.keys = limit - span.key;
        span_powers(at, span, windows_of(sums, span), lane, base_n, scale, sums, &total);
        at += span.keys * STRIP;
      }
    }
    store(sum + lane, total);
  }
}

/* The values of row r of a strip from its sums over all keys, in the order of bench_fused_stat. Its
 * largest logit is `max`, with the softmax scale. A row that sees no key has -inf as LSE and
 * largest logit and 0 for the rest. */
static void sums_values(const strip_sums *sums, int64_t r, float max, float sum, float lse,
                        float *values) {
  memset(values, 0, BENCH_FUSED_STATS * sizeof *values);
  values[BENCH_FUSED_LSE] = lse;
  values[BENCH_FUSED_MAX_LOGIT] = sum > 0 ? max : -INFINITY;
  if (!(sum > 0)) {
    return;
  }
  const float share = 1.0f / sum;
  values[BENCH_FUSED_ENTROPY] = logf(sum) - 0.693147181f * (sums->ex[r] * share);
  values[BENCH_FUSED_SUM_P2] = sums->ee[r] * share * share;
  values[BENCH_FUSED_P_MAX] = share;
  values[BENCH_FUSED_DISTANCE] =
      (sums->key0[r] * fabsf(sums->position[r]) + sums->beyond_d[r]) * share;
  values[BENCH_FUSED_DISTANCE_NOSINK] = sums->beyond_d[r] / sums->beyond[r]; /* NaN without one */
  values[BENCH_FUSED_DISTANCE_RMS] = sqrtf(sums->edd[r] * share);
  for (int w = 0; w < STAT_WINDOWS; w++) {
    values[BENCH_FUSED_WINDOW16 + w] = sums->window[w][r] * share;
  }
  values[BENCH_FUSED_SINK] = sums->key0[r] * share;
  values[BENCH_FUSED_SINK4] = sums->keys4[r] * share;
}

#endif
