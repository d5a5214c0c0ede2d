/* See model_reference.h. */
#include "model_reference.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *zeros(int64_t count) {
  double *values = calloc((size_t)count, sizeof *values);
  assert(values != NULL);
  return values;
}

static const double *weight(const made_model *made, int64_t layer, const char *name) {
  char full[128];
  snprintf(full, sizeof full, "model.layers.%" PRId64 ".%s.weight", layer, name);
  return made_model_tensor(made, full)->values;
}

/* y[rows] = w[rows][cols] x[cols] */
static void product(const double *w, const double *x, int64_t rows, int64_t cols, double *y) {
  for (int64_t r = 0; r < rows; r++) {
    y[r] = 0.0;
    for (int64_t c = 0; c < cols; c++) {
      y[r] += w[r * cols + c] * x[c];
    }
  }
}

static void normalize(const double *x, const double *gain, int64_t width, double *y) {
  double mean = 0.0;
  for (int64_t c = 0; c < width; c++) {
    mean += x[c] * x[c] / (double)width;
  }
  for (int64_t c = 0; c < width; c++) {
    y[c] = gain[c] * x[c] / sqrt(mean + MADE_EPS);
  }
}

/* Rotates each pair (d, d + dim/2) by position * theta^(-2d/dim). */
static void turn(double *head, int64_t position, int64_t dim) {
  for (int64_t d = 0; d < dim / 2; d++) {
    const double angle = (double)position / pow(MADE_THETA, 2.0 * (double)d / (double)dim);
    const double real = head[d];
    const double imaginary = head[d + dim / 2];
    head[d] = real * cos(angle) - imaginary * sin(angle);
    head[d + dim / 2] = real * sin(angle) + imaginary * cos(angle);
  }
}

/* One position's projection, by heads into [heads][seq][dim]. */
static void project(const double *w, const double *x, const made_shape *s, int64_t heads,
                    int64_t position, int64_t seq, bool rotated, double *out) {
  double *row = zeros(heads * s->head_dim);
  product(w, x, heads * s->head_dim, s->hidden, row);
  for (int64_t h = 0; h < heads; h++) {
    double *head = row + h * s->head_dim;
    if (rotated) {
      turn(head, position, s->head_dim);
    }
    memcpy(out + (h * seq + position) * s->head_dim, head, (size_t)s->head_dim * sizeof *head);
  }
  free(row);
}

/* One row of one head: out[dim] = softmax(q K^T / sqrt(dim)) V over keys 0 .. row. */
static void attend(const double *q, const double *k, const double *v, int64_t row, int64_t dim,
                   double *out) {
  double *p = zeros(row + 1);
  double max = -INFINITY;
  double sum = 0.0;
  for (int64_t j = 0; j <= row; j++) {
    for (int64_t d = 0; d < dim; d++) {
      p[j] += q[d] * k[j * dim + d];
    }
    p[j] /= sqrt((double)dim);
    max = fmax(max, p[j]);
  }
  for (int64_t j = 0; j <= row; j++) {
    p[j] = exp(p[j] - max);
    sum += p[j];
  }
  for (int64_t d = 0; d < dim; d++) {
    out[d] = 0.0;
    for (int64_t j = 0; j <= row; j++) {
      out[d] += p[j] / sum * v[j * dim + d];
    }
  }
  free(p);
}

static void add_product(const double *w, const double *x, int64_t rows, int64_t cols, double *y) {
  double *row = zeros(rows);
  product(w, x, rows, cols, row);
  for (int64_t r = 0; r < rows; r++) {
    y[r] += row[r];
  }
  free(row);
}

static void feed_forward(const made_model *made, int64_t layer, double *x) {
  const made_shape *s = &made->shape;
  double *norm = zeros(s->hidden);
  double *gate = zeros(s->intermediate);
  double *up = zeros(s->intermediate);
  normalize(x, weight(made, layer, "post_attention_layernorm"), s->hidden, norm);
  product(weight(made, layer, "mlp.gate_proj"), norm, s->intermediate, s->hidden, gate);
  product(weight(made, layer, "mlp.up_proj"), norm, s->intermediate, s->hidden, up);
  for (int64_t i = 0; i < s->intermediate; i++) {
    up[i] *= gate[i] / (1.0 + exp(-gate[i]));
  }
  add_product(weight(made, layer, "mlp.down_proj"), up, s->hidden, s->intermediate, x);
  free(norm);
  free(gate);
  free(up);
}

static void run_layer(const made_model *made, int64_t layer, int64_t seq, double *x, double *q,
                      double *k, double *v) {
  const made_shape *s = &made->shape;
  double *norm = zeros(s->hidden);
  double *joined = zeros(s->heads_q * s->head_dim);
  for (int64_t i = 0; i < seq; i++) {
    normalize(x + i * s->hidden, weight(made, layer, "input_layernorm"), s->hidden, norm);
    project(weight(made, layer, "self_attn.q_proj"), norm, s, s->heads_q, i, seq, true, q);
    project(weight(made, layer, "self_attn.k_proj"), norm, s, s->heads_kv, i, seq, true, k);
    project(weight(made, layer, "self_attn.v_proj"), norm, s, s->heads_kv, i, seq, false, v);
  }
  for (int64_t i = 0; i < seq; i++) {
    for (int64_t h = 0; h < s->heads_q; h++) {
      const int64_t kv = h * s->heads_kv / s->heads_q * seq * s->head_dim;
      attend(q + (h * seq + i) * s->head_dim, k + kv, v + kv, i, s->head_dim,
             joined + h * s->head_dim);
    }
    add_product(weight(made, layer, "self_attn.o_proj"), joined, s->hidden,
                s->heads_q * s->head_dim, x + i * s->hidden);
    feed_forward(made, layer, x + i * s->hidden);
  }
  free(norm);
  free(joined);
}

static double row_loss(const made_model *made, const double *x, int64_t next) {
  const made_shape *s = &made->shape;
  const char *head = s->tied ? "model.embed_tokens.weight" : "lm_head.weight";
  double *norm = zeros(s->hidden);
  double *logits = zeros(s->vocab);
  normalize(x, made_model_tensor(made, "model.norm.weight")->values, s->hidden, norm);
  product(made_model_tensor(made, head)->values, norm, s->vocab, s->hidden, logits);
  double sum = 0.0;
  for (int64_t t = 0; t < s->vocab; t++) {
    sum += exp(logits[t] - logits[next]);
  }
  free(norm);
  free(logits);
  return log(sum);
}

void reference_run_init(const made_model *made, const int64_t *tokens, int64_t seq,
                        reference_run *out) {
  const made_shape *s = &made->shape;
  const int64_t query = s->heads_q * seq * s->head_dim;
  const int64_t key = s->heads_kv * seq * s->head_dim;
  const double *embedding = made_model_tensor(made, "model.embed_tokens.weight")->values;
  double *x = zeros(seq * s->hidden);
  *out = (reference_run){0.0, zeros(s->layers * query), zeros(s->layers * key),
                         zeros(s->layers * key)};
  for (int64_t i = 0; i < seq; i++) {
    memcpy(x + i * s->hidden, embedding + tokens[i] * s->hidden, (size_t)s->hidden * sizeof *x);
  }
  for (int64_t layer = 0; layer < s->layers; layer++) {
    run_layer(made, layer, seq, x, out->q + layer * query, out->k + layer * key,
              out->v + layer * key);
  }
  for (int64_t i = 0; i + 1 < seq; i++) {
    out->loss_sum += row_loss(made, x + i * s->hidden, tokens[i + 1]);
  }
  free(x);
}

void reference_run_free(reference_run *run) {
  free(run->q);
  free(run->k);
  free(run->v);
}
