/* Who works on what: a pipe takes the next place of the order whenever it is through with one, as
 * blocks of rows differ in work and multiprocessors in speed. A counter in the launch's workspace
 * says what is next. The thread that fetches asks it, and tells the consumers through a word of
 * shared memory, a channel like those of tiles.
 *
 * Heavy places come first, so that the last ones taken are short. */
#ifndef BENCH_CUDA_FLASH_SM90_QUEUE_H
#define BENCH_CUDA_FLASH_SM90_QUEUE_H

#include "cuda/flash_sm90_channel.h"
#include "cuda/flash_walk.h"

/* At the start of the workspace: zero before a launch, and again behind it. */
struct HopperQueue {
  uint32_t taken; /* places, beyond the first of each pipe */
  uint32_t done;  /* pipes that have found nothing left */
};

template <typename Plan>
BENCH_DEVICE_FN int queue_pipes() {
  return (int)grid_x() * Plan::PIPES;
}

template <typename Plan>
BENCH_DEVICE_FN int queue_first(int pipe) {
  return (int)block_x() * Plan::PIPES + pipe;
}

template <typename Plan>
BENCH_DEVICE_FN int queue_next(HopperQueue *queue) {
  return queue_pipes<Plan>() + (int)atomic_add(&queue->taken, 1u);
}

/* By each pipe once, when it takes nothing more. The last one knows that no other does either. */
template <typename Plan>
BENCH_DEVICE_FN void queue_leave(HopperQueue *queue) {
  if (atomic_add(&queue->done, 1u) == (uint32_t)queue_pipes<Plan>() - 1) {
    atomic_exch(&queue->taken, 0u);
    atomic_exch(&queue->done, 0u);
  }
}

/* What the thread that fetches has found at a place of a list: rows, and where their walk begins.
 * Whoever looks for it asks memory four times, each time for what the answer before says. */
struct HopperFound {
  int head;
  int row;
  FlashWalk next;
  int64_t entries;
};

#define FOUND_WORDS ((int)(sizeof(HopperFound) / 4))
static_assert(4 + sizeof(HopperFound) <= PLACE_BYTES, "a place's number, and what is there");

/* The thread that fetches tells a place, and with LIST what it has found there; the consumers hear
 * it, every lane the same. A warp's words are read by the lane that gives them back: a shuffle
 * orders no memory. */
template <bool LIST>
BENCH_DEVICE_FN void place_tell(HopperPlaces &places, int place, const HopperFound &found) {
  const smem_addr tile = channel_tile(places);
  mbar_wait(channel_empty(places), places.parity ^ 1);
  store_shared4(tile, (uint32_t)place);
  if constexpr (LIST) {
    uint32_t words[FOUND_WORDS];
    __builtin_memcpy(words, &found, sizeof found);
    BENCH_UNROLL
    for (int i = 0; i < FOUND_WORDS; i++) {
      store_shared4(tile + 4 + 4 * i, words[i]);
    }
  }
  mbar_arrive(channel_full(places));
  channel_next(places);
}

template <bool LIST>
BENCH_DEVICE_FN int place_hear(HopperPlaces &places, HopperFound &found) {
  constexpr int COUNT = LIST ? 1 + FOUND_WORDS : 1;
  uint32_t words[COUNT] = {};
  channel_wait(places);
  if (thread_x() % BENCH_WARP == 0) {
    BENCH_UNROLL
    for (int i = 0; i < COUNT; i++) {
      words[i] = load_shared4(channel_tile(places) + 4 * i);
    }
  }
  BENCH_UNROLL
  for (int i = 0; i < COUNT; i++) {
    words[i] = shfl(words[i], 0);
  }
  channel_release(places); /* behind the shuffle all lanes have seen the phase that this may end */
  if constexpr (LIST) {
    __builtin_memcpy(&found, words + 1, sizeof found);
  }
  return (int)words[0];
}

#endif
