/* flash for Hopper: TMA, mbarriers and wgmma, one warpgroup that fetches and two or three that
 * compute, the softmax of one tile beside the products of another: flash_sm90_loop.h.
 *
 * Ledger: what a tile of 64 rows and `keys` keys asks of a multiprocessor, in clocks, computed and
 * not measured.
 *   products  4096 FLOP a clock: keys * dim / 16
 *   ex2       16 a clock: 4 * keys; less the eighth that goes by FMA at head dim 64
 *   issue     an instruction a clock for each of four schedulers, a warp of the tile on each: the
 *             loop over whole tiles as compiled, without the branch that rescales; 4.5 a logit
 *             and thread are the softmax itself: max, FMA, ex2, add, half of a pack
 *   memory    128 bytes a clock of shared memory: Q (2 KiB) and K (32 * keys) at each of dim / 16
 *             steps, V (32 * dim) at each of keys / 16, and the TMA's writes of K and V, shared by
 *             the warpgroups
 *
 *   dim  keys  groups | products  ex2  issue  memory | bound    | registers  shared memory
 *    64   128    3    |      512  448    513     405 | issue    | 158 of 160   122 KiB
 *    96   128    2    |      768  512    451     736 | products | 180 of 240   162 KiB
 *   128   128    2    |     1024  512    465     896 | products | 192 of 240   162 KiB
 *   128   176    2    |     1408  704    580    1184 | products | 227 of 240   210 KiB
 *   192    96    2    |     1152  384    399    1056 | products | 200 of 240   194 KiB
 *   256    80    2    |     1280  320    380    1216 | products | 220 of 240   226 KiB
 *
 * Head dim 96 lies in shared memory as two panels of 64 columns. Of registers S takes keys / 2, P
 * half of that, O dim / 2; the rest are maxima, sums and addresses: neither 176 keys nor more than
 * 64 columns leave room for a third group. A bound is reached as far as softmax and products
 * overlap: in a warpgroup, where S of the next tile and P V of this one are in flight, and between
 * warpgroups, which take turns. Shared memory is close behind the products: Q is read from it at
 * every tile.
 *
 * At head dim 64 products, ex2 and issue are within a seventh of each other. With all weights by
 * ex2 that column is 512 and issue 456, with every fourth by FMA they are 384 and 569. That sums
 * rise by steps of 2^8 (RISE) spares nearly all of the rescaling, dim / 2 multiplications a tile.
 */
#include "cuda/flash_sm90_launch.h"

/* The last rows of a head see the most keys under a causal mask: they come first. */
struct DenseOrder {};

BENCH_DEVICE_FN bool order_rows(const DenseOrder &, const FlashShape &shape, const MaskRows &,
                                int block_rows, int place, FlashRows &rows) {
  int rank;
  flash_place(shape, place, &rows.head, &rank);
  rows.row = (shape.row_blocks - 1 - rank) * block_rows;
  rows.last = min_i(rows.row + block_rows, shape.seq_q) - 1;
  return true;
}

template <typename T, typename Plan>
BENCH_KERNEL_FN(Plan::THREADS)
void flash_sm90_blocks(const BENCH_GRID_CONSTANT dev_tensor_map q,
                       const BENCH_GRID_CONSTANT dev_tensor_map k,
                       const BENCH_GRID_CONSTANT dev_tensor_map v, FlashShape shape, MaskRows mask,
                       FlashTensors<T> tensors) {
  BENCH_DYN_SMEM(memory, 128);
  HopperWork<T, DenseOrder> work = {&q, &k, &v, shape, mask, DenseOrder{}, tensors};
  if constexpr (!Plan::LISTS) {
    work.mask.blocks.block = 0; /* which the compiler now knows */
  }
  hopper_block<T, Plan, false>(work, hopper_memory(memory));
}

template <typename T, typename Plan>
static bench_code flash_launch_plan(const bench_launch *launch) {
  const FlashShape shape = flash_shape(launch->attn, Plan::ROWS);
  HopperMaps maps;
  const bench_code code = hopper_maps<Plan>(launch, &maps);
  if (code != BENCH_OK) {
    return code;
  }
  return BENCH_LAUNCH((flash_sm90_blocks<T, Plan>), hopper_grid<Plan>(shape), Plan::THREADS,
                      Plan::SMEM_BYTES, launch->stream, maps.q, maps.k, maps.v, shape,
                      mask_rows_of(launch), flash_tensors<T>(launch));
}

/* The table of choices: keys a tile, warpgroups that compute, switches. Sums of statistics take the
 * registers of a third warpgroup at head dim 64, and of the second one where tiles have 176 keys.
 */
template <typename T, bool STATS>
static bench_code flash_launch_stats(const bench_launch *launch) {
  typedef HopperSwitches<0, 8> Plain;
  typedef HopperSwitches<0, 8, false> Simple; /* no lists */
  typedef HopperSwitches<8, 8> Mixed;         /* every eighth weight by FMA */
  const int64_t dim = launch->attn->head_dim;
  if (dim <= 64) {
    return flash_launch_plan<T, HopperPlan<64, 128, STATS ? 2 : 3, STATS, Mixed>>(launch);
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
  if (dim <= 192) {
    return flash_launch_plan<T, HopperPlan<192, 96, 2, STATS, Plain>>(launch);
  }
  return flash_launch_plan<T, HopperPlan<256, 80, 2, STATS, Plain>>(launch);
}

template <typename T>
static bench_code flash_launch_as(const bench_launch *launch) {
  return launch->stats == nullptr ? flash_launch_stats<T, false>(launch)
                                  : flash_launch_stats<T, true>(launch);
}

static bench_code flash_sm90_launch(const bench_launch *launch) {
  return launch->attn->dtype == BENCH_FP16 ? flash_launch_as<dev_fp16>(launch)
                                           : flash_launch_as<dev_bf16>(launch);
}

static const char *flash_sm90_why_not(const bench_attn *attn, const bench_device *device) {
  return hopper_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "TMA, mbarriers and wgmma; warpgroups that fetch and that compute, in turn",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = true,
    .why_not = flash_sm90_why_not,
    .workspace_bytes = nullptr,
    .launch = flash_sm90_launch,
};
