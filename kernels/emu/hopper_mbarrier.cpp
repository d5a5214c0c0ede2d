/* mbarriers ("mbarrier" in the PTX ISA): phases that end by arrivals and by bytes that have landed.
 *
 * While it lives, the 8 bytes of a barrier are claimed and hold poison: whoever writes there, by
 * whatever way, is found. */
#include "emu/hopper_state.h"
#include "emu/internal.h"

namespace emu {

namespace {

constexpr uint32_t BYTES = 8;
constexpr uint32_t COUNT_MAX = (1u << 20) - 1; /* of arrivals; of bytes either way */

std::string barrier_text(const void *what) {
  const Mbarrier &b = *static_cast<const Mbarrier *>(what);
  return "phase " + std::to_string(b.phase) + " of the barrier at shared address " +
         std::to_string(b.offset) + " (" + place_text(b.made) + "): " + std::to_string(b.pending) +
         " of " + std::to_string(b.count) + " arrivals are missing, and " +
         std::to_string(b.bytes) + " bytes";
}

Waiting waiting_for(const char *operation, Site at, const Mbarrier &barrier) {
  return {operation, at, barrier_text, &barrier};
}

void check_intact(const Mbarrier &barrier, const char *operation, Site at) {
  for (uint32_t i = 0; i < BYTES; i++) {
    if (barrier.block->arena[barrier.offset + i] != POISON) {
      fail(at, "%s: someone wrote over the barrier at shared address %u", operation,
           barrier.offset);
    }
  }
}

/* A GPU does not say so, but works with whatever is there. */
Mbarrier &find(smem_addr bar, const char *operation, Site at) {
  const SharedPlace place = shared_at(bar, BYTES, BYTES, operation, at);
  Hopper &state = hopper_of(*place.block);
  const auto found = state.barriers.find(place.offset);
  if (found == state.barriers.end()) {
    fail(at, "%s: there is no mbarrier at shared address %u, or not yet", operation, place.offset);
  }
  Mbarrier &barrier = found->second;
  check_intact(barrier, operation, at);
  race_read(*self, *place.block, place.offset, BYTES, at);
  if (place.block != self->block) {
    if (place.block->live == 0) {
      fail(at, "%s: block %lld has ended", operation, (long long)place.block->index);
    }
    if (!barrier.fenced) {
      fail(at, "%s: another block's barrier, made at %s with no mbar_init_fence after it",
           operation, place_text(barrier.made).c_str());
    }
  }
  return barrier;
}

Mbarrier &find_own(smem_addr bar, const char *operation, Site at) {
  Mbarrier &barrier = find(bar, operation, at);
  if (barrier.block != self->block) {
    fail(at, "%s: the barrier is another block's, which can only be arrived on", operation);
  }
  return barrier;
}

void check_bytes(const Mbarrier &barrier, const Thread *thread, const char *operation, Site at) {
  if (barrier.bytes > (int64_t)COUNT_MAX || barrier.bytes < -(int64_t)COUNT_MAX) {
    fail_for(thread, at, "%s: a barrier counts up to %u bytes, and this would be %lld", operation,
             COUNT_MAX, (long long)barrier.bytes);
  }
}

/* "Phase Completion of the mbarrier object". */
void settle(Mbarrier &barrier) {
  if (barrier.pending > 0 || barrier.bytes != 0) {
    return;
  }
  barrier.phase++;
  barrier.pending = barrier.count;
  barrier.seen = false;
  barrier.ended = barrier.arriving;
  barrier.arriving = Clock();
  wake_all(barrier.waiting);
}

void arrive_on(Mbarrier &barrier, const Thread *thread, const char *operation, Site at) {
  if (barrier.pending == 0) {
    fail_for(thread, at, "%s: more arrivals than the %u of phase %llu", operation, barrier.count,
             (unsigned long long)barrier.phase);
  }
  /* "Phase of the mbarrier object": "at least one test_wait or try_wait operation must be performed
   * which returns True for waitComplete before an arrive-on operation in the subsequent phase". */
  if (!barrier.seen) {
    fail_for(thread, at, "%s: phase %llu begins, and no one has waited for the end of the last",
             operation, (unsigned long long)barrier.phase);
  }
  barrier.pending--;
  settle(barrier);
}

void expect(Mbarrier &barrier, uint32_t bytes, const char *operation, Site at) {
  barrier.bytes += bytes;
  check_bytes(barrier, self, operation, at);
}

bool phase_over(Mbarrier &barrier, uint32_t parity) {
  if ((barrier.phase & 1) == parity) {
    return false;
  }
  barrier.seen = true;
  clock_acquire(*self, barrier.ended);
  return true;
}

void check_parity(uint32_t parity, const char *operation, Site at) {
  if (parity > 1) {
    fail(at, "%s: a parity is 0 or 1, not %u", operation, parity);
  }
}

}  // namespace

void mbar_init(smem_addr bar, uint32_t count, Site at) {
  const char *operation = "mbar_init";
  self->last = at;
  const SharedPlace place = shared_at(bar, BYTES, BYTES, operation, at);
  if (place.block != self->block) {
    fail(at, "%s: the memory is another block's", operation);
  }
  if (count < 1 || count > COUNT_MAX) {
    fail(at, "%s: %u arrivals; 1 to %u are possible", operation, count, COUNT_MAX);
  }
  Hopper &state = hopper_of(*place.block);
  if (state.barriers.count(place.offset) > 0) {
    fail(at, "%s: there is a barrier at shared address %u already, of %s", operation, place.offset,
         place_text(state.barriers[place.offset].made).c_str());
  }
  check_write(*self, *place.block, place.offset, BYTES, operation, at);
  race_write(*self, *place.block, place.offset, BYTES, at);
  Mbarrier &barrier = state.barriers[place.offset];
  barrier = Mbarrier();
  barrier.block = place.block;
  barrier.offset = place.offset;
  barrier.count = count;
  barrier.pending = count;
  barrier.seen = true; /* there is no phase before the first */
  barrier.maker = self;
  barrier.made = at;
  barrier.claim = claim_open("barrier", at, self);
  claim_write(barrier.claim, *place.block, place.offset, BYTES);
}

/* "membar/fence": .mbarrier_init covers the inits of the same thread. */
void mbarrier_inits_fenced(Thread &thread) {
  for (auto &entry : hopper_of(*thread.block).barriers) {
    Mbarrier &barrier = entry.second;
    if (barrier.maker == &thread && !barrier.fenced) {
      barrier.fenced = true;
      barrier.fence_time = options.race ? thread.clock.now.own[(size_t)thread.slot] : 0;
    }
  }
  clock_tick(thread);
}

void mbar_init_fence(Site at) {
  if (site("mbar_init_fence", at)) {
    mbarrier_inits_fenced(*self);
  }
}

void mbar_inval(smem_addr bar, Site at) {
  const char *operation = "mbar_inval";
  self->last = at;
  Mbarrier &barrier = find_own(bar, operation, at);
  if (!barrier.waiting.threads.empty()) {
    fail(at, "%s: thread %d waits for the barrier", operation, barrier.waiting.threads[0]->index);
  }
  Block &block = *barrier.block;
  const uint32_t offset = barrier.offset;
  claim_release_write(barrier.claim, block, offset, BYTES);
  claim_close(barrier.claim);
  race_write(*self, block, offset, BYTES, at);
  hopper_of(block).barriers.erase(offset);
}

void mbar_arrive(smem_addr bar, Site at) {
  if (site("mbar_arrive", at)) {
    Mbarrier &barrier = find_own(bar, "mbar_arrive", at);
    clock_release(*self, barrier.arriving);
    arrive_on(barrier, self, "mbar_arrive", at);
  }
}

void mbar_expect_tx(smem_addr bar, uint32_t bytes, Site at) {
  if (site("mbar_expect_tx", at)) {
    Mbarrier &barrier = find_own(bar, "mbar_expect_tx", at);
    expect(barrier, bytes, "mbar_expect_tx", at);
    settle(barrier);
  }
}

void mbar_arrive_expect_tx(smem_addr bar, uint32_t bytes, Site at) {
  if (site("mbar_arrive_expect_tx", at)) {
    Mbarrier &barrier = find_own(bar, "mbar_arrive_expect_tx", at);
    clock_release(*self, barrier.arriving);
    expect(barrier, bytes, "mbar_arrive_expect_tx", at);
    arrive_on(barrier, self, "mbar_arrive_expect_tx", at);
  }
}

void mbar_arrive_cluster(smem_addr bar, uint32_t cta, Site at) {
  if (site("mbar_arrive_cluster", at)) {
    Mbarrier &barrier = find(map_to_block(bar, cta, at), "mbar_arrive_cluster", at);
    clock_release(*self, barrier.arriving);
    arrive_on(barrier, self, "mbar_arrive_cluster", at);
  }
}

void mbar_arrive_after_copies(smem_addr bar, Site at) {
  const char *operation = "cp_async_mbar_arrive";
  if (!site(operation, at)) {
    return;
  }
  Mbarrier *barrier = &find_own(bar, operation, at);
  Thread *thread = self;
  const size_t count = copies_issued(*thread);
  defer([=] {
    copies_land(*thread, count);
    clock_release(*thread, barrier->arriving);
    arrive_on(*barrier, thread, operation, at);
  });
}

bool mbar_try_wait(smem_addr bar, uint32_t parity, Site at) {
  const char *operation = "mbar_try_wait";
  if (!site(operation, at)) {
    return true;
  }
  check_parity(parity, operation, at);
  Mbarrier &barrier = find_own(bar, operation, at);
  if (phase_over(barrier, parity)) {
    return true;
  }
  poll(waiting_for(operation, at, barrier));
  return phase_over(barrier, parity);
}

void mbar_wait(smem_addr bar, uint32_t parity, Site at) {
  const char *operation = "mbar_wait";
  if (!site(operation, at)) {
    return;
  }
  check_parity(parity, operation, at);
  Mbarrier &barrier = find_own(bar, operation, at);
  while (!phase_over(barrier, parity)) {
    wait_in(barrier.waiting, waiting_for(operation, at, barrier));
  }
}

Mbarrier &mbarrier_for_tma(smem_addr bar, const char *operation, Site at) {
  Mbarrier &barrier = find(bar, operation, at);
  const bool known =
      !options.race || (barrier.fenced && knows(*self, self->block->group->number,
                                                (size_t)barrier.maker->slot, barrier.fence_time));
  if (!barrier.fenced || !known) {
    fail(at, "%s: no mbar_init_fence stands between here and the mbar_init of %s", operation,
         place_text(barrier.made).c_str());
  }
  return barrier;
}

void mbarrier_landed(Mbarrier &barrier, uint32_t bytes, const Thread *issuer, Site at) {
  barrier.bytes -= bytes;
  check_bytes(barrier, issuer, "bytes of the TMA have landed", at);
  settle(barrier);
}

void mbarriers_end(Hopper &state) {
  for (const auto &entry : state.barriers) {
    const Mbarrier &barrier = entry.second;
    if (barrier.bytes != 0) {
      fail_for(barrier.maker, barrier.made,
               "mbar_init: the block has ended, and %lld of the bytes that phase %llu expects have "
               "not landed",
               (long long)barrier.bytes, (unsigned long long)barrier.phase);
    }
    claim_release_write(barrier.claim, *barrier.block, barrier.offset, BYTES);
    claim_close(barrier.claim);
  }
}

void fence_proxy_async(Site at) {
  if (site("fence_proxy_async", at)) {
    clock_fence_proxy(*self);
    mbarrier_inits_fenced(*self);
  }
}

}  // namespace emu
