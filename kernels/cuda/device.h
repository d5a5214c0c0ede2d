/* The only header through which a kernel in kernels/cuda sees CUDA.
 *
 * A kernel is written against the names below and holds no CUDA syntax of its own: no __shared__,
 * no <<< >>>, no inline assembly and no conditional on compiler or architecture. So the same
 * source can be compiled against another header of this name that runs it on the host, with real
 * barriers, for tests. Each name is as thin as can be: on a GPU it is one instruction, one
 * qualifier or one launch.
 *
 * This file has what every GPU has. device_mma.h adds the tensor cores and asynchronous copies of
 * sm_80, device_hopper.h the barriers, the TMA and the wgmma of sm_90a. A name that the compiled
 * architecture lacks costs nothing until a kernel uses it; then ptxas refuses the file. */
#ifndef BENCH_CUDA_DEVICE_H
#define BENCH_CUDA_DEVICE_H

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include "bench/kernel.h"

/* A __global__ function that is launched with at most `threads` threads a block, and a function
 * that one calls. The 1 asks for no more than one block per multiprocessor, so that ptxas gives
 * the registers that the code wants: on sm_120 it would rather spill to fit more blocks. */
#define BENCH_KERNEL_FN(threads) __global__ __launch_bounds__(threads, 1)
/* The same for a kernel of which `blocks` are to fit a multiprocessor at a time. */
#define BENCH_KERNEL_FN_BLOCKS(threads, blocks) __global__ __launch_bounds__(threads, blocks)
/* A by-value parameter of which the kernel takes the address: const BENCH_GRID_CONSTANT Type x. */
#define BENCH_GRID_CONSTANT __grid_constant__
#define BENCH_DEVICE_FN static __device__ __forceinline__
#define BENCH_DEVICE_MEMBER __device__ __forceinline__ /* a member function of a struct */
/* Before a loop of constant length that must be unrolled, as arrays in registers have no index. */
#define BENCH_UNROLL _Pragma("unroll")

/* BENCH_SHARED(float, scores, [128]); is an array of the block. BENCH_DYN_SMEM(bytes, 16); is the
 * memory whose size the launch gives, as unsigned char. Contents are undefined at the start. */
#define BENCH_SHARED(type, name, extent) __shared__ type name extent
#define BENCH_DYN_SMEM(name, alignment)  \
  extern __shared__ __align__(alignment) \
  unsigned char name[]

/* An address in the block's shared memory as the instructions take it: in the shared window, 32
 * bits (PTX ISA, "State spaces"). Shared memory may also be read and written through pointers. */
typedef uint32_t smem_addr;
BENCH_DEVICE_FN smem_addr smem_of(const void *shared) {
  return (smem_addr)__cvta_generic_to_shared(shared);
}
/* The way back. The compiler sees through both, so that neither costs an instruction. */
template <typename T>
BENCH_DEVICE_FN T *dev_shared_pointer(smem_addr address) {
  return static_cast<T *>(__cvta_shared_to_generic(address));
}

/* Place in block and grid. */
#define BENCH_WARP 32
BENCH_DEVICE_FN int thread_x() {
  return (int)threadIdx.x;
}
BENCH_DEVICE_FN int block_dim_x() {
  return (int)blockDim.x;
}
BENCH_DEVICE_FN int64_t block_x() {
  return blockIdx.x;
}
BENCH_DEVICE_FN int64_t grid_x() {
  return gridDim.x;
}

/* All threads of the block, or of the warp, have come here, and see what the others wrote. */
BENCH_DEVICE_FN void sync_threads() {
  __syncthreads();
}
BENCH_DEVICE_FN void sync_warp() {
  __syncwarp();
}

/* The barrier of the block, which tells every thread whether any said so. */
BENCH_DEVICE_FN bool sync_threads_or(bool said) {
  return __syncthreads_or(said) != 0;
}
/* Named barrier ID, 1 to 15 (0 is sync_threads): `threads`, a multiple of 32, is the number that
 * comes to it, those that only arrive included. Memory is ordered as by sync_threads. ID is a
 * constant, because a variable one makes ptxas keep all 16. PTX ISA, "bar, barrier". */
template <int ID>
BENCH_DEVICE_FN void bar_sync(int threads) {
  static_assert(ID >= 1 && ID <= 15, "there are barriers 1 to 15");
  asm volatile("bar.sync %0, %1;" ::"n"(ID), "r"(threads) : "memory");
}
template <int ID>
BENCH_DEVICE_FN void bar_arrive(int threads) {
  static_assert(ID >= 1 && ID <= 15, "there are barriers 1 to 15");
  asm volatile("bar.arrive %0, %1;" ::"n"(ID), "r"(threads) : "memory");
}

/* The value of another lane; all 32 lanes take part. shfl: of lane `lane`. shfl_xor: of the lane
 * whose number differs in the bits of `mask`. shfl_down, shfl_up: of the lane `by` above, below;
 * its own where there is none. */
#define BENCH_SHUFFLES(type)                                   \
  BENCH_DEVICE_FN type shfl(type value, int lane) {            \
    return __shfl_sync(0xffffffffu, value, lane);              \
  }                                                            \
  BENCH_DEVICE_FN type shfl_xor(type value, int mask) {        \
    return __shfl_xor_sync(0xffffffffu, value, mask);          \
  }                                                            \
  BENCH_DEVICE_FN type shfl_down(type value, int by) {         \
    return __shfl_down_sync(0xffffffffu, value, (unsigned)by); \
  }                                                            \
  BENCH_DEVICE_FN type shfl_up(type value, int by) {           \
    return __shfl_up_sync(0xffffffffu, value, (unsigned)by);   \
  }
BENCH_SHUFFLES(float)
BENCH_SHUFFLES(int)
BENCH_SHUFFLES(uint32_t)
#undef BENCH_SHUFFLES

/* Votes of all 32 lanes; bit n of the ballot is lane n's. */
BENCH_DEVICE_FN uint32_t warp_ballot(bool said) {
  return __ballot_sync(0xffffffffu, said);
}
BENCH_DEVICE_FN bool warp_any(bool said) {
  return __any_sync(0xffffffffu, said) != 0;
}
BENCH_DEVICE_FN bool warp_all(bool said) {
  return __all_sync(0xffffffffu, said) != 0;
}

/* A read of memory that no one writes while the kernel runs. */
template <typename T>
BENCH_DEVICE_FN T load_global(const T *from) {
  return __ldg(from);
}
/* __ldg knows no int64_t and uint64_t, which are long here. */
BENCH_DEVICE_FN int64_t load_global(const int64_t *from) {
  return (int64_t)__ldg((const long long *)from);
}
BENCH_DEVICE_FN uint64_t load_global(const uint64_t *from) {
  return (uint64_t)__ldg((const unsigned long long *)from);
}

/* 16 bytes at a time; the address is a multiple of 16. Other blocks may write what
 * load_global16 reads, if a barrier or an acquire stands between. */
struct alignas(16) dev_u128 {
  uint32_t x, y, z, w;
};
BENCH_DEVICE_FN dev_u128 load_global16(const void *from) {
  const uint4 v = *static_cast<const uint4 *>(from);
  return dev_u128{v.x, v.y, v.z, v.w};
}
BENCH_DEVICE_FN void store_global16(void *to, dev_u128 value) {
  *static_cast<uint4 *>(to) = make_uint4(value.x, value.y, value.z, value.w);
}
BENCH_DEVICE_FN dev_u128 load_shared16(smem_addr from) {
  const uint4 v = *dev_shared_pointer<uint4>(from);
  return dev_u128{v.x, v.y, v.z, v.w};
}
BENCH_DEVICE_FN void store_shared16(smem_addr to, dev_u128 value) {
  *dev_shared_pointer<uint4>(to) = make_uint4(value.x, value.y, value.z, value.w);
}
BENCH_DEVICE_FN uint32_t load_shared4(smem_addr from) {
  return *dev_shared_pointer<uint32_t>(from);
}
BENCH_DEVICE_FN void store_shared4(smem_addr to, uint32_t value) {
  *dev_shared_pointer<uint32_t>(to) = value;
}

/* Between blocks. The atomics give the value that was there, and order nothing: fence_device()
 * orders the writes and reads before it with those after it, for all threads of the GPU.
 * A read by load_acquire of what store_release wrote makes all that came before the store visible
 * after the load (PTX ISA, "Memory consistency model"). */
BENCH_DEVICE_FN uint32_t atomic_add(uint32_t *global, uint32_t value) {
  return atomicAdd(global, value);
}
BENCH_DEVICE_FN float atomic_add(float *global, float value) {
  return atomicAdd(global, value);
}
BENCH_DEVICE_FN int32_t atomic_max(int32_t *global, int32_t value) {
  return atomicMax(global, value);
}
BENCH_DEVICE_FN uint32_t atomic_exch(uint32_t *global, uint32_t value) {
  return atomicExch(global, value);
}
BENCH_DEVICE_FN void fence_device() {
  __threadfence();
}
BENCH_DEVICE_FN uint32_t load_acquire(const uint32_t *global) {
  uint32_t value;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
               : "=r"(value)
               : "l"(__cvta_generic_to_global(global))
               : "memory");
  return value;
}
BENCH_DEVICE_FN void store_release(uint32_t *global, uint32_t value) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(global)),
               "r"(value)
               : "memory");
}

/* Storage types and their way to float and back, rounding to nearest even. */
typedef __half dev_fp16;
typedef __nv_bfloat16 dev_bf16;
BENCH_DEVICE_FN float to_float(float value) {
  return value;
}
BENCH_DEVICE_FN float to_float(dev_fp16 value) {
  return __half2float(value);
}
BENCH_DEVICE_FN float to_float(dev_bf16 value) {
  return __bfloat162float(value);
}
BENCH_DEVICE_FN void from_float(float value, float *out) {
  *out = value;
}
BENCH_DEVICE_FN void from_float(float value, dev_fp16 *out) {
  *out = __float2half_rn(value);
}
BENCH_DEVICE_FN void from_float(float value, dev_bf16 *out) {
  *out = __float2bfloat16_rn(value);
}

/* Two values in a word, as fragments hold them: `low` in bits 0-15. */
template <typename T>
BENCH_DEVICE_FN uint32_t pack2(float low, float high);
template <>
__device__ __forceinline__ uint32_t pack2<dev_fp16>(float low, float high) {
  const __half2 pair = __floats2half2_rn(low, high);
  return *reinterpret_cast<const uint32_t *>(&pair);
}
template <>
__device__ __forceinline__ uint32_t pack2<dev_bf16>(float low, float high) {
  const __nv_bfloat162 pair = __floats2bfloat162_rn(low, high);
  return *reinterpret_cast<const uint32_t *>(&pair);
}
template <typename T>
BENCH_DEVICE_FN float unpack_low(uint32_t pair) {
  return to_float(reinterpret_cast<const T *>(&pair)[0]);
}
template <typename T>
BENCH_DEVICE_FN float unpack_high(uint32_t pair) {
  return to_float(reinterpret_cast<const T *>(&pair)[1]);
}
BENCH_DEVICE_FN uint32_t float_bits(float value) {
  return __float_as_uint(value);
}
BENCH_DEVICE_FN float bits_float(uint32_t bits) {
  return __uint_as_float(bits);
}

/* 2^x, log2(x) and 1/x as the special function unit gives them (PTX ISA, "ex2", "lg2", "rcp"):
 * exp2_approx to 2 ulp, 0 for -inf; log2_approx to 2^-22 of 1 near 1, else to 2^-22 relative, -inf
 * for 0; rcp_approx to 1 ulp, inf for 0. Subnormals count as 0 in all. log_natural: full accuracy.
 */
BENCH_DEVICE_FN float exp2_approx(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
BENCH_DEVICE_FN float log2_approx(float x) {
  float result;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
BENCH_DEVICE_FN float rcp_approx(float x) {
  float result;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
BENCH_DEVICE_FN float log_natural(float x) {
  return logf(x);
}
/* a * b + c, rounded once. The larger and the smaller; of a NaN and a number, the number. */
BENCH_DEVICE_FN float fma_rn(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
BENCH_DEVICE_FN float max_f(float a, float b) {
  return fmaxf(a, b);
}
BENCH_DEVICE_FN float min_f(float a, float b) {
  return fminf(a, b);
}
BENCH_DEVICE_FN float minus_infinity() {
  return __int_as_float((int)0xff800000u);
}

#include "cuda/device_hopper.h"
#include "cuda/device_launch.h"
#include "cuda/device_mma.h"
#include "cuda/device_tensor_map.h"
#include "cuda/device_tma.h"
#include "cuda/device_wgmma.h"

#endif
