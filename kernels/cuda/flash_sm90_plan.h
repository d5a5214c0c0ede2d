/* Sizes of the Hopper attention loop for each head dim, and where things lie in shared memory.
 * flash_sm90.cu has the ledger that leads to them. */
#ifndef BENCH_CUDA_FLASH_SM90_PLAN_H
#define BENCH_CUDA_FLASH_SM90_PLAN_H

#include "cuda/device.h"

#define WARPGROUP 128
#define PANEL 64        /* columns of a panel: 128 bytes, the span of the swizzle */
#define PANEL_PITCH 128 /* bytes from a row of a panel to the next */
#define TILE_ALIGN 1024 /* period of the swizzle, in bytes */
#define PLACE_BYTES 48  /* of what is told of a place */

/* What a launch may choose besides the sizes.
 *   POLYNOMIAL  of how many weights one is 2^x by FMA, not by the special function unit; 0: none
 *   RISE        by how much, in log2, a maximum must rise before sums are taken to the new one;
 *               until then weights are up to 2^RISE, which cancels in the end
 *   LISTS       whether the mask may be a block list; a plan for simple masks saves registers
 *   BESIDE      whether a softmax may run beside a product */
template <int POLYNOMIAL_, int RISE_, bool LISTS_ = true, bool BESIDE_ = true>
struct HopperSwitches {
  static constexpr int POLYNOMIAL = POLYNOMIAL_;
  static constexpr int RISE = RISE_;
  static constexpr bool LISTS = LISTS_;
  static constexpr bool BESIDE = BESIDE_;
};

/* GROUPS warpgroups of 64 query rows each work on tiles of KEYS keys that a thread of one more
 * brings in: a pipe. Where one warpgroup has all rows, two pipes share a block of threads, if they
 * fit in its memory, so that one's softmax runs beside the other's products. */
template <int DIM_, int KEYS_, int GROUPS_, bool STATS_, typename Switches>
struct HopperPlan {
  static constexpr int DIM = DIM_;
  static constexpr int KEYS = KEYS_;
  static constexpr int GROUPS = GROUPS_;
  static constexpr bool STATS = STATS_;
  static constexpr int POLYNOMIAL = Switches::POLYNOMIAL;
  static constexpr int RISE = Switches::RISE;
  static constexpr bool LISTS = Switches::LISTS;
  static constexpr int ROWS = 64 * GROUPS;
  static constexpr int ROW_TILES = 1; /* of 16 rows, of a warp */
  static constexpr int CONSUMER_WARPS = 4 * GROUPS;
  /* Memory: Q, tiles of K, as many of V, a word that tells a place, barriers. */
  static constexpr int PANELS = (DIM + PANEL - 1) / PANEL;
  static constexpr int STAGES = DIM <= 64 ? 3 : 2;
  static constexpr int TILE_BYTES = PANELS * KEYS * PANEL_PITCH;
  static constexpr int QUERY_BYTES = PANELS * ROWS * PANEL_PITCH;
  static constexpr int SMEM_MAX = 232448; /* of a block */
  static constexpr int smem_bytes(int pipes, int queries) {
    return pipes * (queries * QUERY_BYTES + 2 * STAGES * TILE_BYTES + TILE_ALIGN) + TILE_ALIGN;
  }
  static constexpr int PIPES = GROUPS == 1 && smem_bytes(2, 1) <= SMEM_MAX ? 2 : 1;
  static constexpr int QUERIES = smem_bytes(PIPES, 2) <= SMEM_MAX ? 2 : 1; /* of Q, in turn */
  static constexpr int KEYS_AT = QUERIES * QUERY_BYTES;
  static constexpr int VALUES_AT = KEYS_AT + STAGES * TILE_BYTES;
  static constexpr int BARRIERS_AT = VALUES_AT + STAGES * TILE_BYTES;
  static constexpr int PIPE_BYTES = BARRIERS_AT + TILE_ALIGN;
  static constexpr int SMEM_BYTES = smem_bytes(PIPES, QUERIES);
  /* Registers of a thread; two warpgroups have as many as a thread can have anyway. */
  static constexpr int CONSUMERS = GROUPS * PIPES;
  static constexpr int THREADS = WARPGROUP * (CONSUMERS + 1);
  static constexpr bool HANDS_OVER = CONSUMERS > 1;
  static constexpr int PRODUCER_REGISTERS = CONSUMERS == 3 ? 32 : PIPES == 2 ? 56 : 40;
  static constexpr int CONSUMER_REGISTERS = CONSUMERS == 3 ? 160 : PIPES == 2 ? 224 : 232;
  /* Softmax beside the product with V. With statistics the registers of P go to their sums. */
  static constexpr bool OVERLAPS = !STATS && Switches::BESIDE;
  /* Whether consumers hear what the producer has found in a list, for which statistics leave no
   * registers. */
  static constexpr bool TOLD = !STATS;
  static constexpr bool IN_TURN = GROUPS > 1 && DIM <= 128 && OVERLAPS;
  static_assert(DIM % 16 == 0 && KEYS % 16 == 0 && KEYS <= 256, "steps of wgmma, boxes of the TMA");
  static_assert(
      !HANDS_OVER || PRODUCER_REGISTERS + CONSUMERS * CONSUMER_REGISTERS <=
                         65536 / THREADS / 8 * 8 * (CONSUMERS + 1),
      "what one gets another has given: the launch gives all threads the same, in eights");
  static_assert(PLACE_BYTES + 16 * (1 + QUERIES + 2 * STAGES) <= TILE_ALIGN &&
                    SMEM_BYTES <= SMEM_MAX,
                "memory");
};

/* The block's memory from the first address on that the swizzle's period divides. */
BENCH_DEVICE_FN smem_addr hopper_memory(const void *shared) {
  return (smem_of(shared) + TILE_ALIGN - 1) / TILE_ALIGN * TILE_ALIGN;
}

#endif
