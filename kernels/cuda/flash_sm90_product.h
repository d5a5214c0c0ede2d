/* The two products of attention by wgmma: 64 query rows of a warpgroup against a tile of keys.
 *
 * A tile lies in shared memory as panels of 64 columns, 128 bytes a row, swizzled by 128 bytes. Q
 * and K are K-major: the product runs along the columns, 16 of which are 32 bytes, four steps a
 * panel. V is MN-major: the product runs along its keys, 16 of which are 2 KiB, and its columns are
 * those of the result. P comes from registers, as the accumulators of S are its fragments. */
#ifndef BENCH_CUDA_FLASH_SM90_PRODUCT_H
#define BENCH_CUDA_FLASH_SM90_PRODUCT_H

#include "cuda/flash_sm90_plan.h"
#include "cuda/flash_softmax.h"

#define EIGHT_ROWS (8 * PANEL_PITCH)

/* Accumulators of wgmma are those of mma.sync side by side: [8 columns][4]. */
template <int COLUMNS>
BENCH_DEVICE_FN float (&accumulators(float (&tile)[1][COLUMNS][4]))[COLUMNS * 4] {
  return reinterpret_cast<float(&)[COLUMNS * 4]>(tile);
}

/* The operand `bytes` further on: the address is in the low word, and does not overflow its field.
 */
BENCH_DEVICE_FN uint64_t operand_at(uint64_t operand, int bytes) {
  return (operand & ~UINT64_C(0xffffffff)) | (uint32_t)((uint32_t)operand + (bytes >> 4));
}

/* The same address, to a compiler another: else it would make the operands of Q once, outside of
 * the loop, and hold each in two registers. */
BENCH_DEVICE_FN smem_addr address_again(smem_addr address) {
  float held[1] = {bits_float(address)};
  wgmma_pin(held);
  return float_bits(held[0]);
}

/* Starts S = Q K^T. `query` is the warpgroup's first row. */
template <typename T, typename Plan>
BENCH_DEVICE_FN void product_start_scores(smem_addr query, smem_addr keys,
                                          FlashScores<Plan> &scores) {
  const uint64_t a = wgmma_desc(address_again(query), 16, EIGHT_ROWS, SWIZZLE_128B);
  const uint64_t b = wgmma_desc(keys, 16, EIGHT_ROWS, SWIZZLE_128B);
  BENCH_UNROLL
  for (int k = 0; k < Plan::DIM / 16; k++) {
    const int panel = k / 4 * PANEL_PITCH;
    wgmma_ss<T, Plan::KEYS, false, false>(accumulators(scores.at),
                                          operand_at(a, panel * Plan::ROWS + k % 4 * 32),
                                          operand_at(b, panel * Plan::KEYS + k % 4 * 32), k > 0);
  }
  wgmma_commit();
}

/* Starts O += P V. */
template <typename T, typename Plan>
BENCH_DEVICE_FN void product_start_output(const FlashWeights<Plan> &weights, smem_addr values,
                                          FlashState<Plan> &state) {
  const uint64_t b = wgmma_desc(values, Plan::KEYS * PANEL_PITCH, EIGHT_ROWS, SWIZZLE_128B);
  BENCH_UNROLL
  for (int k = 0; k < Plan::KEYS / 16; k++) {
    wgmma_rs<T, Plan::DIM, true>(accumulators(state.out), weights.at[0][k],
                                 operand_at(b, k * 2 * EIGHT_ROWS), true);
  }
  wgmma_commit();
}

#endif
