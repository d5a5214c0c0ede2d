/* The host twin of kernels/cuda/device.h: the same names, executed by the runtime of kernels/emu.
 *
 * With kernels/emu first on the include path, a C++ compiler builds an unchanged .cu file against
 * it. Each operation takes its place in the kernel's source as a last argument of its own. What is
 * promised of an operation stands with the original; here stands what it does to be adversarial. */
#ifndef BENCH_CUDA_DEVICE_H
#define BENCH_CUDA_DEVICE_H

#include <math.h>
#include <string.h>

#include <tuple>
#include <utility>

#include "bench/kernel.h"
#include "emu/runtime.h"
#include "emu/sm80.h"

#define BENCH_KERNEL_FN(threads)
#define BENCH_KERNEL_FN_BLOCKS(threads, blocks_per_sm)
#define BENCH_DEVICE_FN static inline
#define BENCH_DEVICE_MEMBER inline
#define BENCH_UNROLL
#define BENCH_GRID_CONSTANT
#define BENCH_WARP 32

/* An array's place in the block's arena is found by the address of a constant of its own. */
#define BENCH_SHARED(type, name, extent)             \
  static const char name##_slot = 0;                 \
  type(&name) extent = *static_cast<type(*) extent>( \
      emu::shared_static(&name##_slot, #name, sizeof(type extent), alignof(type)))
#define BENCH_DYN_SMEM(name, alignment) unsigned char *const name = emu::shared_dynamic(alignment)

BENCH_DEVICE_FN int thread_x() {
  return emu::self->index;
}
BENCH_DEVICE_FN int block_dim_x() {
  return emu::self->block->group->threads;
}
BENCH_DEVICE_FN int64_t block_x() {
  return emu::self->block->index;
}
BENCH_DEVICE_FN int64_t grid_x() {
  return emu::self->block->group->grid;
}

/* Barriers. */
BENCH_DEVICE_FN void sync_threads(EMU_AT) {
  if (emu::site("sync_threads", at)) {
    emu::barrier_arrive(0, 0, true, false, "sync_threads", at);
  }
}
BENCH_DEVICE_FN bool sync_threads_or(bool value, EMU_AT) {
  return emu::site("sync_threads_or", at)
             ? emu::barrier_arrive(0, 0, true, value, "sync_threads_or", at)
             : value;
}
BENCH_DEVICE_FN void sync_warp(EMU_AT) {
  emu::warp_sync(at);
}

/* Lanes. */
BENCH_DEVICE_FN uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
BENCH_DEVICE_FN float bits_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}
#define EMU_SHUFFLE(name, kind, operand)                                                \
  BENCH_DEVICE_FN float name(float value, int operand, EMU_AT) {                        \
    return bits_float(emu::exchange(emu::kind, float_bits(value), operand, #name, at)); \
  }                                                                                     \
  BENCH_DEVICE_FN uint32_t name(uint32_t value, int operand, EMU_AT) {                  \
    return emu::exchange(emu::kind, value, operand, #name, at);                         \
  }                                                                                     \
  BENCH_DEVICE_FN int name(int value, int operand, EMU_AT) {                            \
    return (int)emu::exchange(emu::kind, (uint32_t)value, operand, #name, at);          \
  }
EMU_SHUFFLE(shfl, LANE, lane)
EMU_SHUFFLE(shfl_xor, XOR, mask)
EMU_SHUFFLE(shfl_down, DOWN, delta)
EMU_SHUFFLE(shfl_up, UP, delta)
#undef EMU_SHUFFLE
BENCH_DEVICE_FN uint32_t warp_ballot(bool value, EMU_AT) {
  return emu::ballot(value, "warp_ballot", at);
}
BENCH_DEVICE_FN bool warp_any(bool value, EMU_AT) {
  return emu::ballot(value, "warp_any", at) != 0;
}
BENCH_DEVICE_FN bool warp_all(bool value, EMU_AT) {
  return emu::ballot(!value, "warp_all", at) == 0;
}

/* Memory of the device. */
template <typename T>
BENCH_DEVICE_FN T load_global(const T *from) {
  return *from;
}
struct alignas(16) dev_u128 {
  uint32_t x, y, z, w;
};
BENCH_DEVICE_FN dev_u128 load_global16(const void *from, EMU_AT) {
  dev_u128 value;
  emu::global_load(from, &value, sizeof value, "load_global16", at);
  return value;
}
BENCH_DEVICE_FN void store_global16(void *to, dev_u128 value, EMU_AT) {
  emu::global_store(to, &value, sizeof value, "store_global16", at);
}
BENCH_DEVICE_FN uint32_t atomic_add(uint32_t *to, uint32_t value, EMU_AT) {
  return emu::atomic(
      to, [=](uint32_t before) { return before + value; }, at);
}
BENCH_DEVICE_FN float atomic_add(float *to, float value, EMU_AT) {
  const auto sum = [=](uint32_t before) { return float_bits(bits_float(before) + value); };
  return bits_float(emu::atomic(reinterpret_cast<uint32_t *>(to), sum, at));
}
BENCH_DEVICE_FN int32_t atomic_max(int32_t *to, int32_t value, EMU_AT) {
  const auto larger = [=](uint32_t before) {
    return (uint32_t)((int32_t)before > value ? (int32_t)before : value);
  };
  return (int32_t)emu::atomic(reinterpret_cast<uint32_t *>(to), larger, at);
}
BENCH_DEVICE_FN uint32_t atomic_exch(uint32_t *to, uint32_t value, EMU_AT) {
  return emu::atomic(
      to, [=](uint32_t) { return value; }, at);
}
BENCH_DEVICE_FN void fence_device(EMU_AT) {
  emu::fence_device(at);
}
BENCH_DEVICE_FN uint32_t load_acquire(const uint32_t *from, EMU_AT) {
  return emu::load_acquire(from, at);
}
BENCH_DEVICE_FN void store_release(uint32_t *to, uint32_t value, EMU_AT) {
  emu::store_release(to, value, at);
}

/* Shared memory by its address. */
BENCH_DEVICE_FN smem_addr smem_of(const void *shared, EMU_AT) {
  return emu::shared_address(shared, at);
}
BENCH_DEVICE_FN dev_u128 load_shared16(smem_addr from, EMU_AT) {
  dev_u128 value;
  emu::shared_read(from, &value, sizeof value, "load_shared16", at);
  return value;
}
BENCH_DEVICE_FN void store_shared16(smem_addr to, dev_u128 value, EMU_AT) {
  emu::shared_write(to, &value, sizeof value, "store_shared16", at);
}
BENCH_DEVICE_FN uint32_t load_shared4(smem_addr from, EMU_AT) {
  uint32_t value;
  emu::shared_read(from, &value, sizeof value, "load_shared4", at);
  return value;
}
BENCH_DEVICE_FN void store_shared4(smem_addr to, uint32_t value, EMU_AT) {
  emu::shared_write(to, &value, sizeof value, "store_shared4", at);
}

/* Numbers. */
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
template <typename T>
BENCH_DEVICE_FN uint32_t pack2(float low, float high) {
  T halves[2];
  from_float(low, &halves[0]);
  from_float(high, &halves[1]);
  return halves[0].bits | (uint32_t)halves[1].bits << 16;
}
template <typename T>
BENCH_DEVICE_FN float unpack_low(uint32_t pair) {
  return to_float(T{(uint16_t)(pair & 0xffffu)});
}
template <typename T>
BENCH_DEVICE_FN float unpack_high(uint32_t pair) {
  return to_float(T{(uint16_t)(pair >> 16)});
}
BENCH_DEVICE_FN float exp2_approx(float x) {
  return exp2f(x);
}
BENCH_DEVICE_FN float log2_approx(float x) {
  return log2f(x);
}
BENCH_DEVICE_FN float rcp_approx(float x) {
  return 1.0f / x;
}
BENCH_DEVICE_FN float log_natural(float x) {
  return logf(x);
}
BENCH_DEVICE_FN float fma_rn(float a, float b, float c) {
  return fmaf(a, b, c);
}
BENCH_DEVICE_FN float max_f(float a, float b) {
  return fmaxf(a, b);
}
BENCH_DEVICE_FN float min_f(float a, float b) {
  return fminf(a, b);
}
BENCH_DEVICE_FN float minus_infinity() {
  return -INFINITY;
}

/* As many multiprocessors as the emulated device says it has; for the host part of a kernel. */
static inline int device_sm_count() {
  return emu::options.sm_count;
}

namespace emu {

/* The arguments become the kernel's parameters once; each thread has a copy, as on a GPU. */
template <typename... Parameters, typename... Arguments>
bench_code launch_kernel(void (*kernel)(Parameters...), int cluster, int64_t grid, int threads,
                         size_t smem_bytes, void *stream, Arguments... arguments) {
  (void)stream; /* a launch has ended when it returns */
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<Parameters...> parameters;
  } call = {kernel, std::tuple<Parameters...>(arguments...)};
  return launch(
      {cluster, grid, threads, smem_bytes},
      [](void *argument) {
        const Call &made = *static_cast<Call *>(argument);
        std::apply(made.kernel, made.parameters);
      },
      &call);
}

}  // namespace emu

#define BENCH_LAUNCH(kernel, grid, threads, smem_bytes, stream, ...) \
  emu::launch_kernel(kernel, 1, grid, threads, smem_bytes, stream, __VA_ARGS__)
#define BENCH_LAUNCH_CLUSTER(kernel, cluster, grid, threads, smem_bytes, stream, ...) \
  emu::launch_kernel(kernel, cluster, grid, threads, smem_bytes, stream, __VA_ARGS__)

#include "cuda/device_hopper.h"
#include "cuda/device_mma.h"

#endif
