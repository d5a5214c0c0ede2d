/* Is a kernel's result right? Judged before it is timed, against attention in double precision.
 *
 * The bound is FlashAttention's rule with factor 2, from the problem's own data:
 *   max |O - ref| <= 2 max |naive - ref| + 2 max |((ref + 0.3) - 0.3) - ref|
 * where naive is the same attention computed plainly in the dtype, and the last term, evaluated
 * in the dtype, is what rounding the output alone can cost. The log-sum-exp is float whatever the
 * dtype; it must agree to 1e-4 (1 + |ref|). Both maxima are over the rows that are checked. */
#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "bench/plan.h"
#include "cpu/reference.h"
#include "src/work.h"

#define WHOLE_FLOPS 1e10      /* up to here the whole output is compared */
#define WHOLE_VALUES 33554432 /* and only if its reference fits in 256 MB */
#define SAMPLED_ROWS 256
#define LSE_TOLERANCE 1e-4

struct bench_reference {
  bool whole;
  int64_t count;
  int64_t *rows; /* [count] index into (layer, batch, head, row), ascending */
  double *o;     /* [count][head_dim] */
  double *lse;   /* [count] */
  double tolerance;
};

void bench_reference_free(bench_reference *reference) {
  if (reference != NULL) {
    free(reference->rows);
    free(reference->o);
    free(reference->lse);
    free(reference);
  }
}

static int compare_int64(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a;
  int64_t y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

/* Rows where kernels go wrong: the ends, the tile edges, the places where a mask changes. Returns
 * how many of the query rows it wrote. */
static int64_t edge_rows(const bench_attn *attn, int64_t *rows) {
  const int64_t shift = attn->seq_q - attn->seq_kv; /* row of position 0 */
  const int64_t block = bench_mask_block(attn);
  const int64_t edges[] = {0,
                           16,
                           32,
                           64,
                           128,
                           256,
                           attn->seq_q,
                           attn->seq_q / 64 * 64,
                           attn->seq_q / 128 * 128,
                           shift,
                           shift + attn->mask.window,
                           shift + attn->mask.sink,
                           shift + attn->mask.sink + attn->mask.window,
                           shift + block};
  int64_t count = 0;
  for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
    for (int64_t row = edges[i] - 1; row <= edges[i] + 1; row++) {
      if (row >= 0 && row < attn->seq_q) {
        rows[count++] = row;
      }
    }
  }
  return count;
}

static int64_t choose_rows(const bench_work *work, bool whole, int64_t *rows) {
  const bench_attn *attn = &work->attn;
  int64_t total = work->layers_distinct * bench_attn_rows(attn);
  int64_t count = 0;
  if (whole) {
    for (int64_t i = 0; i < total; i++) {
      rows[count++] = i;
    }
    return count;
  }
  for (int64_t i = 0; i < SAMPLED_ROWS; i++) {
    rows[count++] = (int64_t)(bench_hash64(work->id, 0x726f7773, (uint64_t)i) % (uint64_t)total);
  }
  int64_t edges[64];
  int64_t edge_count = edge_rows(attn, edges);
  for (int64_t i = 0; i < edge_count; i++) {
    rows[count++] = edges[i];                       /* first layer, sequence and head */
    rows[count++] = total - attn->seq_q + edges[i]; /* last ones */
  }
  qsort(rows, (size_t)count, sizeof *rows, compare_int64);
  int64_t unique = 0;
  for (int64_t i = 0; i < count; i++) {
    if (unique == 0 || rows[i] != rows[unique - 1]) {
      rows[unique++] = rows[i];
    }
  }
  return unique;
}

/* What rounding an output value can cost, in the dtype. */
static double rounding_error(bench_dtype dtype, double reference) {
  float there = bench_round_to(dtype, (float)reference);
  float up = bench_round_to(dtype, there + 0.3f);
  float back = bench_round_to(dtype, up - 0.3f);
  return fabs((double)back - (double)there);
}

typedef struct row_error {
  double naive;
  double rounding;
} row_error;

/* One row's reference, and the errors that make the tolerance. */
static row_error reference_row(const bench_work *work, bench_reference *reference, int64_t index,
                               double *scratch, float *naive) {
  const bench_attn *attn = &work->attn;
  int64_t flat = reference->rows[index];
  int64_t row = flat % attn->seq_q;
  int64_t head = flat / attn->seq_q % attn->heads_q;
  int64_t batch = flat / attn->seq_q / attn->heads_q % attn->batch;
  const bench_layer *layer = &work->layers[flat / bench_attn_rows(attn)];
  const bench_blocklist *list = bench_segment_list(layer->segment);
  double *o = reference->o + index * attn->head_dim;
  bench_reference_row(&layer->segment->attn, list, layer->host_q, layer->host_k, layer->host_v,
                      batch, head, row, scratch, o, &reference->lse[index]);
  bench_naive_row(&layer->segment->attn, list, layer->host_q, layer->host_k, layer->host_v, batch,
                  head, row, (float *)scratch, naive);
  row_error error = {0};
  for (int64_t d = 0; d < attn->head_dim; d++) {
    error.naive = fmax(error.naive, fabs((double)naive[d] - o[d]));
    error.rounding = fmax(error.rounding, rounding_error(attn->dtype, o[d]));
  }
  return error;
}

static bench_code fill_reference(const bench_work *work, bench_reference *reference,
                                 bench_error *error) {
  const bench_attn *attn = &work->attn;
  double naive_error = 0;
  double rounding = 0;
  bool out_of_memory = false;
#pragma omp parallel reduction(max : naive_error, rounding) reduction(|| : out_of_memory)
  {
    double *scratch = malloc((size_t)(attn->seq_kv + 64) * sizeof *scratch);
    float *naive = malloc((size_t)attn->head_dim * sizeof *naive);
    out_of_memory = scratch == NULL || naive == NULL;
#pragma omp for schedule(dynamic, 16)
    for (int64_t i = 0; i < reference->count; i++) {
      if (!out_of_memory) {
        row_error found = reference_row(work, reference, i, scratch, naive);
        naive_error = fmax(naive_error, found.naive);
        rounding = fmax(rounding, found.rounding);
      }
    }
    free(scratch);
    free(naive);
  }
  reference->tolerance = 2 * naive_error + 2 * rounding;
  return out_of_memory ? bench_fail(error, BENCH_ERR_NOMEM, "no memory for the reference")
                       : BENCH_OK;
}

static bench_code make_reference(bench_work *work, bool whole, bench_error *error) {
  const bench_attn *attn = &work->attn;
  bench_attn once = *attn;
  once.layers = work->layers_distinct;
  once.scope = BENCH_SCOPE_ATTENTION; /* the projections are looked at apart */
  bench_work_count count;
  bench_code code = bench_count_work(&once, &count, error);
  if (code != BENCH_OK) {
    return code;
  }
  int64_t total = work->layers_distinct * bench_attn_rows(attn);
  whole = whole || (count.flops != BENCH_MISSING_INT && (double)count.flops <= WHOLE_FLOPS &&
                    total <= WHOLE_VALUES / attn->head_dim);
  if (work->reference != NULL && (work->reference->whole || !whole)) {
    return BENCH_OK;
  }
  bench_reference_free(work->reference);
  work->reference = NULL;
  bench_reference *reference = calloc(1, sizeof *reference);
  if (reference != NULL) {
    reference->rows = malloc((size_t)(whole ? total : SAMPLED_ROWS + 256) * sizeof(int64_t));
  }
  if (reference != NULL && reference->rows != NULL) {
    reference->whole = whole;
    reference->count = choose_rows(work, whole, reference->rows);
    reference->o = malloc((size_t)(reference->count * attn->head_dim) * sizeof(double));
    reference->lse = malloc((size_t)reference->count * sizeof(double));
  }
  if (reference == NULL || reference->o == NULL || reference->lse == NULL) {
    bench_reference_free(reference);
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for the reference");
  }
  code = fill_reference(work, reference, error);
  if (code != BENCH_OK) {
    bench_reference_free(reference);
    return code;
  }
  work->reference = reference;
  return BENCH_OK;
}

/* One layer's outputs on the host, as float. */
typedef struct outputs {
  float *o;
  float *lse;
  void *raw; /* as stored; NULL where the backend has host memory */
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
static void scan_layer(const bench_attn *attn, int64_t layer, const outputs *out,
                       bench_verdict *verdict) {
  for (int64_t row = 0; row < bench_attn_rows(attn) && verdict->right; row++) {
    const float *o = out->o + row * attn->head_dim;
    bool finite = true;
    for (int64_t d = 0; d < attn->head_dim; d++) {
      finite = finite && isfinite(o[d]);
    }
    if (!finite) {
      wrong(verdict, "O is not finite, or was not written,", attn, layer, row);
    } else if (isnan(out->lse[row]) || out->lse[row] == INFINITY) {
      wrong(verdict, "LSE is NaN or inf, or was not written,", attn, layer, row);
    }
  }
}

typedef struct error_sums {
  double difference2;
  double reference2;
} error_sums;

static void compare_row(const bench_work *work, int64_t index, const outputs *out,
                        bench_verdict *verdict, error_sums *sums) {
  const bench_attn *attn = &work->attn;
  const bench_reference *reference = work->reference;
  int64_t row = reference->rows[index] % bench_attn_rows(attn);
  int64_t layer = reference->rows[index] / bench_attn_rows(attn);
  const double *expected = reference->o + index * attn->head_dim;
  const float *got = out->o + row * attn->head_dim;
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
  double lse = reference->lse[index];
  bool lse_right = isinf(lse)
                       ? (double)out->lse[row] == lse
                       : fabs((double)out->lse[row] - lse) <= LSE_TOLERANCE * (1 + fabs(lse));
  if (!lse_right) {
    char what[128];
    snprintf(what, sizeof what, "LSE %.9g where the reference has %.9g", (double)out->lse[row],
             lse);
    wrong(verdict, what, attn, layer, row);
  }
}

static bench_code compare_layers(bench_work *work, bool values, bench_verdict *verdict,
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
    scan_layer(&work->attn, l, &out, verdict);
    while (values && next < work->reference->count && work->reference->rows[next] / rows == l) {
      compare_row(work, next++, &out, verdict, &sums);
    }
  }
  if (values && sums.reference2 > 0) {
    verdict->err_rel_l2 = sqrt(sums.difference2 / sums.reference2);
  }
  outputs_free(&out);
  return code;
}

bench_code bench_verify(bench_work *work, const bench_kernel *kernel, void *workspace,
                        size_t workspace_bytes, bool whole, bench_verdict *verdict,
                        bench_error *error) {
  *verdict =
      (bench_verdict){.right = true, .err_max_abs = NAN, .err_rel_l2 = NAN, .err_tolerance = NAN};
  bool computes = strcmp(kernel->family, "null") != 0;
  bool values = computes && work->attn.input != BENCH_INPUT_HUGE;
  bench_code code = values ? make_reference(work, whole, error) : BENCH_OK;
  if (code == BENCH_OK) {
    code = bench_work_poison(work, error);
  }
  if (code == BENCH_OK) {
    code = bench_work_launch(work, kernel, workspace, BENCH_STAGE_ALL, error);
  }
  if (code == BENCH_OK) {
    code = work->backend->sync(work->context, error);
  }
  if (code == BENCH_OK && computes) {
    verdict->err_tolerance = values ? work->reference->tolerance : NAN;
    code = compare_layers(work, values, verdict, error);
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
