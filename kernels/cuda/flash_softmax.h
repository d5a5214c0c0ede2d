/* The online softmax of a warp's rows on the accumulators of mma.sync.
 *
 * Lane 4 g + t of a warp holds of each tile of 16 rows two: g and g + 8 (`half` 0 and 1); and of
 * each of those, in every group of 8 keys or columns, the two at 2 t. So a row lies in the four
 * lanes of a quad: its maximum takes two shuffles, its sum two at the very end. Logits stay as
 * Q K^T gives them; maxima carry the factor log2(e) / sqrt(head_dim), so that a weight
 * 2^(logit * scale - max) is one FMA and one ex2. */
#ifndef BENCH_CUDA_FLASH_SOFTMAX_H
#define BENCH_CUDA_FLASH_SOFTMAX_H

#include "cuda/flash_exp2.h"
#include "cuda/flash_plan.h"

/* What a thread holds of its warp's rows. */
template <typename Plan>
struct FlashState {
  float out[Plan::ROW_TILES][Plan::DIM / MMA_KEYS][4];
  float max[Plan::ROW_TILES][2]; /* in the exp2 domain; -inf before the first visible key */
  float sum[Plan::ROW_TILES][2]; /* of this thread's share of the weights */
};

/* Logits, then weights, of a tile of keys. */
template <typename Plan>
struct FlashScores {
  float at[Plan::ROW_TILES][Plan::KEYS / MMA_KEYS][4];
};

/* The weights as A fragments of the product with V: [16 keys][register]. */
template <typename Plan>
struct FlashWeights {
  uint32_t at[Plan::ROW_TILES][Plan::KEYS / 16][4];
};

template <typename Plan>
BENCH_DEVICE_FN void state_begin(FlashState<Plan> &state) {
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int n = 0; n < Plan::DIM / MMA_KEYS; n++) {
      BENCH_UNROLL
      for (int i = 0; i < 4; i++) {
        state.out[m][n][i] = 0;
      }
    }
    BENCH_UNROLL
    for (int half = 0; half < 2; half++) {
      state.max[m][half] = minus_infinity();
      state.sum[m][half] = 0;
    }
  }
}

BENCH_DEVICE_FN float quad_max(float value) {
  value = max_f(value, shfl_xor(value, 1));
  return max_f(value, shfl_xor(value, 2));
}

BENCH_DEVICE_FN float quad_sum(float value) {
  value += shfl_xor(value, 1);
  return value + shfl_xor(value, 2);
}

/* What weights are taken against: the maximum, or 0 while a row has seen no key, as -inf less -inf
 * is no number. */
BENCH_DEVICE_FN float softmax_base(float max) {
  return max == minus_infinity() ? 0.0f : max;
}

/* Hides keys: lane n's `bits` are those of row n of the warp. */
template <typename Plan>
BENCH_DEVICE_FN void softmax_hide(FlashScores<Plan> &scores, uint64_t bits) {
  const int lane = thread_x() % BENCH_WARP;
  const int column = 2 * (lane % 4);
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int half = 0; half < 2; half++) {
      const int row = m * MMA_ROWS + half * 8 + lane / 4;
      BENCH_UNROLL
      for (int w = 0; w < Plan::KEYS / 32; w++) {
        const uint32_t word = shfl((uint32_t)(bits >> (32 * w)), row) >> column;
        BENCH_UNROLL
        for (int n = 0; n < 8; n++) {
          if ((word >> (8 * (n / 2) + n % 2) & 1) == 0) {
            scores.at[m][4 * w + n / 2][2 * half + n % 2] = minus_infinity();
          }
        }
      }
    }
  }
}

/* The rows' maxima with this tile; true in all lanes where one of the warp's rows has risen. */
template <typename Plan>
BENCH_DEVICE_FN bool softmax_max(const FlashState<Plan> &state, const FlashScores<Plan> &scores,
                                 float scale, float (&max)[Plan::ROW_TILES][2]) {
  bool rises = false;
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int half = 0; half < 2; half++) {
      float most = scores.at[m][0][2 * half];
      BENCH_UNROLL
      for (int n = 0; n < Plan::KEYS / MMA_KEYS; n++) {
        most = max_f(most, max_f(scores.at[m][n][2 * half], scores.at[m][n][2 * half + 1]));
      }
      max[m][half] = max_f(state.max[m][half], quad_max(most) * scale);
      rises = rises || max[m][half] > state.max[m][half];
    }
  }
  return warp_any(rises);
}

/* Takes what is summed so far to the new maxima. After the first tiles of a row this is rare, and
 * a vote spares it; for a row that has not risen it multiplies by 1. */
template <typename Plan>
BENCH_DEVICE_FN void softmax_shrink(FlashState<Plan> &state,
                                    const float (&max)[Plan::ROW_TILES][2]) {
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int half = 0; half < 2; half++) {
      const float shrink = exp2_approx(state.max[m][half] - softmax_base(max[m][half]));
      state.sum[m][half] *= shrink;
      BENCH_UNROLL
      for (int n = 0; n < Plan::DIM / MMA_KEYS; n++) {
        state.out[m][n][2 * half] *= shrink;
        state.out[m][n][2 * half + 1] *= shrink;
      }
      state.max[m][half] = max[m][half];
    }
  }
}

/* The weight 2^x of the thread's n-th key of a tile. */
template <typename Plan>
BENCH_DEVICE_FN float softmax_weight(float x, int n) {
  if constexpr (Plan::POLYNOMIAL > 0) {
    if (n % Plan::POLYNOMIAL == Plan::POLYNOMIAL - 1) {
      return exp2_polynomial(x);
    }
  }
  return exp2_approx(x);
}

/* Turns logits into weights, and adds those of each row up. */
template <typename Plan>
BENCH_DEVICE_FN void softmax_weigh(FlashState<Plan> &state, FlashScores<Plan> &scores,
                                   float scale) {
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int half = 0; half < 2; half++) {
      const float base = softmax_base(state.max[m][half]);
      float sum = 0;
      BENCH_UNROLL
      for (int n = 0; n < Plan::KEYS / 4; n++) {
        float &score = scores.at[m][n / 2][2 * half + n % 2];
        score = softmax_weight<Plan>(fma_rn(score, scale, -base), n);
        sum += score;
      }
      state.sum[m][half] += sum;
    }
  }
}

/* Two neighbouring groups of 8 keys of the accumulators are one A fragment of 16 keys. */
template <typename T, typename Plan>
BENCH_DEVICE_FN FlashWeights<Plan> softmax_pack(const FlashScores<Plan> &scores) {
  FlashWeights<Plan> weights;
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int k = 0; k < Plan::KEYS / 16; k++) {
      BENCH_UNROLL
      for (int i = 0; i < 4; i++) {
        const float(&pair)[4] = scores.at[m][2 * k + i / 2];
        weights.at[m][k][i] = pack2<T>(pair[2 * (i % 2)], pair[2 * (i % 2) + 1]);
      }
    }
  }
  return weights;
}

#endif
