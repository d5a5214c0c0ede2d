/* flash for Hopper: TMA, mbarriers and wgmma, one warpgroup that fetches and two or three that
 * compute, the softmax of one tile beside the products of another: flash_sm90_loop.h.
 *
 * Ledger: what a tile of 64 rows and `keys` keys asks of a multiprocessor, in clocks, computed and
 * not measured.
 *   products  4096 FLOP a clock: keys * dim / 16
 *   ex2       16 a clock: 4 * keys
 *   issue     an instruction a clock for each of four schedulers, a warp of the tile on each: the
 *             loop over whole tiles as compiled, without the branch that rescales; 4.5 a logit
 *             and thread are the softmax itself: max, FMA, ex2, add, half of a pack
 *   memory    128 bytes a clock of shared memory: Q (2 KiB) and K (32 * keys) at each of dim / 16
 *             steps, V (32 * dim) at each of keys / 16, and the TMA's writes of K and V, shared by
 *             the warpgroups
 *
 *   dim  keys  groups | products  ex2  issue  memory | bound    | registers  shared memory
 *    64   128    3    |      512  512    456     405 | both     | 158 of 160   146 KiB
 *    96   128    2    |      768  512    451     736 | products | 180 of 232   194 KiB
 *   128   128    2    |     1024  512    465     896 | products | 192 of 232   194 KiB
 *   128   176    2    |     1408  704    580    1184 | products | 227 of 232   210 KiB
 *   192    96    2    |     1152  384    399    1056 | products | 200 of 232   194 KiB
 *   256    80    2    |     1280  320    380    1216 | products | 220 of 232   226 KiB
 *
 * Head dim 96 lies in shared memory as two panels of 64 columns, and Q twice wherever it fits: that
 * of the next rows is fetched while these are worked on (the column of registers was
 * counted before that). Of registers S takes keys / 2, P
 * half of that, O dim / 2; the rest are maxima, sums and addresses: neither 176 keys nor more than
 * 64 columns leave room for a third group. A bound is reached as far as softmax and products
 * overlap: in a warpgroup, where S of the next tile and P V of this one are in flight, and between
 * warpgroups, which take turns. Shared memory is close behind the products: Q is read from it at
 * every tile.
 *
 * At head dim 64 products, ex2 and issue are within an eighth of each other. With every eighth
 * weight by FMA (sm90_fma) ex2 is 448 and issue 513, with every fourth 384 and 569; the cubic's
 * error of 1e-4 would show in the statistics, so that it is a variant to be measured first. That
 * sums rise by steps of 2^8 (RISE) spares nearly all of the rescaling, dim / 2 multiplications a
 * tile: sm90_rescale is without. */
#include "cuda/flash_sm90_choice.h"

template <typename T>
static bench_code flash_launch_as(const bench_launch *launch) {
  return launch->stats == nullptr ? flash_launch_chosen<T, false>(launch)
                                  : flash_launch_chosen<T, true>(launch);
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
    .workspace_bytes = hopper_workspace_bytes,
    .launch = flash_sm90_launch,
};
