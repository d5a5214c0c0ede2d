/* The only header through which a kernel in kernels/cuda sees CUDA.
 *
 * A kernel is written against the names below and holds no CUDA syntax of its own: no __shared__,
 * no <<< >>>, no inline assembly and no conditional on compiler or architecture. So the same
 * source can be compiled against another header of this name that runs it on the host, with real
 * barriers, for tests. Each name is as thin as can be: on a GPU it is one instruction, one
 * qualifier or one launch. */
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
#define BENCH_DEVICE_FN static __device__ __forceinline__
#define BENCH_DEVICE_MEMBER __device__ __forceinline__ /* a member function of a struct */

/* BENCH_SHARED(float, scores, [128]); is an array of the block. BENCH_DYN_SMEM(bytes, 16); is the
 * memory whose size the launch gives, as unsigned char. Contents are undefined at the start. */
#define BENCH_SHARED(type, name, extent) __shared__ type name extent
#define BENCH_DYN_SMEM(name, alignment)  \
  extern __shared__ __align__(alignment) \
  unsigned char name[]

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

/* The value of the lane whose number differs in the bits of `mask`; all 32 lanes take part. */
BENCH_DEVICE_FN float shfl_xor(float value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
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

/* 2^x as the special function unit gives it: 2 ulp, and 0 for -inf. log_natural: full accuracy. */
BENCH_DEVICE_FN float exp2_approx(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}
BENCH_DEVICE_FN float log_natural(float x) {
  return logf(x);
}
BENCH_DEVICE_FN float minus_infinity() {
  return __int_as_float((int)0xff800000u);
}

/* BENCH_LAUNCH(kernel, grid, block, smem_bytes, stream, argument...) enqueues and gives 0 or a
 * bench_code; kernel<T, N> with a comma goes in parentheses. The text of a refused launch stays
 * with the runtime, and the backend's next sync() reports it. Dynamic shared memory above 48 KiB
 * is opted in to. */
#define BENCH_LAUNCH(kernel, grid, block, smem_bytes, stream, ...) \
  bench_cuda_launch(kernel, grid, block, smem_bytes, stream, __VA_ARGS__)

#define BENCH_SMEM_DEFAULT 49152

template <typename... Parameters, typename... Arguments>
static bench_code bench_cuda_launch(void (*kernel)(Parameters...), dim3 grid, dim3 block,
                                    size_t smem_bytes, void *stream, Arguments... arguments) {
  if (smem_bytes > BENCH_SMEM_DEFAULT &&
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem_bytes) !=
          cudaSuccess) {
    return BENCH_ERR_DEVICE;
  }
  kernel<<<grid, block, smem_bytes, static_cast<cudaStream_t>(stream)>>>(arguments...);
  return cudaPeekAtLastError() == cudaSuccess ? BENCH_OK : BENCH_ERR_DEVICE;
}

#endif
