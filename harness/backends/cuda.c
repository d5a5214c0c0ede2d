/* The cuda backend: memory, order of work and clock of one GPU, by the C API of the CUDA runtime.
 *
 * It is built with the kernels into the plug-in libbench_cuda.so, with the runtime linked in
 * statically and one exported symbol. The runtime finds the driver by itself at the first call,
 * and every call of it returns an error where there is none: nothing here needs a driver to load.
 *
 * The clock. An event is a time stamp that the GPU takes when its stream comes to it; two of them
 * around the launches leave the host's latency out. cudaEventElapsedTime gives milliseconds in
 * float: a resolution of about 0.5 us by the documentation, and 24 bits of mantissa, which are
 * finer than that up to 4 s. A shorter region is timed by repeating it, which is the caller's. */
#include <cuda_runtime_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/kernel_tables.h"
#include "bench/backend.h"
#include "bench/cublas.h"

#define FLUSH_PIECES 16

struct bench_context {
  bench_device device;
  cudaStream_t stream;
  cudaEvent_t start;
  cudaEvent_t stop;
  char *flush; /* flush_bytes, and one piece of them behind; NULL until the first flush */
  size_t flush_bytes;
};

/* An exhausted memory is an answer and leaves the context usable; of other faults nobody knows. */
static bench_code check(cudaError_t status, const char *what, bench_error *error) {
  if (status == cudaSuccess) {
    return BENCH_OK;
  }
  cudaGetLastError(); /* reported here, so not again by the next sync */
  return bench_fail(error, status == cudaErrorMemoryAllocation ? BENCH_ERR_NOMEM : BENCH_ERR_DEVICE,
                    "%s: %s (%s)", what, cudaGetErrorString(status), cudaGetErrorName(status));
}

/* The runtime calls both no driver and too old a driver cudaErrorInsufficientDriver; the version
 * of a driver that is not there is 0. */
static int cuda_device_count(bench_error *why_none) {
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

static bench_code read_device(int index, bench_device *out, bench_error *error) {
  struct cudaDeviceProp properties;
  int driver = 0;
  int toolkit = 0;
  bench_code code =
      check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties", error);
  if (code == BENCH_OK) {
    code = check(cudaDriverGetVersion(&driver), "cudaDriverGetVersion", error);
  }
  if (code == BENCH_OK) {
    code = check(cudaRuntimeGetVersion(&toolkit), "cudaRuntimeGetVersion", error);
  }
  memset(out, 0, sizeof *out);
  if (code == BENCH_OK) {
    code = check(cudaDeviceGetPCIBusId(out->pci_bus_id, sizeof out->pci_bus_id, index),
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

static void cuda_close(bench_context *context) {
  cudaFree(context->flush);
  if (context->stop != NULL) {
    cudaEventDestroy(context->stop);
  }
  if (context->start != NULL) {
    cudaEventDestroy(context->start);
  }
  if (context->stream != NULL) {
    cudaStreamDestroy(context->stream);
  }
  free(context);
}

static bench_code cuda_open(int index, int threads, bench_context **out, bench_error *error) {
  (void)threads; /* of the cpu backend */
  bench_error why_none;
  const int count = cuda_device_count(&why_none);
  if (count == 0) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%.1000s", why_none.message);
  }
  if (index < 0 || index >= count) {
    return bench_fail(error, BENCH_ERR_USAGE, "device %d is not one of the %d CUDA devices", index,
                      count);
  }
  bench_context *context = calloc(1, sizeof *context);
  if (context == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "host memory is exhausted");
  }
  bench_code code = check(cudaSetDevice(index), "cudaSetDevice", error);
  if (code == BENCH_OK) {
    code = read_device(index, &context->device, error);
  }
  if (code == BENCH_OK) {
    code = check(cudaStreamCreateWithFlags(&context->stream, cudaStreamNonBlocking),
                 "cudaStreamCreate", error);
  }
  if (code == BENCH_OK) {
    code = check(cudaEventCreate(&context->start), "cudaEventCreate", error);
  }
  if (code == BENCH_OK) {
    code = check(cudaEventCreate(&context->stop), "cudaEventCreate", error);
  }
  if (code != BENCH_OK) {
    cuda_close(context);
    return code;
  }
  *out = context;
  return BENCH_OK;
}

static const bench_device *cuda_device(const bench_context *context) {
  return &context->device;
}

static bench_code cuda_alloc(bench_context *context, size_t bytes, void **out, bench_error *error) {
  (void)context;
  char what[64];
  snprintf(what, sizeof what, "cudaMalloc of %zu bytes", bytes);
  return check(cudaMalloc(out, bytes), what, error);
}

static void cuda_free(bench_context *context, void *memory) {
  (void)context;
  cudaFree(memory);
}

static bench_code cuda_sync(bench_context *context, bench_error *error) {
  bench_code code = check(cudaStreamSynchronize(context->stream), "cudaStreamSynchronize", error);
  if (code != BENCH_OK) {
    return code;
  }
  return check(cudaGetLastError(), "a kernel's launch", error);
}

/* Copies and fills are ordered with the kernels by standing in their stream. */
static bench_code copy(bench_context *context, void *to, const void *from, size_t bytes,
                       enum cudaMemcpyKind kind, bench_error *error) {
  bench_code code =
      check(cudaMemcpyAsync(to, from, bytes, kind, context->stream), "cudaMemcpyAsync", error);
  return code == BENCH_OK ? cuda_sync(context, error) : code;
}

static bench_code cuda_upload(bench_context *context, void *to, const void *from, size_t bytes,
                              bench_error *error) {
  return copy(context, to, from, bytes, cudaMemcpyHostToDevice, error);
}

static bench_code cuda_download(bench_context *context, void *to, const void *from, size_t bytes,
                                bench_error *error) {
  return copy(context, to, from, bytes, cudaMemcpyDeviceToHost, error);
}

static bench_code cuda_fill(bench_context *context, void *to, int byte, size_t bytes,
                            bench_error *error) {
  bench_code code =
      check(cudaMemsetAsync(to, byte, bytes, context->stream), "cudaMemsetAsync", error);
  return code == BENCH_OK ? cuda_sync(context, error) : code;
}

static bench_code cuda_memory_free(bench_context *context, int64_t *bytes, bench_error *error) {
  (void)context;
  size_t free_bytes;
  size_t total_bytes;
  bench_code code = check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo", error);
  if (code == BENCH_OK) {
    *bytes = (int64_t)free_bytes;
  }
  return code;
}

static void *cuda_stream(bench_context *context) {
  return context->stream;
}

/* Writes twice the L2, then reads it back. The read is a copy onto one piece, over and over: a
 * copy of the whole would leave the cache full of written lines, and the timed kernel would pay
 * for their way to memory. So no more than that piece, an eighth of the cache, is left dirty. */
static bench_code cuda_flush_cache(bench_context *context, bench_error *error) {
  if (context->flush == NULL) {
    const size_t piece = 2 * (size_t)context->device.llc_bytes / FLUSH_PIECES;
    void *memory;
    bench_code code = cuda_alloc(context, (FLUSH_PIECES + 1) * piece, &memory, error);
    if (code != BENCH_OK) {
      return code;
    }
    context->flush = memory;
    context->flush_bytes = FLUSH_PIECES * piece;
  }
  const size_t piece = context->flush_bytes / FLUSH_PIECES;
  char *sink = context->flush + context->flush_bytes;
  cudaError_t status = cudaMemsetAsync(context->flush, 0, context->flush_bytes, context->stream);
  for (size_t i = 0; i < FLUSH_PIECES && status == cudaSuccess; i++) {
    status = cudaMemcpyAsync(sink, context->flush + i * piece, piece, cudaMemcpyDeviceToDevice,
                             context->stream);
  }
  bench_code code = check(status, "the flush of the L2 cache", error);
  return code == BENCH_OK ? cuda_sync(context, error) : code;
}

static bench_code cuda_gemm(bench_context *context, const bench_gemm *gemm, bench_error *error) {
  return bench_cublas_gemm(context->stream, gemm, error);
}

static bench_code cuda_timer_start(bench_context *context, bench_error *error) {
  return check(cudaEventRecord(context->start, context->stream), "cudaEventRecord", error);
}

static bench_code cuda_timer_stop(bench_context *context, double *time_ns, bench_error *error) {
  float milliseconds = 0;
  bench_code code =
      check(cudaEventRecord(context->stop, context->stream), "cudaEventRecord", error);
  if (code == BENCH_OK) {
    code = check(cudaEventSynchronize(context->stop), "cudaEventSynchronize", error);
  }
  if (code == BENCH_OK) {
    code = check(cudaGetLastError(), "a kernel's launch", error);
  }
  if (code == BENCH_OK) {
    code = check(cudaEventElapsedTime(&milliseconds, context->start, context->stop),
                 "cudaEventElapsedTime", error);
  }
  *time_ns = 1e6 * (double)milliseconds;
  return code;
}

static bench_backend backend = {
    .abi = BENCH_BACKEND_ABI,
    .name = "cuda",
    .kernels = bench_kernels_cuda,
    .kernel_count = 0, /* set by bench_backend_plugin: a constant of another file is none in C */
    .host_memory = false,
    .device_count = cuda_device_count,
    .open = cuda_open,
    .close = cuda_close,
    .device = cuda_device,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .upload = cuda_upload,
    .download = cuda_download,
    .fill = cuda_fill,
    .memory_free = cuda_memory_free,
    .stream = cuda_stream,
    .sync = cuda_sync,
    .flush_cache = cuda_flush_cache,
    .gemm_why_not = bench_cublas_why_not,
    .gemm = cuda_gemm,
    .timer_start = cuda_timer_start,
    .timer_stop = cuda_timer_stop,
};

__attribute__((visibility("default"))) const bench_backend *bench_backend_plugin(void);

const bench_backend *bench_backend_plugin(void) {
  backend.kernel_count = bench_kernels_cuda_count;
  return &backend;
}
