/* The two products of attention by mma.sync m16n8k16, one warp's rows against a tile of keys.
 *
 * ldmatrix.x4 fetches four matrices of 8 x 8, one register of each; lanes 8 m .. 8 m + 7 give the
 * addresses of the rows of matrix m. All fragments are read alike, 16 rows and 16 columns: of Q
 * that is an A operand; of K, 16 keys and 16 of the columns over which the product runs, it is the
 * B operands of two products; so it is of V, transposed on the way, where the product runs over
 * the 16 keys. Each fragment of K and V serves all of the warp's tiles of rows. */
#ifndef BENCH_CUDA_FLASH_PRODUCT_H
#define BENCH_CUDA_FLASH_PRODUCT_H

#include "cuda/flash_plan.h"
#include "cuda/flash_softmax.h"

/* Q of a warp: its fragments if they stay in registers, else where it lies. */
template <typename Plan>
struct FlashQuery {
  smem_addr lane; /* flash_lane() of the warp's rows */
  uint32_t at[Plan::Q_STAYS ? Plan::ROW_TILES : 1][Plan::Q_STAYS ? Plan::DIM / 16 : 1][4];
};

/* Rows and columns 16 m .. 16 m + 15 and 16 k .. 16 k + 15 of a tile, for this lane. */
template <int DIM>
BENCH_DEVICE_FN smem_addr fragment_place(smem_addr lane, int m, int k) {
  return flash_step<DIM>(lane, k) + (uint32_t)(m * 16 * DIM * 2);
}

template <typename Plan>
BENCH_DEVICE_FN void query_keep(FlashQuery<Plan> &query) {
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int k = 0; k < Plan::DIM / 16; k++) {
      ldmatrix_x4(query.at[m][k], fragment_place<Plan::DIM>(query.lane, m, k));
    }
  }
}

template <typename T, typename Plan>
BENCH_DEVICE_FN void product_scores(const FlashQuery<Plan> &query, smem_addr keys,
                                    FlashScores<Plan> &scores) {
  const smem_addr lane = flash_lane<Plan::DIM>(keys);
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int n = 0; n < Plan::KEYS / MMA_KEYS; n++) {
      BENCH_UNROLL
      for (int i = 0; i < 4; i++) {
        scores.at[m][n][i] = 0;
      }
    }
  }
  BENCH_UNROLL
  for (int k = 0; k < Plan::DIM / 16; k++) {
    uint32_t q[Plan::ROW_TILES][4];
    BENCH_UNROLL
    for (int m = 0; m < Plan::ROW_TILES; m++) {
      if constexpr (Plan::Q_STAYS) {
        BENCH_UNROLL
        for (int i = 0; i < 4; i++) {
          q[m][i] = query.at[m][k][i];
        }
      } else {
        ldmatrix_x4(q[m], fragment_place<Plan::DIM>(query.lane, m, k));
      }
    }
    BENCH_UNROLL
    for (int n = 0; n < Plan::KEYS / 16; n++) {
      uint32_t pair[4];
      ldmatrix_x4(pair, fragment_place<Plan::DIM>(lane, n, k));
      BENCH_UNROLL
      for (int m = 0; m < Plan::ROW_TILES; m++) {
        mma_m16n8k16<T>(scores.at[m][2 * n], q[m], pair[0], pair[2]);
        mma_m16n8k16<T>(scores.at[m][2 * n + 1], q[m], pair[1], pair[3]);
      }
    }
  }
}

template <typename T, typename Plan>
BENCH_DEVICE_FN void product_output(const FlashWeights<Plan> &weights, smem_addr values,
                                    FlashState<Plan> &state) {
  const smem_addr lane = flash_lane<Plan::DIM>(values);
  BENCH_UNROLL
  for (int k = 0; k < Plan::KEYS / 16; k++) {
    BENCH_UNROLL
    for (int n = 0; n < Plan::DIM / 16; n++) {
      uint32_t pair[4];
      ldmatrix_x4_trans(pair, fragment_place<Plan::DIM>(lane, k, n));
      BENCH_UNROLL
      for (int m = 0; m < Plan::ROW_TILES; m++) {
        mma_m16n8k16<T>(state.out[m][2 * n], weights.at[m][k], pair[0], pair[1]);
        mma_m16n8k16<T>(state.out[m][2 * n + 1], weights.at[m][k], pair[2], pair[3]);
      }
    }
  }
}

#endif
