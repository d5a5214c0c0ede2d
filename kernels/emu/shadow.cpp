/* Who read and wrote shared memory last, exact to the byte, for race mode. */
#include <algorithm>
#include <utility>

#include "emu/internal.h"

namespace emu {

namespace {

uint32_t agent_times[AGENT_SLOTS];

[[noreturn]] void race(const Thread &thread, Site at, const char *does, uint32_t offset,
                       size_t other, const char *did, Site there, const char *why) {
  const size_t threads = (size_t)thread.block->group->threads;
  const size_t all = thread.block->group->blocks.size() * threads;
  std::string who = "an agent";
  if (other < all) {
    who = "thread " + std::to_string(other % threads);
    if (all > threads) {
      who += " of block " + std::to_string(thread.block->group->blocks[other / threads]->index);
    }
  }
  fail_for(&thread, at, "race: %s shared address %u, which %s %s at %s, and %s", does, offset,
           who.c_str(), did, place_text(there).c_str(), why);
}

const char unordered[] = "nothing orders the two";
const char unfenced[] = "no fence.proxy.async stands between the two";

bool has(const Ticks &ticks, size_t slot, uint32_t time) {
  return slot < ticks.size() && ticks[slot] >= time;
}

constexpr uint32_t WORD = 4;

void touch(ShadowMemory &shadow, uint32_t begin, uint32_t end) {
  if (shadow.touched_end == 0) {
    shadow.touched_begin = begin;
  }
  shadow.touched_begin = std::min(shadow.touched_begin, begin);
  shadow.touched_end = std::max(shadow.touched_end, end);
}

uint32_t new_reader_set(ShadowMemory &shadow) {
  if (shadow.reader_sets_used == shadow.reader_sets.size()) {
    shadow.reader_sets.emplace_back();
  }
  return (uint32_t)++shadow.reader_sets_used;
}

/* The cell of a word becomes four, each with readers of its own. */
void split(ShadowMemory &shadow, uint32_t word) {
  shadow.is_split[word] = 1;
  for (uint32_t i = word * WORD; i < word * WORD + WORD; i++) {
    shadow.bytes[i] = shadow.words[word];
    if (shadow.words[word].readers != 0) {
      const uint32_t set = new_reader_set(shadow);
      shadow.reader_sets[set - 1] = shadow.reader_sets[shadow.words[word].readers - 1];
      shadow.bytes[i].readers = set;
    }
  }
}

/* Calls visit(cell, offset) for every cell of the range. `levels`: afterwards all bytes of a word
 * that lies in the range are alike. */
template <typename Visit>
void each_cell(ShadowMemory &shadow, uint32_t offset, uint32_t bytes, bool levels, Visit visit) {
  const uint32_t end = offset + bytes;
  touch(shadow, offset / WORD, (end + WORD - 1) / WORD);
  for (uint32_t word = offset / WORD; word * WORD < end; word++) {
    const uint32_t first = std::max(offset, word * WORD);
    const uint32_t last = std::min(end, word * WORD + WORD);
    const bool is_whole = last - first == WORD;
    if (is_whole && shadow.is_split[word] == 0) {
      visit(shadow.words[word], first);
      continue;
    }
    if (shadow.is_split[word] == 0) {
      split(shadow, word);
    }
    for (uint32_t i = first; i < last; i++) {
      visit(shadow.bytes[i], i);
    }
    if (is_whole && levels) {
      shadow.words[word] = shadow.bytes[first];
      shadow.is_split[word] = 0;
    }
  }
}

/* The write before this access has to be known, and behind a fence for the asynchronous proxy. */
void check_after_write(const Thread &thread, const ShadowCell &cell, uint32_t offset, Site at,
                       const char *does, bool async) {
  if (cell.write_time == 0) {
    return;
  }
  const Ticks &now = thread.clock.now.own;
  if (!has(now, cell.write_slot, cell.write_time)) {
    race(thread, at, does, offset, cell.write_slot, "wrote", cell.write_at, unordered);
  }
  if (async && cell.write_generic && !has(thread.clock.proxied, cell.write_slot, cell.write_time)) {
    race(thread, at, does, offset, cell.write_slot, "wrote", cell.write_at, unfenced);
  }
}

void check_after_reads(const Thread &thread, const ShadowMemory &shadow, const ShadowCell &cell,
                       uint32_t offset, Site at, const char *does) {
  const Ticks &now = thread.clock.now.own;
  if (cell.read_time != 0 && !has(now, cell.read_slot, cell.read_time)) {
    race(thread, at, does, offset, cell.read_slot, "read", cell.read_at, unordered);
  }
  if (cell.readers == 0) {
    return;
  }
  const Ticks &times = shadow.reader_sets[cell.readers - 1];
  for (size_t slot = 0; slot < times.size(); slot++) {
    if (times[slot] > now[slot]) {
      race(thread, at, does, offset, slot, "read", cell.read_at, unordered);
    }
  }
}

/* A reader, in slot `slot` at `time`, that knows `now`. One that knows of the one before takes its
 * place; else there are several. */
void add_reader(const Ticks &now, size_t slot, uint32_t time, ShadowMemory &shadow,
                ShadowCell &cell, Site at) {
  if (cell.readers == 0 && cell.read_time != 0 && cell.read_slot != slot &&
      !has(now, cell.read_slot, cell.read_time)) {
    cell.readers = new_reader_set(shadow);
    Ticks &times = shadow.reader_sets[cell.readers - 1];
    times.assign(now.size(), 0);
    times[cell.read_slot] = cell.read_time;
  }
  if (cell.readers != 0) {
    shadow.reader_sets[cell.readers - 1][slot] = time;
  }
  cell.read_slot = (uint16_t)slot;
  cell.read_time = time;
  cell.read_at = at;
}

void set_writer(ShadowCell &cell, size_t slot, uint32_t time, bool generic, Site at) {
  cell.write_slot = (uint16_t)slot;
  cell.write_time = time;
  cell.write_generic = generic;
  cell.write_at = at;
  cell.read_time = 0;
  cell.readers = 0;
}

void read_all(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at,
              bool async) {
  ShadowMemory &shadow = block.shadow;
  const char *does = async ? "the asynchronous proxy reads" : "reads";
  const uint32_t time = thread.clock.now.own[(size_t)thread.slot];
  each_cell(shadow, offset, bytes, false, [&](ShadowCell &cell, uint32_t place) {
    check_after_write(thread, cell, place, at, does, async);
    add_reader(thread.clock.now.own, (size_t)thread.slot, time, shadow, cell, at);
  });
}

void write_all(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at,
               bool async) {
  ShadowMemory &shadow = block.shadow;
  const char *does = async ? "the asynchronous proxy writes" : "writes";
  const uint32_t time = thread.clock.now.own[(size_t)thread.slot];
  each_cell(shadow, offset, bytes, true, [&](ShadowCell &cell, uint32_t place) {
    check_after_write(thread, cell, place, at, does, async);
    check_after_reads(thread, shadow, cell, place, at, does);
    set_writer(cell, (size_t)thread.slot, time, !async, at);
  });
}

}  // namespace

void shadow_start(Block &block) {
  ShadowMemory &shadow = block.shadow;
  if (shadow.words.empty()) {
    shadow.words.resize(ARENA_BYTES / WORD);
    shadow.bytes.resize(ARENA_BYTES);
    shadow.is_split.resize(ARENA_BYTES / WORD);
  }
  for (uint32_t word = shadow.touched_begin; word < shadow.touched_end; word++) {
    shadow.words[word] = ShadowCell();
    shadow.is_split[word] = 0;
  }
  shadow.touched_begin = 0;
  shadow.touched_end = 0;
  shadow.reader_sets_used = 0;
  std::fill(agent_times, agent_times + AGENT_SLOTS, 0);
}

void race_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at) {
  if (options.race) {
    read_all(thread, block, offset, bytes, at, false);
  }
}

void race_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at) {
  if (options.race) {
    write_all(thread, block, offset, bytes, at, false);
  }
}

void race_async_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at) {
  if (options.race) {
    read_all(thread, block, offset, bytes, at, true);
  }
}

void race_async_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes,
                      Site at) {
  if (options.race) {
    write_all(thread, block, offset, bytes, at, true);
  }
}

/* What an agent does now is a tick of its slot, of which `at` learns. */
static std::pair<size_t, uint32_t> agent_acts(const Block &block, const void *waited_for,
                                              Clock &at) {
  const Group &group = *block.group;
  const size_t agent = (reinterpret_cast<uintptr_t>(waited_for) >> 3) % AGENT_SLOTS;
  const size_t slot = group.blocks.size() * (size_t)group.threads + agent;
  const uint32_t time = ++agent_times[agent];
  at.now.own.resize(slot - agent + AGENT_SLOTS);
  at.now.own[slot] = std::max(at.now.own[slot], time);
  return {slot, time};
}

void race_land(Block &block, uint32_t offset, uint32_t bytes, const void *waited_for,
               Site issued_at, const Clock &issued, Clock &at) {
  if (!options.race) {
    return;
  }
  learn(at.now, issued.now);
  const auto acts = agent_acts(block, waited_for, at);
  each_cell(block.shadow, offset, bytes, true, [&](ShadowCell &cell, uint32_t) {
    set_writer(cell, acts.first, acts.second, false, issued_at);
  });
}

void race_async_check(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes,
                      Site at) {
  if (!options.race) {
    return;
  }
  each_cell(block.shadow, offset, bytes, false, [&](ShadowCell &cell, uint32_t place) {
    check_after_write(thread, cell, place, at, "the asynchronous proxy reads", true);
  });
}

void race_read_over(Block &block, uint32_t offset, uint32_t bytes, const void *waited_for,
                    Site issued_at, Clock &at) {
  if (!options.race) {
    return;
  }
  const auto acts = agent_acts(block, waited_for, at);
  each_cell(block.shadow, offset, bytes, false, [&](ShadowCell &cell, uint32_t) {
    add_reader(at.now.own, acts.first, acts.second, block.shadow, cell, issued_at);
  });
}

}  // namespace emu
