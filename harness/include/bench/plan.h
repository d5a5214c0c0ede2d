/* bench_plan: what a sweep will do, in order, before it does any of it.
 *
 * problem > case > mode: a problem is the work (attn.h), a case is a problem with a kernel family,
 * or with one variant of it, a mode is a way of timing it. Cases of one problem stand together, so
 * that its inputs, reference rows, block lists and statistics are made once. Rows of sweep.csv =
 * cases x modes. */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include "bench/backend.h"
#include "bench/config.h"
#include "bench/row.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_problem {
  bench_attn attn;
  uint64_t id;             /* bench_attn_id */
  double density;          /* visible share of seq_q * seq_kv, mean over heads and layers */
  int64_t layers_distinct; /* layers with Q, K, V of their own */
  int64_t flops;           /* of the whole timed region */
  int64_t bytes_min;       /* likewise */
  double projection_flops; /* of these, the projections' */
  const char *model_path;  /* BENCH_INPUT_MODEL: the folder; owned by the config */
  const char *text_path;   /* BENCH_INPUT_MODEL: NULL for the folder's own text; config's */
  const char *why_not;     /* NULL, or why no kernel can run it; owned by the plan */
} bench_problem;

typedef struct bench_case {
  size_t problem;
  size_t peer;      /* 0: one of our kernels; n: number n - 1 of the target's peer kernels */
  const char *name; /* of the kernel, as in the config: family or family/variant */
  uint64_t id;      /* problem id and name */
  int64_t number;   /* from 1, in the whole plan: a filter leaves it */
  uint32_t modes;   /* bit m: plan->modes[m] is wanted */
  const bench_kernel_entry *kernel; /* NULL: skipped */
  const char *why_not;              /* reason of the skip; owned by the plan or static */
  int64_t workspace_bytes;
  int64_t mem_predicted_bytes;
  double time_predicted_s; /* one execution of the timed region, by the rate table */
} bench_case;

/* What the plan needs to know of the machine it will run on. */
typedef struct bench_target {
  const bench_backend *backend; /* its kernel table; no function that opens the device is called.
                                   NULL only with `absent` */
  bench_device device;          /* its `backend` is always filled */
  char absent[512]; /* why no device answers: then every case is skipped; "": one does */
  const char *const *peer_kernels; /* names of what peers compute, beside the config's kernels */
  size_t peer_kernel_count;
} bench_target;

typedef struct bench_plan {
  bench_problem *problems;
  size_t problem_count;
  bench_case *cases;
  size_t case_count;
  bench_mode modes[BENCH_MODE_COUNT]; /* the config's, sustained last */
  size_t mode_count;
  char **texts; /* reasons made up while planning */
  size_t text_count;
} bench_plan;

/* The ordered plan of a config on a target. Pure but for model inputs, whose checkpoint headers
 * are read. The caller frees; the config must outlive the plan. */
bench_code bench_plan_build(const bench_config *config, const bench_target *target, bench_plan *out,
                            bench_error *error);
void bench_plan_free(bench_plan *plan);

/* Last-level caches that mode graph fills with copies of the tensors, so that none is in a cache
 * when its turn comes. */
#define BENCH_GRAPH_CACHES 5

/* Why this mode cannot be timed for this case, or NULL. Covers the case's own reason too. */
const char *bench_plan_why_not(const bench_case *planned, bench_mode mode,
                               const bench_target *target);

/* Fills the columns that are known before anything ran; the others are missing. */
void bench_plan_row(const bench_plan *plan, const bench_case *planned, bench_mode mode,
                    const bench_target *target, bench_row *row);

/* Rows of sweep.csv: the wanted modes of all cases. */
int64_t bench_plan_rows(const bench_plan *plan);

/* Keeps only the modes, and of those the cases, of which `keep` says so. */
typedef bool bench_plan_keep_fn(void *context, const bench_row *row);
void bench_plan_filter(bench_plan *plan, const bench_target *target, bench_plan_keep_fn *keep,
                       void *context);

/* Exact counts of the whole timed region, by these formulas.
 *
 * flops (convention "pairs_exact"), forward:
 *   sum over layers, batch entries and query heads of 2 (d + d) P, P the visible pairs of the head;
 *   with scope=block also 2 m n k for each projection of each layer, m = batch * seq_q:
 *   Q, K and V together n = (heads_q + 2 heads_kv) d, k = d_model; the output n = d_model,
 *   k = heads_q d. Backward 2.5 times that.
 * bytes_min: Q and O, and the keys of K and V that some row of a key head's group of query heads
 *   sees, once per layer. With scope=block the input and output of the block (batch * seq_q *
 *   d_model each, the output in float) and the weights take the place of Q, O and the new rows of K
 *   and V; what a cache already held is still read, as far as it is seen. What TOPK sees depends on
 *   the input: counted is the least that any choice must read. */
typedef struct bench_work_count {
  double density;          /* visible share of seq_q * seq_kv, mean over heads and layers */
  int64_t flops;           /* BENCH_MISSING_INT: beyond int64 */
  int64_t bytes_min;       /* likewise */
  double projection_flops; /* of `flops`; 0 with scope=attention */
} bench_work_count;
bench_code bench_count_work(const bench_attn *attn, bench_work_count *out, bench_error *error);
/* Q, K, V, O and LSE of `layers_distinct` layers; with scope=block also the block's input, output
 * (in float) and weights. Host copies that a backend without host memory needs are not in it. */
int64_t bench_tensor_bytes(const bench_attn *attn, int64_t layers_distinct);
/* As many layers as fill five times the last-level cache, at most layers; where the mask
 * alternates over layers a whole number of its periods, so that a set of tensors has one mask. */
int64_t bench_layers_distinct(const bench_attn *attn, int64_t llc_bytes);

/* FLOP/s that a kernel's family is presumed to sustain on a device: low by intent, a prediction and
 * no result. */
double bench_rate_presumed(const bench_device *device, const char *name, bench_dtype dtype);

/* Resident memory of a worker beside what a case asks for: the program, its libraries, the stacks
 * of its threads. Of the cpu backend alone: a device's memory has none of it. */
#define BENCH_PROCESS_BYTES (INT64_C(6) << 20)

#define BENCH_FLOPS_CONVENTION "pairs_exact"

#ifdef __cplusplus
}
#endif
#endif
