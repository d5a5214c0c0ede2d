/* The Hopper attention loop: one warpgroup fetches, the others compute, each 64 rows of a head.
 *
 *   producer   one thread keeps the channels of Q, K and V full, tile after tile and block of rows
 *              after block of rows. It waits for no result: while consumers store the output of
 *              some rows, the next ones' tiles are on their way.
 *   consumers  with tile j's weights P(j) in registers, start S = Q K(j+1), then O += P(j) V(j);
 *              as soon as S is there run its softmax, while the tensor cores are at work on O; and
 *              pack P(j+1) when O is done with P(j).
 *   turns      up to head dim 128 consumers start their products one after the other, so that
 *              one's softmax runs while another has the tensor cores.
 *
 * Tiles that a warpgroup's rows see whole go through a loop without mask code. The grid is as large
 * as the GPU, and each pipe takes place after place of an order of the blocks of rows. */
#ifndef BENCH_CUDA_FLASH_SM90_LOOP_H
#define BENCH_CUDA_FLASH_SM90_LOOP_H

#include "cuda/flash_loop.h"
#include "cuda/flash_sm90_channel.h"
#include "cuda/flash_sm90_product.h"
#include "cuda/flash_sm90_queue.h"
#include "cuda/flash_sm90_softmax.h"
#include "cuda/flash_sm90_walk.h"

/* Barriers 1, 2 and 3 are the consumers' turns. Each waits for its own, where the one before it
 * arrives too; the last one gives the first its first turn. */
template <typename Plan>
BENCH_DEVICE_FN void turn_wait(int group) {
  if constexpr (Plan::IN_TURN) {
    if (group == 0) {
      bar_sync<1>(2 * WARPGROUP);
    } else if (Plan::GROUPS == 2 || group == 1) {
      bar_sync<2>(2 * WARPGROUP);
    } else {
      bar_sync<3>(2 * WARPGROUP);
    }
  }
}

template <typename Plan>
BENCH_DEVICE_FN void turn_pass(int group) {
  if constexpr (Plan::IN_TURN) {
    if (group == Plan::GROUPS - 1) {
      bar_arrive<1>(2 * WARPGROUP);
    } else if (Plan::GROUPS == 2 || group == 0) {
      bar_arrive<2>(2 * WARPGROUP);
    } else {
      bar_arrive<3>(2 * WARPGROUP);
    }
  }
}

/* A launch, as the kernel gets it. Order says which rows come at a place of the order. */
template <typename T, typename Order>
struct HopperWork {
  const dev_tensor_map *q;
  const dev_tensor_map *k;
  const dev_tensor_map *v;
  FlashShape shape;
  MaskRows mask;
  Order order;
  HopperQueue *queue;
  FlashTensors<T> tensors;
};

/* How many places the order has. */
template <typename T, typename Order>
BENCH_DEVICE_FN int work_places(const HopperWork<T, Order> &work) {
  return work.shape.heads * work.shape.row_blocks; /* at most 2^30; hopper_why_not */
}

/* The rows of a place, and where the walk of their tiles begins: false if there are none. */
template <typename Plan, bool KEPT, typename T, typename Order>
BENCH_DEVICE_FN bool work_rows(const HopperWork<T, Order> &work, int place,
                               HopperWalk<Plan::KEYS, KEPT> &walk) {
  if (!order_rows(work.order, work.shape, work.mask, Plan::ROWS, place, walk.rows)) {
    return false;
  }
  walk.next = walk_begin<Plan::KEYS, KEPT>(work.mask, walk.rows);
  return true;
}

/* The same from what was found there. */
template <typename Plan, bool KEPT>
BENCH_DEVICE_FN void found_rows(const HopperFound &found, const FlashShape &shape,
                                HopperWalk<Plan::KEYS, KEPT> &walk) {
  walk.rows.head = found.head;
  walk.rows.row = found.row;
  walk.rows.last = min_i(found.row + Plan::ROWS, shape.seq_q) - 1;
  walk.rows.entries = found.entries;
  walk.next = found.next;
}

/* All tiles of some rows. V lags behind K, as it does in the consumers. */
template <typename T, typename Plan, bool KEPT, typename Order>
BENCH_DEVICE_FN void produce_rows(const HopperWork<T, Order> &work, HopperChannels<Plan> &to,
                                  HopperWalk<Plan::KEYS, KEPT> &walk) {
  const int kv = walk.rows.head / work.shape.group;
  channel_fill<Plan::ROWS>(to.query, work.q, walk.rows.row, walk.rows.head);
  channel_fill<Plan::KEYS>(to.keys, work.k, walk.tile.key, kv);
  int before = walk.tile.key;
  tiles_next(walk, work.mask);
  while (walk.tile.key >= 0) {
    channel_fill<Plan::KEYS>(to.keys, work.k, walk.tile.key, kv);
    channel_fill<Plan::KEYS>(to.values, work.v, before, kv);
    before = walk.tile.key;
    tiles_next(walk, work.mask);
  }
  channel_fill<Plan::KEYS>(to.values, work.v, before, kv);
}

/* The thread that fetches. Which place comes next it asks early: the answer takes as long as a
 * tile. The place after the last one tells the consumers to end. */
template <typename T, typename Plan, bool KEPT, typename Order>
BENCH_DEVICE_FN void hopper_produce(const HopperWork<T, Order> &work, HopperChannels<Plan> to,
                                    int pipe) {
  HopperFound found = {};
  int place = queue_first<Plan>(pipe);
  while (place < work_places(work)) {
    HopperWalk<Plan::KEYS, KEPT> walk = {};
    const int next = queue_next<Plan>(work.queue);
    if (work_rows<Plan>(work, place, walk)) {
      found = {walk.rows.head, walk.rows.row, walk.next, walk.rows.entries};
      place_tell<KEPT && Plan::TOLD>(to.places, place, found);
      tiles_start(walk, work.mask);
      if (walk.tile.key >= 0) {
        produce_rows(work, to, walk);
      }
    }
    place = next;
  }
  place_tell<KEPT && Plan::TOLD>(to.places, place, found);
  queue_leave<Plan>(work.queue);
}

/* Where a consuming thread stands. */
template <typename Plan, bool KEPT>
struct HopperPlace {
  HopperWalk<Plan::KEYS, KEPT> walk; /* of the block's rows */
  FlashRows rows;                    /* the warpgroup's among them: head, row, last */
  int group;
  int lane_row;    /* whose mask this lane looks up */
  int left;        /* its place in a list; walk_dense_bits */
  smem_addr query; /* the warpgroup's rows of Q */
};

template <typename Plan, bool KEPT>
BENCH_DEVICE_FN bool place_is_whole(const HopperPlace<Plan, KEPT> &at, const MaskRows &mask) {
  return tile_is_whole<Plan::KEYS, KEPT>(at.walk.tile, mask, at.rows);
}

/* Logits to weights, in `scores`: what the tile does to the maxima, the sums and the statistics.
 * True if the output must shrink. */
template <bool CUT, typename Plan, bool KEPT>
BENCH_DEVICE_FN bool hopper_weigh(HopperRegisters<Plan> &r, HopperPlace<Plan, KEPT> &at,
                                  const FlashShape &shape, const MaskRows &mask,
                                  float (&shrink)[2]) {
  if constexpr (CUT) {
    hide_tile<Plan, KEPT>(r.scores, at.walk.tile, mask, at.rows.head, at.lane_row, at.left);
  }
  float max[1][2];
  const bool rises = rise_max(r, shape.scale_log2, max);
  if (rises) {
    rise_sums(r, max, shrink);
  }
  if constexpr (Plan::STATS) {
    const int warp_row = at.rows.row + thread_x() / BENCH_WARP % 4 * MMA_ROWS;
    sums_weigh(r.sums, r.state, r.scores, shape.scale_log2, warp_row + (int)mask.shift,
               at.walk.tile.key);
  } else {
    softmax_weigh(r.state, r.scores, shape.scale_log2);
  }
  return rises;
}

/* S = Q K^T of the tile in hand, and O += P V of the one before: each waited for. */
template <typename T, typename Plan>
BENCH_DEVICE_FN void hopper_scores(HopperRegisters<Plan> &r, smem_addr query,
                                   HopperChannels<Plan> &from) {
  channel_wait(from.keys);
  wgmma_fence();
  product_start_scores<T>(query, channel_tile(from.keys), r.scores);
  wgmma_wait<0>();
  wgmma_pin(accumulators(r.scores.at));
  channel_release(from.keys);
}

template <typename T, typename Plan>
BENCH_DEVICE_FN void hopper_output(HopperRegisters<Plan> &r, HopperChannels<Plan> &from) {
  channel_wait(from.values);
  wgmma_pin(accumulators(r.state.out));
  wgmma_fence();
  product_start_output<T>(r.weights, channel_tile(from.values), r.state);
  wgmma_wait<0>();
  wgmma_pin(accumulators(r.state.out));
  channel_release(from.values);
}

/* The first tile of some rows: there is no output yet to work on beside it. */
template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void hopper_begin(HopperRegisters<Plan> &r, HopperPlace<Plan, KEPT> &at,
                                  const FlashShape &shape, const MaskRows &mask,
                                  HopperChannels<Plan> &from) {
  float shrink[2];
  channel_wait(from.query);
  at.query = channel_tile(from.query) + at.group * 64 * PANEL_PITCH;
  hopper_scores<T>(r, at.query, from);
  hopper_weigh<true>(r, at, shape, mask, shrink); /* the output is still 0 */
  r.weights = softmax_pack<T>(r.scores);
  tiles_next(at.walk, mask);
}

/* Any further tile; r.weights are those of the one before. */
template <bool CUT, typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void hopper_step(HopperRegisters<Plan> &r, HopperPlace<Plan, KEPT> &at,
                                 const FlashShape &shape, const MaskRows &mask,
                                 HopperChannels<Plan> &from) {
  float shrink[2] = {1, 1};
  channel_wait(from.keys);
  turn_wait<Plan>(at.group);
  wgmma_pin(accumulators(r.state.out));
  wgmma_fence();
  product_start_scores<T>(at.query, channel_tile(from.keys), r.scores);
  channel_wait(from.values);
  wgmma_fence();
  product_start_output<T>(r.weights, channel_tile(from.values), r.state);
  turn_pass<Plan>(at.group);
  wgmma_wait<Plan::OVERLAPS ? 1 : 0>();
  wgmma_pin(accumulators(r.scores.at));
  channel_release(from.keys);
  const bool rises = hopper_weigh<CUT>(r, at, shape, mask, shrink);
  wgmma_pin(accumulators(r.scores.at));
  if constexpr (Plan::OVERLAPS) {
    wgmma_wait<0>();
  }
  wgmma_pin(accumulators(r.state.out));
  wgmma_pin(accumulators(r.scores.at));
  channel_release(from.values);
  r.weights = softmax_pack<T>(r.scores);
  if (rises) {
    rise_output(r, shrink);
  }
  tiles_next(at.walk, mask);
}

template <typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void hopper_tiles(HopperRegisters<Plan> &r, HopperPlace<Plan, KEPT> &at,
                                  const FlashShape &shape, const MaskRows &mask,
                                  HopperChannels<Plan> &from) {
  hopper_begin<T>(r, at, shape, mask, from);
  while (at.walk.tile.key >= 0) {
    while (at.walk.tile.key >= 0 && !place_is_whole(at, mask)) {
      hopper_step<true, T>(r, at, shape, mask, from);
    }
    while (at.walk.tile.key >= 0 && place_is_whole(at, mask)) {
      hopper_step<false, T>(r, at, shape, mask, from);
    }
  }
  channel_release(from.query);
  hopper_output<T>(r, from);
}

template <typename T, typename Plan>
BENCH_DEVICE_FN void hopper_store(HopperRegisters<Plan> &r, const FlashRows &rows,
                                  const FlashShape &shape, const MaskRows &mask,
                                  const FlashTensors<T> &tensors) {
  const int64_t first = (int64_t)rows.head * shape.seq_q;
  const int row = rows.row + thread_x() / BENCH_WARP % 4 * MMA_ROWS;
  if constexpr (Plan::STATS) {
    float *const stats = tensors.stats + first * BENCH_FUSED_STATS;
    sums_store(r.sums, r.state, stats, row, shape.seq_q, (int)mask.shift);
    top_store(r, stats, row, shape.seq_q);
  }
  output_store(r.state, tensors.o + first * shape.head_dim, tensors.lse + first, row, shape.seq_q,
               shape.head_dim);
}

/* Finds the warpgroup's share of the block's rows. */
template <typename Plan, bool KEPT>
BENCH_DEVICE_FN void place_rows(HopperPlace<Plan, KEPT> &at, const MaskRows &mask) {
  const FlashRows &block = at.walk.rows;
  const int first = block.row + at.group * 64;
  const int row = first + thread_x() / BENCH_WARP % 4 * MMA_ROWS + thread_x() % MMA_ROWS;
  at.rows.head = block.head;
  at.rows.row = first;
  at.rows.last = min_i(first + 63, block.last);
  at.lane_row = min_i(row, block.last); /* one that exists */
  at.left = KEPT || mask.blocks.block == 0 ? 0 : walk_entries(mask, block.head, at.lane_row);
}

/* A warpgroup that computes. */
template <typename T, typename Plan, bool KEPT, typename Order>
BENCH_DEVICE_FN void hopper_consume(const HopperWork<T, Order> &work, HopperChannels<Plan> from,
                                    int group) {
  HopperRegisters<Plan> r;
  HopperPlace<Plan, KEPT> at;
  at.group = group;
  constexpr bool TOLD = KEPT && Plan::TOLD;
  HopperFound found;
  int place;
  while ((place = place_hear<TOLD>(from.places, found)) < work_places(work)) {
    if (TOLD && work.mask.blocks.block != 0) {
      found_rows<Plan>(found, work.shape, at.walk);
    } else if (!work_rows<Plan>(work, place, at.walk)) {
      continue; /* never, as such a place is not told; but without this way out ptxas spills */
    }
    tiles_start(at.walk, work.mask);
    place_rows(at, work.mask);
    state_begin(r.state);
    sums_begin(r.sums);
    r.top[0] = r.top[1] = minus_infinity();
    if (at.walk.tile.key >= 0) {
      hopper_tiles<T>(r, at, work.shape, work.mask, from);
    }
    hopper_store<T>(r, at.rows, work.shape, work.mask, work.tensors);
  }
}

/* Two ways into a block: that of the warpgroup that fetches, a warp for each pipe, and that of the
 * consumers. */
template <typename T, typename Plan, bool KEPT, typename Order>
BENCH_DEVICE_FN void hopper_fetch(const HopperWork<T, Order> &work, smem_addr memory) {
  const int pipe = Plan::PIPES == 1 ? 0 : shfl(thread_x() / BENCH_WARP, 0);
  if constexpr (Plan::HANDS_OVER) {
    setmaxnreg_dec<Plan::PRODUCER_REGISTERS>();
  }
  if (thread_x() == pipe * BENCH_WARP && pipe < Plan::PIPES) {
    hopper_produce<T, Plan, KEPT>(work, channels_at<Plan>(memory + pipe * Plan::PIPE_BYTES), pipe);
  }
}

template <typename T, typename Plan, bool KEPT, typename Order>
BENCH_DEVICE_FN void hopper_compute(const HopperWork<T, Order> &work, smem_addr memory,
                                    int consumer) {
  const int pipe = Plan::PIPES == 1 ? 0 : consumer / Plan::GROUPS;
  const int group = consumer % Plan::GROUPS;
  if constexpr (Plan::HANDS_OVER) {
    setmaxnreg_inc<Plan::CONSUMER_REGISTERS>();
  }
  if (group == Plan::GROUPS - 1) {
    turn_pass<Plan>(group);
  }
  hopper_consume<T, Plan, KEPT>(work, channels_at<Plan>(memory + pipe * Plan::PIPE_BYTES), group);
  if (group == 0) {
    turn_wait<Plan>(0); /* for the last one's last turn: the barrier ends as it began */
  }
}

/* The whole of a block of threads. */
template <typename T, typename Plan, bool KEPT, typename Order>
BENCH_DEVICE_FN void hopper_block(const HopperWork<T, Order> &work, smem_addr memory) {
  const int warpgroup = shfl(thread_x() / WARPGROUP, 0); /* the same in all lanes, as ptxas sees */
  if (thread_x() == 0) {
    BENCH_UNROLL
    for (int pipe = 0; pipe < Plan::PIPES; pipe++) {
      channels_init<Plan>(memory + pipe * Plan::PIPE_BYTES);
    }
    mbar_init_fence();
  }
  sync_threads();
  if (warpgroup == 0) {
    hopper_fetch<T, Plan, KEPT>(work, memory);
  } else {
    hopper_compute<T, Plan, KEPT>(work, memory, warpgroup - 1);
  }
}

#endif
