/* The two products of attention by mma.sync m16n8k16, one warp's rows against a tile of keys.
 *
 * ldmatrix.x4 fetches four matrices of 8 x 8, one register of each; lanes 8 m .. 8 m + 7 give the
 * addresses of the rows of matrix m. Of K the four are both halves of 16 columns of 16 keys, which
 * are the B operands of two products; of V, transposed on the way, 16 keys of 16 columns, likewise
 * two; of Q an A operand. Each fragment of K and V serves all of the warp's tiles of rows. */
#ifndef BENCH_CUDA_FLASH_PRODUCT_H
#define BENCH_CUDA_FLASH_PRODUCT_H

#include "cuda/flash_plan.h"
#include "cuda/flash_softmax.h"

/* Q of a warp: its fragments if they stay in registers, else where it lies. */
template <typename Plan>
struct FlashQuery {
  smem_addr rows; /* of the warp's first row */
  uint32_t at[Plan::Q_STAYS ? Plan::ROW_TILES : 1][Plan::Q_STAYS ? Plan::DIM / 16 : 1][4];
};

/* The fragment of 16 rows and columns 16 k .. 16 k + 15. */
template <typename Plan>
BENCH_DEVICE_FN void query_fragment(smem_addr rows, int m, int k, uint32_t (&fragment)[4]) {
  const int lane = thread_x() % BENCH_WARP;
  const int row = lane % 16;
  const int turned = flash_turn<Plan::DIM>(row) ^ lane / 16;
  ldmatrix_x4(fragment, rows + (m * MMA_ROWS + row) * Plan::DIM * 2 +
                            flash_step_offset<Plan::DIM>(turned, k));
}

template <typename Plan>
BENCH_DEVICE_FN void query_keep(FlashQuery<Plan> &query) {
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int k = 0; k < Plan::DIM / 16; k++) {
      query_fragment<Plan>(query.rows, m, k, query.at[m][k]);
    }
  }
}

template <typename T, typename Plan>
BENCH_DEVICE_FN void product_scores(const FlashQuery<Plan> &query, smem_addr keys,
                                    FlashScores<Plan> &scores) {
  const int lane = thread_x() % BENCH_WARP;
  const int row = lane % 8 + lane / 16 * 8;
  const int turned = flash_turn<Plan::DIM>(row) ^ lane / 8 % 2;
  const smem_addr place = keys + row * Plan::DIM * 2;
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
        query_fragment<Plan>(query.rows, m, k, q[m]);
      }
    }
    BENCH_UNROLL
    for (int n = 0; n < Plan::KEYS / 16; n++) {
      uint32_t pair[4];
      ldmatrix_x4(pair,
                  place + n * 16 * Plan::DIM * 2 + flash_step_offset<Plan::DIM>(turned, k));
      BENCH_UNROLL
      for (int m = 0; m < Plan::ROW_TILES; m++) {
        mma_m16n8k16<T>(scores.at[m][2 * n], q[m], pair[0], pair[1]);
        mma_m16n8k16<T>(scores.at[m][2 * n + 1], q[m], pair[2], pair[3]);
      }
    }
  }
}

template <typename T, typename Plan>
BENCH_DEVICE_FN void product_output(const FlashWeights<Plan> &weights, smem_addr values,
                                    FlashState<Plan> &state) {
  const int lane = thread_x() % BENCH_WARP;
  const int row = lane % 16;
  const int turned = flash_turn<Plan::DIM>(row) ^ lane / 16;
  const smem_addr place = values + row * Plan::DIM * 2;
  BENCH_UNROLL
  for (int k = 0; k < Plan::KEYS / 16; k++) {
    BENCH_UNROLL
    for (int n = 0; n < Plan::DIM / 16; n++) {
      uint32_t pair[4];
      ldmatrix_x4_trans(
          pair, place + k * 16 * Plan::DIM * 2 + flash_step_offset<Plan::DIM>(turned, n));
      BENCH_UNROLL
      for (int m = 0; m < Plan::ROW_TILES; m++) {
        mma_m16n8k16<T>(state.out[m][2 * n], weights.at[m][k], pair[0], pair[1]);
        mma_m16n8k16<T>(state.out[m][2 * n + 1], weights.at[m][k], pair[2], pair[3]);
      }
    }
  }
}

#endif
