/* A channel: a ring of tiles in shared memory that one thread has the TMA fill and that warps of
 * other warpgroups empty. Two mbarriers a tile: `full` ends a phase when all bytes have landed,
 * `empty` when every consuming warp has said that it is done.
 *
 * Both sides count for themselves: `stage` goes round the ring, and `parity` is that of the phase
 * of `full` that the current round fills. The phase of `empty` that lets a stage be filled again is
 * the one before, so the producer asks for the other parity; on a fresh barrier that counts as
 * over.
 *
 * A warp says it is done by one lane. All of its reads are over by then, as wgmma_wait() is for the
 * whole warp; what other warps of its warpgroup read they answer for themselves. */
#ifndef BENCH_CUDA_FLASH_SM90_CHANNEL_H
#define BENCH_CUDA_FLASH_SM90_CHANNEL_H

#include "cuda/flash_sm90_plan.h"

template <int STAGES, int BYTES>
struct HopperChannel {
  smem_addr tiles;
  smem_addr full; /* STAGES barriers, and behind them as many `empty` */
  int stage;
  uint32_t parity;
};

typedef HopperChannel<1, PLACE_BYTES> HopperPlaces; /* flash_sm90_queue.h */

template <typename Plan>
struct HopperChannels {
  HopperPlaces places;
  HopperChannel<Plan::QUERIES, Plan::QUERY_BYTES> query;
  HopperChannel<Plan::STAGES, Plan::TILE_BYTES> keys;
  HopperChannel<Plan::STAGES, Plan::TILE_BYTES> values;
};

template <typename Plan>
BENCH_DEVICE_FN HopperChannels<Plan> channels_at(smem_addr memory) {
  const smem_addr barriers = memory + Plan::BARRIERS_AT;
  const smem_addr query = barriers + PLACE_BYTES + 16;
  const smem_addr keys = query + 16 * Plan::QUERIES;
  HopperChannels<Plan> channels;
  channels.places = {barriers, barriers + PLACE_BYTES, 0, 0};
  channels.query = {memory, query, 0, 0};
  channels.keys = {memory + Plan::KEYS_AT, keys, 0, 0};
  channels.values = {memory + Plan::VALUES_AT, keys + 16 * Plan::STAGES, 0, 0};
  return channels;
}

template <int STAGES, int BYTES>
BENCH_DEVICE_FN void channel_init(const HopperChannel<STAGES, BYTES> &channel, int consumers) {
  BENCH_UNROLL
  for (int i = 0; i < STAGES; i++) {
    mbar_init(channel.full + 8 * i, 1);
    mbar_init(channel.full + 8 * (STAGES + i), (uint32_t)consumers);
  }
}

/* By one thread, before all meet. */
template <typename Plan>
BENCH_DEVICE_FN void channels_init(smem_addr memory) {
  const HopperChannels<Plan> channels = channels_at<Plan>(memory);
  channel_init(channels.places, Plan::CONSUMER_WARPS);
  channel_init(channels.query, Plan::CONSUMER_WARPS);
  channel_init(channels.keys, Plan::CONSUMER_WARPS);
  channel_init(channels.values, Plan::CONSUMER_WARPS);
}

template <int STAGES, int BYTES>
BENCH_DEVICE_FN smem_addr channel_full(const HopperChannel<STAGES, BYTES> &channel) {
  return channel.full + 8 * channel.stage;
}

template <int STAGES, int BYTES>
BENCH_DEVICE_FN smem_addr channel_empty(const HopperChannel<STAGES, BYTES> &channel) {
  return channel.full + 8 * (STAGES + channel.stage);
}

/* The tile of the current stage. */
template <int STAGES, int BYTES>
BENCH_DEVICE_FN smem_addr channel_tile(const HopperChannel<STAGES, BYTES> &channel) {
  return channel.tiles + channel.stage * BYTES;
}

template <int STAGES, int BYTES>
BENCH_DEVICE_FN void channel_next(HopperChannel<STAGES, BYTES> &channel) {
  channel.stage++;
  if (channel.stage == STAGES) {
    channel.stage = 0;
    channel.parity ^= 1;
  }
}

/* The producer: waits until the stage is empty, and has the TMA fill it with rows `row` and on of
 * `head`. Rows and columns that the tensor lacks become zero, and count as bytes all the same. */
template <int ROWS, int STAGES, int BYTES>
BENCH_DEVICE_FN void channel_fill(HopperChannel<STAGES, BYTES> &channel, const dev_tensor_map *map,
                                  int row, int head) {
  constexpr int PANEL_BYTES = ROWS * PANEL_PITCH;
  const smem_addr full = channel_full(channel);
  const smem_addr tile = channel_tile(channel);
  mbar_wait(channel_empty(channel), channel.parity ^ 1);
  mbar_arrive_expect_tx(full, BYTES);
  BENCH_UNROLL
  for (int i = 0; i < BYTES / PANEL_BYTES; i++) {
    tma_load_3d(tile + i * PANEL_BYTES, map, full, i * PANEL, row, head);
  }
  channel_next(channel);
}

/* A consumer: waits for the stage's tile; gives it back. */
template <int STAGES, int BYTES>
BENCH_DEVICE_FN void channel_wait(const HopperChannel<STAGES, BYTES> &channel) {
  mbar_wait(channel_full(channel), channel.parity);
}

template <int STAGES, int BYTES>
BENCH_DEVICE_FN void channel_release(HopperChannel<STAGES, BYTES> &channel) {
  if (thread_x() % BENCH_WARP == 0) {
    mbar_arrive(channel_empty(channel));
  }
  channel_next(channel);
}

#endif
