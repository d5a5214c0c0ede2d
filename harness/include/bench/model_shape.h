/* bench_model_shape: the shape of a model, and what can be counted from it: parameters, bytes of
 * the key/value cache and FLOP for one token. heads * head_dim need not be d_model. */
#ifndef BENCH_MODEL_SHAPE_H
#define BENCH_MODEL_SHAPE_H

#include "bench/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The formula that counts the parameters; model_shape.c has one row for each. */
typedef enum bench_model_family {
  BENCH_MODEL_GPT2,   /* learned positions, LayerNorm, biases everywhere, tied; GPT-3 too */
  BENCH_MODEL_NEOX,   /* rotary positions, untied; else as GPT-2 */
  BENCH_MODEL_OPT,    /* as GPT-2; may embed in another width than d_model */
  BENCH_MODEL_BERT,   /* encoder with token types and a pooler */
  BENCH_MODEL_LLAMA,  /* rotary positions, RMSNorm, gated feed-forward */
  BENCH_MODEL_GEMMA2, /* as LLaMA, tied, with four norms a layer */
  BENCH_MODEL_VIT,    /* encoder of patches of an image */
  BENCH_MODEL_FAMILY_COUNT
} bench_model_family;
const char *bench_model_family_name(bench_model_family family);

/* A model preset or the shape part of a grid. 0: not given; all but the first seven are given by
 * presets alone. */
typedef struct bench_model_shape {
  char name[BENCH_NAME_MAX];
  int64_t params; /* of a preset: bench_model_params */
  int64_t layers;
  int64_t d_model;
  int64_t heads;
  int64_t kv_heads;
  int64_t head_dim;
  bench_model_family family;
  int64_t ffn; /* width of the feed-forward layer */
  int64_t vocab;
  int64_t positions; /* rows of the table of positions */
  int64_t embed;     /* width of the embedding where it is not d_model */
  bool post_norm;    /* no norm after the last layer, which ends in one */
  bool tied;         /* the output matrix is the embedding */
  bool qkv_bias;
  bool qk_norm;
  int64_t image; /* pixels along an edge */
  int64_t patch; /* likewise */
  int64_t classes;
  const char *source; /* where a preset's numbers come from; lives as long as the presets */
} bench_model_shape;

/* No count below overflows for a shape within these limits, each inclusive, and n_ctx to 2^24. A
 * width is d_model, ffn, embed, positions, image or patch; VOCAB is for classes too. */
#define BENCH_MODEL_LAYERS_MAX (INT64_C(1) << 12)
#define BENCH_MODEL_HEADS_MAX (INT64_C(1) << 12)
#define BENCH_MODEL_HEAD_DIM_MAX 512
#define BENCH_MODEL_WIDTH_MAX (INT64_C(1) << 19)
#define BENCH_MODEL_VOCAB_MAX (INT64_C(1) << 24)

/* All parameters of a preset, a tied embedding once. */
int64_t bench_model_params(const bench_model_shape *model);
/* Of those, the tables of tokens and positions, and the output matrix where it is one of its own:
 * what model cards call embedding parameters. */
int64_t bench_model_params_embedding(const bench_model_shape *model);

/* An encoder sees a whole text or image at once and keeps no keys and values. */
bool bench_model_is_encoder(const bench_model_shape *model);

/* Keys and values of one token in all layers: 2 * layers * kv_heads * head_dim entries. Every
 * layer counts as if it kept all tokens, also one with a window. 0 for an encoder. */
int64_t bench_model_kv_bytes_per_token(const bench_model_shape *model, bench_dtype dtype);

/* n_ctx, or fewer tokens where the model's table of positions ends before. */
int64_t bench_model_context(const bench_model_shape *model, int64_t n_ctx);

/* FLOP of the forward pass for one token among n_ctx, by two conventions whose attention terms
 * differ by two, with d_attn = heads * head_dim:
 *
 *   kaplan  2 (N - embedding) + 2 layers n_ctx d_attn. Kaplan et al. 2020, "Scaling laws for
 *           neural language models", section 2.1: embeddings and the output matrix do not count,
 *           and of the attention half, which is what a causal mask leaves. Not for encoders: 0.
 *   palm    2 N + 4 layers n_ctx d_attn. Chowdhery et al. 2022, "PaLM", appendix B: a third of
 *           the 6 N + 12 layers n_ctx d_attn of training. All parameters count, and the attention
 *           whole, whatever its mask.
 *
 * Both are estimates for a model; what a kernel does is counted exactly (plan.h). */
int64_t bench_model_flops_kaplan(const bench_model_shape *model, int64_t n_ctx);
int64_t bench_model_flops_palm(const bench_model_shape *model, int64_t n_ctx);

#ifdef __cplusplus
}
#endif
#endif
