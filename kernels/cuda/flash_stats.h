/* The core statistics (bench/stat.h) as an option of the flash loop: what a row's softmax says
 * about itself, in the same pass. O and LSE do not change by a bit, as all that is added stands
 * beside the loop's own operations.
 *
 * With x = logit - maximum in the exp2 domain, e = 2^x, d = |i - j|, the sums are those of
 * harness/stats/core.c: of e, e x, e^2, e d, e d^2, of e in four windows, on key 0, on keys 1-3;
 * sums whose name says `beyond` leave key 0 out, so that the distance without the sink is exact
 * even where the sink takes nearly all. When the maximum rises by -u, with a = 2^u: (e x)' = a ((e
 * x) + u (e)), (e^2)' = a^2 (e^2), and all others times a. Each tile is summed apart first, which
 * keeps the rounding error of a sum over 100,000 keys near that of one over a few thousand.
 *
 * Price: 7 instructions per logit beside the loop's 4.5 and 22 registers a thread. */
#ifndef BENCH_CUDA_FLASH_STATS_H
#define BENCH_CUDA_FLASH_STATS_H

#include <math.h>

#include "cuda/flash_output.h"
#include "cuda/flash_softmax.h"

#define STAT_WINDOWS 4

/* One row's sums in a thread, over its share of the keys. */
struct RowSums {
  float ex;
  float ee;
  float beyond;   /* e beyond key 0 */
  float beyond_d; /* e d beyond key 0 */
  float edd;
  float key0;
  float keys3; /* keys 1-3 */
  float window[STAT_WINDOWS];
};

template <typename Plan>
struct FlashSums {
  RowSums row[Plan::STATS ? 2 : 1]; /* one for show without STATS: nothing touches it */
};

BENCH_DEVICE_FN int stat_window(int n) {
  return 16 << (2 * n);
}

template <typename Plan>
BENCH_DEVICE_FN void sums_begin(FlashSums<Plan> &sums) {
  if constexpr (Plan::STATS) {
    sums.row[0] = RowSums{};
    sums.row[1] = RowSums{};
  }
}

/* Takes the sums to the new maxima; before softmax_shrink, for `ex` needs the old sum of e. */
template <typename Plan>
BENCH_DEVICE_FN void sums_shrink(FlashSums<Plan> &sums, const FlashState<Plan> &state,
                                 const float (&max)[Plan::ROW_TILES][2]) {
  BENCH_UNROLL
  for (int half = 0; half < 2; half++) {
    RowSums &row = sums.row[half];
    const float up = state.max[0][half] - softmax_base(max[0][half]);
    const float a = exp2_approx(up);
    row.ex = a > 0 ? a * fma_rn(up, state.sum[0][half], row.ex) : 0.0f;
    row.ee *= a * a;
    row.beyond *= a;
    row.beyond_d *= a;
    row.edd *= a;
    row.key0 *= a;
    row.keys3 *= a;
    BENCH_UNROLL
    for (int w = 0; w < STAT_WINDOWS; w++) {
      row.window[w] *= a;
    }
  }
}

/* The same number, to a compiler another: else it would hold the distances of all keys of a tile in
 * registers from one loop to the next, to save one subtraction each. */
BENCH_DEVICE_FN float sums_again(float from) {
  float held[1] = {from};
  wgmma_pin(held);
  return held[0];
}

/* Adds the weights of tile keys within each window; `from` is the distance to the thread's first
 * key, `total` the sum of the row's weights. first and last are the warp's rows' positions. */
template <typename Plan>
BENCH_DEVICE_FN void sums_windows(RowSums &row, const FlashScores<Plan> &scores, int half,
                                  float from, float total, int first, int key) {
  const int last = first + MMA_ROWS - 1;
  const int key_last = key + Plan::KEYS - 1;
  BENCH_UNROLL
  for (int w = 0; w < STAT_WINDOWS; w++) {
    const int tokens = stat_window(w);
    if (key_last <= first - tokens || key >= last + tokens) {
      continue;
    }
    if (key > last - tokens && key_last < first + tokens) {
      row.window[w] += total;
      continue;
    }
    float part = 0;
    const float first_d = sums_again(from);
    BENCH_UNROLL
    for (int n = 0; n < Plan::KEYS / 4; n++) {
      const float d = fabsf(first_d - (float)(n / 2 * MMA_KEYS + n % 2));
      part += d < (float)tokens ? scores.at[0][n / 2][2 * half + n % 2] : 0.0f;
    }
    row.window[w] += part;
  }
}

/* What tile 0 adds: keys 0-3 apart, and the rest without key 0. */
template <typename Plan>
BENCH_DEVICE_FN void sums_first_tile(RowSums &row, const FlashScores<Plan> &scores, int half,
                                     float from) {
  const int t = thread_x() % 4;
  const float first = scores.at[0][0][2 * half];
  const float second = scores.at[0][0][2 * half + 1];
  float beyond = 0;
  float beyond_d = 0;
  from = sums_again(from);
  BENCH_UNROLL
  for (int n = 0; n < Plan::KEYS / 4; n++) {
    const float score = scores.at[0][n / 2][2 * half + n % 2];
    const float e = n == 0 && t == 0 ? 0.0f : score;
    beyond += e;
    beyond_d += fabsf(e * (from - (float)(n / 2 * MMA_KEYS + n % 2)));
  }
  row.beyond += beyond;
  row.beyond_d += beyond_d;
  row.key0 += t == 0 ? first : 0.0f;
  row.keys3 += t == 0 ? second : t == 1 ? first + second : 0.0f;
}

/* softmax_weigh with the statistics: the same operations on the same values in the same order,
 * and the sums beside them. `position` is that of the warp's first row. A hidden key's x is -inf,
 * which times its weight of 0 is no number. */
template <typename Plan>
BENCH_DEVICE_FN void sums_weigh(FlashSums<Plan> &sums, FlashState<Plan> &state,
                                FlashScores<Plan> &scores, float scale, int position, int key) {
  const float x_least = -1024; /* its weight is 0 in float */
  const int lane = thread_x() % BENCH_WARP;
  BENCH_UNROLL
  for (int half = 0; half < 2; half++) {
    RowSums &row = sums.row[half];
    const float base = softmax_base(state.max[0][half]);
    const float from = (float)(position + half * 8 + lane / 4 - key - 2 * (lane % 4));
    float sum = 0;
    float ex = 0;
    float ee = 0;
    float ed = 0;
    float edd = 0;
    BENCH_UNROLL
    for (int n = 0; n < Plan::KEYS / 4; n++) {
      float &score = scores.at[0][n / 2][2 * half + n % 2];
      const float x = fma_rn(score, scale, -base);
      const float e = softmax_weight<Plan>(x, n);
      const float d = from - (float)(n / 2 * MMA_KEYS + n % 2);
      const float w = e * d;
      score = e;
      sum += e;
      ex = fma_rn(e, max_f(x, x_least), ex);
      ee = fma_rn(e, e, ee);
      ed += fabsf(w);
      edd = fma_rn(w, d, edd);
    }
    state.sum[0][half] += sum;
    row.ex += ex;
    row.ee += ee;
    row.edd += edd;
    if (key == 0) {
      sums_first_tile(row, scores, half, from);
    } else {
      row.beyond += sum;
      row.beyond_d += ed;
    }
    sums_windows(row, scores, half, from, sum, position, key);
  }
}

/* The values of one row from its sums over all keys, in the order of bench_fused_stat. */
BENCH_DEVICE_FN void sums_values(const RowSums &row, float max, float sum, float i,
                                 float (&values)[BENCH_FUSED_STATS]) {
  const float share = 1.0f / sum;
  values[BENCH_FUSED_LSE] = max * LN2 + log_natural(sum);
  values[BENCH_FUSED_MAX_LOGIT] = max * LN2;
  values[BENCH_FUSED_ENTROPY] = log_natural(sum) - LN2 * (row.ex * share);
  values[BENCH_FUSED_SUM_P2] = row.ee * share * share;
  values[BENCH_FUSED_P_MAX] = share;
  values[BENCH_FUSED_DISTANCE] = fma_rn(row.key0, i, row.beyond_d) * share;
  values[BENCH_FUSED_DISTANCE_NOSINK] = row.beyond_d / row.beyond; /* NaN without such a key */
  values[BENCH_FUSED_DISTANCE_RMS] = sqrtf(row.edd * share);
  BENCH_UNROLL
  for (int w = 0; w < STAT_WINDOWS; w++) {
    values[BENCH_FUSED_WINDOW16 + w] = row.window[w] * share;
  }
  values[BENCH_FUSED_SINK] = row.key0 * share;
  values[BENCH_FUSED_SINK4] = (row.key0 + row.keys3) * share;
}

BENCH_DEVICE_FN RowSums quad_sums(const RowSums &row) {
  RowSums all;
  all.ex = quad_sum(row.ex);
  all.ee = quad_sum(row.ee);
  all.beyond = quad_sum(row.beyond);
  all.beyond_d = quad_sum(row.beyond_d);
  all.edd = quad_sum(row.edd);
  all.key0 = quad_sum(row.key0);
  all.keys3 = quad_sum(row.keys3);
  BENCH_UNROLL
  for (int w = 0; w < STAT_WINDOWS; w++) {
    all.window[w] = quad_sum(row.window[w]);
  }
  return all;
}

/* Rows `row`, `row` + 1, ... of the head, of which seq_q exist; row 0 stands at position `shift`.
 * A row that sees no key has -inf as LSE and largest logit and 0 for the rest. */
template <typename Plan>
BENCH_DEVICE_FN void sums_store(const FlashSums<Plan> &sums, const FlashState<Plan> &state,
                                float *stats, int row, int seq_q, int shift) {
  BENCH_UNROLL
  for (int half = 0; half < 2; half++) {
    const int own = row + half * 8 + thread_x() % BENCH_WARP / 4;
    const RowSums all = quad_sums(sums.row[half]);
    const float sum = quad_sum(state.sum[0][half]);
    float values[BENCH_FUSED_STATS] = {};
    if (sum > 0) {
      sums_values(all, state.max[0][half], sum, fabsf((float)(own + shift)), values);
    } else {
      values[BENCH_FUSED_LSE] = minus_infinity();
      values[BENCH_FUSED_MAX_LOGIT] = minus_infinity();
    }
    if (own < seq_q && thread_x() % 4 == 0) {
      BENCH_UNROLL
      for (int n = 0; n < BENCH_FUSED_STATS; n++) {
        stats[(int64_t)own * BENCH_FUSED_STATS + n] = values[n];
      }
    }
  }
}

#endif
