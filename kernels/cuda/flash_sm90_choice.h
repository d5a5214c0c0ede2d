/* Which plan flash/sm90 takes for a head dim: flash_sm90.cu has the ledger that leads to it. */
#ifndef BENCH_CUDA_FLASH_SM90_CHOICE_H
#define BENCH_CUDA_FLASH_SM90_CHOICE_H

#include "cuda/flash_sm90_kernel.h"

/* The table of choices: keys a tile, warpgroups that compute, switches. Sums of statistics take the
 * registers of a third warpgroup at head dim 64, and of the second one where tiles have 176 keys or
 * 256 columns.
 * WIDEST: the largest head dim that a variant takes. */
template <typename T, bool STATS, int WIDEST = 256>
static bench_code flash_launch_chosen(const bench_launch *launch) {
  typedef HopperSwitches<0, 8> Plain;
  typedef HopperSwitches<0, 8, false> Simple; /* no lists */
  const int64_t dim = launch->attn->head_dim;
  if (dim <= 64) {
    return flash_launch_plan<T, HopperPlan<64, 128, STATS ? 2 : 3, STATS, Plain>>(launch);
  }
  if (dim <= 96) {
    return flash_launch_plan<T, HopperPlan<96, 128, 2, STATS, Plain>>(launch);
  }
  if (dim <= 128 && launch->attn->mask.kind == BENCH_MASK_FULL) {
    return flash_launch_plan<T, HopperPlan<128, 176, STATS ? 1 : 2, STATS, Simple>>(launch);
  }
  if (dim <= 128) {
    return flash_launch_plan<T, HopperPlan<128, 128, 2, STATS, Plain>>(launch);
  }
  if constexpr (WIDEST > 128) {
    return dim <= 192
               ? flash_launch_plan<T, HopperPlan<192, 96, 2, STATS, Plain>>(launch)
               : flash_launch_plan<T, HopperPlan<256, 80, STATS ? 1 : 2, STATS, Plain>>(launch);
  }
  return BENCH_ERR_UNSUPPORTED;
}

#endif
