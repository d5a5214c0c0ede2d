/* The tensor-core attention loop: one block of threads takes ROWS query rows of one head through
 * the tiles of keys that its mask lets them see. `flash` and `sparse` differ in the walk alone.
 *
 * Per tile: S = Q K^T; hide what the mask hides; weights and sums; O += P V with P packed from the
 * accumulators. A warp that sees nothing of a tile skips the products, and one whose rows see all
 * of it runs no mask code. That is one branch a tile, the same for the whole warp, in place of one
 * loop for cut tiles and one for whole ones: the diagonal's tiles are masked by those warps alone
 * that they cut, and the code of the products stands once. */
#ifndef BENCH_CUDA_FLASH_LOOP_H
#define BENCH_CUDA_FLASH_LOOP_H

#include "cuda/flash_output.h"
#include "cuda/flash_product.h"
#include "cuda/flash_ring.h"
#include "cuda/flash_softmax.h"
#include "cuda/flash_stats.h"
#include "cuda/flash_walk.h"

/* What a launch works on. Lengths fit in 32 bits, places in tensors may not. */
struct FlashShape {
  int heads; /* batch * heads_q */
  int seq_q;
  int seq_kv;
  int head_dim;
  int group;        /* query heads that share a key head; the batch needs no mention */
  int row_blocks;   /* blocks of rows of a head */
  int section;      /* heads that are worked on side by side, as their K and V fit in cache */
  float scale_log2; /* log2(e) / sqrt(head_dim) */
};

template <typename T>
struct FlashTensors {
  const T *q;
  const T *k;
  const T *v;
  T *o;
  float *lse;
  float *stats; /* NULL but with Plan::STATS */
};

/* What a thread asks for in a masked tile alone: it lies in shared memory, as the registers are for
 * the products. */
struct FlashLane {
  int row;  /* for whose mask this lane of its warp stands; it need not exist */
  int left; /* with the dense walk over a list, that row's place in it */
};

template <typename Plan, bool KEPT>
BENCH_DEVICE_FN FlashLane lane_begin(const MaskRows &mask, const FlashRows &rows) {
  const int warp = thread_x() / BENCH_WARP;
  FlashLane lane = {rows.row + warp * Plan::WARP_ROWS + thread_x() % Plan::WARP_ROWS, 0};
  if (!KEPT && mask.blocks.block != 0) {
    lane.left = walk_entries(mask, rows.head, min_i(lane.row, rows.last));
  }
  return lane;
}

/* The warp's first row. */
template <typename Plan>
BENCH_DEVICE_FN int lane_warp_row(const FlashLane &lane) {
  return lane.row - thread_x() % Plan::WARP_ROWS;
}

/* The bits of a tile that the lane's row sees. */
template <typename Plan, bool KEPT>
BENCH_DEVICE_FN uint64_t tile_bits(const FlashTile &tile, const MaskRows &mask,
                                   const FlashRows &rows, FlashLane &lane) {
  if (tile_is_whole<Plan::KEYS, KEPT>(tile, mask, rows)) {
    return low_bits(Plan::KEYS);
  }
  const int row = min_i(lane.row, rows.last);
  return low_bits(Plan::KEYS) & (KEPT || mask.blocks.block == 0
                                     ? tile_row_bits<KEPT>(tile, mask, row)
                                     : walk_dense_bits(mask, tile.key, rows.head, row, lane.left));
}

/* S, the mask and the softmax of a tile: the weights. Lane n's `bits` are what row n of the warp
 * sees; the warp's first row stands at `position`, the tile's first key is `key`. */
template <typename T, typename Plan>
BENCH_DEVICE_FN FlashWeights<Plan> tile_weights(const FlashQuery<Plan> &query, smem_addr keys,
                                                uint64_t bits, float scale, int position, int key,
                                                FlashState<Plan> &state, FlashSums<Plan> &sums) {
  FlashScores<Plan> scores;
  product_scores<T>(query, keys, scores);
  if (!warp_all(bits == low_bits(Plan::KEYS))) {
    softmax_hide(scores, bits);
  }
  float max[Plan::ROW_TILES][2];
  if (softmax_max(state, scores, scale, max)) {
    if constexpr (Plan::STATS) {
      sums_shrink(sums, state, max);
    }
    softmax_shrink(state, max);
  }
  if constexpr (Plan::STATS) {
    sums_weigh(sums, state, scores, scale, position, key);
  } else {
    softmax_weigh(state, scores, scale);
  }
  return softmax_pack<T>(scores);
}

/* Q into shared memory and, if it stays, on into registers; the ring as full as it is between two
 * turns. */
template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void query_load(FlashQuery<Plan> &query, FlashRing<T, Plan, KEPT> &ring,
                                const MaskRows &mask, const T *q, int rows) {
  constexpr int ITEMS = Plan::SLOTS - 1;
  constexpr int BESIDE = Plan::SLOTS - Plan::Q_SLOTS < ITEMS ? Plan::SLOTS - Plan::Q_SLOTS : ITEMS;
  const smem_addr place = ring.memory + (Plan::SLOTS - Plan::Q_SLOTS) * Plan::SLOT_BYTES;
  const int warp = thread_x() / BENCH_WARP;
  query.lane = flash_lane<Plan::DIM>(place + warp * Plan::WARP_ROWS * Plan::DIM * 2);
  flash_copy<T, Plan::DIM, Plan::ROWS, Plan::THREADS>(place, q, rows, ring.head_dim);
  if constexpr (Plan::Q_STAYS) {
    cp_async_commit();
    ring_fill<0, BESIDE>(ring, mask);
    cp_async_wait<BESIDE>();
    sync_threads();
    query_keep(query);
    sync_threads();
    ring_fill<BESIDE, ITEMS>(ring, mask);
  } else {
    ring_fill<0, ITEMS>(ring, mask); /* Q goes with item 0 */
  }
}

/* The loop over the tiles of the rows' walk. */
template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void flash_tiles(const FlashShape &shape, const MaskRows &mask,
                                 const FlashQuery<Plan> &query, FlashRing<T, Plan, KEPT> &ring,
                                 FlashLane *lanes, FlashState<Plan> &state, FlashSums<Plan> &sums) {
  for (;;) {
    const int keys = ring_turn<false>(ring, mask);
    const FlashTile tile = ring.tiles[keys];
    if (tile.key < 0) {
      break;
    }
    const FlashRows rows = *ring.rows;
    FlashLane &lane = lanes[thread_x()];
    const uint64_t bits = tile_bits<Plan, KEPT>(tile, mask, rows, lane);
    const bool sees = warp_any(bits != 0);
    FlashWeights<Plan> weights;
    if (sees) {
      weights =
          tile_weights<T>(query, ring.memory + keys * Plan::SLOT_BYTES, bits, shape.scale_log2,
                          lane_warp_row<Plan>(lane) + (int)mask.shift, tile.key, state, sums);
    }
    const int values = ring_turn<true>(ring, mask);
    if (sees) {
      product_output<T>(weights, ring.memory + values * Plan::SLOT_BYTES, state);
    }
  }
}

/* `rows`, `tiles` and `lanes` are in shared memory, `walk` is where the rows' walk begins. */
template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void flash_rows(const FlashShape &shape, const MaskRows &mask,
                                const FlashRows &rows, const FlashWalk &walk, FlashTile *tiles,
                                FlashLane *lanes, const FlashTensors<T> &tensors,
                                smem_addr memory) {
  lanes[thread_x()] = lane_begin<Plan, KEPT>(mask, rows);
  FlashState<Plan> state;
  FlashSums<Plan> sums;
  state_begin(state);
  sums_begin(sums);
  if (walk.key >= 0) {
    FlashRing<T, Plan, KEPT> ring = {memory,       tiles,          &rows, tensors.k, tensors.v,
                                     shape.seq_kv, shape.head_dim, 0,     walk};
    FlashQuery<Plan> query;
    const int64_t first = (int64_t)rows.head * shape.seq_q + rows.row;
    query_load(query, ring, mask, tensors.q + first * shape.head_dim, rows.last - rows.row + 1);
    flash_tiles(shape, mask, query, ring, lanes, state, sums);
  }
  const int64_t head = (int64_t)rows.head * shape.seq_q; /* its first row in O */
  const int row = lane_warp_row<Plan>(lanes[thread_x()]);
  if constexpr (Plan::STATS) {
    sums_store(sums, state, tensors.stats + head * BENCH_FUSED_STATS, row, shape.seq_q,
               (int)mask.shift);
  }
  output_store(state, tensors.o + head * shape.head_dim, tensors.lse + head, row, shape.seq_q,
               shape.head_dim);
}

/* The ROWS rows of `head` from `row` on, which all threads give alike. */
template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void flash_block(const FlashShape &shape, const MaskRows &mask, int head, int row,
                                 const FlashTensors<T> &tensors, const void *memory) {
  BENCH_SHARED(FlashRows, rows, [1]);
  BENCH_SHARED(FlashWalk, walk, [1]);
  BENCH_SHARED(FlashTile, tiles, [Plan::SLOTS]);
  BENCH_SHARED(FlashLane, lanes, [Plan::THREADS]);
  if (thread_x() == 0) {
    rows[0].head = head;
    rows[0].row = row;
    rows[0].last = min_i(row + Plan::ROWS, shape.seq_q) - 1;
    rows[0].kv = (int64_t)(head / shape.group) * shape.seq_kv * shape.head_dim;
    walk[0] = walk_begin<Plan::KEYS, KEPT>(mask, rows[0]);
  }
  sync_threads();
  flash_rows<T, Plan, KEPT>(shape, mask, rows[0], walk[0], tiles, lanes, tensors,
                            flash_memory(memory));
}

/* The head and the rank of its block of rows that block `index` of the grid works on. Within a
 * section of heads all blocks of rank 0 come first, then those of rank 1: heavy ones before light
 * ones where ranks are sorted so. */
BENCH_DEVICE_FN void flash_place(const FlashShape &shape, int index, int *head, int *rank) {
  const int section_blocks = shape.section * shape.row_blocks; /* at most the grid's */
  const int first = index / section_blocks * shape.section;
  const int heads = min_i(shape.heads - first, shape.section);
  const int within = index % section_blocks;
  *head = first + within % heads;
  *rank = within / heads;
}

#endif
