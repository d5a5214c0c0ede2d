/* Tile sizes of the tensor-core flash loop for each head dim, and a tile's place in shared memory.
 * One row of FLASH_PLANS is one choice; flash_mma.cu has the ledger that leads to it. */
#ifndef BENCH_CUDA_FLASH_PLAN_H
#define BENCH_CUDA_FLASH_PLAN_H

#include "cuda/device.h"

/* Rows and keys of one mma.sync; elements of 16 bytes, the unit of every copy. */
#define MMA_ROWS 16
#define MMA_KEYS 8
#define CHUNK 8

/* How a block of ROWS query rows of padded head dim DIM does its work. With STATS each warp has
 * one tile of 16 rows in place of two, to make room for the sums of flash_stats.h: rows, keys and
 * the order of every operation on a row stay the same. */
template <int DIM_, int ROWS_, bool STATS_>
struct FlashPlan {
  static constexpr int DIM = DIM_;
  static constexpr int ROWS = ROWS_;
  static constexpr bool STATS = STATS_;
  static constexpr int KEYS = DIM <= 192 ? 64 : 32;                 /* of a tile of K or V */
  static constexpr int ROW_TILES = DIM <= 128 && !STATS ? 2 : 1;    /* of 16 rows, of a warp */
  static constexpr int WARP_ROWS = ROW_TILES * MMA_ROWS;
  static constexpr int THREADS = ROWS / WARP_ROWS * BENCH_WARP;
  /* Q stays in registers where they suffice; then the ring has held it at the start. */
  static constexpr bool Q_STAYS = DIM <= 64 || DIM == 192 || (DIM == 256 && !STATS);
  static constexpr int SLOTS = DIM <= 64 || DIM == 192 ? 4 : DIM <= 128 ? 3 : Q_STAYS ? 6 : 2;
  static constexpr int SLOT_BYTES = KEYS * DIM * 2;
  static constexpr int Q_BYTES = ROWS * DIM * 2;
  static constexpr int Q_SLOTS = Q_STAYS ? (Q_BYTES + SLOT_BYTES - 1) / SLOT_BYTES : 0;
  static constexpr int SMEM_BYTES = SLOTS * SLOT_BYTES + (Q_STAYS ? 0 : Q_BYTES);
  /* Blocks that a multiprocessor is to hold: it has 65536 registers. */
  static constexpr int BLOCKS = THREADS <= 64 ? 4 : THREADS <= 128 ? 2 : 1;
  static_assert(SLOTS > Q_SLOTS && SLOTS >= 2, "the first K tile is loaded beside Q");
};

/* A tile lies in shared memory row by row, its 16-byte chunks permuted within a row by XOR with
 * the row: eight rows of one column, which ldmatrix reads at once, and eight chunks of one row,
 * which cp.async writes at once, both fall into eight different groups of four banks. Rows whose
 * length is no multiple of 128 bytes (head dim 32, 96) leave room for a period of four chunks
 * only; there every other row has moved by half of the banks already. */
template <int DIM>
BENCH_DEVICE_FN int flash_turn(int row) {
  return DIM / CHUNK % 8 == 0 ? row & 7 : row >> 1 & 3;
}

/* Byte offset of `chunk` of `row`. */
template <int DIM>
BENCH_DEVICE_FN int flash_offset(int row, int chunk) {
  return (row * (DIM / CHUNK) + (chunk ^ flash_turn<DIM>(row))) * 16;
}

/* The same for chunk 2 step + half where `turned` = flash_turn(row) ^ half is at hand: one XOR
 * with a constant, as the row is the same in all steps. */
template <int DIM>
BENCH_DEVICE_FN int flash_step_offset(int turned, int step) {
  constexpr int PERIOD = DIM / CHUNK % 8 == 0 ? 4 : 2; /* steps */
  return ((2 * (step % PERIOD) ^ turned) + 2 * (step / PERIOD * PERIOD)) * 16;
}

/* Copies a tile of TILE_ROWS rows into shared memory, of which `rows` are in memory; the others,
 * and the columns that pad head_dim to DIM, become zero. Asynchronous (cp.async). */
template <typename T, int DIM, int TILE_ROWS, int THREADS>
BENCH_DEVICE_FN void flash_copy(smem_addr to, const T *from, int rows, int head_dim) {
  constexpr int CHUNKS = DIM / CHUNK;
  static_assert(TILE_ROWS * CHUNKS % THREADS == 0, "every thread copies as much");
  BENCH_UNROLL
  for (int n = 0; n < TILE_ROWS * CHUNKS / THREADS; n++) {
    const int index = n * THREADS + thread_x();
    const int row = index / CHUNKS;
    const int chunk = index % CHUNKS;
    const bool inside = row < rows && chunk * CHUNK < head_dim;
    cp_async16_zfill(to + flash_offset<DIM>(row, chunk),
                     from + (inside ? row * head_dim + chunk * CHUNK : 0), inside ? 16 : 0);
  }
}

#endif
