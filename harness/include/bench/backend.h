/* bench_backend: owns a device's memory, its order of work and its clock.
 *
 * `cpu` is compiled in; `cuda` is a plug-in (libbench_cuda.so) that exports one symbol,
 * bench_backend_plugin, and is opened if it is there; so is `emu` (libbench_emu.so), the CUDA
 * kernels executed on the CPU, which only builds with tests have. All functions are required but
 * those behind "Optional", which may be NULL: what needs them is then left out, and says so. A
 * failed call returns a code and fills the error; the context stays usable unless the code is
 * BENCH_ERR_DEVICE, after which the process should be replaced. */
#ifndef BENCH_BACKEND_H
#define BENCH_BACKEND_H

#include "bench/gemm.h"
#include "bench/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_BACKEND_ABI 6u

/* Presumed where a device does not say how large its last-level cache is. */
#define BENCH_LLC_PRESUMED_BYTES (INT64_C(32) << 20)
static inline int64_t bench_llc_bytes(const bench_device *device) {
  return device->llc_bytes > 0 ? device->llc_bytes : BENCH_LLC_PRESUMED_BYTES;
}

typedef struct bench_context bench_context; /* opaque, one per open device */

typedef enum bench_traffic {
  BENCH_TRAFFIC_READ,  /* all of `from` */
  BENCH_TRAFFIC_WRITE, /* all of `to` */
  BENCH_TRAFFIC_COPY,  /* `from` into `to` */
  BENCH_TRAFFIC_COUNT
} bench_traffic;

typedef struct bench_backend {
  uint32_t abi;     /* BENCH_BACKEND_ABI */
  const char *name; /* "cpu", "cuda", "emu" */
  const bench_kernel_entry *kernels;
  size_t kernel_count;
  bool host_memory; /* alloc() gives memory that the host reads and writes directly */
  bool emulated;    /* proves results and has no clock: nothing is timed, rows have no time */

  /* How many devices answer. 0 with a filled error (the reason) if none does. */
  int (*device_count)(bench_error *why_none);
  /* Opens device `index`. `threads` is a wish for the cpu backend, 0: one per core. */
  bench_code (*open)(int index, int threads, bench_context **out, bench_error *error);
  void (*close)(bench_context *context);
  const bench_device *(*device)(const bench_context *context); /* valid until close */

  /* Memory, 64-byte aligned or better, contents undefined. free(NULL) does nothing. */
  bench_code (*alloc)(bench_context *context, size_t bytes, void **out, bench_error *error);
  void (*free)(bench_context *context, void *memory);
  /* Synchronous copies between host memory and the backend's. */
  bench_code (*upload)(bench_context *context, void *to, const void *from, size_t bytes,
                       bench_error *error);
  bench_code (*download)(bench_context *context, void *to, const void *from, size_t bytes,
                         bench_error *error);
  bench_code (*fill)(bench_context *context, void *to, int byte, size_t bytes, bench_error *error);
  /* Bytes that can still be allocated, as the driver or the kernel says now. */
  bench_code (*memory_free)(bench_context *context, int64_t *bytes, bench_error *error);

  /* What goes into bench_launch.stream. */
  void *(*stream)(bench_context *context);
  /* Waits until all enqueued work is done; the place where an asynchronous fault shows. */
  bench_code (*sync)(bench_context *context, bench_error *error);
  /* Empties the last-level cache: writes, then reads, another buffer of twice its size. */
  bench_code (*flush_cache)(bench_context *context, bench_error *error);

  /* Matrix products, by OpenBLAS (cpu) or cuBLAS (cuda), enqueued like a kernel. The library is
   * opened when it is first asked for: gemm_why_not says why it is not there, or NULL. */
  const char *(*gemm_why_not)(void);
  bench_code (*gemm)(bench_context *context, const bench_gemm *gemm, bench_error *error);

  /* The clock of one timed region: device events on cuda, the monotonic clock on cpu. `stop`
   * waits for the enqueued work and gives the nanoseconds between the two. Only kernel launches
   * stand between start and stop. */
  bench_code (*timer_start)(bench_context *context, bench_error *error);
  bench_code (*timer_stop)(bench_context *context, double *time_ns, bench_error *error);

  /* Optional. The clock of the device's cores during the last timed region, or of the calling
   * core now: cycles over a time that another clock gives. */
  bench_code (*clock_mhz)(bench_context *context, double *mhz, bench_error *error);

  /* Optional, both or none. Holds the stream, so that what is enqueued from here to timer_stop
   * begins when all of it is there, and the host's jitter stays out. Ends by itself after a time
   * limit; from then on nothing is held until hold_expired is asked, which says whether that has
   * happened since it was asked before. */
  bench_code (*hold)(bench_context *context, bench_error *error);
  bool (*hold_expired)(bench_context *context);

  /* Optional, all four or none. What is launched between begin and end is not run but recorded; a
   * launch of the graph runs all of it, as a kernel is launched. */
  bench_code (*graph_begin)(bench_context *context, bench_error *error);
  bench_code (*graph_end)(bench_context *context, void **graph, bench_error *error);
  bench_code (*graph_launch)(bench_context *context, void *graph, bench_error *error);
  void (*graph_free)(bench_context *context, void *graph);

  /* Optional. Enqueues so many passes over memory of the backend, in one launch where they read:
   * 64-byte aligned, `bytes` a multiple of 64. What it reads it uses, so that nothing is left
   * out. */
  bench_code (*traffic)(bench_context *context, bench_traffic kind, void *to, const void *from,
                        size_t bytes, int passes, bench_error *error);

  /* Optional. fp32 multiply-adds on registers alone, in all lanes of all cores, for some ten
   * milliseconds: how many operations, two each. */
  bench_code (*multiply_add)(bench_context *context, double *flops, bench_error *error);

  /* Optional. Enqueues a kernel that does nothing for `time_ns` by a clock that is not the
   * timer's. */
  bench_code (*delay)(bench_context *context, int64_t time_ns, bench_error *error);
} bench_backend;

/* The one symbol of a plug-in. */
typedef const bench_backend *bench_backend_plugin_fn(void);
#define BENCH_BACKEND_PLUGIN_SYMBOL "bench_backend_plugin"

/* The backends of this process in a fixed order (cpu first). A plug-in that is absent, has another
 * ABI or lacks a function is left out. */
size_t bench_backend_count(void);
const bench_backend *bench_backend_at(size_t index);

/* NULL if there is none of that name; then `why_not` (if not NULL) says why in one sentence. */
const bench_backend *bench_backend_find(const char *name, bench_error *why_not);

/* The names of which a user may want to hear, in the same order, with those whose plug-in is
 * absent; but a backend for tests only where it is there. NULL behind the last. */
const char *bench_backend_name_at(size_t index);

/* A kernel's own why_not and workspace_bytes, asked for each mask that a layer of the problem has:
 * the first refusal, and the most bytes. */
const char *bench_kernel_why_not(const bench_kernel *kernel, const bench_attn *attn,
                                 const bench_device *device);
size_t bench_kernel_workspace_bytes(const bench_kernel *kernel, const bench_attn *attn,
                                    const bench_device *device);

/* What is called a kernel's name outside of the registry is its family, "flash", or its family and
 * variant, "flash/sm80". */
bool bench_name_is_of(const char *name, const char *family);
bool bench_kernel_is_named(const bench_kernel *kernel, const char *name);

/* The last entry of that name in table order that can run the problem. If none can, returns NULL
 * and *why_not is the reason given by the last one of the name, or that there is none. */
const bench_kernel_entry *bench_backend_kernel(const bench_backend *backend, const char *name,
                                               const bench_attn *attn, const bench_device *device,
                                               const char **why_not);

/* Family names, compiled into every build whether or not a kernel of theirs is there. */
extern const char *const bench_families[];
extern const size_t bench_family_count;
/* Whether a kernel of this name computes attention: `memory` and `null` do not, and there is
 * nothing of theirs to compare or to rate by FLOPs. */
bool bench_family_computes(const char *name);

#ifdef __cplusplus
}
#endif
#endif
