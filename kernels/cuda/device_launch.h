/* Launching a kernel from the host: the part of device.h that is not for kernels. */
#ifndef BENCH_CUDA_DEVICE_LAUNCH_H
#define BENCH_CUDA_DEVICE_LAUNCH_H

#include "cuda/device.h"

/* BENCH_LAUNCH(kernel, grid, block, smem_bytes, stream, argument...) enqueues and gives 0 or a
 * bench_code; kernel<T, N> with a comma goes in parentheses. The text of a refused launch stays
 * with the runtime, and the backend's next sync() reports it. Dynamic shared memory above 48 KiB
 * is opted in to. */
#define BENCH_LAUNCH(kernel, grid, block, smem_bytes, stream, ...) \
  bench_cuda_launch(kernel, 1, grid, block, smem_bytes, stream, __VA_ARGS__)
/* The same in clusters of `cluster` blocks, at most 8, of which `grid` is a multiple. */
#define BENCH_LAUNCH_CLUSTER(kernel, cluster, grid, block, smem_bytes, stream, ...) \
  bench_cuda_launch(kernel, cluster, grid, block, smem_bytes, stream, __VA_ARGS__)

#define BENCH_SMEM_DEFAULT 49152

template <typename... Parameters, typename... Arguments>
static bench_code bench_cuda_launch(void (*kernel)(Parameters...), unsigned cluster, dim3 grid,
                                    dim3 block, size_t smem_bytes, void *stream,
                                    Arguments... arguments) {
  if (smem_bytes > BENCH_SMEM_DEFAULT &&
      cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, (int)smem_bytes) !=
          cudaSuccess) {
    return BENCH_ERR_DEVICE;
  }
  cudaLaunchAttribute shape = {};
  shape.id = cudaLaunchAttributeClusterDimension;
  shape.val.clusterDim.x = cluster;
  shape.val.clusterDim.y = 1;
  shape.val.clusterDim.z = 1;
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = smem_bytes;
  config.stream = static_cast<cudaStream_t>(stream);
  config.attrs = &shape;
  config.numAttrs = cluster > 1 ? 1 : 0; /* GPUs before sm_90 know no clusters */
  const cudaError_t error =
      cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
  return error == cudaSuccess ? BENCH_OK : BENCH_ERR_DEVICE;
}

/* Multiprocessors of the current GPU, for a kernel's choice of its grid; 1 if it does not say. */
static inline int device_sm_count() {
  int device = 0;
  int count = 0;
  const bool known =
      cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device) == cudaSuccess;
  return known ? count : 1;
}

#endif
