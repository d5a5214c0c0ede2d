/* The cuda backend on a runtime that runs nothing and writes down what is asked of it: the order in
 * which a timed region is enqueued, when a held stream is let go, and what a graph is made of. */
#include <cuda_runtime_api.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/kernel_tables.h"
#include "bench/backend.h"
#include "bench/cublas.h"
#include "cuda/probe.h"

static char asked[1024]; /* words, one for each call */
static cuda_probe_page *page;
static bool host_waits; /* the hold runs into its limit */
static bool launch_fails;
static int l2_bytes;
static size_t bytes_set; /* by the last cudaMemsetAsync */
static size_t bytes_copied;

static void note(const char *word) {
  const size_t length = strlen(asked);
  snprintf(asked + length, sizeof asked - length, "%s%s", length > 0 ? " " : "", word);
}

/* What waits for a stream that is still held would wait for ever. */
static void note_wait(const char *word) {
  if (page != NULL && !page->release) {
    note("DEADLOCK");
  }
  note(word);
}

const bench_kernel_entry bench_kernels_cuda[1];
const size_t bench_kernels_cuda_count = 0;
const bench_backend *bench_backend_plugin(void);

const char *bench_cublas_why_not(void) {
  return "none here";
}
bench_code bench_cublas_gemm(void *stream, const bench_gemm *gemm, bench_error *error) {
  (void)stream;
  (void)gemm;
  return bench_fail(error, BENCH_ERR_UNSUPPORTED, "none here");
}

bench_code cuda_probe_hold(void *stream, cuda_probe_page *held, uint64_t limit_ns) {
  (void)stream;
  assert_true(limit_ns > 0 && limit_ns < 10000000000u);
  page = held;
  if (host_waits) {
    held->expired = 1;
  }
  note("hold");
  return BENCH_OK;
}
bench_code cuda_probe_stamp(void *stream, int sm_count, cuda_probe_page *stamped, int which) {
  (void)stream;
  assert_int_equal(sm_count, 4);
  stamped->cycles[which] = which == 0 ? 1000 : 31000;
  stamped->time_ns[which] = which == 0 ? 500 : 20500;
  note(which == 0 ? "stamp0" : "stamp1");
  return launch_fails ? BENCH_ERR_DEVICE : BENCH_OK;
}
bench_code cuda_probe_delay(void *stream, uint64_t time_ns) {
  (void)stream;
  (void)time_ns;
  note("delay");
  return BENCH_OK;
}
bench_code cuda_probe_read(void *stream, int sm_count, const void *from, size_t bytes, int passes,
                           void *sink) {
  (void)stream;
  (void)sm_count;
  (void)from;
  (void)bytes;
  (void)sink;
  note("read");
  return BENCH_OK;
}

/* The runtime: only what the backend calls. */
#define CALL(name, parameters, word) \
  cudaError_t name parameters {      \
    note(word);                      \
    return cudaSuccess;              \
  }
#define QUIET(name, parameters) \
  cudaError_t name parameters { \
    return cudaSuccess;         \
  }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  (void)stream;
  note_wait("wait");
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  (void)event;
  note_wait("wait");
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  (void)stream;
  note((uintptr_t)event % 2 == 0 ? "start" : "stop"); /* made in this order */
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  (void)start;
  (void)stop;
  *milliseconds = 0.25f;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t *event) {
  static uintptr_t next = 16;
  *event = (cudaEvent_t)next++;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device) {
  (void)device;
  memset(properties, 0, sizeof *properties);
  properties->multiProcessorCount = 4;
  properties->l2CacheSize = l2_bytes;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int *version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceCount(int *count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char *id, int length, int device) {
  (void)device;
  snprintf(id, (size_t)length, "0000:00:00.0");
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void **memory, size_t bytes, unsigned flags) {
  (void)flags;
  *memory = malloc(bytes);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void *memory) {
  free(memory);
  return cudaSuccess;
}
cudaError_t cudaMalloc(void **memory, size_t bytes) {
  *memory = malloc(bytes);
  return cudaSuccess;
}
cudaError_t cudaFree(void *memory) {
  free(memory);
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *executable, cudaGraph_t graph,
                                 unsigned long long flags) {
  (void)graph;
  (void)flags;
  *executable = (cudaGraphExec_t)32;
  note("instantiate");
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph) {
  (void)stream;
  *graph = (cudaGraph_t)48;
  note("end");
  return cudaSuccess;
}
const char *cudaGetErrorString(cudaError_t error) {
  (void)error;
  return "an error";
}
const char *cudaGetErrorName(cudaError_t error) {
  (void)error;
  return "cudaErrorSome";
}
CALL(cudaStreamBeginCapture, (cudaStream_t s, enum cudaStreamCaptureMode m), "begin")
CALL(cudaGraphUpload, (cudaGraphExec_t e, cudaStream_t s), "upload")
CALL(cudaGraphLaunch, (cudaGraphExec_t e, cudaStream_t s), "graph")
CALL(cudaGraphDestroy, (cudaGraph_t g), "destroy")
CALL(cudaGraphExecDestroy, (cudaGraphExec_t e), "free")
QUIET(cudaGetLastError, (void))
QUIET(cudaSetDevice, (int device))
QUIET(cudaEventDestroy, (cudaEvent_t e))
QUIET(cudaStreamDestroy, (cudaStream_t s))
QUIET(cudaStreamCreateWithFlags, (cudaStream_t * s, unsigned flags))
QUIET(cudaMemGetInfo, (size_t * f, size_t *total))
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t s) {
  (void)to;
  (void)value;
  (void)s;
  bytes_set = bytes;
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t s) {
  (void)to;
  (void)from;
  (void)kind;
  (void)s;
  bytes_copied += bytes;
  return cudaSuccess;
}

static const bench_backend *cuda;
static bench_context *context;

static int open_device(void **state) {
  (void)state;
  bench_error error;
  host_waits = launch_fails = false;
  l2_bytes = 1 << 20;
  page = NULL;
  cuda = bench_backend_plugin();
  assert_int_equal(cuda->open(0, 0, &context, &error), BENCH_OK);
  /* What is loaded with its first launch is loaded now, under no hold. */
  assert_string_equal(asked, "hold stamp0 delay wait");
  asked[0] = '\0';
  return 0;
}

static int close_device(void **state) {
  (void)state;
  cuda->close(context);
  asked[0] = '\0';
  return 0;
}

static void region(double *time_ns) {
  bench_error error;
  assert_int_equal(cuda->hold(context, &error), BENCH_OK);
  assert_int_equal(cuda->timer_start(context, &error), BENCH_OK);
  note("kernel");
  assert_int_equal(cuda->timer_stop(context, time_ns, &error), BENCH_OK);
}

static void held_until_all_is_enqueued(void **state) {
  (void)state;
  double time_ns;
  double mhz;
  bench_error error;
  region(&time_ns);
  assert_string_equal(asked, "hold stamp0 start kernel stop stamp1 wait");
  assert_true(time_ns == 250000);
  assert_int_equal(cuda->clock_mhz(context, &mhz, &error), BENCH_OK);
  assert_true(fabs(mhz - 1500) < 1e-9); /* 30000 cycles in 20 us */
}

/* A fault between start and stop ends in a sync, which must let the stream go. */
static void a_fault_lets_go(void **state) {
  (void)state;
  bench_error error;
  assert_int_equal(cuda->hold(context, &error), BENCH_OK);
  assert_int_equal(cuda->sync(context, &error), BENCH_OK);
  assert_string_equal(asked, "hold wait");
  asked[0] = '\0';
  launch_fails = true;
  assert_int_equal(cuda->hold(context, &error), BENCH_OK);
  assert_int_equal(cuda->timer_start(context, &error), BENCH_ERR_DEVICE);
  assert_int_equal(cuda->sync(context, &error), BENCH_OK);
  assert_string_equal(asked, "hold stamp0 wait");
}

static void an_expired_hold_is_the_last_until_asked(void **state) {
  (void)state;
  double time_ns;
  region(&time_ns);
  assert_false(cuda->hold_expired(context));
  host_waits = true;
  region(&time_ns);
  asked[0] = '\0';
  region(&time_ns);
  assert_string_equal(asked, "stamp0 start kernel stop stamp1 wait");
  assert_true(cuda->hold_expired(context));
  host_waits = false;
  asked[0] = '\0';
  region(&time_ns);
  assert_string_equal(asked, "hold stamp0 start kernel stop stamp1 wait");
  assert_false(cuda->hold_expired(context));
}

static void graph_of_launches(void **state) {
  (void)state;
  void *graph = NULL;
  bench_error error;
  assert_int_equal(cuda->graph_begin(context, &error), BENCH_OK);
  note("kernel");
  assert_int_equal(cuda->graph_end(context, &graph, &error), BENCH_OK);
  assert_non_null(graph);
  assert_int_equal(cuda->graph_launch(context, graph, &error), BENCH_OK);
  cuda->graph_free(context, graph);
  assert_string_equal(asked, "begin kernel end instantiate destroy upload graph free");
}

/* Of a device that does not tell how large its cache is, too. */
static void a_flush_is_twice_the_cache(void **state) {
  (void)state;
  static const struct {
    int told;
    size_t cache;
  } devices[] = {{6 << 20, 6 << 20}, {0, BENCH_LLC_PRESUMED_BYTES}};
  for (int i = 0; i < 2; i++) {
    bench_error error;
    cuda->close(context);
    asked[0] = '\0';
    l2_bytes = devices[i].told;
    assert_int_equal(cuda->open(0, 0, &context, &error), BENCH_OK);
    bytes_copied = 0;
    assert_int_equal(cuda->flush_cache(context, &error), BENCH_OK);
    assert_int_equal(bytes_set, 2 * devices[i].cache);
    assert_int_equal(bytes_copied, 2 * devices[i].cache);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(held_until_all_is_enqueued, open_device, close_device),
      cmocka_unit_test_setup_teardown(a_fault_lets_go, open_device, close_device),
      cmocka_unit_test_setup_teardown(an_expired_hold_is_the_last_until_asked, open_device,
                                      close_device),
      cmocka_unit_test_setup_teardown(graph_of_launches, open_device, close_device),
      cmocka_unit_test_setup_teardown(a_flush_is_twice_the_cache, open_device, close_device),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
