/* The reference of a problem: chosen rows of attention in double precision, and the tolerance.
 *
 * The bound is FlashAttention's rule with factor 2, from the problem's own data:
 *   max |O - ref| <= 2 max |naive - ref| + 2 max |((ref + 0.3) - 0.3) - ref|
 * where naive is the same attention computed plainly in the dtype, and the last term, evaluated
 * in the dtype, is what rounding the output alone can cost. Both maxima are over the rows that are
 * checked. */
#include "src/reference.h"

#include <assert.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "bench/input.h"
#include "bench/plan.h"
#include "cpu/reference.h"

#define WHOLE_FLOPS 1e10      /* up to here the whole output is compared */
#define WHOLE_VALUES 33554432 /* and only if its reference fits in 256 MB */
#define SAMPLED_ROWS 256
#define FEW_ROWS 32

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

/* The problem's own rows are the same in every run; a few are drawn, and no kernel knows them. */
static int64_t choose_rows(const bench_work *work, bench_reference_rows which, uint64_t drawn,
                           int64_t *rows) {
  const bench_attn *attn = &work->attn;
  int64_t total = work->layers_distinct * bench_attn_rows(attn);
  int64_t count = 0;
  if (which == BENCH_ROWS_WHOLE) {
    for (int64_t i = 0; i < total; i++) {
      rows[count++] = i;
    }
    return count;
  }
  const int64_t sampled = which == BENCH_ROWS_FEW ? FEW_ROWS : SAMPLED_ROWS;
  const uint64_t seed = which == BENCH_ROWS_FEW ? drawn : work->id;
  for (int64_t i = 0; i < sampled; i++) {
    rows[count++] = (int64_t)(bench_hash64(seed, 0x726f7773, (uint64_t)i) % (uint64_t)total);
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

bench_row_error bench_reference_fill_row(const bench_work *work, bench_reference *reference,
                                         int64_t index, double *scratch, float *naive) {
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
  bench_row_error error = {0};
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
    double *scratch = malloc(bench_reference_scratch(attn));
    float *naive = malloc((size_t)attn->head_dim * sizeof *naive);
    out_of_memory = scratch == NULL || naive == NULL;
#pragma omp for schedule(dynamic, 16)
    for (int64_t i = 0; i < reference->count; i++) {
      if (!out_of_memory) {
        bench_row_error found = bench_reference_fill_row(work, reference, i, scratch, naive);
        naive_error = fmax(naive_error, found.naive);
        rounding = fmax(rounding, found.rounding);
      }
    }
    free(scratch);
    free(naive);
  }
  reference->tolerance =
      bench_reference_tolerance((bench_row_error){.naive = naive_error, .rounding = rounding});
  return out_of_memory ? bench_fail(error, BENCH_ERR_NOMEM, "no memory for the reference")
                       : BENCH_OK;
}

bench_code bench_reference_make(bench_work *work, bench_reference_rows which, uint64_t drawn,
                                bench_error *error) {
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
  if (which == BENCH_ROWS_SAMPLED && count.flops != BENCH_MISSING_INT &&
      (double)count.flops <= WHOLE_FLOPS && total <= WHOLE_VALUES / attn->head_dim) {
    which = BENCH_ROWS_WHOLE;
  }
  const bool whole = which == BENCH_ROWS_WHOLE;
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
    reference->count = choose_rows(work, which, drawn, reference->rows);
    const int64_t values = reference->count * attn->head_dim;
    assert(values > 0);
    reference->o = malloc((size_t)values * sizeof(double));
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
