/* Where threads meet: the lanes of a warp, and the threads of a block at its barriers. */
#include <cstring>

#include "emu/internal.h"

namespace emu {

namespace {

bool same_place(const char *operation, Site at, const char *other, Site there) {
  return at.line == there.line && (operation == other || strcmp(operation, other) == 0) &&
         (at.file == there.file || strcmp(at.file, there.file) == 0);
}

std::string lanes_text(const void *what) {
  const Warp &warp = *static_cast<const Warp *>(what);
  return std::to_string(__builtin_popcount(warp.meeting.arrived)) + " of " +
         std::to_string(__builtin_popcount(warp.live)) + " lanes of the warp have come";
}

std::string barrier_text(const void *what) {
  const Barrier &barrier = *static_cast<const Barrier *>(what);
  return std::to_string(barrier.arrived) + " of " + std::to_string(barrier.expected) +
         " threads have come";
}

/* Lets everyone go if the last lane has come. */
bool meeting_completes(Warp &warp) {
  Meeting &meeting = warp.meeting;
  if (meeting.arrived != warp.live || meeting.arrived == 0) {
    return false;
  }
  meeting.arrived = 0;
  meeting.complete(warp, meeting.arguments);
  memset(meeting.arguments, 0, sizeof meeting.arguments);
  wake_all(meeting.waiting);
  return true;
}

bool barrier_opens(Barrier &barrier) {
  if (barrier.arrived < barrier.expected || barrier.arrived == 0) {
    return false;
  }
  barrier.arrived = 0;
  barrier.phase++;
  barrier.result = barrier.any;
  barrier.any = false;
  for (Thread *thread : barrier.waiting.threads) {
    clock_acquire(*thread, barrier.clock);
  }
  wake_all(barrier.waiting);
  return true;
}

/* What a barrier asks of those that come, besides their number. */
void check_arrival(Barrier &barrier, int id, int expected, const char *operation, Site at) {
  const Thread &thread = *self;
  if (barrier.arrived > 0 && barrier.expected != expected) {
    fail(at, "%s: barrier %d is for %d threads here and for %d at %s", operation, id, expected,
         barrier.expected, place_text(barrier.at).c_str());
  }
  if (id == 0 && barrier.arrived > 0 && !same_place(operation, at, barrier.operation, barrier.at)) {
    fail(at, "%s: divergent barrier: other threads of the block wait in %s at %s", operation,
         barrier.operation, place_text(barrier.at).c_str());
  }
  uint64_t &arrived_in = barrier.arrived_in[(size_t)thread.index];
  if (arrived_in == barrier.phase + 1) {
    fail(at, "%s: the thread comes to barrier %d twice in one phase", operation, id);
  }
  arrived_in = barrier.phase + 1;
}

}  // namespace

void meet(const char *operation, Site at, void *argument,
          void (*complete)(Warp &warp, void *const *arguments)) {
  Warp &warp = *self->warp;
  Meeting &meeting = warp.meeting;
  self->last = at;
  if (meeting.arrived == 0) {
    meeting.operation = operation;
    meeting.at = at;
    meeting.complete = complete;
  } else if (!same_place(operation, at, meeting.operation, meeting.at)) {
    fail(at, "%s: the warp diverges: other lanes wait in %s at %s", operation, meeting.operation,
         place_text(meeting.at).c_str());
  }
  meeting.arguments[self->lane] = argument;
  meeting.arrived |= 1u << self->lane;
  if (!meeting_completes(warp)) {
    wait_in(meeting.waiting, {operation, at, lanes_text, &warp});
  }
}

void meeting_loses(Thread &thread) {
  Warp &warp = *thread.warp;
  warp.live &= ~(1u << thread.lane);
  meeting_completes(warp);
}

void barriers_start(Block &block, int threads) {
  for (Barrier &barrier : block.barriers) {
    barrier.expected = threads;
    barrier.arrived = 0;
    barrier.any = false;
    barrier.phase = 0;
    barrier.arrived_in.assign((size_t)threads, 0);
    barrier.waiting.threads.clear();
    barrier.clock = Clock();
  }
}

void barriers_lose(Thread &thread) {
  Barrier &all = thread.block->barriers[0];
  all.expected = thread.block->live;
  barrier_opens(all);
}

bool barrier_arrive(int id, int threads, bool waits, bool vote, const char *operation, Site at) {
  Block &block = *self->block;
  Barrier &barrier = block.barriers[id];
  const int expected = id == 0 ? block.live : threads;
  if (expected % WARP != 0 && id != 0) {
    fail(at, "%s: barrier %d for %d threads: not a multiple of %d", operation, id, threads, WARP);
  }
  check_arrival(barrier, id, expected, operation, at);
  if (barrier.arrived == 0) {
    barrier.operation = operation;
    barrier.at = at;
    barrier.expected = expected;
    barrier.clock = Clock();
  }
  barrier.arrived++;
  barrier.any = barrier.any || vote;
  clock_release(*self, barrier.clock);
  if (barrier_opens(barrier)) {
    if (waits) {
      clock_acquire(*self, barrier.clock);
    }
  } else if (waits) {
    wait_in(barrier.waiting, {operation, at, barrier_text, &barrier});
  }
  return barrier.result;
}

}  // namespace emu
