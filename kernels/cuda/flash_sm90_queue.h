/* Who works on what: a pipe takes the next place of the order whenever it is through with one, as
 * blocks of rows differ in work and multiprocessors in speed. A counter in the launch's workspace
 * says what is next. The thread that fetches asks it, and tells the consumers through a word of
 * shared memory, a channel like those of tiles.
 *
 * Heavy places come first, so that the last ones taken are short. */
#ifndef BENCH_CUDA_FLASH_SM90_QUEUE_H
#define BENCH_CUDA_FLASH_SM90_QUEUE_H

#include "cuda/flash_sm90_channel.h"

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

/* The thread that fetches tells a place; the consumers hear it, every lane the same. A warp's word
 * is read by the lane that gives it back: a shuffle orders no memory. */
BENCH_DEVICE_FN void place_tell(HopperPlaces &places, int place) {
  mbar_wait(channel_empty(places), places.parity ^ 1);
  store_shared4(channel_tile(places), (uint32_t)place);
  mbar_arrive(channel_full(places));
  channel_next(places);
}

BENCH_DEVICE_FN int place_hear(HopperPlaces &places) {
  channel_wait(places);
  int place = 0;
  if (thread_x() % BENCH_WARP == 0) {
    place = (int)load_shared4(channel_tile(places));
  }
  place = shfl(place, 0); /* behind it all lanes have seen the phase that giving back may end */
  channel_release(places);
  return place;
}

#endif
