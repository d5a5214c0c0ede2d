/* The tensor-core attention loop: one block of threads takes ROWS query rows of one head through
 * the tiles of keys that its mask lets them see. `flash` and `sparse` differ in the walk alone.
 *
 * Per tile: S = Q K^T; hide what the mask hides; weights and sums; O += P V with P packed from the
 * accumulators. A warp that sees nothing of a tile skips the products, and one whose rows see all
 * of it runs no mask code: the vote is per warp and tile, so the diagonal's cut tiles are masked by
 * the warps that they cut alone. */
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
  int64_t heads; /* batch * heads_q */
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

/* What a warp sees of the tile in hand. */
struct FlashSight {
  bool some;
  bool all;
  uint64_t bits; /* lane n: of row n of the warp; unset if the warp sees all */
};

template <typename Plan, bool KEPT>
BENCH_DEVICE_FN FlashSight sight_of(const FlashWalk<Plan::KEYS, KEPT> &walk, const MaskRows &mask,
                                    const FlashRows &rows, FlashCursor &cursor, int row) {
  FlashSight sight = {true, true, 0};
  if (!walk_is_whole(walk, mask, rows)) {
    sight.bits = walk_bits(walk, mask, cursor, row);
    sight.some = warp_any(sight.bits != 0);
    sight.all = warp_all(sight.bits == low_bits(Plan::KEYS));
  }
  return sight;
}

/* S, the mask and the softmax of one tile: the weights. */
template <typename T, typename Plan>
BENCH_DEVICE_FN FlashWeights<Plan> tile_weights(const FlashQuery<Plan> &query, smem_addr keys,
                                                const FlashSight &sight, const FlashPlace &place,
                                                float scale, FlashState<Plan> &state,
                                                FlashSums<Plan> &sums) {
  FlashScores<Plan> scores;
  product_scores<T>(query, keys, scores);
  if (!sight.all) {
    softmax_hide(scores, sight.bits);
  }
  float max[Plan::ROW_TILES][2];
  if (softmax_max(state, scores, scale, max)) {
    if constexpr (Plan::STATS) {
      sums_shrink(sums, state, max);
    }
    softmax_shrink(state, max);
  }
  if constexpr (Plan::STATS) {
    sums_weigh(sums, state, scores, scale, place);
  } else {
    softmax_weigh(state, scores, scale);
  }
  return softmax_pack<T>(scores);
}

/* Q into shared memory and, if it stays, on into registers; the ring as full as it is between two
 * turns. */
template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void query_load(FlashQuery<Plan> &query, FlashRing<T, Plan, KEPT> &ring,
                                const MaskRows &mask, const T *q, int rows, int warp_row) {
  constexpr int ITEMS = Plan::SLOTS - 1;
  constexpr int BESIDE = Plan::SLOTS - Plan::Q_SLOTS < ITEMS ? Plan::SLOTS - Plan::Q_SLOTS : ITEMS;
  const smem_addr place = ring.memory + (Plan::SLOTS - Plan::Q_SLOTS) * Plan::SLOT_BYTES;
  query.rows = place + warp_row * Plan::DIM * 2;
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

/* The rows [rows.row, rows.last] of a head; the tensors are the head's own. */
template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void flash_rows(const FlashShape &shape, const MaskRows &mask,
                                const FlashRows &rows, const FlashTensors<T> &head,
                                smem_addr memory) {
  const int warp_row = thread_x() / BENCH_WARP * Plan::WARP_ROWS;
  const int lane_row = min_i(rows.row + warp_row + thread_x() % Plan::WARP_ROWS, rows.last);
  FlashWalk<Plan::KEYS, KEPT> walk = walk_begin<Plan::KEYS, KEPT>(mask, rows);
  FlashCursor cursor = cursor_begin<KEPT>(mask, rows.head, lane_row);
  FlashRing<T, Plan, KEPT> ring = {memory, head.k, head.v, shape.seq_kv, shape.head_dim, 0, 0,
                                   walk};
  FlashState<Plan> state;
  FlashSums<Plan> sums;
  state_begin(state);
  sums_begin(sums);
  if (walk.key >= 0) {
    FlashQuery<Plan> query;
    query_load(query, ring, mask, head.q + (int64_t)rows.row * shape.head_dim,
               rows.last - rows.row + 1, warp_row);
    while (walk.key >= 0) {
      const smem_addr keys = ring_turn<false>(ring, mask);
      const FlashSight sight = sight_of<Plan>(walk, mask, rows, cursor, lane_row);
      FlashWeights<Plan> weights;
      if (sight.some) {
        const FlashPlace place = {rows.row + warp_row + (int)mask.shift, walk.key};
        weights = tile_weights<T>(query, keys, sight, place, shape.scale_log2, state, sums);
      }
      const smem_addr values = ring_turn<true>(ring, mask);
      if (sight.some) {
        product_output<T>(weights, values, state);
      }
      walk_next(walk, mask);
    }
  }
  if constexpr (Plan::STATS) {
    sums_store(sums, state, head.stats, rows.row + warp_row, shape.seq_q, (int)mask.shift);
  }
  output_store(state, head.o, head.lse, rows.row + warp_row, shape.seq_q, shape.head_dim);
}

/* The head and the rank of its block of rows that block `index` of the grid works on. Within a
 * section of heads all blocks of rank 0 come first, then those of rank 1: heavy ones before light
 * ones where ranks are sorted so. */
BENCH_DEVICE_FN void flash_place(const FlashShape &shape, int64_t index, int64_t *head, int *rank) {
  const int64_t section_blocks = (int64_t)shape.section * shape.row_blocks;
  const int64_t first = index / section_blocks * shape.section;
  const int64_t left = shape.heads - first;
  const int64_t heads = left < shape.section ? left : shape.section;
  const int64_t within = index % section_blocks;
  *head = first + within % heads;
  *rank = (int)(within / heads);
}

template <typename T>
BENCH_DEVICE_FN FlashTensors<T> flash_head(const FlashShape &shape, const FlashTensors<T> &all,
                                           int64_t head) {
  const int64_t q = head * shape.seq_q;
  const int64_t kv = head / shape.group * shape.seq_kv * shape.head_dim;
  return FlashTensors<T>{all.q + q * shape.head_dim,
                         all.k + kv,
                         all.v + kv,
                         all.o + q * shape.head_dim,
                         all.lse + q,
                         all.stats == nullptr ? nullptr : all.stats + q * BENCH_FUSED_STATS};
}

#endif
