/* The inner loops of the core statistics: logits as a small matrix product, the maximum, and the
 * sums, over one tile of keys.
 *
 * A template: core_tile.c includes it for the baseline of the build, core_tile_avx2.c for AVX2 with
 * FMA; each gets its own static functions, made from vectors of eight floats by the compiler. No
 * horizontal step stands inside a loop. Each of the eight lanes adds at most STAT_TILE / 8 = 16
 * floats before its sum goes on in double: that bounds the rounding error of a sum at 1e-6. */
#ifndef BENCH_STATS_CORE_LOOPS_H
#define BENCH_STATS_CORE_LOOPS_H

#include <stdint.h>

#include "stats/core_tile.h"

#define STAT_INLINE static inline __attribute__((always_inline))
#define LANES 8

typedef float lanes __attribute__((vector_size(32), may_alias));
typedef float loose_lanes __attribute__((vector_size(32), aligned(4), may_alias));
typedef uint32_t lane_bits __attribute__((vector_size(32), may_alias));

/* Compilers see that subtracting 0 changes nothing, and make it one broadcast. */
STAT_INLINE lanes splat(float x) {
  return x - (lanes){0};
}

STAT_INLINE lanes select_lanes(lane_bits mask, lanes yes, lanes no) {
  return (lanes)(((lane_bits)yes & mask) | ((lane_bits)no & ~mask));
}

STAT_INLINE lanes max_lanes(lanes a, lanes b) {
  return select_lanes((lane_bits)(a > b), a, b);
}

STAT_INLINE lanes abs_lanes(lanes a) {
  return (lanes)((lane_bits)a & ~(lane_bits)splat(-0.0f));
}

/* exp(x) for x <= 0 within 1 ulp or so: x = n ln 2 + r, |r| <= ln 2 / 2, a polynomial of degree 7
 * in r (coefficients of Cephes expf), and n added to the exponent. Adding 1.5 * 2^23 rounds n to
 * an integer in the low bits of the sum. Below -86, where 2^n would no longer be a normal number,
 * the result is 0. */
STAT_INLINE lanes exp_lanes(lanes x) {
  const lanes magic = splat(0x1.8p23f);
  const lanes floor_x = splat(-86.0f);
  const lane_bits large = (lane_bits)(x > floor_x);
  const lanes clipped = select_lanes(large, x, floor_x);
  const lanes shifted = clipped * splat(0x1.715476p0f) + magic;
  const lanes n = shifted - magic;
  const lanes r = (clipped - n * splat(0.693359375f)) - n * splat(-2.12194440e-4f);
  lanes p = splat(1.9875691500e-4f);
  p = p * r + splat(1.3981999507e-3f);
  p = p * r + splat(8.3334519073e-3f);
  p = p * r + splat(4.1665795894e-2f);
  p = p * r + splat(1.6666665459e-1f);
  p = p * r + splat(5.0000001201e-1f);
  p = p * (r * r) + r + splat(1.0f);
  return (lanes)(((lane_bits)p + ((lane_bits)shifted << 23)) & large);
}

STAT_INLINE double add_lanes(lanes a) {
  return (((double)a[0] + a[4]) + ((double)a[1] + a[5])) +
         (((double)a[2] + a[6]) + ((double)a[3] + a[7]));
}

/* `rows` is a constant where this is inlined, so that the sums stay in registers. */
STAT_INLINE void logits_of(const float *q, const float *panels, int64_t dim, const int rows,
                           int keys, float *s) {
  for (int key = 0; key < keys; key += STAT_PANEL) {
    const lanes *k = (const lanes *)(panels + key * dim);
    lanes sum[STAT_ROWS][2];
    for (int r = 0; r < rows; r++) {
      sum[r][0] = sum[r][1] = splat(0.0f);
    }
    for (int64_t c = 0; c < dim; c++) {
      for (int r = 0; r < rows; r++) {
        const lanes qr = splat(q[c * STAT_ROWS + r]);
        sum[r][0] += qr * k[2 * c];
        sum[r][1] += qr * k[2 * c + 1];
      }
    }
    for (int r = 0; r < rows; r++) {
      *(lanes *)(s + r * STAT_TILE + key) = sum[r][0];
      *(lanes *)(s + r * STAT_TILE + key + LANES) = sum[r][1];
    }
  }
}

static float max_loop(const float *s, int keys) {
  lanes max = splat(STAT_HIDDEN);
  for (int key = 0; key < keys; key += LANES) {
    max = max_lanes(*(const lanes *)(s + key), max);
  }
  float result = max[0];
  for (int n = 1; n < LANES; n++) {
    result = max[n] > result ? max[n] : result;
  }
  return result;
}

static void sums_loop(float *s, int keys, float max, float distance, stat_sums *out) {
  lanes e_sum = splat(0.0f);
  lanes ex_sum = e_sum;
  lanes ee_sum = e_sum;
  lanes ed_sum = e_sum;
  lanes edd_sum = e_sum;
  lanes i_minus_j = splat(distance) - (lanes){0, 1, 2, 3, 4, 5, 6, 7};
  for (int key = 0; key < keys; key += LANES) {
    const lanes x = *(lanes *)(s + key) - splat(max);
    const lanes e = exp_lanes(x);
    const lanes d = abs_lanes(i_minus_j);
    const lanes ed = e * d;
    *(lanes *)(s + key) = e;
    e_sum += e;
    ex_sum += e * x;
    ee_sum += e * e;
    ed_sum += ed;
    edd_sum += ed * d;
    i_minus_j -= splat((float)LANES);
  }
  out->e = add_lanes(e_sum);
  out->ex = add_lanes(ex_sum);
  out->ee = add_lanes(ee_sum);
  out->ed = add_lanes(ed_sum);
  out->edd = add_lanes(edd_sum);
}

static double add_loop(const float *e, int begin, int end) {
  lanes sum = splat(0.0f);
  int key = begin;
  for (; key + LANES <= end; key += LANES) {
    sum += *(const loose_lanes *)(e + key);
  }
  double rest = 0.0;
  for (; key < end; key++) {
    rest += e[key];
  }
  return add_lanes(sum) + rest;
}

static void logits_loop(const float *q, const float *panels, int64_t dim, int rows, int keys,
                        float *s) {
  if (rows == 1) {
    logits_of(q, panels, dim, 1, keys, s);
  } else {
    logits_of(q, panels, dim, STAT_ROWS, keys, s);
  }
}

#endif
