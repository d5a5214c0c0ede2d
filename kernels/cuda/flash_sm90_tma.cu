/* The first step to flash/sm90, at head dims up to 64: the TMA brings tiles in and wgmma multiplies
 * them, and that is all. One warpgroup does everything in turn. Its first thread asks for the tile
 * after next as soon as there is room, so that copies run beside the work; but the tensor cores
 * rest while weights are made of logits, and the special function unit while they multiply. A block
 * of threads has one block of rows and ends with it.
 *
 * The next step, sm90_serial, gives the asking to a warpgroup of its own. */
#include "cuda/flash_sm90_kernel.h"

typedef HopperPlan<64, 64, 1, false, HopperSwitches<0, 0>> SinglePlan;
#define SINGLE_SMEM_BYTES (SinglePlan::PIPE_BYTES + TILE_ALIGN)

/* Asks for the tile that `walk` stands at, if there is one. By one thread. */
template <typename Plan>
BENCH_DEVICE_FN void single_ask(HopperChannels<Plan> &to, const HopperWalk<Plan::KEYS, false> &walk,
                                const dev_tensor_map *k, const dev_tensor_map *v, int kv_head) {
  if (walk.tile.key >= 0 && thread_x() == 0) {
    channel_fill<Plan::KEYS>(to.keys, k, walk.tile.key, kv_head);
    channel_fill<Plan::KEYS>(to.values, v, walk.tile.key, kv_head);
  }
}

/* S = Q K^T, weights, O += P V: each waits for the one before. */
template <typename T, typename Plan>
BENCH_DEVICE_FN void single_step(HopperRegisters<Plan> &r, HopperPlace<Plan, false> &at,
                                 const FlashShape &shape, const MaskRows &mask,
                                 HopperChannels<Plan> &from) {
  float shrink[2] = {1, 1};
  hopper_scores<T>(r, at.query, from);
  if (hopper_weigh<true>(r, at, shape, mask, shrink)) {
    rise_output(r, shrink);
  }
  r.weights = softmax_pack<T>(r.scores);
  hopper_output<T>(r, from);
}

template <typename T, typename Plan>
BENCH_DEVICE_FN void single_tiles(HopperRegisters<Plan> &r, HopperPlace<Plan, false> &at,
                                  const HopperWork<T, DenseOrder> &work,
                                  HopperChannels<Plan> from) {
  HopperChannels<Plan> to = from;
  HopperWalk<Plan::KEYS, false> ahead = at.walk;
  const int kv_head = at.rows.head / work.shape.group;
  if (thread_x() == 0) {
    channel_fill<Plan::ROWS>(to.query, work.q, at.rows.row, at.rows.head);
  }
  single_ask(to, ahead, work.k, work.v, kv_head);
  channel_wait(from.query);
  while (at.walk.tile.key >= 0) {
    tiles_next(ahead, work.mask);
    single_ask(to, ahead, work.k, work.v, kv_head);
    single_step<T>(r, at, work.shape, work.mask, from);
    tiles_next(at.walk, work.mask);
  }
}

template <typename T, typename Plan>
BENCH_KERNEL_FN(WARPGROUP)
void flash_sm90_single(const BENCH_GRID_CONSTANT dev_tensor_map q,
                       const BENCH_GRID_CONSTANT dev_tensor_map k,
                       const BENCH_GRID_CONSTANT dev_tensor_map v, FlashShape shape, MaskRows mask,
                       FlashTensors<T> tensors) {
  BENCH_DYN_SMEM(shared, 128);
  const smem_addr memory = hopper_memory(shared);
  const HopperWork<T, DenseOrder> work = {&q, &k, &v, shape, mask, DenseOrder{}, nullptr, tensors};
  if (thread_x() == 0) {
    channels_init<Plan>(memory);
    mbar_init_fence();
  }
  sync_threads();
  HopperRegisters<Plan> r;
  HopperPlace<Plan, false> at;
  const HopperChannels<Plan> channels = channels_at<Plan>(memory);
  at.group = 0;
  at.query = channels.query.tiles;
  if (!work_rows<Plan>(work, (int)block_x(), at.walk)) {
    return;
  }
  tiles_start(at.walk, mask);
  place_rows(at, mask);
  state_begin(r.state);
  if (at.walk.tile.key >= 0) {
    single_tiles<T>(r, at, work, channels);
  }
  hopper_store<T>(r, at.rows, shape, mask, tensors);
}

template <typename T>
static bench_code flash_single_launch_as(const bench_launch *launch) {
  const FlashShape shape = flash_shape(launch->attn, SinglePlan::ROWS);
  HopperMaps maps;
  const bench_code code = hopper_maps<SinglePlan>(launch, &maps);
  if (code != BENCH_OK) {
    return code;
  }
  return BENCH_LAUNCH((flash_sm90_single<T, SinglePlan>),
                      (unsigned)shape.heads * (unsigned)shape.row_blocks, WARPGROUP,
                      SINGLE_SMEM_BYTES, launch->stream, maps.q, maps.k, maps.v, shape,
                      mask_rows_of(launch), flash_tensors<T>(launch));
}

static bench_code flash_single_launch(const bench_launch *launch) {
  return launch->attn->dtype == BENCH_FP16 ? flash_single_launch_as<dev_fp16>(launch)
                                           : flash_single_launch_as<dev_bf16>(launch);
}

static const char *flash_single_why_not(const bench_attn *attn, const bench_device *device) {
  return flash_narrow_why_not(BENCH_ARCHS, attn, device);
}

BENCH_KERNEL(cuda, flash) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(flash),
    .summary = "towards sm90, at head dim 64: TMA and wgmma, one warpgroup doing all in turn",
    .wants_blocks = false,
    .block = 0,
    .fuses_stats = false,
    .why_not = flash_single_why_not,
    .workspace_bytes = nullptr,
    .launch = flash_single_launch,
};
