/* wgmma_wait: the end of multiplications.
 *
 * Is a group of wgmma the warpgroup's, or does each warp have its own? "wgmma.commit_group" creates
 * "a new wgmma-group per warpgroup" of what was "initiated by the executing warp". Unless strict, a
 * group is the warpgroup's: a warp waits until the others have issued too, and then knows that all
 * of the reading is over. In strict mode it knows that of its own share alone. */
#include <cstring>

#include "emu/hopper_state.h"

namespace emu {

namespace {

struct Wait { /* what a lane brings */
  Thread *thread;
  int newest;
  Site at;
};

/* How many multiplications, from the start, it covers. */
size_t covered_by(const WarpQueue &queue, int newest) {
  const size_t groups = queue.groups.size();
  return groups <= (size_t)newest ? queue.waited : queue.groups[groups - 1 - (size_t)newest];
}

bool all_issued(const Multiplication &m) {
  bool all = true;
  for (const Share &share : m.shares) {
    all = all && share.issued;
  }
  return all;
}

std::string issues_text(const void *what) {
  const Warpgroup &group = *static_cast<const Warpgroup *>(what);
  std::string text = "the warps of the warpgroup have issued";
  for (const WarpQueue &queue : group.warps) {
    text += " " + std::to_string(queue.issued);
  }
  return text + " multiplications";
}

Thread &thread_of(const Warp &warp, int lane) {
  return warp.block->threads[(size_t)(warp.index * WARP + lane)];
}

void check_registers(const Warp &warp, const Multiplication &m, const Share &share) {
  for (int lane = 0; lane < WARP; lane++) {
    const uint32_t *now = share.registers[lane];
    if (now != nullptr && memcmp(now, share.a[lane], sizeof share.a[lane]) != 0) {
      fail_for(&thread_of(warp, lane), m.at,
               "wgmma: the registers of operand A changed while it was in flight");
    }
    if (!accumulators_poisoned(share, m.call.n, lane)) {
      fail_for(&thread_of(warp, lane), m.at,
               "wgmma: its accumulators were written while it was in flight");
    }
  }
}

/* The result goes to the next multiplication in flight on the same accumulators, or back. */
void pass_on(Warpgroup &group, const WarpQueue &queue, Multiplication &m, int w) {
  Share &share = m.shares[w];
  for (size_t i = m.number + 1; i < queue.issued; i++) {
    Share &later = group.at(i).shares[w];
    if (later.d[0] == share.d[0]) {
      later.tile = std::move(share.tile);
      return;
    }
  }
  tile_scatter(share, m.call.n);
}

void finish(Warp &warp, Warpgroup &group, Multiplication &m) {
  const int w = warp.index % WARPS;
  Share &share = m.shares[w];
  Reads &reads = options.strict ? share.reads : m.reads;
  reads_stop(reads, *warp.block, m.at);
  for (int lane = 0; lane < WARP; lane++) {
    clock_acquire(thread_of(warp, lane), reads.clock);
  }
  check_registers(warp, m, share);
  multiply_tile(m, reads, options.strict ? 0 : 16 * w, &share);
  pass_on(group, group.warps[w], m, w);
}

/* Drops the multiplications that all warps have waited for. */
void retire(Warpgroup &group) {
  size_t done = group.warps[0].waited;
  for (const WarpQueue &queue : group.warps) {
    done = queue.waited < done ? queue.waited : done;
  }
  for (; group.first < done; group.first++) {
    group.flying.pop_front();
  }
}

void wait_all(Warp &warp, void *const *arguments) {
  const Wait &wait = *static_cast<const Wait *>(arguments[self->lane]);
  Warpgroup &group = warpgroup_of(warp, "wgmma_wait", wait.at);
  WarpQueue &queue = group.warps[warp.index % WARPS];
  const size_t covered = covered_by(queue, wait.newest);
  while (queue.groups.size() > (size_t)wait.newest) {
    queue.groups.pop_front();
  }
  while (queue.waited < covered) {
    Multiplication &m = group.at(queue.waited);
    finish(warp, group, m);
    queue.waited++;
  }
  queue.fenced = false;
  retire(group);
}

}  // namespace

void reads_stop(Reads &reads, Block &block, Site at) {
  if (reads.over) {
    return;
  }
  reads.over = true;
  for (const Chunk &chunk : reads.chunks) {
    claim_release_read(reads.claim, block, chunk.offset, sizeof chunk.data);
    if (memcmp(block.arena + chunk.offset, chunk.data, sizeof chunk.data) != 0) {
      fail(at, "wgmma: shared address %u changed while the multiplication read it", chunk.offset);
    }
    race_read_over(block, chunk.offset, sizeof chunk.data, &reads, at, reads.clock);
  }
  claim_close(reads.claim);
}

void wgmma_wait(int newest, Site at) {
  if (!site("wgmma_wait", at)) {
    return;
  }
  Warpgroup &group = warpgroup_of(*self->warp, "wgmma_wait", at);
  const WarpQueue &queue = group.warps[self->warp->index % WARPS];
  const size_t covered = covered_by(queue, newest);
  while (!options.strict && covered > queue.waited && !all_issued(group.at(covered - 1))) {
    wait_in(group.waiting, {"wgmma_wait", at, issues_text, &group});
  }
  Wait wait = {self, newest, at};
  meet("wgmma_wait", at, &wait, wait_all);
}

void wgmma_end(const Thread &thread, Warpgroup &group) {
  const WarpQueue &queue = group.warps[thread.warp->index % WARPS];
  if (queue.issued > queue.waited) {
    fail(group.at(queue.waited).at, "wgmma: the thread ends, and has waited for no group with it");
  }
}

}  // namespace emu
