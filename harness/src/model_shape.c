/* What can be counted from the shape of a model. One row of `families` is one formula: the tables
 * that are looked up or added plus the output matrix, and all the rest. */
#include "bench/model_shape.h"

static int64_t attention_width(const bench_model_shape *m) {
  return m->heads * m->head_dim;
}

/* Four projections and a feed-forward layer of two, all with biases, and two LayerNorms of two
 * vectors: 12 d^2 + 13 d where heads * head_dim = d and ffn = 4 d. No family of these shares keys
 * among heads. */
static int64_t classic_layers(const bench_model_shape *m) {
  const int64_t d = m->d_model;
  const int64_t a = attention_width(m);
  const int64_t qkv = 3 * (d + 1) * a;
  const int64_t out = (a + 1) * d;
  const int64_t ffn = (d + 1) * m->ffn + (m->ffn + 1) * d;
  return m->layers * (qkv + out + ffn + 4 * d);
}

/* Projections and a gated feed-forward layer of three, without biases, and RMSNorms of one vector
 * each. */
static int64_t gated_layers(const bench_model_shape *m, int64_t norms) {
  const int64_t d = m->d_model;
  const int64_t a = attention_width(m);
  const int64_t kv = m->kv_heads * m->head_dim;
  const int64_t bias = m->qkv_bias ? a + 2 * kv : 0;
  const int64_t qk_norm = m->qk_norm ? 2 * m->head_dim : 0;
  return m->layers * (2 * d * a + 2 * d * kv + 3 * d * m->ffn + norms * d + bias + qk_norm);
}

static int64_t gpt2_embedding(const bench_model_shape *m) {
  return (m->vocab + m->positions) * m->d_model;
}

static int64_t gpt2_rest(const bench_model_shape *m) {
  return classic_layers(m) + 2 * m->d_model;
}

static int64_t untied_embedding(const bench_model_shape *m) {
  return 2 * m->vocab * m->d_model;
}

/* Tokens are embedded in `embed` numbers, where given, with a projection to d_model and one back.
 */
static int64_t opt_embedding(const bench_model_shape *m) {
  return m->vocab * (m->embed > 0 ? m->embed : m->d_model) + m->positions * m->d_model;
}

static int64_t opt_rest(const bench_model_shape *m) {
  const int64_t last_norm = m->post_norm ? 0 : 2 * m->d_model;
  return classic_layers(m) + 2 * m->embed * m->d_model + last_norm;
}

/* Two token types; a norm after the embedding; the pooler is a square matrix with a bias. */
static int64_t bert_embedding(const bench_model_shape *m) {
  return (m->vocab + m->positions + 2) * m->d_model;
}

static int64_t bert_rest(const bench_model_shape *m) {
  return classic_layers(m) + 2 * m->d_model + (m->d_model + 1) * m->d_model;
}

static int64_t llama_embedding(const bench_model_shape *m) {
  return (m->tied ? 1 : 2) * m->vocab * m->d_model;
}

static int64_t llama_rest(const bench_model_shape *m) {
  return gated_layers(m, 2) + m->d_model;
}

static int64_t gemma2_embedding(const bench_model_shape *m) {
  return m->vocab * m->d_model;
}

static int64_t gemma2_rest(const bench_model_shape *m) {
  return gated_layers(m, 4) + m->d_model;
}

/* A class token and the patches. */
static int64_t vit_positions(const bench_model_shape *m) {
  const int64_t edge = m->image / m->patch;
  return edge * edge + 1;
}

static int64_t vit_embedding(const bench_model_shape *m) {
  return vit_positions(m) * m->d_model;
}

/* The projection of a patch of three colours, the class token, the layers, a norm, the head. */
static int64_t vit_rest(const bench_model_shape *m) {
  const int64_t d = m->d_model;
  const int64_t project = (3 * m->patch * m->patch + 1) * d;
  return project + d + classic_layers(m) + 2 * d + m->classes * (d + 1);
}

static const struct {
  const char *name;
  bool encoder;
  int64_t (*embedding)(const bench_model_shape *model);
  int64_t (*rest)(const bench_model_shape *model);
} families[] = {
    [BENCH_MODEL_GPT2] = {"gpt2", false, gpt2_embedding, gpt2_rest},
    [BENCH_MODEL_NEOX] = {"neox", false, untied_embedding, gpt2_rest},
    [BENCH_MODEL_OPT] = {"opt", false, opt_embedding, opt_rest},
    [BENCH_MODEL_BERT] = {"bert", true, bert_embedding, bert_rest},
    [BENCH_MODEL_LLAMA] = {"llama", false, llama_embedding, llama_rest},
    [BENCH_MODEL_GEMMA2] = {"gemma2", false, gemma2_embedding, gemma2_rest},
    [BENCH_MODEL_VIT] = {"vit", true, vit_embedding, vit_rest},
};
_Static_assert(sizeof families / sizeof families[0] == BENCH_MODEL_FAMILY_COUNT,
               "a row for each family");

const char *bench_model_family_name(bench_model_family family) {
  return families[family].name;
}

int64_t bench_model_params_embedding(const bench_model_shape *model) {
  return families[model->family].embedding(model);
}

int64_t bench_model_params(const bench_model_shape *model) {
  return bench_model_params_embedding(model) + families[model->family].rest(model);
}

bool bench_model_is_encoder(const bench_model_shape *model) {
  return families[model->family].encoder;
}

int64_t bench_model_kv_bytes_per_token(const bench_model_shape *model, bench_dtype dtype) {
  if (bench_model_is_encoder(model)) {
    return 0;
  }
  const int64_t entries = 2 * model->layers * model->kv_heads * model->head_dim;
  return entries * (int64_t)bench_dtype_bytes(dtype);
}

int64_t bench_model_context(const bench_model_shape *model, int64_t n_ctx) {
  int64_t most = model->family == BENCH_MODEL_VIT ? vit_positions(model) : model->positions;
  return most > 0 && most < n_ctx ? most : n_ctx;
}

int64_t bench_model_flops_kaplan(const bench_model_shape *model, int64_t n_ctx) {
  if (bench_model_is_encoder(model)) {
    return 0;
  }
  const int64_t params = bench_model_params(model) - bench_model_params_embedding(model);
  return 2 * params + 2 * model->layers * n_ctx * attention_width(model);
}

int64_t bench_model_flops_palm(const bench_model_shape *model, int64_t n_ctx) {
  return 2 * bench_model_params(model) + 4 * model->layers * n_ctx * attention_width(model);
}
