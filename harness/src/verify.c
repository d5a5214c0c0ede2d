/* Is a kernel's result right? Judged before it is timed, while it is, and once more at the end on
 * inputs that it has never seen, against attention in double precision: reference.c. The
 * log-sum-exp is float whatever the dtype; it must agree to 1e-4 (1 + |ref|). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/reference.h"

#define LSE_TOLERANCE 1e-4

/* How precise a kernel is was judged before, on the problem's own inputs, which are the same in
 * every run. Rows and inputs that are drawn while and after it is timed are others in each run, and
 * in fp32 one draw in some hundred is by a fifth beyond the bound of its own few rows. What is
 * asked there is whether the kernel computed at all: what it did not is off by as much as values
 * are. */
#define DRAWN_FACTOR 4

/* One layer's outputs on the host, as float. */
typedef struct outputs {
  float *o;
  float *lse;
  void *raw; /* as stored */
} outputs;

static void outputs_free(outputs *out) {
  free(out->o);
  free(out->lse);
  free(out->raw);
}

static bench_code outputs_alloc(const bench_work *work, outputs *out, bench_error *error) {
  size_t values = (size_t)bench_attn_q_elements(&work->attn);
  *out = (outputs){.o = malloc(values * sizeof(float)),
                   .lse = malloc((size_t)bench_attn_rows(&work->attn) * sizeof(float)),
                   .raw = malloc(values * bench_dtype_bytes(work->attn.dtype))};
  if (out->o == NULL || out->lse == NULL || out->raw == NULL) {
    outputs_free(out);
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory to compare outputs");
  }
  return BENCH_OK;
}

static bench_code outputs_download(const bench_work *work, int64_t layer, outputs *out,
                                   bench_error *error) {
  const bench_attn *attn = &work->attn;
  int64_t values = bench_attn_q_elements(attn);
  const bench_layer *from = &work->layers[layer];
  bench_code code = work->backend->download(work->context, out->raw, from->o,
                                            (size_t)values * bench_dtype_bytes(attn->dtype), error);
  if (code == BENCH_OK) {
    code = work->backend->download(work->context, out->lse, from->lse,
                                   (size_t)bench_attn_rows(attn) * sizeof(float), error);
  }
  if (code == BENCH_OK) {
    bench_to_float(attn->dtype, out->raw, out->o, values);
  }
  return code;
}

static void wrong(bench_verdict *verdict, const char *what, const bench_attn *attn, int64_t layer,
                  int64_t row) {
  if (!verdict->right) {
    return; /* the first finding is the one that is told */
  }
  verdict->right = false;
  snprintf(verdict->reason, sizeof verdict->reason,
           "%s at layer %" PRId64 ", sequence %" PRId64 ", head %" PRId64 ", row %" PRId64, what,
           layer, row / attn->seq_q / attn->heads_q, row / attn->seq_q % attn->heads_q,
           row % attn->seq_q);
}

/* Every value of a layer: no NaN or inf in O, no NaN or +inf in LSE. */
static void scan_layer(const bench_attn *attn, int64_t layer, const outputs *out, bool lse,
                       bench_verdict *verdict) {
  for (int64_t row = 0; row < bench_attn_rows(attn) && verdict->right; row++) {
    const float *o = out->o + row * attn->head_dim;
    bool finite = true;
    for (int64_t d = 0; d < attn->head_dim; d++) {
      finite = finite && isfinite(o[d]);
    }
    if (!finite) {
      wrong(verdict, "O is not finite, or was not written,", attn, layer, row);
    } else if (lse && (isnan(out->lse[row]) || out->lse[row] == INFINITY)) {
      wrong(verdict, "LSE is NaN or inf, or was not written,", attn, layer, row);
    }
  }
}

typedef struct error_sums {
  double difference2;
  double reference2;
} error_sums;

/* One row, `got` and, if there is one, *lse, against row `index` of the reference. */
static void compare_row(const bench_attn *attn, const bench_reference *reference, int64_t index,
                        const float *got, const float *lse, bench_verdict *verdict,
                        error_sums *sums) {
  int64_t row = reference->rows[index] % bench_attn_rows(attn);
  int64_t layer = reference->rows[index] / bench_attn_rows(attn);
  const double *expected = reference->o + index * attn->head_dim;
  double worst = 0;
  for (int64_t d = 0; d < attn->head_dim; d++) {
    double difference = fabs((double)got[d] - expected[d]);
    worst = fmax(worst, difference);
    sums->difference2 += difference * difference;
    sums->reference2 += expected[d] * expected[d];
  }
  verdict->err_max_abs = fmax(verdict->err_max_abs, worst);
  verdict->rows_checked++;
  if (!(worst <= reference->tolerance)) {
    char what[128];
    snprintf(what, sizeof what, "error %.3g exceeds the tolerance %.3g", worst,
             reference->tolerance);
    wrong(verdict, what, attn, layer, row);
  }
  if (lse == NULL) {
    return;
  }
  double expected_lse = reference->lse[index];
  bool lse_right = isinf(expected_lse) ? (double)*lse == expected_lse
                                       : fabs((double)*lse - expected_lse) <=
                                             LSE_TOLERANCE * (1 + fabs(expected_lse));
  if (!lse_right) {
    char what[128];
    snprintf(what, sizeof what, "LSE %.9g where the reference has %.9g", (double)*lse,
             expected_lse);
    wrong(verdict, what, attn, layer, row);
  }
}

bench_code bench_verify_row(const bench_work *work, int64_t layer, int64_t row, const float *o,
                            float lse, bench_verdict *verdict, bench_error *error) {
  const bench_attn *attn = &work->attn;
  int64_t flat = layer * bench_attn_rows(attn) + row;
  double expected_lse;
  bench_reference one = {.count = 1, .rows = &flat, .lse = &expected_lse};
  double *scratch = malloc(bench_reference_scratch(attn));
  float *naive = malloc((size_t)attn->head_dim * sizeof *naive);
  one.o = malloc((size_t)attn->head_dim * sizeof *one.o);
  bench_code code = BENCH_OK;
  if (scratch == NULL || naive == NULL || one.o == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory to check a row");
  } else {
    const bench_row_error found = bench_reference_fill_row(work, &one, 0, scratch, naive);
    error_sums sums = {0};
    one.tolerance = DRAWN_FACTOR * fmax(bench_reference_tolerance(found), verdict->err_tolerance);
    compare_row(attn, &one, 0, o, &lse, verdict, &sums);
  }
  free(scratch);
  free(naive);
  free(one.o);
  return code;
}

static bench_code compare_layers(bench_work *work, bool values, bool lse, bench_verdict *verdict,
                                 bench_error *error) {
  outputs out;
  bench_code code = outputs_alloc(work, &out, error);
  if (code != BENCH_OK) {
    return code;
  }
  error_sums sums = {0};
  int64_t next = 0;
  int64_t rows = bench_attn_rows(&work->attn);
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    code = outputs_download(work, l, &out, error);
    if (code != BENCH_OK) {
      break;
    }
    scan_layer(&work->attn, l, &out, lse, verdict);
    while (values && next < work->reference->count && work->reference->rows[next] / rows == l) {
      const int64_t row = work->reference->rows[next] % rows;
      compare_row(&work->attn, work->reference, next++, out.o + row * work->attn.head_dim,
                  lse ? &out.lse[row] : NULL, verdict, &sums);
    }
  }
  if (values && sums.reference2 > 0) {
    verdict->err_rel_l2 = sqrt(sums.difference2 / sums.reference2);
  }
  outputs_free(&out);
  return code;
}

bool bench_kernel_computes(const bench_kernel *kernel) {
  return bench_family_computes(kernel->family);
}

/* Whether this problem's outputs have values to compare; NaN and bounds are looked at anyway. */
static bool has_values(const bench_work *work, const bench_kernel *kernel) {
  return bench_kernel_computes(kernel) && work->attn.input != BENCH_INPUT_HUGE;
}

/* Looks at the outputs as they stand. */
static bench_code look_at_outputs(bench_work *work, const bench_kernel *kernel, void *workspace,
                                  size_t workspace_bytes, bench_verdict *verdict,
                                  bench_error *error) {
  const bool values = has_values(work, kernel);
  bench_code code = BENCH_OK;
  if (bench_kernel_computes(kernel)) {
    code = compare_layers(work, values, true, verdict, error);
  }
  if (code == BENCH_OK && values && work->attn.scope == BENCH_SCOPE_BLOCK) {
    code = bench_block_verify(work, verdict, error);
  }
  bool intact = true;
  bool workspace_intact = true;
  if (code == BENCH_OK) {
    code = bench_work_canaries(work, &intact, error);
  }
  if (code == BENCH_OK && workspace != NULL) {
    code = bench_guarded_check(work->backend, work->context, workspace, workspace_bytes,
                               &workspace_intact, error);
  }
  if (code == BENCH_OK && verdict->right && !(intact && workspace_intact)) {
    verdict->right = false;
    snprintf(verdict->reason, sizeof verdict->reason, "wrote outside its %s",
             intact ? "workspace" : "outputs");
  }
  return code;
}

#define MIX UINT64_C(0x9e3779b97f4a7c15)
#define MIX_PIECE ((int64_t)1 << 20)

static uint64_t mix_piece(uint64_t sum, const unsigned char *at, size_t bytes) {
  const size_t words = bytes / sizeof(uint64_t);
  for (size_t i = 0; i < words; i++) {
    uint64_t word;
    memcpy(&word, at + i * sizeof word, sizeof word);
    sum = (sum ^ word) * MIX;
  }
  for (size_t i = words * sizeof(uint64_t); i < bytes; i++) {
    sum = (sum ^ at[i]) * MIX;
  }
  return sum;
}

/* Each piece starts from its own place, so that they can be added up in any order. */
static uint64_t mix(uint64_t sum, const void *tensor, size_t bytes) {
  const int64_t end = (int64_t)bytes;
  uint64_t total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
  for (int64_t at = 0; at < end; at += MIX_PIECE) {
    const int64_t take = end - at < MIX_PIECE ? end - at : MIX_PIECE;
    total += mix_piece((uint64_t)at, (const unsigned char *)tensor + at, (size_t)take);
  }
  return (sum ^ total) * MIX;
}

/* A sum over all inputs: the host's, or what the device has, which is the same until a kernel
 * writes there. */
static bench_code sum_inputs(const bench_work *work, bool of_device, uint64_t *sum,
                             bench_error *error) {
  const bench_attn *attn = &work->attn;
  const size_t item = bench_dtype_bytes(attn->dtype);
  const size_t q = (size_t)bench_attn_q_elements(attn) * item;
  const size_t kv = (size_t)bench_attn_kv_elements(attn) * item;
  const bool apart = of_device && !work->backend->host_memory;
  void *bounce = apart ? malloc(q > kv ? q : kv) : NULL;
  bench_code code = BENCH_OK;
  if (apart && bounce == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory to look at the inputs");
  }
  *sum = 0;
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    const bench_layer *layer = &work->layers[l];
    const void *const host[] = {layer->host_q, layer->host_k, layer->host_v};
    const void *const device[] = {layer->q, layer->k, layer->v};
    for (int i = 0; code == BENCH_OK && i < 3; i++) {
      const size_t bytes = i == 0 ? q : kv;
      if (apart) {
        code = work->backend->download(work->context, bounce, device[i], bytes, error);
      }
      *sum = mix(*sum, apart ? bounce : host[i], bytes);
    }
  }
  free(bounce);
  return code;
}

static const bench_verdict nothing_found = {
    .right = true, .err_max_abs = NAN, .err_rel_l2 = NAN, .err_tolerance = NAN};

static bench_code verify(bench_work *work, const bench_kernel *kernel, void *workspace,
                         size_t workspace_bytes, bench_reference_rows rows, bench_verdict *verdict,
                         bench_error *error) {
  *verdict = nothing_found;
  const bool values = has_values(work, kernel);
  const bool reads_only = work->attn.scope == BENCH_SCOPE_ATTENTION; /* projections write Q, K, V */
  uint64_t before = 0;
  uint64_t after = 0;
  bench_code code = values ? bench_reference_make(work, rows, work->id, error) : BENCH_OK;
  if (code == BENCH_OK && reads_only) {
    code = sum_inputs(work, false, &before, error);
  }
  if (code == BENCH_OK) {
    code = bench_work_poison(work, error);
  }
  if (code == BENCH_OK) {
    code = bench_work_launch(work, kernel, workspace, BENCH_STAGE_ALL, error);
  }
  if (code == BENCH_OK) {
    code = work->backend->sync(work->context, error);
  }
  if (code == BENCH_OK) {
    verdict->err_tolerance = values ? work->reference->tolerance : NAN;
    code = look_at_outputs(work, kernel, workspace, workspace_bytes, verdict, error);
  }
  if (code == BENCH_OK && reads_only && verdict->right) {
    code = sum_inputs(work, true, &after, error);
    verdict->right = code != BENCH_OK || before == after;
    snprintf(verdict->reason, sizeof verdict->reason, "%s",
             verdict->right ? "" : "wrote into its inputs");
  }
  return code;
}

bench_code bench_verify(bench_work *work, const bench_kernel *kernel, void *workspace,
                        size_t workspace_bytes, bool whole, bench_verdict *verdict,
                        bench_error *error) {
  return verify(work, kernel, workspace, workspace_bytes,
                whole ? BENCH_ROWS_WHOLE : BENCH_ROWS_SAMPLED, verdict, error);
}

bench_code bench_verify_outputs(bench_work *work, bool lse, bool whole, bench_verdict *verdict,
                                bench_error *error) {
  *verdict = nothing_found;
  bench_code code =
      bench_reference_make(work, whole ? BENCH_ROWS_WHOLE : BENCH_ROWS_SAMPLED, work->id, error);
  if (code == BENCH_OK) {
    verdict->err_tolerance = work->reference->tolerance;
    code = compare_layers(work, true, lse, verdict, error);
  }
  return code;
}

/* A reference of a few rows of the inputs as they are now. That of the problem's own is put aside:
 * the next kernel needs it. */
static bench_code draw_reference(bench_work *work, uint64_t drawn, bench_reference **own,
                                 bench_error *error) {
  *own = work->reference;
  work->reference = NULL;
  if (work->attn.input == BENCH_INPUT_HUGE) {
    return BENCH_OK;
  }
  bench_code code = bench_reference_make(work, BENCH_ROWS_FEW, drawn, error);
  if (code == BENCH_OK) {
    const double bound = fmax(work->reference->tolerance, *own != NULL ? (*own)->tolerance : 0);
    work->reference->tolerance = DRAWN_FACTOR * bound;
  }
  return code;
}

static void put_back(bench_work *work, bench_reference *own) {
  bench_reference_free(work->reference);
  work->reference = own;
}

bench_code bench_verify_left(bench_work *work, const bench_kernel *kernel, void *workspace,
                             size_t workspace_bytes, uint64_t seed, bench_verdict *verdict,
                             bench_error *error) {
  bench_reference *own;
  *verdict = nothing_found;
  bench_code code = bench_work_fetch_projected(work, error);
  if (code != BENCH_OK) {
    return code;
  }
  code = draw_reference(work, seed, &own, error);
  if (code == BENCH_OK) {
    code = look_at_outputs(work, kernel, workspace, workspace_bytes, verdict, error);
  }
  put_back(work, own);
  return code;
}

bench_code bench_verify_unseen(bench_work *work, const bench_kernel *kernel, void *workspace,
                               size_t workspace_bytes, uint64_t seed, bench_verdict *verdict,
                               bench_error *error) {
  bench_reference *own;
  bench_code code = bench_work_fill(work, seed, error);
  if (code != BENCH_OK) {
    return code;
  }
  code = draw_reference(work, seed, &own, error);
  if (code == BENCH_OK) {
    code = verify(work, kernel, workspace, workspace_bytes, BENCH_ROWS_FEW, verdict, error);
  }
  put_back(work, own);
  return code;
}
