/* A stand-in for kernels/cuda/device.h that runs a kernel on the host, one block after the other.
 * Put first on the include path, it lets a C++ compiler build an unchanged .cu file for a test.
 *
 * The threads of a block are fibers (ucontext) of one thread of the host, in turn; which of them
 * goes first alternates from block to block, so that a missing barrier shows as a wrong number in
 * one order or the other. A barrier gives way to the others until all have come; a warp's shuffle
 * does so for its 32 lanes. Shared memory is filled with NaN at the start of each block. It knows
 * only what the kernels tested with it use. */
#ifndef BENCH_CUDA_DEVICE_H
#define BENCH_CUDA_DEVICE_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <map>
#include <vector>

#include "bench/kernel.h"

#define BENCH_KERNEL_FN(threads)
#define BENCH_DEVICE_FN static inline
#define BENCH_DEVICE_MEMBER inline
#define BENCH_WARP 32

namespace host {

struct Fiber {
  ucontext_t context;
  std::vector<char> stack;
  bool done;
};

struct Meeting { /* of the fibers of a block or of a warp */
  int arrived;
  int generation;
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<Meeting> warps;
  std::vector<float> values[2]; /* of the lanes in a shuffle: this one's and the last one's */
  Meeting all;
  ucontext_t scheduler;
  void (*body)(void *);
  void *argument;
  std::map<const void *, std::vector<char>> shared; /* by declaration */
  int thread;
  int64_t index;
  int64_t grid;
};

inline Block block;

inline void give_way() {
  swapcontext(&block.fibers[block.thread].context, &block.scheduler);
}

inline void meet(Meeting &meeting, int expected) {
  const int generation = meeting.generation;
  if (++meeting.arrived == expected) {
    meeting.arrived = 0;
    meeting.generation++;
    return;
  }
  while (meeting.generation == generation) {
    give_way();
  }
}

inline void *shared(const void *key, size_t bytes) {
  std::vector<char> &memory = block.shared[key];
  if (memory.empty()) {
    memory.assign(bytes, (char)0xff);
  }
  return memory.data();
}

inline void fiber_main() {
  block.body(block.argument);
  block.fibers[block.thread].done = true;
  give_way();
}

/* Runs the fibers in turn until all are done. If none can go on, no turn changes anything and the
 * count of turns runs out: a barrier that not all threads come to. */
inline bool run_block(int threads) {
  for (int t = 0; t < threads; t++) {
    Fiber &fiber = block.fibers[t];
    fiber.done = false;
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack.data();
    fiber.context.uc_stack.ss_size = fiber.stack.size();
    makecontext(&fiber.context, fiber_main, 0);
  }
  for (int turn = 0; turn < 100000; turn++) {
    int left = 0;
    for (int n = 0; n < threads; n++) {
      block.thread = block.index % 2 == 0 ? n : threads - 1 - n;
      if (!block.fibers[block.thread].done) {
        swapcontext(&block.scheduler, &block.fibers[block.thread].context);
        left++;
      }
    }
    if (left == 0) {
      return true;
    }
  }
  return false;
}

/* The values of all lanes are in place once the warp has met; the next shuffle writes the other
 * array, and the one after that comes only when every lane has read this one. */
inline float shuffle(float value, int mask) {
  Meeting &warp = block.warps[block.thread / BENCH_WARP];
  std::vector<float> &values = block.values[warp.generation % 2];
  const int thread = block.thread;
  values[thread] = value;
  meet(warp, BENCH_WARP);
  return values[thread ^ mask];
}

template <typename Body>
bench_code launch(int64_t grid, int threads, Body body) {
  block.body = [](void *argument) { (*static_cast<Body *>(argument))(); };
  block.argument = &body;
  block.grid = grid;
  block.fibers.resize(threads);
  for (Fiber &fiber : block.fibers) {
    fiber.stack.resize(64 << 10);
  }
  block.values[0].assign(threads, NAN);
  block.values[1].assign(threads, NAN);
  for (block.index = 0; block.index < grid; block.index++) {
    block.warps.assign((threads + BENCH_WARP - 1) / BENCH_WARP, Meeting{});
    block.all = Meeting{};
    block.shared.clear();
    if (!run_block(threads)) {
      return BENCH_ERR_DEVICE;
    }
  }
  return BENCH_OK;
}

/* As a launch does: the arguments become the kernel's parameters once, by value. */
template <typename... Parameters, typename... Arguments>
bench_code launch_kernel(void (*kernel)(Parameters...), int64_t grid, int threads,
                         Arguments... arguments) {
  return launch(grid, threads, [=] { kernel(arguments...); });
}

}  // namespace host

#define BENCH_SHARED(type, name, extent) \
  static const char name##_key = 0;      \
  type(&name) extent = *static_cast<type(*) extent>(host::shared(&name##_key, sizeof(type extent)))

#define BENCH_LAUNCH(kernel, grid, threads, smem_bytes, stream, ...) \
  host::launch_kernel(kernel, grid, threads, __VA_ARGS__)

BENCH_DEVICE_FN int thread_x() {
  return host::block.thread;
}
BENCH_DEVICE_FN int64_t block_x() {
  return host::block.index;
}
BENCH_DEVICE_FN int64_t grid_x() {
  return host::block.grid;
}
BENCH_DEVICE_FN void sync_threads() {
  host::meet(host::block.all, (int)host::block.fibers.size());
}
BENCH_DEVICE_FN float shfl_xor(float value, int mask) {
  return host::shuffle(value, mask);
}
template <typename T>
BENCH_DEVICE_FN T load_global(const T *from) {
  return *from;
}

struct dev_fp16 {
  uint16_t bits;
};
struct dev_bf16 {
  uint16_t bits;
};
BENCH_DEVICE_FN float to_float(float value) {
  return value;
}
BENCH_DEVICE_FN float to_float(dev_fp16 value) {
  return bench_fp16_to_float(value.bits);
}
BENCH_DEVICE_FN float to_float(dev_bf16 value) {
  return bench_bf16_to_float(value.bits);
}
BENCH_DEVICE_FN void from_float(float value, float *out) {
  *out = value;
}
BENCH_DEVICE_FN void from_float(float value, dev_fp16 *out) {
  out->bits = bench_fp16_from_float(value);
}
BENCH_DEVICE_FN void from_float(float value, dev_bf16 *out) {
  out->bits = bench_bf16_from_float(value);
}
BENCH_DEVICE_FN float exp2_approx(float x) {
  return exp2f(x);
}
BENCH_DEVICE_FN float log_natural(float x) {
  return logf(x);
}
BENCH_DEVICE_FN float minus_infinity() {
  return -INFINITY;
}

#endif
