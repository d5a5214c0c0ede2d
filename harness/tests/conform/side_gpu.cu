/* A GPU, through the CUDA runtime, which is linked statically: without a driver it says so. */
#include <cuda_runtime.h>
#include <stdio.h>

#include "side.h"

static const char *open_gpu(int *cc, char *device, size_t device_bytes) {
  cudaDeviceProp properties;
  int count = 0;
  cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess) {
    error = cudaGetDeviceProperties(&properties, 0);
  }
  if (error != cudaSuccess) {
    return cudaGetErrorString(error);
  }
  *cc = properties.major * 10 + properties.minor;
  snprintf(device, device_bytes, "%s", properties.name);
  return nullptr;
}
static void *allocate(size_t bytes) {
  void *memory = nullptr;
  return cudaMalloc(&memory, bytes) == cudaSuccess ? memory : nullptr;
}
static void release(void *memory) {
  cudaFree(memory);
}
static bool put(void *to, const void *from, size_t bytes) {
  return cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice) == cudaSuccess;
}
static bool get(void *to, const void *from, size_t bytes) {
  return cudaMemcpy(to, from, bytes, cudaMemcpyDeviceToHost) == cudaSuccess;
}
static const char *finish() {
  const cudaError_t error = cudaDeviceSynchronize();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

const conform_side conform_gpu = {
    "cuda", conform_cuda_entries, conform_cuda_entries_count, open_gpu, allocate, release, put, get,
    finish};
