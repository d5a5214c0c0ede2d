/* The inside of a bench_model: every weight of the architecture, bound to its tensor in the file
 * and, where the model is small enough, converted to float once. */
#ifndef BENCH_MODEL_CHECKPOINT_H
#define BENCH_MODEL_CHECKPOINT_H

#include "bench/model.h"
#include "model/file_map.h"
#include "model/safetensors.h"

/* A matrix is [rows][cols] row-major and maps a vector of `cols` to one of `rows`; a norm's gain
 * has one row. */
typedef struct bench_weight {
  const bench_safetensor *tensor;
  int64_t rows;
  int64_t cols;
  const float *values; /* NULL: converted from the file at each use */
} bench_weight;

typedef enum bench_layer_weight {
  BENCH_WEIGHT_ATTN_NORM, /* [hidden] */
  BENCH_WEIGHT_Q,         /* [heads_q * head_dim][hidden] */
  BENCH_WEIGHT_K,         /* [heads_kv * head_dim][hidden] */
  BENCH_WEIGHT_V,         /* [heads_kv * head_dim][hidden] */
  BENCH_WEIGHT_O,         /* [hidden][heads_q * head_dim] */
  BENCH_WEIGHT_MLP_NORM,  /* [hidden] */
  BENCH_WEIGHT_GATE,      /* [intermediate][hidden] */
  BENCH_WEIGHT_UP,        /* [intermediate][hidden] */
  BENCH_WEIGHT_DOWN,      /* [hidden][intermediate] */
  BENCH_LAYER_WEIGHTS
} bench_layer_weight;

struct bench_model {
  bench_model_info info;
  bench_file_map file;
  bench_safetensors tensors;
  bench_weight *weights; /* embedding, final norm, head, then BENCH_LAYER_WEIGHTS per layer */
  size_t weight_count;
  float *floats; /* all converted weights, or NULL */
};

const bench_weight *bench_model_embedding(const bench_model *model);  /* [vocab][hidden] */
const bench_weight *bench_model_final_norm(const bench_model *model); /* [hidden] */
const bench_weight *bench_model_head(const bench_model *model);       /* [vocab][hidden] */
const bench_weight *bench_model_layer(const bench_model *model, int64_t layer,
                                      bench_layer_weight which);

/* Rows [first, first + rows) as float: a pointer to the converted weight, or `scratch`
 * (rows x cols) filled from the file. */
const float *bench_weight_rows(const bench_weight *weight, int64_t first, int64_t rows,
                               float *scratch);

/* Binds every weight of model->info's architecture to its tensor; missing, wrongly shaped and
 * unknown tensors are errors. Counts the parameters. `label` begins messages. */
bench_code bench_weights_bind(const char *label, bench_model *model, bench_error *error);

/* Checks that every weight is finite and keeps them as float if that takes no more than
 * `float_bytes_max`. */
bench_code bench_weights_load(const char *label, bench_model *model, int64_t float_bytes_max,
                              bench_error *error);

/* bench_model_open with another limit on the bytes of weights kept as float. */
bench_code bench_checkpoint_open(const char *folder, int64_t float_bytes_max, bench_model **out,
                                 bench_error *error);

#endif
