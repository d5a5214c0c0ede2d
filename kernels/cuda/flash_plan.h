/* Tile sizes of the tensor-core flash loop for each head dim, and a tile's place in shared memory.
 * One row of FLASH_PLANS is one choice; flash_mma.cu has the ledger that leads to it. */
#ifndef BENCH_CUDA_FLASH_PLAN_H
#define BENCH_CUDA_FLASH_PLAN_H

#include "cuda/device.h"

/* Rows and keys of one mma.sync; elements of 16 bytes, the unit of every copy. */
#define MMA_ROWS 16
#define MMA_KEYS 8
#define CHUNK 8
#define SMEM_ALIGN 128 /* bytes; what a launch gives may be less aligned */

/* How a block of ROWS query rows of padded head dim DIM does its work. With STATS each warp has
 * one tile of 16 rows in place of two, to make room for the sums of flash_stats.h: rows, keys and
 * the order of every operation on a row stay the same. */
template <int DIM_, int ROWS_, bool STATS_>
struct FlashPlan {
  static constexpr int DIM = DIM_;
  static constexpr int ROWS = ROWS_;
  static constexpr bool STATS = STATS_;
  static constexpr int POLYNOMIAL = 0;                           /* softmax_weight */
  static constexpr int KEYS = DIM <= 192 ? 64 : 32;              /* of a tile of K or V */
  static constexpr int ROW_TILES = DIM <= 128 && !STATS ? 2 : 1; /* of 16 rows, of a warp */
  static constexpr int WARP_ROWS = ROW_TILES * MMA_ROWS;
  static constexpr int THREADS = ROWS / WARP_ROWS * BENCH_WARP;
  /* Q stays in registers where they suffice; then the ring has held it at the start. */
  static constexpr bool Q_STAYS = DIM <= 64 || (DIM >= 192 && !STATS);
  static constexpr int SLOTS = DIM <= 64 ? 4 : DIM <= 128 ? 3 : !Q_STAYS ? 2 : DIM == 192 ? 4 : 6;
  static constexpr int SLOT_BYTES = KEYS * DIM * 2;
  static constexpr int Q_BYTES = ROWS * DIM * 2;
  static constexpr int Q_SLOTS = Q_STAYS ? (Q_BYTES + SLOT_BYTES - 1) / SLOT_BYTES : 0;
  static constexpr int SMEM_BYTES =
      SLOTS * SLOT_BYTES + (Q_STAYS ? 0 : Q_BYTES) + SMEM_ALIGN; /* dynamic; more is static */
  /* Blocks that a multiprocessor is to hold: it has 65536 registers. */
  static constexpr int BLOCKS = THREADS <= 64 ? 4 : THREADS <= 128 ? 2 : 1;
  static_assert(SLOTS > Q_SLOTS && SLOTS >= 2, "the first K tile is loaded beside Q");
};

/* The block's memory from the first address on that is as aligned as tiles must be. */
BENCH_DEVICE_FN smem_addr flash_memory(const void *shared) {
  return (smem_of(shared) + SMEM_ALIGN - 1) / SMEM_ALIGN * SMEM_ALIGN;
}

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

/* Where this lane reads its row of the fragment at rows 0-15, columns 0-15 of a tile: lanes 0-15
 * the rows' first 8 columns, lanes 16-31 the others. */
template <int DIM>
BENCH_DEVICE_FN smem_addr flash_lane(smem_addr tile) {
  return tile + flash_offset<DIM>(thread_x() % 16, thread_x() % BENCH_WARP / 16);
}

/* The same for columns 16 step .. 16 step + 15, from flash_lane(). As tiles begin at a multiple of
 * 128 bytes, the XOR may as well be taken with the whole address; so one register serves all
 * steps, where the compiler would hold four if it were taken before the tile was added. */
template <int DIM>
BENCH_DEVICE_FN smem_addr flash_step(smem_addr lane, int step) {
  constexpr int PERIOD = DIM / CHUNK % 8 == 0 ? 4 : 2; /* steps */
  return (lane ^ (uint32_t)(step % PERIOD * 32)) + (uint32_t)(step / PERIOD * PERIOD * 32);
}

/* Copies a tile of TILE_ROWS rows into shared memory, of which `rows` are in memory; the others,
 * and the columns that pad head_dim to DIM, become zero: of those nothing is read, whatever the
 * address. Asynchronous (cp.async). Eight threads, or four, take 16 bytes each of a row; as a
 * thread goes on, its row changes by a multiple of 8 and its place in the XOR not at all, so that
 * places in shared memory are one register and constants. The pointer runs, for a compiler would
 * hold the product of head_dim with each of its steps in a register of its own. */
template <typename T, int DIM, int TILE_ROWS, int THREADS>
BENCH_DEVICE_FN void flash_copy(smem_addr to, const T *from, int rows, int head_dim) {
  constexpr int WIDTH = DIM / CHUNK % 8 == 0 ? 8 : 4; /* chunks of a row at a time */
  constexpr int STEP = THREADS / WIDTH;               /* rows at a time */
  static_assert(TILE_ROWS % STEP == 0 && STEP % 8 == 0, "every thread copies as much");
  const int row = thread_x() / WIDTH;
  const int column = thread_x() % WIDTH * CHUNK;
  const smem_addr place = to + flash_offset<DIM>(row, thread_x() % WIDTH);
  const T *at = from + row * head_dim + column;
  BENCH_UNROLL
  for (int n = 0; n < TILE_ROWS; n += STEP) {
    BENCH_UNROLL
    for (int c = 0; c < DIM; c += WIDTH * CHUNK) {
      const bool inside = row < rows - n && column < head_dim - c;
      cp_async16_zfill(place + (n * DIM + c) * 2, at + c, inside ? 16 : 0);
    }
    at += STEP * head_dim;
  }
}

#endif
