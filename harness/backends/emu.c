/* The emulated device: CUDA kernels, compiled for the host against kernels/emu, behind the same
 * ABI as a GPU. It proves results and never speed: it has no clock, and its rows have no time.
 *
 * BENCH_EMU_CC is the compute capability that it claims (90), BENCH_EMU the adversary's options
 * (emu_options_parse). A kernel's fault stands in the error of the next sync, as with a GPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/cpu_gemm.h"
#include "backends/kernel_tables.h"
#include "bench/backend.h"
#include "bench/blas.h"
#include "bench/cublas.h"
#include "emu/emu.h"

#define DEFAULT_CC 90
#define SMEM_BYTES (INT64_C(227) << 10)
#define MEM_BYTES (INT64_C(4) << 30) /* enough for any case that can be emulated */
#define LLC_BYTES (INT64_C(1) << 20)

struct bench_context {
  bench_device device;
};

/* Bytes given and not yet taken back, each with its size before it is forgotten. */
static int64_t bytes_held;

static int emu_device_count(bench_error *why_none) {
  (void)why_none;
  return 1;
}

static bench_code read_environment(int *cc, bench_error *error) {
  const char *cc_text = getenv("BENCH_EMU_CC");
  const char *options_text = getenv("BENCH_EMU");
  *cc = DEFAULT_CC;
  if (cc_text != NULL) {
    char *end;
    const long value = strtol(cc_text, &end, 10);
    if (*end != '\0' || value < 50 || value > 130) {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "BENCH_EMU_CC=%.100s: expected a compute capability such as 80 or 90",
                        cc_text);
    }
    *cc = (int)value;
  }
  emu_options options = emu_options_default;
  bench_code code = BENCH_OK;
  if (options_text != NULL) {
    code = emu_options_parse(options_text, &options, error);
  }
  if (code == BENCH_OK) {
    emu_set_options(&options);
  }
  return code;
}

static bench_code emu_open(int index, int threads, bench_context **out, bench_error *error) {
  (void)threads; /* of the cpu backend */
  if (index != 0) {
    return bench_fail(error, BENCH_ERR_USAGE, "device %d: there is one emulated device", index);
  }
  int cc;
  bench_code code = read_environment(&cc, error);
  if (code != BENCH_OK) {
    return code;
  }
  bench_context *context = calloc(1, sizeof *context);
  if (context == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "host memory is exhausted");
  }
  bench_device *device = &context->device;
  snprintf(device->backend, sizeof device->backend, "emu");
  snprintf(device->name, sizeof device->name, "emulated device of compute capability %d.%d",
           cc / 10, cc % 10);
  device->numa_node = -1;
  device->cc = cc;
  device->sm_count = emu_get_options()->sm_count;
  device->smem_bytes = SMEM_BYTES;
  device->mem_bytes = MEM_BYTES;
  device->llc_bytes = LLC_BYTES;
  emu_forget_fault();
  *out = context;
  return BENCH_OK;
}

static void emu_close(bench_context *context) {
  free(context);
}

static const bench_device *emu_device(const bench_context *context) {
  return &context->device;
}

static bench_code emu_alloc(bench_context *context, size_t bytes, void **out, bench_error *error) {
  (void)context;
  *out = (int64_t)bytes <= MEM_BYTES - bytes_held ? emu_memory_take(bytes) : NULL;
  if (*out == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "%zu bytes of emulated memory", bytes);
  }
  bytes_held += (int64_t)bytes;
  return BENCH_OK;
}

static void emu_free(bench_context *context, void *memory) {
  (void)context;
  bytes_held -= (int64_t)emu_memory_give(memory);
}

static bench_code emu_sync(bench_context *context, bench_error *error) {
  (void)context;
  const char *fault = emu_fault();
  return fault == NULL ? BENCH_OK : bench_fail(error, BENCH_ERR_DEVICE, "%.2000s", fault);
}

static bench_code emu_copy(bench_context *context, void *to, const void *from, size_t bytes,
                           bench_error *error) {
  memcpy(to, from, bytes);
  return emu_sync(context, error);
}

static bench_code emu_fill(bench_context *context, void *to, int byte, size_t bytes,
                           bench_error *error) {
  memset(to, byte, bytes);
  return emu_sync(context, error);
}

static bench_code emu_memory_free(bench_context *context, int64_t *bytes, bench_error *error) {
  (void)context;
  (void)error;
  *bytes = MEM_BYTES - bytes_held;
  return BENCH_OK;
}

static void *emu_stream(bench_context *context) {
  (void)context;
  return NULL;
}

/* There is no cache, */
static bench_code emu_flush_cache(bench_context *context, bench_error *error) {
  return emu_sync(context, error);
}

/* and no clock. */
static bench_code emu_timer_start(bench_context *context, bench_error *error) {
  (void)context;
  return bench_fail(error, BENCH_ERR_UNSUPPORTED, "the emulated device has no clock");
}

static bench_code emu_timer_stop(bench_context *context, double *time_ns, bench_error *error) {
  *time_ns = 0;
  return emu_timer_start(context, error);
}

/* Matrix products in the place of cuBLAS's: by OpenBLAS, where the peer's own calls land too. */
const char *bench_cublas_why_not(void) {
  return bench_blas_sgemm() == NULL ? "OpenBLAS (libopenblas.so.0) is not installed" : NULL;
}

bench_code bench_cublas_gemm(void *stream, const bench_gemm *gemm, bench_error *error) {
  (void)stream;
  bench_cpu_gemm_scratch scratch = {0};
  const bench_code code = bench_cpu_gemm(gemm, 1, &scratch, error);
  bench_cpu_gemm_free(&scratch);
  return code;
}

static bench_code emu_gemm(bench_context *context, const bench_gemm *gemm, bench_error *error) {
  (void)context;
  return bench_cublas_gemm(NULL, gemm, error);
}

static bench_backend backend = {
    .abi = BENCH_BACKEND_ABI,
    .name = "emu",
    .kernels = bench_kernels_emu,
    .kernel_count = 0, /* set by bench_backend_plugin: a constant of another file is none in C */
    .host_memory = false,
    .emulated = true,
    .device_count = emu_device_count,
    .open = emu_open,
    .close = emu_close,
    .device = emu_device,
    .alloc = emu_alloc,
    .free = emu_free,
    .upload = emu_copy,
    .download = emu_copy,
    .fill = emu_fill,
    .memory_free = emu_memory_free,
    .stream = emu_stream,
    .sync = emu_sync,
    .flush_cache = emu_flush_cache,
    .gemm_why_not = bench_cublas_why_not,
    .gemm = emu_gemm,
    .timer_start = emu_timer_start,
    .timer_stop = emu_timer_stop,
};

__attribute__((visibility("default"))) const bench_backend *bench_backend_plugin(void);

const bench_backend *bench_backend_plugin(void) {
  backend.kernel_count = bench_kernels_emu_count;
  return &backend;
}
