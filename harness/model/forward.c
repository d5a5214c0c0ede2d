/* The layers of a Llama model over one sequence, from position 0.
 *
 * x [seq][hidden] is the residual stream. Between two attentions every row goes its own way, so
 * threads take slices of SLICE rows through all operations without waiting for one another, and
 * the intermediate states exist for one slice a thread only. The slices do not depend on the
 * number of threads, nor does the result. Weights that are not kept as float are converted once
 * per layer. */
#include "model/forward.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "bench/blas.h"
#include "model/attention.h"
#include "model/checkpoint.h"
#include "model/layers.h"

#define SLICE BENCH_FORWARD_SLICE

typedef struct forward {
  const bench_model *model;
  const bench_model_info *info;
  int64_t seq;
  bench_model_attention attention;
  const float *weights[BENCH_LAYER_WEIGHTS]; /* of the layer at hand */
  /* Buffers, 64-byte aligned. */
  float *x;            /* [seq][hidden] */
  float *q;            /* [heads_q][seq][head_dim] */
  float *k;            /* [heads_kv][seq][head_dim] */
  float *v;            /* [heads_kv][seq][head_dim] */
  float *o;            /* [heads_q][seq][head_dim] */
  float *lse;          /* [heads_q][seq] */
  float *cosine;       /* [seq][head_dim / 2] */
  float *sine;         /* [seq][head_dim / 2] */
  float *scratch;      /* [threads][scratch_elements(info)] */
  float *layer_floats; /* one layer's weights, only where the model does not keep them */
} forward;

/* One thread's part of the scratch. */
typedef struct slice_scratch {
  float *norm; /* [SLICE][hidden] */
  float *wide; /* [SLICE][max(heads_q * head_dim, intermediate)] */
  float *up;   /* [SLICE][intermediate] */
} slice_scratch;

static int64_t wide_elements(const bench_model_info *info) {
  const int64_t query = info->heads_q * info->head_dim;
  return query > info->intermediate ? query : info->intermediate;
}

/* A multiple of 16 floats, since SLICE is. */
static int64_t scratch_elements(const bench_model_info *info) {
  return SLICE * (info->hidden + wide_elements(info) + info->intermediate);
}

static slice_scratch scratch_of_thread(const forward *f) {
  float *norm = f->scratch + omp_get_thread_num() * scratch_elements(f->info);
  float *wide = norm + SLICE * f->info->hidden;
  return (slice_scratch){norm, wide, wide + SLICE * wide_elements(f->info)};
}

static int64_t layer_elements(const bench_model *model) {
  int64_t elements = 0;
  for (int i = 0; model->floats == NULL && i < BENCH_LAYER_WEIGHTS; i++) {
    elements += bench_model_layer(model, 0, i)->tensor->elements;
  }
  return elements;
}

static bench_code allocate(forward *f, bench_error *error) {
  const bench_model_info *info = f->info;
  const int64_t query = info->heads_q * info->head_dim;
  const int64_t key = info->heads_kv * info->head_dim;
  const struct {
    float **buffer;
    int64_t elements;
  } wanted[] = {
      {&f->x, f->seq * info->hidden},
      {&f->q, f->seq * query},
      {&f->k, f->seq * key},
      {&f->v, f->seq * key},
      {&f->o, f->seq * query},
      {&f->lse, f->seq * info->heads_q},
      {&f->cosine, f->seq * info->head_dim / 2},
      {&f->sine, f->seq * info->head_dim / 2},
      {&f->scratch, omp_get_max_threads() * scratch_elements(info)},
      {&f->layer_floats, layer_elements(f->model)},
  };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    size_t bytes = ((size_t)wanted[i].elements * sizeof(float) + 63) / 64 * 64;
    *wanted[i].buffer = bytes > 0 ? aligned_alloc(64, bytes) : NULL;
    if (bytes > 0 && *wanted[i].buffer == NULL) {
      return bench_fail(error, BENCH_ERR_NOMEM,
                        "%s: no memory for a forward pass of %" PRId64 " tokens", info->name,
                        f->seq);
    }
  }
  return BENCH_OK;
}

/* All but x, which is the result. */
static void release(forward *f) {
  float *buffers[] = {f->q,      f->k,    f->v,       f->o,           f->lse,
                      f->cosine, f->sine, f->scratch, f->layer_floats};
  for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
    free(buffers[i]);
  }
  bench_model_attention_close(&f->attention);
}

static void load_layer(forward *f, int64_t layer) {
  float *scratch = f->layer_floats;
  for (int i = 0; i < BENCH_LAYER_WEIGHTS; i++) {
    const bench_weight *weight = bench_model_layer(f->model, layer, i);
    f->weights[i] = bench_weight_rows(weight, 0, weight->rows, scratch);
    if (weight->values == NULL) {
      scratch += weight->tensor->elements;
    }
  }
}

/* Norm and the three projections of rows [first, first + n), into q, k and v by heads. */
static void project_in(const forward *f, int64_t first, int64_t n) {
  const bench_model_info *info = f->info;
  const slice_scratch to = scratch_of_thread(f);
  const struct {
    bench_layer_weight weight;
    int64_t heads;
    bool rotated;
    float *out;
  } parts[] = {{BENCH_WEIGHT_Q, info->heads_q, true, f->q},
               {BENCH_WEIGHT_K, info->heads_kv, true, f->k},
               {BENCH_WEIGHT_V, info->heads_kv, false, f->v}};
  bench_rms_norm(f->x + first * info->hidden, f->weights[BENCH_WEIGHT_ATTN_NORM], n, info->hidden,
                 info->rms_eps, to.norm);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    const bench_head_slice slice = {parts[i].heads, f->seq, info->head_dim, first, n};
    bench_linear(to.norm, f->weights[parts[i].weight], n, parts[i].heads * info->head_dim,
                 info->hidden, 0.0f, to.wide);
    bench_heads_scatter(&slice, to.wide, parts[i].rotated ? f->cosine : NULL, f->sine,
                        parts[i].out);
  }
}

/* Output projection and the gated feed-forward network of rows [first, first + n), both added to
 * the residual stream by the projection itself. */
static void project_out(const forward *f, int64_t first, int64_t n) {
  const bench_model_info *info = f->info;
  const slice_scratch to = scratch_of_thread(f);
  const bench_head_slice slice = {info->heads_q, f->seq, info->head_dim, first, n};
  float *x = f->x + first * info->hidden;
  bench_heads_gather(&slice, f->o, to.wide);
  bench_linear(to.wide, f->weights[BENCH_WEIGHT_O], n, info->hidden, info->heads_q * info->head_dim,
               1.0f, x);
  bench_rms_norm(x, f->weights[BENCH_WEIGHT_MLP_NORM], n, info->hidden, info->rms_eps, to.norm);
  bench_linear(to.norm, f->weights[BENCH_WEIGHT_GATE], n, info->intermediate, info->hidden, 0.0f,
               to.wide);
  bench_linear(to.norm, f->weights[BENCH_WEIGHT_UP], n, info->intermediate, info->hidden, 0.0f,
               to.up);
  bench_swiglu(to.wide, to.up, n * info->intermediate);
  bench_linear(to.wide, f->weights[BENCH_WEIGHT_DOWN], n, info->hidden, info->intermediate, 1.0f,
               x);
}

/* `work` on every slice of rows, by all threads. */
static void each_slice(const forward *f, void (*work)(const forward *f, int64_t first, int64_t n)) {
#pragma omp parallel for schedule(dynamic)
  for (int64_t first = 0; first < f->seq; first += SLICE) {
    work(f, first, f->seq - first < SLICE ? f->seq - first : SLICE);
  }
}

static bench_code run_layer(forward *f, int64_t layer, bench_model_layer_fn *on_layer,
                            void *context, bench_error *error) {
  load_layer(f, layer);
  each_slice(f, project_in);
  bench_code code = BENCH_OK;
  if (on_layer != NULL) {
    code = on_layer(context, layer, f->q, f->k, f->v);
  }
  if (code == BENCH_OK) {
    code = bench_model_attention_run(&f->attention, f->q, f->k, f->v, f->o, f->lse, error);
  }
  if (code == BENCH_OK) {
    each_slice(f, project_out);
  }
  return code;
}

static bench_code embed(forward *f, const int64_t *tokens, bench_error *error) {
  const int64_t hidden = f->info->hidden;
  for (int64_t i = 0; i < f->seq; i++) {
    if (tokens[i] < 0 || tokens[i] >= f->info->vocab) {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "%s: token %" PRId64 " at position %" PRId64
                        " is not in the vocabulary of %" PRId64,
                        f->info->name, tokens[i], i, f->info->vocab);
    }
    float *to = f->x + i * hidden;
    const float *row = bench_weight_rows(bench_model_embedding(f->model), tokens[i], 1, to);
    if (row != to) {
      memcpy(to, row, (size_t)hidden * sizeof *to);
    }
  }
  return BENCH_OK;
}

static bench_code finish(forward *f, bench_error *error) {
  const int64_t hidden = f->info->hidden;
  const float *gain = bench_weight_rows(bench_model_final_norm(f->model), 0, 1, f->scratch);
  bench_rms_norm(f->x, gain, f->seq, hidden, f->info->rms_eps, f->x);
  for (int64_t i = 0; i < f->seq * hidden; i++) {
    if (!isfinite(f->x[i])) {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "%s: the hidden state at position %" PRId64
                        " is not finite: the weights overflow fp32",
                        f->info->name, i / hidden);
    }
  }
  return BENCH_OK;
}

bench_code bench_model_hidden(const bench_model *model, const int64_t *tokens, int64_t seq,
                              bench_model_layer_fn *on_layer, void *context, float **out,
                              bench_error *error) {
  forward f = {.model = model, .info = &model->info, .seq = seq};
  if (seq < 1 || seq > INT64_C(1) << 24) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: a sequence of %" PRId64
                      " tokens: 1 to 2^24 can "
                      "be run",
                      f.info->name, seq);
  }
  if (bench_blas_sgemm() == NULL) {
    return bench_fail(
        error, BENCH_ERR_UNSUPPORTED,
        "%s: a forward pass needs OpenBLAS (libopenblas.so.0), which is not installed",
        f.info->name);
  }
  bench_code code = allocate(&f, error);
  if (code == BENCH_OK) {
    code = bench_model_attention_open(f.info, seq, &f.attention, error);
  }
  if (code == BENCH_OK) {
    bench_rope_table(f.info->rope_theta, seq, f.info->head_dim, f.cosine, f.sine);
    code = embed(&f, tokens, error);
  }
  for (int64_t layer = 0; code == BENCH_OK && layer < f.info->layers; layer++) {
    code = run_layer(&f, layer, on_layer, context, error);
  }
  if (code == BENCH_OK) {
    code = finish(&f, error);
  }
  release(&f);
  if (code != BENCH_OK) {
    free(f.x);
    return code;
  }
  *out = f.x;
  return BENCH_OK;
}

bench_code bench_model_forward(const bench_model *model, const int64_t *tokens, int64_t seq,
                               bench_model_layer_fn *on_layer, void *context, double *loss_sum_nats,
                               bench_error *error) {
  float *hidden;
  bench_code code = bench_model_hidden(model, tokens, seq, on_layer, context, &hidden, error);
  if (code == BENCH_OK) {
    if (loss_sum_nats != NULL) {
      code = bench_model_loss(model, hidden, tokens, seq, loss_sum_nats, error);
    }
    free(hidden);
  }
  return code;
}
