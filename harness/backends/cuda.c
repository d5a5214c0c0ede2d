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
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cuda_device.h"
#include "backends/kernel_tables.h"
#include "bench/backend.h"
#include "bench/cublas.h"
#include "cuda/probe.h"

#define FLUSH_PIECES 16

/* Enqueuing a region takes milliseconds at most; a host that takes longer waits for the device. */
#define HOLD_LIMIT_NS UINT64_C(500000000)

struct bench_context {
  bench_device device;
  cudaStream_t stream;
  cudaEvent_t start;
  cudaEvent_t stop;
  char *flush; /* flush_bytes, and one piece of them behind; NULL until the first flush */
  size_t flush_bytes;
  cuda_probe_page *page; /* the host's and the device's */
  bool held;             /* the stream waits for page->release */
  bool hold_expired;     /* since it was asked: nothing is held */
};

static void release(bench_context *context) {
  if (context->held) {
    context->page->release = 1;
    context->held = false;
  }
}

static void cuda_close(bench_context *context) {
  release(context);
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
  cudaFreeHost(context->page);
  free(context);
}

static bench_code cuda_sync(bench_context *context, bench_error *error) {
  release(context);
  bench_code code =
      bench_cuda_check(cudaStreamSynchronize(context->stream), "cudaStreamSynchronize", error);
  if (code != BENCH_OK) {
    return code;
  }
  return bench_cuda_check(cudaGetLastError(), "a kernel's launch", error);
}

/* Every kernel of the probes once: what loads with the first launch must not load under a hold. */
static bench_code open_probes(bench_context *context, bench_error *error) {
  void *page = NULL;
  bench_code code = bench_cuda_check(
      cudaHostAlloc(&page, sizeof *context->page, cudaHostAllocMapped), "cudaHostAlloc", error);
  if (code != BENCH_OK) {
    return code;
  }
  memset(page, 0, sizeof *context->page);
  context->page = page;
  context->page->release = 1;
  code = cuda_probe_hold(context->stream, context->page, HOLD_LIMIT_NS);
  if (code == BENCH_OK) {
    code = cuda_probe_stamp(context->stream, context->device.sm_count, context->page, 0);
  }
  if (code == BENCH_OK) {
    code = cuda_probe_delay(context->stream, 1);
  }
  const bench_code done = cuda_sync(context, error);
  return done != BENCH_OK || code == BENCH_OK
             ? done
             : bench_fail(error, code, "the probes of the clock cannot be launched");
}

static bench_code cuda_open(int index, int threads, bench_context **out, bench_error *error) {
  (void)threads; /* of the cpu backend */
  bench_error why_none;
  const int count = bench_cuda_device_count(&why_none);
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
  bench_code code = bench_cuda_check(cudaSetDevice(index), "cudaSetDevice", error);
  if (code == BENCH_OK) {
    code = bench_cuda_read_device(index, &context->device, error);
  }
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaStreamCreateWithFlags(&context->stream, cudaStreamNonBlocking),
                            "cudaStreamCreate", error);
  }
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaEventCreate(&context->start), "cudaEventCreate", error);
  }
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaEventCreate(&context->stop), "cudaEventCreate", error);
  }
  if (code == BENCH_OK) {
    code = open_probes(context, error);
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
  return bench_cuda_check(cudaMalloc(out, bytes), what, error);
}

static void cuda_free(bench_context *context, void *memory) {
  (void)context;
  cudaFree(memory);
}

/* Copies and fills are ordered with the kernels by standing in their stream. */
static bench_code copy(bench_context *context, void *to, const void *from, size_t bytes,
                       enum cudaMemcpyKind kind, bench_error *error) {
  bench_code code = bench_cuda_check(cudaMemcpyAsync(to, from, bytes, kind, context->stream),
                                     "cudaMemcpyAsync", error);
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
      bench_cuda_check(cudaMemsetAsync(to, byte, bytes, context->stream), "cudaMemsetAsync", error);
  return code == BENCH_OK ? cuda_sync(context, error) : code;
}

static bench_code cuda_memory_free(bench_context *context, int64_t *bytes, bench_error *error) {
  (void)context;
  size_t free_bytes;
  size_t total_bytes;
  bench_code code =
      bench_cuda_check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo", error);
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
    const size_t piece = 2 * (size_t)bench_llc_bytes(&context->device) / FLUSH_PIECES;
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
  bench_code code = bench_cuda_check(status, "the flush of the L2 cache", error);
  return code == BENCH_OK ? cuda_sync(context, error) : code;
}

static bench_code cuda_gemm(bench_context *context, const bench_gemm *gemm, bench_error *error) {
  return bench_cublas_gemm(context->stream, gemm, error);
}

static bench_code probed(bench_code launched, bench_error *error) {
  return launched == BENCH_OK ? BENCH_OK
         : bench_cuda_check(cudaGetLastError(), "a probe's launch", error) == BENCH_OK
             ? bench_fail(error, launched, "a probe cannot be launched")
             : error->code;
}

/* With a host that waits for the device under every hold, each sample would take the limit. */
static bench_code cuda_hold(bench_context *context, bench_error *error) {
  if (context->hold_expired) {
    return BENCH_OK;
  }
  context->page->release = 0;
  context->page->expired = 0;
  context->held = true;
  return probed(cuda_probe_hold(context->stream, context->page, HOLD_LIMIT_NS), error);
}

static bool cuda_hold_expired(bench_context *context) {
  const bool expired = context->hold_expired;
  context->hold_expired = false;
  return expired;
}

static bench_code cuda_timer_start(bench_context *context, bench_error *error) {
  context->page->time_ns[0] = context->page->time_ns[1] = 0;
  bench_code code =
      probed(cuda_probe_stamp(context->stream, context->device.sm_count, context->page, 0), error);
  return code == BENCH_OK ? bench_cuda_check(cudaEventRecord(context->start, context->stream),
                                             "cudaEventRecord", error)
                          : code;
}

static bench_code cuda_timer_stop(bench_context *context, double *time_ns, bench_error *error) {
  float milliseconds = 0;
  bench_code code =
      bench_cuda_check(cudaEventRecord(context->stop, context->stream), "cudaEventRecord", error);
  if (code == BENCH_OK) {
    code = probed(cuda_probe_stamp(context->stream, context->device.sm_count, context->page, 1),
                  error);
  }
  const bool held = context->held;
  release(context);
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaEventSynchronize(context->stop), "cudaEventSynchronize", error);
  }
  context->hold_expired = context->hold_expired || (held && context->page->expired != 0);
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaGetLastError(), "a kernel's launch", error);
  }
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaEventElapsedTime(&milliseconds, context->start, context->stop),
                            "cudaEventElapsedTime", error);
  }
  *time_ns = 1e6 * (double)milliseconds;
  return code;
}

/* Of the region that was timed last: cycles of multiprocessor 0 over the time that all share. */
static bench_code cuda_clock_mhz(bench_context *context, double *mhz, bench_error *error) {
  const cuda_probe_page *page = context->page;
  bench_code code = cuda_sync(context, error);
  const double time_ns = (double)(page->time_ns[1] - page->time_ns[0]);
  const bool both = page->time_ns[0] != 0 && page->time_ns[1] > page->time_ns[0];
  *mhz = both ? 1e3 * (double)(page->cycles[1] - page->cycles[0]) / time_ns : NAN;
  return code;
}

static bench_code cuda_graph_begin(bench_context *context, bench_error *error) {
  return bench_cuda_check(cudaStreamBeginCapture(context->stream, cudaStreamCaptureModeThreadLocal),
                          "cudaStreamBeginCapture", error);
}

static bench_code cuda_graph_end(bench_context *context, void **graph, bench_error *error) {
  cudaGraph_t captured = NULL;
  cudaGraphExec_t executable = NULL;
  bench_code code = bench_cuda_check(cudaStreamEndCapture(context->stream, &captured),
                                     "cudaStreamEndCapture", error);
  if (code == BENCH_OK) {
    code = bench_cuda_check(cudaGraphInstantiate(&executable, captured, 0), "cudaGraphInstantiate",
                            error);
  }
  if (captured != NULL) {
    cudaGraphDestroy(captured);
  }
  if (code == BENCH_OK) { /* so that the first launch has nothing left to do */
    code = bench_cuda_check(cudaGraphUpload(executable, context->stream), "cudaGraphUpload", error);
  }
  *graph = executable;
  return code;
}

static bench_code cuda_graph_launch(bench_context *context, void *graph, bench_error *error) {
  return bench_cuda_check(cudaGraphLaunch(graph, context->stream), "cudaGraphLaunch", error);
}

static void cuda_graph_free(bench_context *context, void *graph) {
  (void)context;
  cudaGraphExecDestroy(graph);
}

static bench_code cuda_traffic(bench_context *context, bench_traffic kind, void *to,
                               const void *from, size_t bytes, int passes, bench_error *error) {
  if (kind == BENCH_TRAFFIC_READ) { /* its sink is never written, so any memory will do */
    return probed(cuda_probe_read(context->stream, context->device.sm_count, from, bytes, passes,
                                  (void *)context->page->cycles),
                  error);
  }
  cudaError_t status = cudaSuccess;
  for (int i = 0; i < passes && status == cudaSuccess; i++) {
    status = kind == BENCH_TRAFFIC_WRITE
                 ? cudaMemsetAsync(to, 1, bytes, context->stream)
                 : cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, context->stream);
  }
  return bench_cuda_check(status, "writing or copying memory", error);
}

static bench_code cuda_delay(bench_context *context, int64_t time_ns, bench_error *error) {
  return probed(cuda_probe_delay(context->stream, (uint64_t)time_ns), error);
}

static bench_backend backend = {
    .abi = BENCH_BACKEND_ABI,
    .name = "cuda",
    .kernels = bench_kernels_cuda,
    .kernel_count = 0, /* set by bench_backend_plugin: a constant of another file is none in C */
    .host_memory = false,
    .device_count = bench_cuda_device_count,
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
    .clock_mhz = cuda_clock_mhz,
    .hold = cuda_hold,
    .hold_expired = cuda_hold_expired,
    .graph_begin = cuda_graph_begin,
    .graph_end = cuda_graph_end,
    .graph_launch = cuda_graph_launch,
    .graph_free = cuda_graph_free,
    .traffic = cuda_traffic,
    .delay = cuda_delay,
};

__attribute__((visibility("default"))) const bench_backend *bench_backend_plugin(void);

const bench_backend *bench_backend_plugin(void) {
  backend.kernel_count = bench_kernels_cuda_count;
  return &backend;
}
