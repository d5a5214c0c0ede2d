/* Clusters of blocks, registers that warpgroups hand each other, elect.sync, stmatrix; and the
 * state that a block keeps for all of sm_90. */
#include <cstring>

#include "emu/hopper_state.h"

namespace emu {

namespace {

/* The registers of a multiprocessor, and the most that a thread can have. */
constexpr int REGISTERS = 65536;
constexpr int REGISTERS_MAX = 256;

/* What a thread is launched with: as many as fit, in steps of 8. */
int registers_at_launch(const Block &block) {
  const int fit = REGISTERS / (int)block.threads.size() / 8 * 8;
  return fit < REGISTERS_MAX ? fit : REGISTERS_MAX;
}

std::string registers_text(const void *what) {
  const Hopper &state = *static_cast<const Hopper *>(what);
  std::string text = "the warps have";
  for (int count : state.registers) {
    text += " " + std::to_string(count);
  }
  return text + " registers a thread, and " + std::to_string(state.registers_free) +
         " are left for all threads";
}

struct Registers { /* what a lane brings */
  int count;
  bool grow;
  Site at;
};

void registers_all(Warp &warp, void *const *arguments) {
  const Registers &asked = *static_cast<const Registers *>(arguments[self->lane]);
  Hopper &state = hopper_of(*warp.block);
  int &count = state.registers[(size_t)warp.index];
  if (asked.grow ? asked.count < count : asked.count > count) {
    fail(asked.at, "setmaxnreg: from %d registers to %d is no %s", count, asked.count,
         asked.grow ? "increase" : "decrease");
  }
  state.registers_free -= (asked.count - count) * WARP;
  count = asked.count;
  wake_all(state.registers_waiting);
}

Hopper &cluster_of(const Block &block) {
  return hopper_of(*block_of_rank(block, 0));
}

/* Threads that live in the cluster; `ending`: one that is about to end, or null. */
int cluster_live(const Block &block, const Thread *ending) {
  int live = ending != nullptr ? -1 : 0;
  for (int rank = 0; rank < block.group->cluster; rank++) {
    live += block_of_rank(block, (uint32_t)rank)->live;
  }
  return live;
}

void cluster_settle(const Block &block, const Thread *ending) {
  ClusterBarrier &barrier = cluster_of(block).cluster;
  if (barrier.arrived == 0 || barrier.arrived < cluster_live(block, ending)) {
    return;
  }
  barrier.arrived = 0;
  barrier.phase++;
  barrier.ended = barrier.arriving;
  barrier.arriving = Clock();
  wake_all(barrier.waiting);
}

std::string cluster_text(const void *what) {
  const Block &block = *static_cast<const Block *>(what);
  return std::to_string(cluster_of(block).cluster.arrived) + " of " +
         std::to_string(cluster_live(block, nullptr)) + " threads of the cluster have come";
}

struct Elect { /* what a lane brings */
  bool elected;
};

/* Which lane is not promised, but always the same: the lowest, the highest, or any. */
void elect_all(Warp &warp, void *const *arguments) {
  int chosen = options.schedule == EMU_LIFO ? 31 : 0;
  if (options.schedule == EMU_RANDOM) {
    chosen = (int)(options.seed * 7 + 3) & 31;
  }
  while ((warp.live >> chosen & 1) == 0) {
    chosen = (chosen + 1) & 31;
  }
  static_cast<Elect *>(arguments[chosen])->elected = true;
}

struct StoreRows { /* what a lane brings to stmatrix */
  const Thread *thread;
  smem_addr row;
  const uint32_t *registers;
  int count;
  bool transposed;
  const char *operation;
  Site at;
};

/* Lanes 8 m to 8 m + 7 give the addresses of the rows of matrix m; lane l has elements 2 (l % 4)
 * and the next of row l / 4, or of column l / 4 if transposed. */
void store_all(Warp &warp, void *const *arguments) {
  const StoreRows &own = *static_cast<const StoreRows *>(arguments[self->lane]);
  if (warp.live != 0xffffffffu) {
    fail(own.at, "%s: some lanes of the warp have ended", own.operation);
  }
  for (int m = 0; m < own.count; m++) {
    uint16_t matrix[8][8];
    for (int lane = 0; lane < WARP; lane++) {
      const uint32_t pair = static_cast<const StoreRows *>(arguments[lane])->registers[m];
      const int major = lane / 4;
      const int minor = lane % 4 * 2;
      (own.transposed ? matrix[minor][major] : matrix[major][minor]) = (uint16_t)pair;
      (own.transposed ? matrix[minor + 1][major] : matrix[major][minor + 1]) =
          (uint16_t)(pair >> 16);
    }
    for (int r = 0; r < 8; r++) {
      const StoreRows &from = *static_cast<const StoreRows *>(arguments[8 * m + r]);
      const SharedPlace place = shared_at(*from.thread, from.row, 16, 16, from.operation, from.at);
      check_write(*from.thread, *place.block, place.offset, 16, from.operation, from.at);
      race_write(*from.thread, *place.block, place.offset, 16, from.at);
      memcpy(place.bytes, matrix[r], 16);
    }
  }
}

}  // namespace

Hopper::Hopper(Block &of)
    : block(of),
      stores(of.threads.size()),
      warpgroups(of.warps.size() / WARPS),
      cluster_arrived(of.threads.size()),
      registers(of.warps.size(), registers_at_launch(of)) {}

/* All blocks of the cluster get theirs at once, so that each is told of the end of its threads. */
Hopper &hopper_of(Block &block) {
  if (block.extension == nullptr) {
    for (int rank = 0; rank < block.group->cluster; rank++) {
      Block &other = *block_of_rank(block, (uint32_t)rank);
      other.extension.reset(new Hopper(other));
    }
  }
  return static_cast<Hopper &>(*block.extension);
}

Block *block_of_rank(const Block &block, uint32_t rank) {
  if (rank >= (uint32_t)block.group->cluster) {
    return nullptr;
  }
  return block.group->blocks[(size_t)(block.place - block.rank) + rank];
}

void Hopper::thread_ends(Thread &thread) {
  stores_end(thread, stores[(size_t)thread.index]);
  const size_t group = (size_t)(thread.warp->index / WARPS);
  if (group < warpgroups.size()) {
    wgmma_end(thread, warpgroups[group]);
  }
  cluster_settle(block, &thread);
  if (block.live > 1) {
    return;
  }
  if (loads > 0) {
    fail_for(load_issuer, load_at, "tma_load: block %lld ends while the copy is in flight to it",
             (long long)block.index);
  }
  for (size_t warp = 0; warp < registers.size(); warp++) {
    if (registers[warp] != registers[warp / WARPS * WARPS]) {
      fail(thread.last, "setmaxnreg: not executed by all warps of warpgroup %zu", warp / WARPS);
    }
  }
}

void Hopper::block_ends() {
  mbarriers_end(*this);
}

void set_registers(int count, bool grow, Site at) {
  const char *operation = grow ? "setmaxnreg_inc" : "setmaxnreg_dec";
  if (!site(operation, at)) {
    return;
  }
  if (count < 24 || count > REGISTERS_MAX || count % 8 != 0) {
    fail(at, "%s: %d; a multiple of 8 from 24 to %d is possible", operation, count, REGISTERS_MAX);
  }
  Hopper &state = hopper_of(*self->block);
  const int more = count - state.registers[(size_t)self->warp->index];
  while (grow && more * WARP > state.registers_free) {
    wait_in(state.registers_waiting, {operation, at, registers_text, &state});
  }
  Registers asked = {count, grow, at};
  meet(operation, at, &asked, registers_all);
}

bool elect_one(Site at) {
  Elect elect = {false};
  meet("elect_one", at, &elect, elect_all);
  return elect.elected;
}

uint32_t cluster_rank() {
  return (uint32_t)self->block->rank;
}

void cluster_arrive(Site at) {
  if (!site("cluster_arrive", at)) {
    return;
  }
  ClusterBarrier &barrier = cluster_of(*self->block).cluster;
  uint64_t &arrived_in = hopper_of(*self->block).cluster_arrived[(size_t)self->index];
  if (arrived_in == barrier.phase + 1) {
    fail(at, "cluster_arrive: the thread arrives twice in one phase");
  }
  arrived_in = barrier.phase + 1;
  clock_release(*self, barrier.arriving);
  barrier.arrived++;
  cluster_settle(*self->block, nullptr);
}

void cluster_wait(Site at) {
  if (!site("cluster_wait", at)) {
    return;
  }
  ClusterBarrier &barrier = cluster_of(*self->block).cluster;
  const uint64_t arrived_in = hopper_of(*self->block).cluster_arrived[(size_t)self->index];
  if (arrived_in == 0 || arrived_in + 1 < barrier.phase) {
    fail(at, "cluster_wait: the thread has not arrived");
  }
  while (barrier.phase < arrived_in) {
    wait_in(barrier.waiting, {"cluster_wait", at, cluster_text, self->block});
  }
  clock_acquire(*self, barrier.ended);
}

smem_addr map_to_block(smem_addr address, uint32_t cta, Site at) {
  if (block_of_rank(*self->block, cta) == nullptr) {
    fail(at, "mapa: block %u of a cluster of %d", cta, self->block->group->cluster);
  }
  return shared_of_block(address, (int)cta);
}

void store_matrix(smem_addr row, const uint32_t *registers, int count, bool transposed,
                  const char *operation, Site at) {
  StoreRows store = {self, row, registers, count, transposed, operation, at};
  meet(operation, at, &store, store_all);
}

}  // namespace emu
