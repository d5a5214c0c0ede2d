/* Which thread runs: the queue of those that can, the agents, and what to say if there is neither.
 */
#include <algorithm>

#include "emu/internal.h"

namespace emu {

Thread *self;
emu_options options = emu_options_default;

namespace {

/* Turns in which all that is left has polled in vain. */
constexpr int POLLS_MAX = 20000;

struct Stopped {}; /* thrown by whoever has found a fault, to the foot of its own stack */

/* Takes by the schedule: the oldest, the newest, or any. */
template <typename Item>
class Queue {
 public:
  bool empty() const {
    return head_ == items_.size();
  }
  void clear() {
    items_.clear();
    head_ = 0;
  }
  void push(Item item) {
    items_.push_back(std::move(item));
  }
  Item take() {
    if (options.schedule == EMU_RANDOM) {
      const size_t chosen = head_ + random_below(items_.size() - head_);
      std::swap(items_[chosen], items_.back());
    }
    if (options.schedule != EMU_FIFO) {
      Item item = std::move(items_.back());
      items_.pop_back();
      return item;
    }
    Item item = std::move(items_[head_++]);
    if (head_ == items_.size()) {
      clear();
    } else if (head_ >= 4096 && head_ * 2 >= items_.size()) {
      items_.erase(items_.begin(), items_.begin() + (std::ptrdiff_t)head_);
      head_ = 0;
    }
    return item;
  }

 private:
  std::vector<Item> items_;
  size_t head_ = 0;
};

Fiber host;
Group *group;
void (*kernel_body)(void *);
void *kernel_argument;
Queue<Thread *> ready;
Queue<std::function<void()>> agents;
std::vector<Thread *> polling;
bool has_progress; /* since the pollers last ran */
int vain_polls;
uint64_t random_state;

/* The next thread, or the host if none can run. `ends`: the current thread never runs again. */
void give_way(bool ends) {
  Thread *from = self;
  if (ready.empty()) {
    self = nullptr;
    fiber_switch(from->fiber, host, ends);
  } else {
    Thread *to = ready.take();
    if (to == from) {
      return;
    }
    self = to;
    fiber_switch(from->fiber, to->fiber, ends);
  }
  self = from;
}

void run_thread(Thread &thread) {
  kernel_body(kernel_argument);
  copies_end(thread);
  if (thread.block->extension != nullptr) {
    thread.block->extension->thread_ends(thread);
  }
  thread.done = true;
  thread.block->live--;
  group->live--;
  has_progress = true;
  meeting_loses(thread);
  barriers_lose(thread);
}

void thread_entry() {
  fiber_entered();
  bool has_ended = false;
  try {
    run_thread(*self);
    has_ended = true;
  } catch (const Stopped &) { /* the fault is kept */
  }
  if (!has_ended) {
    abandon_here();
  }
  give_way(true);
}

std::string state_text(const Waiting &waiting) {
  std::string text = place_text(waiting.at) + ": " + waiting.operation;
  if (waiting.tell != nullptr) {
    text += ": " + waiting.tell(waiting.what);
  }
  return text;
}
/* One line for threads in a row that wait for the same. */
std::string waiters_text() {
  std::string text;
  for (const Block *block : group->blocks) {
    for (size_t first = 0; first < block->threads.size();) {
      const Thread &thread = block->threads[first];
      size_t end = first + 1;
      if (thread.done) {
        first = end;
        continue;
      }
      const std::string state = state_text(thread.waiting);
      while (end < block->threads.size() && !block->threads[end].done &&
             state_text(block->threads[end].waiting) == state) {
        end++;
      }
      text += "\n  block " + std::to_string(block->index) + ", thread" +
              (end - first > 1 ? "s " : " ") + std::to_string(first) +
              (end - first > 1 ? "-" + std::to_string(end - 1) : "") + ": " + state;
      first = end;
    }
  }
  return text;
}

void report_deadlock() {
  const Thread *first = nullptr;
  for (const Block *block : group->blocks) {
    for (const Thread &thread : block->threads) {
      first = first == nullptr && !thread.done ? &thread : first;
    }
  }
  keep_fault(place_text(first->waiting.at) + ": block " + std::to_string(first->block->index) +
             ", thread " + std::to_string(first->index) + ": deadlock: no thread can go on" +
             waiters_text());
}

/* False: there is nothing left that could change anything. */
bool let_agent_act() {
  if (agents.empty()) {
    return false;
  }
  const std::function<void()> act = agents.take();
  has_progress = true;
  act();
  return true;
}

bool let_pollers_run() {
  vain_polls = has_progress ? 0 : vain_polls + 1;
  has_progress = false;
  if (polling.empty() || vain_polls > POLLS_MAX) {
    return false;
  }
  for (Thread *thread : polling) {
    ready.push(thread);
  }
  polling.clear();
  return true;
}

}  // namespace

Group *running_group() {
  return group;
}

uint64_t random_below(uint64_t bound) {
  if (options.schedule != EMU_RANDOM || bound < 2) {
    return 0;
  }
  /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (z ^ z >> 31) % bound;
}

void random_start() {
  random_state = options.seed;
}

void abandon() {
  throw Stopped();
}

void abandon_here() {
  Thread *from = self;
  self = nullptr;
  fiber_switch(from->fiber, host, true);
  __builtin_unreachable();
}

void make_ready(Thread &thread) {
  thread.blocked = false;
  ready.push(&thread);
}

void wait_in(WaitList &list, const Waiting &waiting) {
  self->waiting = waiting;
  self->blocked = true;
  list.threads.push_back(self);
  give_way(false);
}

void wake_all(WaitList &list) {
  has_progress = has_progress || !list.threads.empty();
  for (Thread *thread : list.threads) {
    make_ready(*thread);
  }
  list.threads.clear();
}

void poll(const Waiting &waiting) {
  self->waiting = waiting;
  polling.push_back(self);
  give_way(false);
}

void defer(std::function<void()> act) {
  agents.push(std::move(act));
}

static bool start_fibers() {
  ready.clear();
  agents.clear();
  polling.clear();
  has_progress = false;
  vain_polls = 0;
  fiber_host_starts();
  for (Block *block : group->blocks) {
    for (Thread &thread : block->threads) {
      if (!fiber_make(thread.fiber, thread_entry)) {
        keep_fault("the host has no memory for the threads' stacks");
        return false;
      }
      make_ready(thread);
    }
  }
  return true;
}

static void run_fibers() {
  while (!has_fault()) {
    if (!ready.empty()) {
      self = ready.take();
      fiber_switch(host, self->fiber, false);
      self = nullptr;
    } else if (!let_agent_act() && !let_pollers_run()) {
      break;
    }
  }
  if (has_fault()) {
    return;
  }
  if (group->live > 0) {
    report_deadlock();
    return;
  }
  for (Block *block : group->blocks) {
    if (block->extension != nullptr) {
      block->extension->block_ends();
    }
    arena_end(*block);
  }
}

void run_group(Group &to_run, void (*body)(void *), void *argument) {
  group = &to_run;
  kernel_body = body;
  kernel_argument = argument;
  host = Fiber();
  if (start_fibers()) {
    try {
      run_fibers();
    } catch (const Stopped &) { /* the fault is kept */
    }
  }
  for (Block *block : group->blocks) {
    for (Thread &thread : block->threads) {
      fiber_drop(thread.fiber);
    }
  }
  group = nullptr;
}

}  // namespace emu
