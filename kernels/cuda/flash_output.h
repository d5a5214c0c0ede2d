/* The end of a warp's rows: O over the sum of the weights, and the log-sum-exp.
 *
 * A quad holds 8 columns of a row as four words of two, a word a lane. Four such groups are turned
 * within the quad by two rounds of shuffles, so that each lane has one group whole and stores it
 * as 16 bytes. */
#ifndef BENCH_CUDA_FLASH_OUTPUT_H
#define BENCH_CUDA_FLASH_OUTPUT_H

#include "cuda/flash_softmax.h"

#define LN2 0.693147180559945309f

/* Lane t's words[n] go to lane n's words[t]. */
BENCH_DEVICE_FN void quad_transpose(uint32_t (&words)[4], int t) {
  BENCH_UNROLL
  for (int distance = 1; distance <= 2; distance *= 2) {
    BENCH_UNROLL
    for (int n = 0; n < 4; n++) {
      if ((n & distance) == 0) {
        const bool upper = (t & distance) != 0;
        const uint32_t sent = upper ? words[n] : words[n + distance];
        const uint32_t got = shfl_xor(sent, distance);
        words[n] = upper ? got : words[n];
        words[n + distance] = upper ? words[n + distance] : got;
      }
    }
  }
}

/* Stores rows `row`, `row` + 1, ... of the head, of which seq_q exist. */
template <typename T, typename Plan>
BENCH_DEVICE_FN void output_store(FlashState<Plan> &state, T *o, float *lse, int row, int seq_q,
                                  int head_dim) {
  const int t = thread_x() % 4;
  BENCH_UNROLL
  for (int m = 0; m < Plan::ROW_TILES; m++) {
    BENCH_UNROLL
    for (int half = 0; half < 2; half++) {
      const int own = row + m * MMA_ROWS + half * 8 + thread_x() % BENCH_WARP / 4;
      const float sum = quad_sum(state.sum[m][half]);
      const float share = sum > 0 ? 1.0f / sum : 0.0f;
      BENCH_UNROLL
      for (int n = 0; n < Plan::DIM / MMA_KEYS; n += 4) {
        uint32_t words[4];
        BENCH_UNROLL
        for (int i = 0; i < 4; i++) {
          words[i] = pack2<T>(state.out[m][n + i][2 * half] * share,
                              state.out[m][n + i][2 * half + 1] * share);
        }
        quad_transpose(words, t);
        const int column = (n + t) * MMA_KEYS;
        if (own < seq_q && column < head_dim) {
          store_global16(o + (int64_t)own * head_dim + column,
                         dev_u128{words[0], words[1], words[2], words[3]});
        }
      }
      if (own < seq_q && t == 0) {
        lse[own] = sum > 0 ? state.max[m][half] * LN2 + log_natural(sum) : minus_infinity();
      }
    }
  }
}

#endif
