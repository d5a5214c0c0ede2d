/* The cpu backend: host memory, the calling thread's order, the monotonic clock. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backends/cpu.h"
#include "backends/cpu_gemm.h"
#include "backends/cpu_probe.h"
#include "backends/kernel_tables.h"
#include "bench/backend.h"
#include "bench/blas.h"
#include "bench/row.h"
#include "platform/cpu_features.h"
#include "platform/proc.h"
#include "platform/topology.h"

#define CPU_ALIGNMENT 64
#define HUGE_PAGE_BYTES ((size_t)2 << 20)

/* Clocks change more slowly than this, and samples may be shorter than a look at the clock. */
#define CLOCK_KEPT_NS 5000000

struct bench_context {
  bench_device device;
  char *flush; /* twice the last-level cache; allocated when first needed */
  size_t flush_bytes;
  int64_t start_ns;
  double clock_mhz; /* as it was measured last, */
  int64_t clock_ns; /* and when; 0: never */
  bench_cpu_gemm_scratch gemm;
};

static int cpu_device_count(bench_error *why_none) {
  (void)why_none;
  return 1;
}

static void describe(bench_device *device, int threads) {
  bench_topology *topology = bench_topology_open();
  bench_topology_facts facts = bench_topology_get_facts(topology);
  bench_topology_close(topology);
  bench_text_copy(device->backend, sizeof device->backend, "cpu");
  bench_text_copy(device->name, sizeof device->name, facts.cpu_model);
  device->numa_node = -1;
  device->threads = threads > 0 ? threads : facts.cores;
  if (device->threads <= 0) {
    device->threads = omp_get_max_threads();
  }
  bench_cpu_features(device);
  device->mem_bytes = bench_proc_mem_total_bytes();
  device->mem_bytes = device->mem_bytes > 0 ? device->mem_bytes : 0;
  device->llc_bytes = facts.llc_bytes;
}

static bench_code cpu_open(int index, int threads, bench_context **out, bench_error *error) {
  bench_context *context = calloc(1, sizeof *context);
  if (context == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for the cpu backend");
  }
  context->device.index = index;
  describe(&context->device, threads);
  *out = context;
  return BENCH_OK;
}

static void cpu_close(bench_context *context) {
  bench_cpu_gemm_free(&context->gemm);
  free(context->flush);
  free(context);
}

static const bench_device *cpu_device(const bench_context *context) {
  return &context->device;
}

/* Large memory asks for huge pages, so that what is measured is the attention and not the walk
 * through page tables: they made the unfused kernel's time grow faster than the square of the
 * length. Whole huge pages only, or the last one would hold more than was asked for. A machine that
 * has none gives small ones. */
static void *allocate_pages(size_t bytes) {
  const bool large = bytes >= HUGE_PAGE_BYTES;
  void *memory = NULL;
  if (posix_memalign(&memory, large ? HUGE_PAGE_BYTES : CPU_ALIGNMENT, bytes) != 0) {
    return NULL;
  }
  if (large) {
    madvise(memory, bytes / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE);
  }
  return memory;
}

/* The kernel hands out memory that it does not have and kills later; so what is not there is
 * refused here, where it costs one case. */
static bench_code cpu_alloc(bench_context *context, size_t bytes, void **out, bench_error *error) {
  (void)context;
  int64_t available = bench_proc_mem_available_bytes();
  size_t rounded = (bytes + CPU_ALIGNMENT - 1) / CPU_ALIGNMENT * CPU_ALIGNMENT;
  *out = NULL;
  if (available < 0 || bytes <= (size_t)available) {
    *out = allocate_pages(rounded > 0 ? rounded : CPU_ALIGNMENT);
  }
  char *pages = *out;
#pragma omp parallel for schedule(static)
  for (size_t at = 0; at < (pages != NULL ? rounded : 0); at += 4096) {
    pages[at] =
        0; /* taken now, near the thread that will fill it, so that the next one counts it */
  }
  return *out != NULL ? BENCH_OK
                      : bench_fail(error, BENCH_ERR_NOMEM,
                                   "cannot allocate %zu bytes: %.3f GB of host memory are left",
                                   bytes, (double)available / 1e9);
}

static void cpu_free(bench_context *context, void *memory) {
  (void)context;
  free(memory);
}

static bench_code cpu_copy(bench_context *context, void *to, const void *from, size_t bytes,
                           bench_error *error) {
  (void)context;
  (void)error;
  memcpy(to, from, bytes);
  return BENCH_OK;
}

static bench_code cpu_fill(bench_context *context, void *to, int byte, size_t bytes,
                           bench_error *error) {
  (void)context;
  (void)error;
  memset(to, byte, bytes);
  return BENCH_OK;
}

static bench_code cpu_memory_free(bench_context *context, int64_t *bytes, bench_error *error) {
  (void)context;
  *bytes = bench_proc_mem_available_bytes();
  return *bytes >= 0 ? BENCH_OK
                     : bench_fail(error, BENCH_ERR_ENV, "the free memory of the host is not told");
}

static void *cpu_stream(bench_context *context) {
  (void)context;
  return NULL;
}

static bench_code cpu_sync(bench_context *context, bench_error *error) {
  (void)context;
  (void)error;
  return BENCH_OK;
}

/* Each thread writes and then reads its part of the buffer, so that private caches go too. The
 * value read is kept, so that no compiler leaves the reading out. */
static bench_code cpu_flush_cache(bench_context *context, bench_error *error) {
  if (context->flush == NULL) {
    context->flush_bytes = 2 * (size_t)bench_llc_bytes(&context->device);
    context->flush = malloc(context->flush_bytes);
    if (context->flush == NULL) {
      return bench_fail(error, BENCH_ERR_NOMEM, "no memory to flush the last-level cache");
    }
  }
  static volatile char kept;
  char sum = 0;
  char *buffer = context->flush;
  int64_t bytes = (int64_t)context->flush_bytes;
  char value = (char)(kept + 1);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < bytes; i += 64) {
    memset(buffer + i, value, 64);
  }
#pragma omp parallel for schedule(static) reduction(+ : sum)
  for (int64_t i = 0; i < bytes; i += 64) {
    sum = (char)(sum + buffer[i]);
  }
  kept = sum;
  return BENCH_OK;
}

static const char *cpu_gemm_why_not(void) {
  return bench_blas_sgemm() == NULL ? "OpenBLAS (libopenblas.so.0) is not installed" : NULL;
}

static bench_code cpu_gemm(bench_context *context, const bench_gemm *gemm, bench_error *error) {
  return bench_cpu_gemm(gemm, context->device.threads, &context->gemm, error);
}

static bench_code cpu_timer_start(bench_context *context, bench_error *error) {
  (void)error;
  context->start_ns = bench_proc_monotonic_ns();
  return BENCH_OK;
}

static bench_code cpu_timer_stop(bench_context *context, double *time_ns, bench_error *error) {
  (void)error;
  *time_ns = (double)(bench_proc_monotonic_ns() - context->start_ns);
  return BENCH_OK;
}

static bench_code cpu_clock_mhz(bench_context *context, double *mhz, bench_error *error) {
  const int64_t now_ns = bench_proc_monotonic_ns();
  (void)error;
  if (context->clock_ns == 0 || now_ns - context->clock_ns > CLOCK_KEPT_NS) {
    context->clock_mhz = bench_cpu_clock_mhz();
    context->clock_ns = now_ns;
  }
  *mhz = context->clock_mhz > 0 ? context->clock_mhz : NAN;
  return BENCH_OK;
}

static bench_code cpu_traffic(bench_context *context, bench_traffic kind, void *to,
                              const void *from, size_t bytes, int passes, bench_error *error) {
  (void)context;
  (void)error;
  bench_cpu_traffic(kind, to, from, bytes, passes);
  return BENCH_OK;
}

static bench_code cpu_multiply_add(bench_context *context, double *flops, bench_error *error) {
  (void)context;
  (void)error;
  *flops = bench_cpu_multiply_add();
  return BENCH_OK;
}

static bench_code cpu_delay(bench_context *context, int64_t time_ns, bench_error *error) {
  (void)context;
  (void)error;
  bench_cpu_delay(time_ns);
  return BENCH_OK;
}

static bench_backend backend = {
    .abi = BENCH_BACKEND_ABI,
    .name = "cpu",
    .kernels = bench_kernels_cpu,
    .host_memory = true,
    .device_count = cpu_device_count,
    .open = cpu_open,
    .close = cpu_close,
    .device = cpu_device,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .upload = cpu_copy,
    .download = cpu_copy,
    .fill = cpu_fill,
    .memory_free = cpu_memory_free,
    .stream = cpu_stream,
    .sync = cpu_sync,
    .flush_cache = cpu_flush_cache,
    .gemm_why_not = cpu_gemm_why_not,
    .gemm = cpu_gemm,
    .timer_start = cpu_timer_start,
    .timer_stop = cpu_timer_stop,
    .clock_mhz = cpu_clock_mhz,
    .traffic = cpu_traffic,
    .multiply_add = cpu_multiply_add,
    .delay = cpu_delay,
};

const bench_backend *bench_backend_cpu(void) {
  backend.kernel_count = bench_kernels_cpu_count; /* known to the generated file alone */
  return &backend;
}
