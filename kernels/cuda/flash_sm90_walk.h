/* The walk of flash_walk.h for the Hopper loop, where the warpgroup that fetches and those that
 * compute each follow it for themselves. All that decides about it comes from the launch's
 * parameters and from memory that no one writes, by addresses that are the same in all threads: so
 * ptxas sees that loops over it are too, and keeps its numbers, and those of the channels, in
 * uniform registers. What the producer would tell of each tile through shared memory went to
 * ordinary ones, of which there are none to spare at head dim 64. Where the walk of a list begins
 * it does tell (flash_sm90_queue.h): no tile is being worked on that could hide the search.
 *
 * Of a list the entry of the tile ahead is asked for while the one in hand is worked on. */
#ifndef BENCH_CUDA_FLASH_SM90_WALK_H
#define BENCH_CUDA_FLASH_SM90_WALK_H

#include "cuda/flash_walk.h"

template <int KEYS, bool KEPT>
struct HopperWalk {
  FlashRows rows;
  FlashTile tile;  /* in hand; its key is negative behind the last one */
  FlashTile ahead; /* the one after it */
  FlashWalk next;  /* where that one is */
};

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN FlashTile tile_ahead(const HopperWalk<KEYS, KEPT> &walk, const MaskRows &mask) {
  FlashTile tile = {walk.next.key, 0, BENCH_BLOCK_FULL};
  if (KEPT && mask.blocks.block != 0 && tile.key >= 0) {
    tile.begin = tile.key - walk.next.part * KEYS;
    tile.tile = load_global(mask.blocks.tile + walk.rows.entries + walk.next.left - 1);
  }
  return tile;
}

template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void tiles_next(HopperWalk<KEYS, KEPT> &walk, const MaskRows &mask) {
  walk.tile = walk.ahead;
  if (walk.ahead.key >= 0) {
    walk_next<KEYS, KEPT>(walk.next, mask, walk.rows);
    walk.ahead = tile_ahead(walk, mask);
  }
}

/* From walk.rows and walk.next: the first tile, and the one ahead. */
template <int KEYS, bool KEPT>
BENCH_DEVICE_FN void tiles_start(HopperWalk<KEYS, KEPT> &walk, const MaskRows &mask) {
  walk.ahead = tile_ahead(walk, mask);
  tiles_next(walk, mask);
}

#endif
