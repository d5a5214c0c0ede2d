/* The runtime under kernels/emu/cuda: what an emulated operation is written with.
 *
 * Threads of a block are fibers of one thread of the host. One runs at a time, until it blocks;
 * which of those that can run comes next is the schedule's choice. The blocks of a cluster (or of
 * the whole grid, see emu.h) live at once and form a group; groups run one after another.
 *
 * An operation of a kernel is a function that takes its place in the source as the last argument,
 * EMU_AT, and
 *   - asks `site` first if it orders or waits: false means that it is to be left out;
 *   - blocks by `while (!condition) wait_in(list, waiting);`, and whoever changes the condition
 *     calls wake_all(list): a blocked thread costs nothing until then;
 *   - says `fail(at, ...)` where the kernel is wrong, which never returns.
 *
 * Data that the hardware moves on its own (TMA, tensor cores) is moved by an agent: `defer` hands
 * it over, and it acts when no thread can run, one agent at a time: as late as the rules allow.
 * From issue to landing its operands are claimed (claims below), and its targets poisoned. */
#ifndef BENCH_EMU_RUNTIME_H
#define BENCH_EMU_RUNTIME_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "emu/clock.h"
#include "emu/emu.h"
#include "emu/fiber.h"

typedef uint32_t smem_addr; /* an address in the window of shared memory; see `shared_at` */

namespace emu {

std::string place_text(Site at); /* "kernels/cuda/naive.cu:97" */
#define EMU_AT ::emu::Site at = {__builtin_FILE(), __builtin_LINE()}

constexpr int WARP = 32;
constexpr int WARPGROUP = 128;
constexpr int THREADS_MAX = 1024;
constexpr uint32_t ARENA_BYTES = 1u << 18;
constexpr uint32_t ARENA_RESERVED = 1024;       /* of the first bytes of the window, no one's */
constexpr uint32_t SHARED_LIMIT = 227u * 1024u; /* static and dynamic, of a block */
constexpr int POISON = 0xff;                    /* NaN in every format, an index out of any range */

struct Thread;
struct Warp;
struct Block;
struct Group;

/* What a thread waits for: for the report of a deadlock. `tell` adds the state of `what`, such as
 * "96 of 128 threads have come"; it may be null. */
struct Waiting {
  const char *operation = nullptr;
  Site at = {nullptr, 0};
  std::string (*tell)(const void *what) = nullptr;
  const void *what = nullptr;
};

struct WaitList {
  std::vector<Thread *> threads;
};

/* Where the lanes of a warp meet: every live lane brings an argument (of its own stack), the last
 * one to come completes for all. */
struct Meeting {
  const char *operation;
  Site at;
  uint32_t arrived; /* bit per lane */
  void *arguments[WARP];
  void (*complete)(Warp &warp, void *const *arguments);
  WaitList waiting;
};

struct Warp {
  Block *block;
  int index;     /* in the block */
  uint32_t live; /* lanes that exist and have not ended */
  Meeting meeting;
};

/* Barriers 0 (sync_threads) to 15 of a block. */
struct Barrier {
  const char *operation;
  Site at;      /* of the first to come */
  int expected; /* threads; of barrier 0 all that live */
  int arrived;
  bool any; /* what sync_threads_or gathers */
  bool result;
  uint64_t phase;
  std::vector<uint64_t> arrived_in; /* by thread: 1 + the phase of its last arrival */
  WaitList waiting;
  Clock clock; /* of all that have come in this phase */
};
constexpr int BARRIERS = 16;

/* One cp.async of a thread, from issue to landing. */
struct Copy {
  uint32_t to; /* window address in the thread's block */
  uint8_t bytes;
  uint8_t read; /* the rest is zeros */
  const void *from;
  Site at;
  uint32_t claim;
  uint8_t snapshot[16];
};

/* State that a further set of operations keeps for a block, made when first needed; one such set
 * at a time is enough. It lives as long as the block does. */
struct Extension {
  virtual ~Extension() = default;
  /* A thread has returned from the kernel. May block no more, may fail. */
  virtual void thread_ends(Thread &thread) {
    (void)thread;
  }
  /* All threads of the group have ended and all agents have acted. May fail. */
  virtual void block_ends() {}
};

struct Thread {
  Fiber fiber;
  Block *block;
  Warp *warp;
  int index; /* in the block */
  int lane;
  int slot; /* in the group: its place in clocks */
  bool done;
  bool blocked;
  Waiting waiting;                 /* if blocked or polling */
  Site last;                       /* the last operation it came to, for faults outside of one */
  std::vector<Copy> copies;        /* not landed, oldest first */
  std::vector<uint32_t> committed; /* sizes of the groups not waited for, oldest first */
  Clock clock;
};

/* Who uses a 4-byte word of shared memory that is in flight. */
struct ClaimedWord {
  uint32_t writer; /* claim + 1, or 0 */
  uint32_t reader; /* the latest claim + 1 of `readers` */
  uint32_t readers;
};

struct Slot { /* of a BENCH_SHARED */
  const void *key;
  const char *name;
  uint32_t begin;
  uint32_t bytes;
};

struct Block {
  Group *group;
  int64_t index; /* in the grid */
  int place;     /* in its group */
  int rank;      /* in its cluster */
  std::vector<Thread> threads;
  std::vector<Warp> warps;
  Barrier barriers[BARRIERS];
  int live;
  unsigned char *arena; /* window address 0 */
  ClaimedWord *words;   /* [ARENA_BYTES / 4] */
  uint32_t dynamic_begin;
  uint32_t dynamic_bytes;
  uint32_t static_end;
  std::vector<Slot> slots;
  ShadowMemory shadow; /* of the arena, in race mode */
  std::unique_ptr<Extension> extension;
};

struct Group { /* the blocks that live at once */
  std::vector<Block *> blocks;
  int cluster; /* blocks of a cluster */
  int threads; /* of a block */
  int64_t grid;
  int64_t number; /* in the launch */
  int live;
};

/* The thread that runs, or null while an agent acts. */
extern Thread *self;

/* ---- faults ---- */
[[noreturn]] void fail(Site at, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, in the name of another thread (a lane whose operand is wrong, the issuer of a copy). */
[[noreturn]] void fail_for(const Thread *thread, Site at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- sites ---- */
/* Counts an operation that orders or waits; false: leave it out. Also keeps `at` as self->last. */
bool site(const char *operation, Site at);

/* ---- blocking ---- */
void wait_in(WaitList &list, const Waiting &waiting);
void wake_all(WaitList &list);
/* Lets every other thread and every agent go first: for what polls. If all that is left polls and
 * nothing has changed for long, that is a deadlock. */
void poll(const Waiting &waiting);

/* ---- agents ---- */
/* `act` runs on the host's stack with self = null, once no thread can run. What it may do: move
 * data, release claims, wake threads, defer further agents, fail_for. The order among agents is the
 * schedule's. */
void defer(std::function<void()> act);

/* ---- warps ---- */
/* All live lanes come here with one operation and place, else it is a fault. The last one calls
 * complete(warp, arguments), with null for lanes that are not there; then all go on. */
void meet(const char *operation, Site at, void *argument,
          void (*complete)(Warp &warp, void *const *arguments));

/* ---- barriers ---- */
/* Barrier 0 is for all threads that live, 1-15 for `threads`. Gives whether any one voted. */
bool barrier_arrive(int id, int threads, bool waits, bool vote, const char *operation, Site at);

/* ---- shared memory ---- */
/* An address of the window: the offset into the own block's arena, or, with 1 + rank in bits
 * 24-31, into that of another block of the cluster. */
constexpr smem_addr shared_of_block(smem_addr address, int rank) {
  return (address & 0xffffffu) | (smem_addr)(rank + 1) << 24;
}
struct SharedPlace {
  Block *block;
  uint32_t offset;
  unsigned char *bytes;
};
/* Fails unless `bytes` bytes there are shared memory that was asked for, and aligned. */
SharedPlace shared_at(smem_addr address, uint32_t bytes, uint32_t alignment, const char *operation,
                      Site at);
/* The same for an address that another thread brought. */
SharedPlace shared_at(const Thread &of, smem_addr address, uint32_t bytes, uint32_t alignment,
                      const char *operation, Site at);
/* The window address of a pointer into the own block's arena; a fault for any other pointer. */
smem_addr shared_address(const void *pointer, Site at);
void *shared_static(const void *key, const char *name, size_t bytes, size_t alignment);
unsigned char *shared_dynamic(size_t alignment);

/* ---- claims ----
 * A claim is one operation in flight and the ranges of shared memory that it reads or writes.
 * Taking a range fails at once if it clashes: write over read or write, read over write. */
uint32_t claim_open(const char *operation, Site at, const Thread *issuer);
void claim_read(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes);
void claim_write(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes); /* and poisons */
void claim_release_read(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes);
/* Fails if anyone wrote there since it was claimed. */
void claim_release_write(uint32_t claim, Block &block, uint32_t offset, uint32_t bytes);
void claim_close(uint32_t claim);
/* An ordinary access of `thread`, through an operation or, in race mode, by plain code. */
void check_read(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes,
                const char *operation, Site at);
void check_write(const Thread &thread, Block &block, uint32_t offset, uint32_t bytes,
                 const char *operation, Site at);

/* ---- cp.async ---- */
/* Lands all copies that `thread` has issued so far, committed or not, in the name of an agent: for
 * an arrival that the copies trigger. */
size_t copies_issued(const Thread &thread);
void copies_land(Thread &thread, size_t count);

/* ---- options ---- */
extern emu_options options;
uint64_t random_below(uint64_t bound); /* EMU_RANDOM's numbers; 0 under the other schedules */

/* ---- launches ---- */
struct Shape {
  int cluster;
  int64_t grid;
  int threads;
  size_t dynamic_bytes;
};
/* body(argument) is one thread of the kernel. */
bench_code launch(const Shape &shape, void (*body)(void *), void *argument);

}  // namespace emu

#endif
