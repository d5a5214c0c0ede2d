/* A real model: a Hugging Face style checkpoint folder of the Llama architecture (config.json,
 * model.safetensors), read in C, its forward pass run on the CPU with our own flash kernel and
 * BLAS. It gives each layer's real Q, K and V (after RoPE) and the loss on a text.
 *
 * Every fault of a checkpoint or a token file is a BENCH_ERR_USAGE that names file and field
 * (or byte offset); an unreadable file says why. Nothing is trusted: lengths, offsets, shapes,
 * dtypes and NaN or inf weights are checked before use. */
#ifndef BENCH_MODEL_H
#define BENCH_MODEL_H

#include "bench/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct bench_model bench_model; /* opaque; owns the mapped file */

typedef struct bench_model_info {
  char name[BENCH_NAME_MAX]; /* last component of the folder's path */
  int64_t params;            /* counted from the tensors, a tied embedding once */
  int64_t layers;
  int64_t hidden;
  int64_t heads_q;
  int64_t heads_kv;
  int64_t head_dim;
  int64_t intermediate;
  int64_t vocab;
  int64_t context; /* max_position_embeddings */
  double rms_eps;
  double rope_theta;
  bool tied;
  bench_dtype dtype; /* of the stored weights */
  uint64_t hash;     /* of config.json's and model.safetensors' bytes */
} bench_model_info;

/* Maps and checks `folder`. The caller closes. */
bench_code bench_model_open(const char *folder, bench_model **out, bench_error *error);
void bench_model_close(bench_model *model);
const bench_model_info *bench_model_get_info(const bench_model *model);

/* What a plan needs: the same checks as bench_model_open, weights included, but nothing is kept. */
bench_code bench_model_probe(const char *folder, bench_model_info *out, bench_error *error);

/* Tokens of a text for a byte-level model, or of a token file: `.npy` (integers, one or two
 * dimensions), `.bin` (little-endian u16, or u32 with `wide`); any other file is bytes. */
typedef struct bench_tokens {
  int64_t *ids;
  int64_t count;
  uint64_t hash; /* of the ids, whatever file they came in */
} bench_tokens;
bench_code bench_tokens_load(const char *path, bool wide, int64_t vocab, bench_tokens *out,
                             bench_error *error);
void bench_tokens_free(bench_tokens *tokens);

/* The text a checkpoint reads: `text` if given, else the folder's heldout.txt. */
void bench_model_text_path(const char *folder, const char *text, char path[4096]);

/* One layer's Q, K, V of one sequence as float, shapes [heads][seq][head_dim]. The memory belongs
 * to the caller of the callback and is valid only during the call. Return a code other than
 * BENCH_OK to stop the forward pass with that code. */
typedef bench_code bench_model_layer_fn(void *context, int64_t layer, const float *q,
                                        const float *k, const float *v);

/* Runs `seq` tokens from position 0. `on_layer` (may be NULL) sees every layer in order.
 * `loss_sum_nats` (may be NULL) gets the sum over the seq-1 predictions of -log p(next token).
 * Working memory is linear in seq (times hidden, intermediate or a slice of the vocabulary). */
bench_code bench_model_forward(const bench_model *model, const int64_t *tokens, int64_t seq,
                               bench_model_layer_fn *on_layer, void *context, double *loss_sum_nats,
                               bench_error *error);

#ifdef __cplusplus
}
#endif
#endif
