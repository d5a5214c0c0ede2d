/* Vector clocks: which accesses are ordered, whatever the schedule did this time.
 *
 * Every thread of a group has a slot, and 64 further slots belong to agents. A clock says of each
 * slot how much of what it did has happened before. An access is an epoch: slot and time. It is
 * ordered before a thread if the thread's clock has reached the time. Only waiting orders (barriers,
 * mbarriers, acquire after release); shuffles, ldmatrix and mma do not.
 *
 * Two further clocks stand beside that of a thread: `proxied` is what it was at the last
 * fence.proxy.async, and so what the asynchronous proxy may rely on; `fenced` is what it was at the
 * last fence of the device, and so what an atomic tells to other blocks. Both travel through
 * barriers like the first.
 *
 * All of this does nothing unless the option `race` is on. */
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
struct Site;

typedef std::vector<uint32_t> Ticks; /* by slot */

constexpr int AGENT_SLOTS = 64;

/* What is known of threads of the own group, and of other groups (by their number). */
struct Clock {
  Ticks own;
  Ticks proxied;
  Ticks fenced;
  std::map<int64_t, std::shared_ptr<const Ticks>> foreign;
};

struct ThreadClock : Clock {
  Clock seen; /* what atomics have read, and a fence will turn into order */
};

struct ShadowCell {
  uint32_t write_time;
  uint16_t write_slot;
  uint16_t read_slot;
  uint32_t read_time;
  int32_t readers; /* -1, or an index of ShadowMemory::read_sets */
  const void *write_pc;
  const void *read_pc;
};

/* One cell a byte of an arena. */
struct ShadowMemory {
  std::vector<ShadowCell> cells;
  std::vector<Ticks> read_sets;
  uint32_t touched_begin = 0;
  uint32_t touched_end = 0;
};

/* `thread` comes to something that others will wait for: `at` learns what it knows, and what the
 * thread does from now on is later. */
void clock_release(Thread &thread, Clock &at);
/* `thread` has waited for it. */
void clock_acquire(Thread &thread, const Clock &at);
/* For agents. An agent's own slot is chosen by what its completion is waited for at: the address
 * of an mbarrier, of a group of copies. */
int clock_agent_slot(const void *waited_for);

/* fence.proxy.async, and the fence of the device. */
void clock_fence_proxy(Thread &thread);
void clock_fence_device(Thread &thread);

/* Accesses to shared memory. `pc` (or null) tells the place where `at` does not. */
void race_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
void race_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
/* By the asynchronous proxy at the order of `thread`: earlier generic writes have to be behind a
 * proxy fence. The access stands for the thread's own until it lands. */
void race_async_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
void race_async_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes, Site at);
/* What an agent wrote has landed: from now on it is the write of the agent's slot, which `at`
 * learns together with what `issuer` knew (`issued`). */
void race_land(Block &block, uint32_t offset, uint32_t bytes, int slot, const Clock &issued,
               Clock &at);

}  // namespace emu

#endif
