/* What the online softmax needs beside flash_softmax.h where tiles are wide and the sums of the
 * output are in flight: masks of more than 64 keys, and a rise of the maximum in two halves, of
 * which the second waits for the output. */
#ifndef BENCH_CUDA_FLASH_SM90_SOFTMAX_H
#define BENCH_CUDA_FLASH_SM90_SOFTMAX_H

#include "cuda/flash_sm90_plan.h"
#include "cuda/flash_stats.h"
#include "cuda/flash_walk.h"

/* What a thread of a consuming warp holds. */
template <typename Plan>
struct HopperRegisters {
  FlashState<Plan> state;
  FlashScores<Plan> scores;
  FlashWeights<Plan> weights;
  FlashSums<Plan> sums;
  float top[2]; /* with STATS: the largest logit of each row, which with RISE `max` need not be */
};

/* Hides keys 64 `slice` and on of a tile: lane n's `bits` are what row n of the warp sees there. */
template <typename Plan>
BENCH_DEVICE_FN void hide_slice(FlashScores<Plan> &scores, int slice, uint64_t bits) {
  const int lane = thread_x() % BENCH_WARP;
  const int column = 2 * (lane % 4);
  BENCH_UNROLL
  for (int half = 0; half < 2; half++) {
    BENCH_UNROLL
    for (int w = 0; w < 2; w++) {
      const uint32_t word = shfl((uint32_t)(bits >> (32 * w)), half * 8 + lane / 4) >> column;
      BENCH_UNROLL
      for (int n = 0; n < 8; n++) {
        const int at = 8 * slice + 4 * w + n / 2;
        if (at < Plan::KEYS / MMA_KEYS && (word >> (8 * (n / 2) + n % 2) & 1) == 0) {
          scores.at[0][at][2 * half + n % 2] = minus_infinity();
        }
      }
    }
  }
}

/* Hides what this lane's `row` of the warp does not see of the tile; `left` is the row's place in a
 * list, for the dense walk. */
template <typename Plan, bool KEPT>
BENCH_DEVICE_FN void hide_tile(FlashScores<Plan> &scores, const FlashTile &tile,
                               const MaskRows &mask, int head, int row, int &left) {
  FlashTile part = tile;
  BENCH_UNROLL
  for (int slice = (Plan::KEYS + 63) / 64 - 1; slice >= 0; slice--) {
    part.key = tile.key + 64 * slice;
    hide_slice(scores, slice,
               KEPT || mask.blocks.block == 0 ? tile_row_bits<KEPT>(part, mask, row)
                                              : walk_dense_bits(mask, part.key, head, row, left));
  }
}

/* The rows' maxima with this tile, where one has risen far enough; true in all lanes if so for any
 * of the warp's rows. Until then a row's sums stay as they are. */
template <typename Plan>
BENCH_DEVICE_FN bool rise_max(HopperRegisters<Plan> &r, float scale, float (&max)[1][2]) {
  bool rises = false;
  BENCH_UNROLL
  for (int half = 0; half < 2; half++) {
    float most = r.scores.at[0][0][2 * half];
    BENCH_UNROLL
    for (int n = 0; n < Plan::KEYS / MMA_KEYS; n++) {
      most = max_f(most, max_f(r.scores.at[0][n][2 * half], r.scores.at[0][n][2 * half + 1]));
    }
    most = quad_max(most) * scale;
    const float old = r.state.max[0][half];
    const bool risen = most > old + (float)Plan::RISE;
    max[0][half] = risen ? most : old;
    rises = rises || risen;
    if constexpr (Plan::STATS) {
      r.top[half] = max_f(r.top[half], most);
    }
  }
  return warp_any(rises);
}

/* Takes all sums but the output to the new maxima; by what factor tells `shrink`. */
template <typename Plan>
BENCH_DEVICE_FN void rise_sums(HopperRegisters<Plan> &r, const float (&max)[1][2],
                               float (&shrink)[2]) {
  if constexpr (Plan::STATS) {
    sums_shrink(r.sums, r.state, max);
  }
  BENCH_UNROLL
  for (int half = 0; half < 2; half++) {
    shrink[half] = exp2_approx(r.state.max[0][half] - softmax_base(max[0][half]));
    r.state.sum[0][half] *= shrink[half];
    r.state.max[0][half] = max[0][half];
  }
}

/* And the output. */
template <typename Plan>
BENCH_DEVICE_FN void rise_output(HopperRegisters<Plan> &r, const float (&shrink)[2]) {
  BENCH_UNROLL
  for (int n = 0; n < Plan::DIM / MMA_KEYS; n++) {
    BENCH_UNROLL
    for (int i = 0; i < 4; i++) {
      r.state.out[0][n][i] *= shrink[i / 2];
    }
  }
}

/* sums_store takes `max` for the largest logit; puts the two values right that follow from it. */
template <typename Plan>
BENCH_DEVICE_FN void top_store(const HopperRegisters<Plan> &r, float *stats, int row, int seq_q) {
  BENCH_UNROLL
  for (int half = 0; half < 2; half++) {
    const int own = row + half * 8 + thread_x() % BENCH_WARP / 4;
    const float sum = quad_sum(r.state.sum[0][half]);
    if (own < seq_q && thread_x() % 4 == 0 && sum > 0) {
      float *const values = stats + (int64_t)own * BENCH_FUSED_STATS;
      values[BENCH_FUSED_MAX_LOGIT] = r.top[half] * LN2;
      values[BENCH_FUSED_P_MAX] = exp2_approx(r.top[half] - r.state.max[0][half]) / sum;
    }
  }
}

#endif
