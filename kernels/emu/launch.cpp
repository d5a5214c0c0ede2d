/* A launch: its blocks, group after group. */
#include <cinttypes>
#include <memory>
#include <numeric>

#include "emu/internal.h"

namespace emu {

namespace {

std::vector<std::unique_ptr<Block>> pool; /* kept from launch to launch */

constexpr int64_t GRID_MAX = INT32_MAX;
constexpr int64_t SLOTS_MAX = UINT16_MAX - AGENT_SLOTS; /* threads that race mode can tell apart */
constexpr int64_t SHUFFLED_MAX = 1 << 20;               /* groups of a grid whose order is drawn */

void refuse(const char *what, int64_t value) {
  keep_fault(std::string("launch refused: ") + what + " is " + std::to_string(value));
}

bool check_shape(const Shape &shape) {
  if (shape.grid < 1 || shape.grid > GRID_MAX) {
    refuse("the number of blocks", shape.grid);
  } else if (shape.threads < 1 || shape.threads > THREADS_MAX) {
    refuse("the number of threads of a block", shape.threads);
  } else if (shape.dynamic_bytes > SHARED_LIMIT) {
    refuse("the size of dynamic shared memory", (int64_t)shape.dynamic_bytes);
  } else if (shape.cluster < 1 || shape.cluster > 16 || shape.grid % shape.cluster != 0) {
    refuse("the size of a cluster", shape.cluster);
  } else {
    return true;
  }
  return false;
}

/* Which group runs as the n-th: a GPU promises nothing. `order` is empty for a long grid. */
std::vector<int64_t> draw_order(int64_t count) {
  std::vector<int64_t> order;
  if (options.schedule == EMU_RANDOM && count <= SHUFFLED_MAX) {
    order.resize((size_t)count);
    std::iota(order.begin(), order.end(), 0);
    for (size_t i = order.size(); i-- > 1;) {
      std::swap(order[i], order[random_below(i + 1)]);
    }
  }
  return order;
}

int64_t group_at(const std::vector<int64_t> &order, int64_t n, int64_t count) {
  if (!order.empty()) {
    return order[(size_t)n];
  }
  return options.schedule == EMU_LIFO ? count - 1 - n : n;
}

void start_thread(Thread &thread, Block &block, int index, int slot) {
  thread.block = &block;
  thread.index = index;
  thread.lane = index % WARP;
  thread.warp = &block.warps[(size_t)(index / WARP)];
  thread.slot = slot;
  thread.done = false;
  thread.blocked = false;
  thread.waiting = Waiting();
  thread.last = {nullptr, 0};
  thread.copies.clear();
  thread.committed.clear();
  thread.warp->live |= 1u << thread.lane;
}

void start_block(Block &block, Group &group, int place, int64_t index, const Shape &shape) {
  block.group = &group;
  block.index = index;
  block.place = place;
  block.rank = place % shape.cluster;
  block.live = shape.threads;
  block.extension.reset();
  block.threads.resize((size_t)shape.threads);
  block.warps.resize((size_t)(shape.threads + WARP - 1) / WARP);
  for (size_t w = 0; w < block.warps.size(); w++) {
    Warp &warp = block.warps[w];
    warp = Warp();
    warp.block = &block;
    warp.index = (int)w;
  }
  barriers_start(block, shape.threads);
  for (int t = 0; t < shape.threads; t++) {
    start_thread(block.threads[(size_t)t], block, t, place * shape.threads + t);
  }
  arena_start(block, shape.dynamic_bytes);
}

bool fill_pool(size_t blocks) {
  while (pool.size() < blocks) {
    std::unique_ptr<Block> block(new Block());
    if (!arena_take(*block)) {
      keep_fault("the host has no memory for the shared memory of " + std::to_string(blocks) +
                 " blocks at once");
      return false;
    }
    pool.push_back(std::move(block));
  }
  return true;
}

void forget_claims(Block &block) {
  /* After a fault some are still open. */
  for (uint32_t w = 0; w < ARENA_BYTES / 4; w++) {
    block.words[w] = ClaimedWord();
  }
}

}  // namespace

bench_code launch(const Shape &shape, void (*body)(void *), void *argument) {
  if (has_fault() || !check_shape(shape)) {
    return BENCH_ERR_DEVICE;
  }
  const int64_t size = options.grid_at_once ? shape.grid : shape.cluster;
  if (options.race && size * shape.threads > SLOTS_MAX) {
    refuse("the number of threads that race mode has to tell apart", size * shape.threads);
    return BENCH_ERR_DEVICE;
  }
  if (!fill_pool((size_t)size)) {
    return BENCH_ERR_DEVICE;
  }
  crashes_watch();
  random_start();
  locations_start();
  global_start();
  const int64_t groups = shape.grid / size;
  const std::vector<int64_t> order = draw_order(groups);
  for (int64_t g = 0; g < groups && !has_fault(); g++) {
    const int64_t first = group_at(order, g, groups) * size;
    Group group = {};
    group.cluster = shape.cluster;
    group.threads = shape.threads;
    group.grid = shape.grid;
    group.number = g;
    group.live = (int)size * shape.threads;
    claims_start();
    for (int place = 0; place < (int)size; place++) {
      group.blocks.push_back(pool[(size_t)place].get());
      start_block(*group.blocks.back(), group, place, first + place, shape);
    }
    clocks_start(group);
    run_group(group, body, argument);
  }
  crashes_ignore();
  if (has_fault()) {
    for (std::unique_ptr<Block> &block : pool) {
      forget_claims(*block);
    }
    return BENCH_ERR_DEVICE;
  }
  return BENCH_OK;
}

}  // namespace emu
