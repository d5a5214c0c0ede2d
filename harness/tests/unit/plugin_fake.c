/* A backend plug-in that does nothing, for the test of the loader. Each of the macros below, given
 * by the build, makes one fault that the loader has to refuse. */
#include "bench/backend.h"

#ifndef FAKE_ABI
#define FAKE_ABI BENCH_BACKEND_ABI
#endif
#ifndef FAKE_KERNEL_ABI
#define FAKE_KERNEL_ABI BENCH_KERNEL_ABI
#endif
#ifndef FAKE_LAUNCH
#define FAKE_LAUNCH launch
#endif
#ifndef FAKE_FLUSH
#define FAKE_FLUSH act
#endif
#ifndef FAKE_ENTRY
#define FAKE_ENTRY bench_backend_plugin
#endif

static const char *why_not(const bench_attn *attn, const bench_device *device) {
  (void)attn;
  (void)device;
  return "a fake";
}
__attribute__((unused)) static bench_code launch(const bench_launch *work) {
  (void)work;
  return BENCH_OK;
}
static int device_count(bench_error *why_none) {
  bench_fail(why_none, BENCH_ERR_UNSUPPORTED, "a fake has no device");
  return 0;
}
static bench_code open_device(int index, int threads, bench_context **out, bench_error *error) {
  (void)index;
  (void)threads;
  (void)out;
  return bench_fail(error, BENCH_ERR_UNSUPPORTED, "a fake has no device");
}
static void one_context(bench_context *context) {
  (void)context;
}
static const bench_device *device(const bench_context *context) {
  (void)context;
  return NULL;
}
static bench_code alloc(bench_context *context, size_t bytes, void **out, bench_error *error) {
  (void)context;
  (void)bytes;
  (void)out;
  return bench_fail(error, BENCH_ERR_UNSUPPORTED, "a fake has no memory");
}
static void free_memory(bench_context *context, void *memory) {
  (void)context;
  (void)memory;
}
static bench_code copy(bench_context *context, void *to, const void *from, size_t bytes,
                       bench_error *error) {
  (void)context;
  (void)to;
  (void)from;
  (void)bytes;
  return bench_fail(error, BENCH_ERR_UNSUPPORTED, "a fake has no memory");
}
static bench_code fill(bench_context *context, void *to, int byte, size_t bytes,
                       bench_error *error) {
  (void)byte;
  return copy(context, to, NULL, bytes, error);
}
static bench_code memory_free(bench_context *context, int64_t *bytes, bench_error *error) {
  *bytes = 0;
  return copy(context, NULL, NULL, 0, error);
}
static void *stream(bench_context *context) {
  return context;
}
static bench_code act(bench_context *context, bench_error *error) {
  return copy(context, NULL, NULL, 0, error);
}
static const char *no_gemm(void) {
  return "a fake multiplies nothing";
}
static bench_code gemm(bench_context *context, const bench_gemm *product, bench_error *error) {
  (void)product;
  return act(context, error);
}
static bench_code stop(bench_context *context, double *time_ns, bench_error *error) {
  *time_ns = 0;
  return act(context, error);
}

static const bench_kernel kernel = {
    .abi = FAKE_KERNEL_ABI,
    .family = "naive",
    .variant = "fake",
    .summary = "does nothing",
    .why_not = why_not,
    .launch = FAKE_LAUNCH,
};
static const bench_kernel_entry entries[] = {{&kernel, "0123456789abcdef"}};

static const bench_backend backend = {
    .abi = FAKE_ABI,
    .name = "fake",
    .kernels = entries,
    .kernel_count = 1,
    .device_count = device_count,
    .open = open_device,
    .close = one_context,
    .device = device,
    .alloc = alloc,
    .free = free_memory,
    .upload = copy,
    .download = copy,
    .fill = fill,
    .memory_free = memory_free,
    .stream = stream,
    .sync = act,
    .flush_cache = FAKE_FLUSH,
    .gemm_why_not = no_gemm,
    .gemm = gemm,
    .timer_start = act,
    .timer_stop = stop,
};

const bench_backend *FAKE_ENTRY(void);

const bench_backend *FAKE_ENTRY(void) {
  return &backend;
}
