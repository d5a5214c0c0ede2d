/* Vector clocks: which accesses are ordered, whatever the schedule did this time.
 *
 * Every thread of a group has a slot, and 64 further slots belong to agents. Knowledge says of each
 * slot how much of what it did has happened before. An access is an epoch: slot and time. It is
 * ordered before a thread if the thread knows of the time. Only waiting orders (barriers,
 * mbarriers, acquire after release); shuffles, ldmatrix and mma do not.
 *
 * Beside what a thread knows now stand
 *   proxied  what it knew at the last fence.proxy.async: what the asynchronous proxy may rely on;
 *   fenced   what it knew at the last fence of the device: what an atomic tells to others;
 *   seen     what atomics have read: a fence of the device turns it into knowledge.
 * All of them travel through barriers.
 *
 * Everything here does nothing unless the option `race` is on. */
#ifndef BENCH_EMU_CLOCK_H
#define BENCH_EMU_CLOCK_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace emu {

struct Thread;
struct Block;
struct Group;

/* A place in a kernel's source: where the call stands that has EMU_AT as its last parameter. With
 * line 0, `file` is an address in the program, as the hooks of race mode have it. */
struct Site {
  const char *file;
  int line;
};

typedef std::vector<uint32_t> Ticks;                                  /* by slot */
typedef std::map<int64_t, std::shared_ptr<const Ticks>> ForeignTicks; /* by number of the group */

struct Knowledge {
  Ticks own; /* of the own group */
  ForeignTicks foreign;
};

struct Clock {
  Knowledge now;
  Knowledge fenced;
  Knowledge seen;
  Ticks proxied;
};

constexpr int AGENT_SLOTS = 64;

struct ShadowCell {
  Site write_at;
  Site read_at;
  uint32_t write_time; /* 0: never */
  uint32_t read_time;  /* 0: never */
  uint16_t write_slot;
  uint16_t read_slot;
  bool write_generic; /* not by the asynchronous proxy */
  uint32_t readers;   /* 0, or 1 + index of ShadowMemory::reader_sets: more than one has read */
};

/* One cell for a word of an arena, or one for each of its bytes where they were used apart. */
struct ShadowMemory {
  std::vector<ShadowCell> words;
  std::vector<ShadowCell> bytes;
  std::vector<uint8_t> is_split; /* by word */
  std::vector<Ticks> reader_sets;
  size_t reader_sets_used = 0;
  uint32_t touched_begin = 0; /* in words */
  uint32_t touched_end = 0;
};

void clocks_start(Group &group);

/* What `thread` does from now on is later than what others have learnt so far. */
void clock_tick(Thread &thread);
/* `thread` comes to something that others will wait for: `at` learns what it knows. */
void clock_release(Thread &thread, Clock &at);
/* `thread` has waited for it. */
void clock_acquire(Thread &thread, const Clock &at);
void clock_fence_proxy(Thread &thread);
void clock_fence_device(Thread &thread);

/* Accesses to shared memory by the generic proxy. A race is a fault. */
void race_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
void race_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
/* By the asynchronous proxy at the order of `thread`: generic writes before it have to be behind a
 * proxy fence. The access counts as the thread's own. */
void race_async_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
void race_async_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
/* What an agent wrote has landed: from now on it is the write of the agent's slot, of which `at`
 * learns, together with what the issuer knew when it issued. The slot goes by what is waited for,
 * such as an mbarrier. */
void race_land(Block &block, uint32_t offset, uint32_t bytes, const void *waited_for,
               Site issued_at, const Clock &issued, Clock &at);

/* The asynchronous proxy begins to read at the order of `thread`, as race_async_read, but what it
 * reads it may read until race_read_over: then it counts as the agent's, of which `at` learns. */
void race_async_check(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
void race_read_over(Block &block, uint32_t offset, uint32_t bytes, const void *waited_for,
                    Site issued_at, Clock &at);

}  // namespace emu

#endif
