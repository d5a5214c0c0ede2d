/* The core statistics by their definitions, in double, row by row with the whole row of weights in
 * memory: what harness/stats is held against. */
#ifndef BENCH_TEST_STATS_REFERENCE_H
#define BENCH_TEST_STATS_REFERENCE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/input.h"
#include "bench/stat.h"
#include "mask_shapes.h"

/* A layer's Q and K as stored, and the same values as float. */
typedef struct reference_layer {
  bench_attn attn;
  bench_blocklist list; /* BLOCK */
  void *q;
  void *k;
  float *q_float;
  float *k_float;
} reference_layer;

static inline void *reference_memory(size_t bytes) {
  void *memory = calloc(1, bytes);
  if (memory == NULL) {
    abort();
  }
  return memory;
}

/* After a change to q_float or k_float: stores them in the dtype, and takes the rounded values. */
static inline void reference_store(reference_layer *layer) {
  const int64_t q_count = bench_attn_q_elements(&layer->attn);
  const int64_t k_count = bench_attn_kv_elements(&layer->attn);
  bench_from_float(layer->attn.dtype, layer->q_float, layer->q, q_count);
  bench_from_float(layer->attn.dtype, layer->k_float, layer->k, k_count);
  bench_to_float(layer->attn.dtype, layer->q, layer->q_float, q_count);
  bench_to_float(layer->attn.dtype, layer->k, layer->k_float, k_count);
}

/* Q and K drawn from attn->input; the caller frees with reference_free. */
/* Of the list of a mask that leaves the size open. */
#ifndef REFERENCE_BLOCK
#define REFERENCE_BLOCK 24
#endif

static inline reference_layer reference_make(const bench_attn *attn) {
  reference_layer layer = {.attn = *attn};
  const size_t q_bytes = (size_t)bench_attn_q_elements(attn) * sizeof(float);
  const size_t k_bytes = (size_t)bench_attn_kv_elements(attn) * sizeof(float);
  layer.q = reference_memory(q_bytes);
  layer.k = reference_memory(k_bytes);
  layer.q_float = reference_memory(q_bytes);
  layer.k_float = reference_memory(k_bytes);
  bench_input_fill(attn->input, attn->seed, 0, BENCH_TENSOR_Q, BENCH_FP32, layer.q_float,
                   bench_attn_q_elements(attn));
  bench_input_fill(attn->input, attn->seed, 0, BENCH_TENSOR_K, BENCH_FP32, layer.k_float,
                   bench_attn_kv_elements(attn));
  reference_store(&layer);
  const int64_t block = bench_mask_block(attn) > 0 ? bench_mask_block(attn) : REFERENCE_BLOCK;
  if (!bench_mask_is_simple(&attn->mask) &&
      bench_blocklist_build(attn, block, layer.q, layer.k, &layer.list, NULL) != BENCH_OK) {
    abort();
  }
  return layer;
}

static inline void reference_free(reference_layer *layer) {
  bench_blocklist_free(&layer->list);
  free(layer->q);
  free(layer->k);
  free(layer->q_float);
  free(layer->k_float);
}

/* `head` counts over sequences and query heads. */
static inline bool reference_sees(const reference_layer *layer, int64_t head, int64_t row,
                                  int64_t key) {
  if (!bench_mask_is_simple(&layer->attn.mask)) {
    return bench_blocklist_visible(&layer->list, head, row, key);
  }
  return shape_sees(&layer->attn, row, key);
}

/* Scaled logits of a row; -inf where the row does not see the key. Returns the visible keys. */
static inline int64_t reference_logits(const reference_layer *layer, int64_t sequence, int64_t head,
                                       int64_t row, double *s) {
  const bench_attn *attn = &layer->attn;
  const int64_t dim = attn->head_dim;
  const int64_t key_head = sequence * attn->heads_kv + head / (attn->heads_q / attn->heads_kv);
  const float *q = layer->q_float + ((sequence * attn->heads_q + head) * attn->seq_q + row) * dim;
  const float *k = layer->k_float + key_head * attn->seq_kv * dim;
  int64_t visible = 0;
  for (int64_t j = 0; j < attn->seq_kv; j++) {
    s[j] = -INFINITY;
    if (reference_sees(layer, sequence * attn->heads_q + head, row, j)) {
      double dot = 0.0;
      for (int64_t c = 0; c < dim; c++) {
        dot += (double)q[c] * k[j * dim + c];
      }
      s[j] = dot / sqrt((double)dim);
      visible++;
    }
  }
  return visible;
}

/* log sum exp of factor * s over keys [begin, end). */
static inline double reference_lse(const double *s, double factor, int64_t begin, int64_t end) {
  double max = -INFINITY;
  double sum = 0.0;
  for (int64_t j = begin; j < end; j++) {
    max = fmax(max, factor * s[j]);
  }
  for (int64_t j = begin; j < end && max > -INFINITY; j++) {
    sum += exp(factor * s[j] - max);
  }
  return max > -INFINITY ? max + log(sum) : -INFINITY;
}

/* Adds one row's values to `sum` and `nosink_rows`. */
static inline void reference_row(const double *s, int64_t seq_kv, int64_t i, int64_t visible,
                                 bench_stat_core *sum, int64_t *nosink_rows) {
  const double lse = reference_lse(s, 1.0, 0, seq_kv);
  double max = -INFINITY;
  double entropy = 0.0;
  double square = 0.0;
  double rest = 0.0;
  double rest_distance = 0.0;
  for (int64_t j = 0; j < seq_kv; j++) {
    const double p = exp(s[j] - lse);
    const double d = (double)llabs(i - j);
    max = fmax(max, s[j]);
    entropy -= p > 0.0 ? p * (s[j] - lse) : 0.0;
    square += p * d * d;
    sum->sum_p2 += p * p;
    sum->distance_tokens += p * d;
    rest += j > 0 ? p : 0.0;
    rest_distance += j > 0 ? p * d : 0.0;
    sum->window16_mass += d < 16 ? p : 0.0;
    sum->window64_mass += d < 64 ? p : 0.0;
    sum->window256_mass += d < 256 ? p : 0.0;
    sum->window1024_mass += d < 1024 ? p : 0.0;
    sum->sink_mass += j < 1 ? p : 0.0;
    sum->sink4_mass += j < 4 ? p : 0.0;
  }
  sum->rows++;
  sum->lse += lse;
  sum->max_logit = fmax(sum->max_logit, max);
  sum->entropy_nats += entropy;
  sum->entropy_norm += entropy / log((double)visible);
  sum->p_max += exp(max - lse);
  sum->distance_rms_tokens += sqrt(square);
  if (rest > 0.0) {
    ++*nosink_rows;
    sum->distance_nosink_tokens += rest_distance / rest;
  }
}

/* One query head. Every sequence has the same rows, so the mean over rows and then sequences is
 * the mean over all. */
static inline bench_stat_core reference_head(const reference_layer *layer, int64_t head,
                                             int64_t row_stride) {
  const bench_attn *attn = &layer->attn;
  bench_stat_core mean = {.max_logit = -INFINITY};
  int64_t nosink_rows = 0;
  double *s = reference_memory((size_t)attn->seq_kv * sizeof *s);
  for (int64_t b = 0; b < attn->batch; b++) {
    for (int64_t row = 0; row < attn->seq_q; row += row_stride) {
      const int64_t visible = reference_logits(layer, b, head, row, s);
      if (visible >= 2) {
        reference_row(s, attn->seq_kv, row + attn->seq_kv - attn->seq_q, visible, &mean,
                      &nosink_rows);
      }
    }
  }
  free(s);
  const double rows = (double)mean.rows;
  double *const values[] = {
      &mean.lse,
      &mean.entropy_nats,
      &mean.entropy_norm,
      &mean.sum_p2,
      &mean.p_max,
      &mean.distance_tokens,
      &mean.window16_mass,
      &mean.window64_mass,
      &mean.window256_mass,
      &mean.sink_mass,
      &mean.window1024_mass,
      &mean.sink4_mass,
      &mean.distance_rms_tokens,
  };
  for (size_t n = 0; n < sizeof values / sizeof values[0]; n++) {
    *values[n] /= rows;
  }
  mean.distance_nosink_tokens /= (double)nosink_rows;
  return mean;
}

/* Within 1e-5 of the wanted value, or of `floor` where that is larger; NaN equals NaN. */
static inline void check_value(const char *name, double value, double wanted, double floor) {
  const double tolerance = 1e-5 * fmax(fabs(wanted), floor);
  if (isnan(wanted) ? !isnan(value) : !(fabs(value - wanted) <= tolerance)) {
    fail_msg("%s is %.12g, not %.12g", name, value, wanted);
  }
}

static inline bench_stat_core *measure(const reference_layer *layer, int64_t row_stride) {
  bench_stat_core *out = reference_memory((size_t)layer->attn.heads_q * sizeof *out);
  const bench_blocklist *list = layer->list.row_begin != NULL ? &layer->list : NULL;
  bench_error error = {0};
  assert_int_equal(
      bench_stat_core_layer(&layer->attn, list, layer->q, layer->k, row_stride, out, &error),
      BENCH_OK);
  return out;
}

static inline bench_stat_core measure_one(const reference_layer *layer) {
  bench_stat_core *out = measure(layer, 1);
  const bench_stat_core first = out[0];
  free(out);
  return first;
}

#endif
