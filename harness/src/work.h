/* bench_work: one problem made ready on one device. Inputs, block lists, reference rows and
 * statistics are made once here and serve all kernels and modes of the problem. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "bench/backend.h"
#include "bench/config.h"
#include "bench/stat.h"

/* One layer's tensors. The host pointers equal the device's where the backend has host memory. */
typedef struct bench_layer {
  void *q, *k, *v; /* backend memory */
  void *o;
  float *lse;
  void *host_q, *host_k, *host_v;
} bench_layer;

typedef struct bench_reference bench_reference; /* verify.c */

typedef struct bench_work {
  const bench_backend *backend;
  bench_context *context;
  uint64_t id;
  bench_attn attn;
  int64_t layers_distinct;
  bench_layer *layers;         /* [layers_distinct] */
  bench_blocklist mask_list;   /* host; of a BLOCK mask, else empty */
  bench_blocklist list;        /* host; what was last built for a kernel */
  bench_blocklist device_list; /* list with its arrays in backend memory */
  bench_reference *reference;  /* NULL until the first verification */
} bench_work;

/* What a request says of the problem. */
typedef struct bench_work_request {
  uint64_t id;
  bench_attn attn;
  int64_t layers_distinct;
  const char *model_path; /* BENCH_INPUT_MODEL */
  const char *text_path;  /* BENCH_INPUT_MODEL; NULL: the folder's own */
} bench_work_request;

/* Allocates and fills. After a failure there is nothing to close. */
bench_code bench_work_open(const bench_backend *backend, bench_context *context,
                           const bench_work_request *request, bench_work *out, bench_error *error);
void bench_work_close(bench_work *work);

/* The block list that this kernel launches with, or *list = NULL if it needs none. Owned by the
 * work, valid until the next call. */
bench_code bench_work_blocks(bench_work *work, const bench_kernel *kernel,
                             const bench_blocklist **list, bench_error *error);

/* Sets every O and LSE to NaN, so that what a kernel leaves unwritten shows. */
bench_code bench_work_poison(bench_work *work, bench_error *error);

/* False if a byte around some O or LSE was written. */
bench_code bench_work_canaries(bench_work *work, bool *intact, bench_error *error);

/* Allocation in backend memory between two canaries; the same for scratch of a kernel. */
bench_code bench_guarded_alloc(const bench_backend *backend, bench_context *context, size_t bytes,
                               void **out, bench_error *error);
void bench_guarded_free(const bench_backend *backend, bench_context *context, void *memory);
bench_code bench_guarded_check(const bench_backend *backend, bench_context *context,
                               const void *memory, size_t bytes, bool *intact, bench_error *error);

/* Enqueues all layers of the timed region, in turn. Nothing else: this is what is timed. */
bench_code bench_work_launch(const bench_work *work, const bench_kernel *kernel,
                             const bench_blocklist *list, void *workspace, bench_error *error);

/* verify.c: what a comparison with the fp64 reference found. */
typedef struct bench_verdict {
  bool right;
  char reason[512]; /* why not */
  int64_t rows_checked;
  double err_max_abs;
  double err_rel_l2;
  double err_tolerance;
} bench_verdict;

/* Runs every distinct layer once and compares: all rows up to 1e10 FLOP (or always with `whole`),
 * else 256 seeded rows and the first, last and edge rows; NaN and canary scans always. */
bench_code bench_verify(bench_work *work, const bench_kernel *kernel, const bench_blocklist *list,
                        void *workspace, size_t workspace_bytes, bool whole, bench_verdict *verdict,
                        bench_error *error);
void bench_reference_free(bench_reference *reference);

/* measure.c */
typedef struct bench_measurement {
  double *time_ns; /* raw samples in the order taken; the caller frees */
  int64_t count;
  const char *stop_reason; /* "ci", "budget", "max_samples" */
} bench_measurement;

bench_code bench_measure(const bench_work *work, const bench_kernel *kernel,
                         const bench_blocklist *list, void *workspace, bench_mode mode,
                         double budget_s, bench_measurement *out, bench_error *error);

#endif
