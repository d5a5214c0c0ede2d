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

/* Beside the ring, in shared memory too: which tile each slot with K holds. So the tiles under way
 * take no registers, and the walk is followed once, by the copies. */
template <typename T, typename Plan, bool KEPT>
struct FlashRing {
  smem_addr memory;      /* SLOTS slots */
  FlashTile *tiles;      /* [SLOTS] */
  const FlashRows *rows; /* in shared memory */
  const T *k;
  const T *v;
  int seq_kv;
  int head_dim;
  int slot;       /* of the next item to open */
  FlashWalk walk; /* the tile to copy next */
};

/* Starts the copy of the next item, which is of K or, VALUE, of V, into `slot`. Behind the last
 * tile the tile without keys takes its place. */
template <bool VALUE, typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void ring_copy(FlashRing<T, Plan, KEPT> &ring, const MaskRows &mask, int slot) {
  const int key = ring.walk.key;
  if (!VALUE && thread_x() == 0) {
    walk_announce<Plan::KEYS, KEPT>(ring.walk, mask, *ring.rows, &ring.tiles[slot]);
  }
  if (key >= 0) {
    flash_copy<T, Plan::DIM, Plan::KEYS, Plan::THREADS>(
        ring.memory + slot * Plan::SLOT_BYTES,
        (VALUE ? ring.v : ring.k) + ring.rows->kv + (int64_t)key * ring.head_dim, ring.seq_kv - key,
        ring.head_dim);
    if (VALUE) {
      walk_next<Plan::KEYS, KEPT>(ring.walk, mask, *ring.rows);
    }
  }
  cp_async_commit();
}

/* Copies the items FROM .. TO - 1, before the first turn. */
template <int FROM, int TO, typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN void ring_fill(FlashRing<T, Plan, KEPT> &ring, const MaskRows &mask) {
  if constexpr (FROM < TO) {
    ring_copy<FROM % 2 == 1>(ring, mask, FROM);
    ring_fill<FROM + 1, TO>(ring, mask);
  }
}

/* Opens the next item, which is of K or, VALUE, of V: its slot. */
template <bool VALUE, typename T, typename Plan, bool KEPT>
BENCH_DEVICE_FN int ring_turn(FlashRing<T, Plan, KEPT> &ring, const MaskRows &mask) {
  const int slot = ring.slot;
  cp_async_wait<Plan::SLOTS - 2>();
  sync_threads();
  ring_copy<(VALUE + Plan::SLOTS - 1) % 2 == 1>(ring, mask, slot == 0 ? Plan::SLOTS - 1 : slot - 1);
  ring.slot = slot + 1 == Plan::SLOTS ? 0 : slot + 1;
  return slot;
}

#endif
