/* The ring of shared memory through which K and V come, tile by tile: K0 V0 K1 V1 and so on, item
 * n in slot n mod SLOTS, SLOTS - 1 items under way at a time.
 *
 * ring_turn() opens an item: it waits for this thread's copies of it, meets all threads, whereupon
 * everyone's copies are there and everyone is done with the item before, and into that one's slot
 * it starts the copy of the item SLOTS - 1 ahead. One barrier an item is thus all it takes. Every
 * turn commits a group, an empty one behind the last tile, so that the count of groups to wait for
 * is a constant. */
#ifndef BENCH_CUDA_FLASH_RING_H
#define BENCH_CUDA_FLASH_RING_H

#include "cuda/flash_plan.h"
#include "cuda/flash_walk.h"

template <typename T, typename Plan, bool KEPT>
struct FlashRing {
  smem_addr memory; /* SLOTS slots */
  const T *k;       /* of the head */
  const T *v;
  int seq_kv;
  int head_dim;
  int load_slot; /* of the next item to copy */
  int use_slot;  /* of the item in hand */
  FlashWalk<Plan::KEYS, KEPT> load; /* the tile to copy next */
};

template <typename Plan>
BENCH_DEVICE_FN int ring_next(int slot) {
  return slot + 1 == Plan::SLOTS ? 0 : slot + 1;
}

/* Starts the copy of the next item, which is of K or, VALUE, of V. */
template <bool VALUE, typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void ring_copy(FlashRing<T, Plan, KEPT> &ring, const MaskRows &mask) {
  const int key = ring.load.key;
  if (key >= 0) {
    flash_copy<T, Plan::DIM, Plan::KEYS, Plan::THREADS>(
        ring.memory + ring.load_slot * Plan::SLOT_BYTES,
        (VALUE ? ring.v : ring.k) + (int64_t)key * ring.head_dim, ring.seq_kv - key, ring.head_dim);
    if (VALUE) {
      walk_next(ring.load, mask);
    }
  }
  cp_async_commit();
  ring.load_slot = ring_next<Plan>(ring.load_slot);
}

/* Copies the items FROM .. TO - 1, before the first turn. */
template <int FROM, int TO, typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void ring_fill(FlashRing<T, Plan, KEPT> &ring, const MaskRows &mask) {
  if constexpr (FROM < TO) {
    ring_copy<FROM % 2 == 1>(ring, mask);
    ring_fill<FROM + 1, TO>(ring, mask);
  }
}

/* Opens the next item, which is of K or, VALUE, of V: its address. */
template <bool VALUE, typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN smem_addr ring_turn(FlashRing<T, Plan, KEPT> &ring, const MaskRows &mask) {
  const smem_addr item = ring.memory + ring.use_slot * Plan::SLOT_BYTES;
  cp_async_wait<Plan::SLOTS - 2>();
  sync_threads();
  ring_copy<(VALUE + Plan::SLOTS - 1) % 2 == 1>(ring, mask);
  ring.use_slot = ring_next<Plan>(ring.use_slot);
  return item;
}

#endif
