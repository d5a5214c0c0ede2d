#include "emu/clock.h"

#include <algorithm>

#include "emu/internal.h"

namespace emu {

static void learn_ticks(Ticks &to, const Ticks &from) {
  if (to.size() < from.size()) {
    to.resize(from.size());
  }
  for (size_t i = 0; i < from.size(); i++) {
    to[i] = std::max(to[i], from[i]);
  }
}

void learn(Knowledge &to, const Knowledge &from) {
  learn_ticks(to.own, from.own);
  for (const auto &entry : from.foreign) {
    std::shared_ptr<const Ticks> &known = to.foreign[entry.first];
    if (known == nullptr) {
      known = entry.second;
    } else if (known != entry.second) {
      std::shared_ptr<Ticks> both = std::make_shared<Ticks>(*known);
      learn_ticks(*both, *entry.second);
      known = both;
    }
  }
}

static void learn_clock(Clock &to, const Clock &from) {
  learn(to.now, from.now);
  learn(to.fenced, from.fenced);
  learn(to.seen, from.seen);
  learn_ticks(to.proxied, from.proxied);
}

bool knows(const Thread &thread, int64_t group, size_t slot, uint32_t time) {
  const Knowledge &now = thread.clock.now;
  if (group == thread.block->group->number) {
    return slot < now.own.size() && now.own[slot] >= time;
  }
  const auto found = now.foreign.find(group);
  return found != now.foreign.end() && slot < found->second->size() &&
         (*found->second)[slot] >= time;
}

void clocks_start(Group &group) {
  if (!options.race) {
    return;
  }
  const size_t slots = group.blocks.size() * (size_t)group.threads + AGENT_SLOTS;
  for (Block *block : group.blocks) {
    shadow_start(*block);
    for (Thread &thread : block->threads) {
      thread.clock = Clock();
      thread.clock.now.own.assign(slots, 0);
      thread.clock.now.own[(size_t)thread.slot] = 1;
    }
  }
}

void clock_tick(Thread &thread) {
  if (options.race) {
    thread.clock.now.own[(size_t)thread.slot]++;
  }
}

void clock_release(Thread &thread, Clock &at) {
  if (options.race) {
    learn_clock(at, thread.clock);
    clock_tick(thread);
  }
}

void clock_acquire(Thread &thread, const Clock &at) {
  if (options.race) {
    learn_clock(thread.clock, at);
  }
}

void clock_fence_proxy(Thread &thread) {
  if (options.race) {
    thread.clock.proxied = thread.clock.now.own;
    clock_tick(thread);
  }
}

void clock_fence_device(Thread &thread) {
  if (options.race) {
    learn(thread.clock.now, thread.clock.seen);
    thread.clock.fenced = thread.clock.now;
    clock_tick(thread);
  }
}

}  // namespace emu
