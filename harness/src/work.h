/* bench_work: one problem made ready on one device. Inputs, block lists, reference rows and
 * statistics are made once here and serve all kernels and modes of the problem. */
#ifndef BENCH_WORK_H
#define BENCH_WORK_H

#include "bench/backend.h"
#include "bench/config.h"
#include "bench/stat.h"
#include "src/block.h"
#include "src/monitor.h"

/* The mask that one or more layers have, resolved. */
typedef struct bench_segment {
  const bench_layer *layer;    /* the first of them */
  bench_attn attn;             /* the problem as these layers have it (bench_attn_layer) */
  bench_blocklist mask_list;   /* host; of a mask that is not simple, else empty */
  bench_blocklist list;        /* host; what was last built for a kernel of another block size */
  bench_blocklist device_list; /* one of the two with its arrays in backend memory */
  const bench_blocklist *launch_list; /* what the kernel in hand launches with, or NULL */
  double mask_list_ns;                /* the time that making either list took */
  double list_ns;
  double device_list_ns; /* of the one that device_list came from, and its upload */
} bench_segment;

/* One layer's tensors. The host pointers equal the device's where the backend has host memory. */
typedef struct bench_layer {
  bench_segment *segment;
  void *q, *k, *v; /* backend memory */
  void *o;
  float *lse;
  void *host_q, *host_k, *host_v;
  bench_block block; /* scope=block, else zero */
} bench_layer;

typedef struct bench_reference bench_reference; /* verify.c */

typedef struct bench_work {
  const bench_backend *backend;
  bench_context *context;
  uint64_t id;
  bench_attn attn;
  int64_t layers_distinct;
  bench_layer *layers; /* [layers_distinct] */
  bench_segment *segments;
  int64_t segment_count;
  uint64_t input_seed; /* of what the tensors hold now; the problem's own after opening */
  bool input_touched;  /* single rows of Q are not of that seed */
  void *own_inputs;    /* host copy of a model's Q, K and V once they are overwritten, or NULL */
  bench_layer *copies; /* [(sets - 1) * layers_distinct], see bench_work_add_sets */
  void *copies_memory; /* what they stand in */
  int64_t sets;
  int64_t set;                /* the one that a launch uses: 0 the layers themselves */
  bench_reference *reference; /* NULL until the first verification */
} bench_work;

/* What a request says of the problem. */
typedef struct bench_work_request {
  uint64_t id;
  bench_attn attn;
  int64_t layers_distinct;
  const char *model_path; /* BENCH_INPUT_MODEL */
  const char *text_path;  /* BENCH_INPUT_MODEL; NULL: the folder's own */
  bool unfilled;          /* inputs keep what the memory had */
} bench_work_request;

/* Allocates and fills. After a failure there is nothing to close. */
bench_code bench_work_open(const bench_backend *backend, bench_context *context,
                           const bench_work_request *request, bench_work *out, bench_error *error);
void bench_work_close(bench_work *work);

/* Bytes of one layer's Q or O, of its K or V, of its LSE. */
static inline size_t bench_q_bytes(const bench_attn *attn) {
  return (size_t)bench_attn_q_elements(attn) * bench_dtype_bytes(attn->dtype);
}
static inline size_t bench_kv_bytes(const bench_attn *attn) {
  return (size_t)bench_attn_kv_elements(attn) * bench_dtype_bytes(attn->dtype);
}
static inline size_t bench_lse_bytes(const bench_attn *attn) {
  return (size_t)bench_attn_rows(attn) * sizeof(float);
}

/* inputs.c. Fills the inputs for the first time; part of bench_work_open. */
bench_code bench_work_first_fill(bench_work *work, const bench_work_request *request,
                                 bench_error *error);

/* Fills the inputs of every layer anew: with the problem's own seed they are again what they were
 * after opening, with another they have the same shape and distribution (a model's inputs: a normal
 * one). Nothing is done where they are so already. Block lists stay as they are. */
bench_code bench_work_fill(bench_work *work, uint64_t seed, bench_error *error);

/* The same little by little: part [0, bench_work_parts) of the inputs (of a block: of X) from
 * another seed. The rest stays. Not for a model's inputs. */
int64_t bench_work_parts(const bench_work *work);
bench_code bench_work_fill_part(bench_work *work, uint64_t seed, int64_t part, bench_error *error);

/* A block's Q, K and V to the host, as its projections have left them; nothing to do without. */
bench_code bench_work_fetch_projected(const bench_work *work, bench_error *error);

/* Before a row of a model's inputs is overwritten; nothing to do for others, which can be made
 * again. */
bench_code bench_work_keep_inputs(bench_work *work, bench_error *error);

/* copies.c. Copies of all the layers' tensors, until `sets` of them stand side by side, so that a
 * launch can find its tensors in no cache. They share masks and, of a block, X, Y and the weights.
 * Dropped by bench_work_drop_sets or with the work. */
bench_code bench_work_add_sets(bench_work *work, int64_t sets, bench_error *error);
/* The layers' inputs into their copies once more, after bench_work_fill. */
bench_code bench_work_fill_sets(bench_work *work, bench_error *error);
void bench_work_drop_sets(bench_work *work);

/* Layer l of the timed region. */
static inline const bench_layer *bench_work_layer(const bench_work *work, int64_t l) {
  const int64_t index = l % work->layers_distinct;
  return work->set == 0 ? &work->layers[index]
                        : &work->copies[(work->set - 1) * work->layers_distinct + index];
}

/* The resolved mask, for the reference and the statistics; NULL for a simple one. */
static inline const bench_blocklist *bench_segment_list(const bench_segment *segment) {
  return segment->mask_list.row_begin != NULL ? &segment->mask_list : NULL;
}

/* resolve.c: the segments of a work whose host inputs are there, and their end. */
bench_code bench_work_resolve_masks(bench_work *work, bench_error *error);
void bench_work_free_masks(bench_work *work);

/* Makes every segment's launch_list what this kernel needs: NULL for a simple mask unless it wants
 * blocks. Valid until the next call. */
bench_code bench_work_blocks(bench_work *work, const bench_kernel *kernel, bench_error *error);

/* What making the launch lists and uploading them took, for whichever kernel that was done; NaN if
 * the kernel in hand launches without one. */
double bench_work_list_ns(const bench_work *work);

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

/* launch.c. The stages of a layer. With scope=attention there is the attention alone. */
enum { BENCH_STAGE_PROJECTIONS = 1, BENCH_STAGE_ATTENTION = 2, BENCH_STAGE_ALL = 3 };

/* Enqueues the stages of all layers of the timed region, in turn. Nothing else: this is what is
 * timed. */
bench_code bench_work_launch(const bench_work *work, const bench_kernel *kernel, void *workspace,
                             int stages, bench_error *error);

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
bench_code bench_verify(bench_work *work, const bench_kernel *kernel, void *workspace,
                        size_t workspace_bytes, bool whole, bench_verdict *verdict,
                        bench_error *error);
void bench_reference_free(bench_reference *reference);

/* The same of outputs that are there already, made by someone else; without `lse` O alone. */
bench_code bench_verify_outputs(bench_work *work, bool lse, bool whole, bench_verdict *verdict,
                                bench_error *error);

/* A few rows once more after timing, by a seed that is drawn then. */
typedef bench_code bench_judge(bench_work *work, const bench_kernel *kernel, void *workspace,
                               size_t workspace_bytes, uint64_t seed, bench_verdict *verdict,
                               bench_error *error);
/* Of the outputs as the last launch has left them, with the inputs as they are now. */
bench_judge bench_verify_left;
/* Of a launch on inputs of that seed, which the kernel has not seen and which stay. The reference
 * is again that of the problem's own afterwards. */
bench_judge bench_verify_unseen;

/* One row of distinct layer `layer`, as the kernel has left it, against the host's inputs as they
 * are now. verdict->err_tolerance is the bound of the problem, which a row's own may exceed. */
bench_code bench_verify_row(const bench_work *work, int64_t layer, int64_t row, const float *o,
                            float lse, bench_verdict *verdict, bench_error *error);

/* bench_family_computes: else there is nothing to compare. */
bool bench_kernel_computes(const bench_kernel *kernel);

/* measure.c: what is timed. */
typedef struct bench_timing {
  const bench_kernel *kernel;
  void *workspace;
  size_t workspace_bytes;
  bench_mode mode;
  double budget_s;
  bench_monitor *monitor;
} bench_timing;

typedef struct bench_measurement {
  double *time_ns;   /* raw samples in the order taken; bench_measurement_free */
  double *clock_mhz; /* the device's clock during each; NaN: not known */
  int64_t count;
  const char *stop_reason;    /* "ci", "budget", "max_samples" */
  bench_monitor_report state; /* of the device from the first sample to the last */
} bench_measurement;

/* Times the region in the given mode, watching that the kernel computes each time (watch.h), and
 * verifies it once more on inputs that it has not seen. A finding makes `verdict`, which is that of
 * the verification before, wrong. Inputs are not the problem's own afterwards: bench_work_fill. */
bench_code bench_measure(bench_work *work, const bench_timing *timing, bench_measurement *out,
                         bench_verdict *verdict, bench_error *error);
void bench_measurement_free(bench_measurement *measurement);

/* Scope block: the median times of the projections alone and of the attention alone, each over all
 * layers, taken in turn in the given mode with the same rule. */
bench_code bench_measure_shares(bench_work *work, const bench_timing *timing,
                                double *projection_share, double *attention_share,
                                bench_error *error);

#endif
