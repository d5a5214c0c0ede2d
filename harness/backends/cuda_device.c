/* The GPUs of this machine, as the CUDA runtime and sysfs describe them. */
#include "backends/cuda_device.h"

#include <stdio.h>
#include <string.h>

/* An exhausted memory is an answer and leaves the context usable; of other faults nobody knows. */
bench_code bench_cuda_check(cudaError_t status, const char *what, bench_error *error) {
  if (status == cudaSuccess) {
    return BENCH_OK;
  }
  cudaGetLastError(); /* reported here, so not again by the next sync */
  return bench_fail(error, status == cudaErrorMemoryAllocation ? BENCH_ERR_NOMEM : BENCH_ERR_DEVICE,
                    "%s: %s (%s)", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

/* The runtime calls both no driver and too old a driver cudaErrorInsufficientDriver; the version
 * of a driver that is not there is 0. */
int bench_cuda_device_count(bench_error *why_none) {
  int driver = 0;
  int count = 0;
  cudaError_t status = cudaDriverGetVersion(&driver);
  if (status == cudaSuccess && driver == 0) {
    bench_fail(why_none, BENCH_ERR_UNSUPPORTED, "no NVIDIA driver is installed on this machine");
    return 0;
  }
  if (status == cudaSuccess) {
    status = cudaGetDeviceCount(&count);
  }
  cudaGetLastError();
  if (status == cudaSuccess && count > 0) {
    return count;
  }
  if (status == cudaErrorInsufficientDriver) {
    bench_fail(why_none, BENCH_ERR_UNSUPPORTED,
               "the NVIDIA driver supports CUDA up to %d.%d, this build needs %d.%d", driver / 1000,
               driver % 1000 / 10, CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10);
  } else if (status == cudaSuccess || status == cudaErrorNoDevice) {
    bench_fail(why_none, BENCH_ERR_UNSUPPORTED,
               "the NVIDIA driver shows no GPU (CUDA_VISIBLE_DEVICES may hide it)");
  } else {
    bench_fail(why_none, BENCH_ERR_UNSUPPORTED, "the CUDA runtime does not start: %s (%s)",
               cudaGetErrorString(status), cudaGetErrorName(status));
  }
  return 0;
}

static void write_version(char *text, size_t capacity, int version) {
  snprintf(text, capacity, "%d.%d", version / 1000, version % 1000 / 10);
}

/* GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, as nvidia-smi writes it. */
static void write_uuid(char *text, size_t capacity, const cudaUUID_t *uuid) {
  size_t length = (size_t)snprintf(text, capacity, "GPU");
  for (size_t i = 0; i < sizeof uuid->bytes; i++) {
    const bool dash = i == 0 || i == 4 || i == 6 || i == 8 || i == 10;
    length += (size_t)snprintf(text + length, capacity - length, "%s%02x", dash ? "-" : "",
                               (unsigned char)uuid->bytes[i]);
  }
}

/* What sysfs says of the GPU's place; -1 where it does not know, as in most virtual machines. */
static int numa_node(const char *pci_bus_id) {
  char path[128];
  char id[32];
  size_t i = 0;
  for (; i < sizeof id - 1 && pci_bus_id[i] != '\0'; i++) {
    const char c = pci_bus_id[i];
    id[i] = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
  }
  id[i] = '\0';
  snprintf(path, sizeof path, "/sys/bus/pci/devices/%s/numa_node", id);
  FILE *file = fopen(path, "r");
  int node = -1;
  if (file != NULL) {
    if (fscanf(file, "%d", &node) != 1) {
      node = -1;
    }
    fclose(file);
  }
  return node;
}

bench_code bench_cuda_read_device(int index, bench_device *out, bench_error *error) {
  struct cudaDeviceProp properties;
  int driver = 0;
  int toolkit = 0;
  bench_code code = bench_cuda_check(cudaGetDeviceProperties(&properties, index),
                                     "cudaGetDeviceProperties", error);
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion", error);
  }
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaRuntimeGetVersion(&toolkit), "cudaRuntimeGetVersion", error);
  }
  memset(out, 0, sizeof *out);
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaDeviceGetPCIBusId(out->pci_bus_id, sizeof out->pci_bus_id, index),
                            "cudaDeviceGetPCIBusId", error);
  }
  if (code != BENCH_OK) {
    return code;
  }
  snprintf(out->backend, sizeof out->backend, "cuda");
  snprintf(out->name, sizeof out->name, "%.127s", properties.name);
  write_uuid(out->uuid, sizeof out->uuid, &properties.uuid);
  write_version(out->driver, sizeof out->driver, driver);
  write_version(out->toolkit, sizeof out->toolkit, toolkit);
  out->index = index;
  out->numa_node = numa_node(out->pci_bus_id);
  out->cc = properties.major * 10 + properties.minor;
  out->sm_count = properties.multiProcessorCount;
  out->smem_bytes = (int64_t)properties.sharedMemPerBlockOptin;
  out->mem_bytes = (int64_t)properties.totalGlobalMem;
  out->llc_bytes = properties.l2CacheSize;
  return BENCH_OK;
}
