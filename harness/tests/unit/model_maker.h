/* Tiny checkpoints with fixed pseudo-random weights, made in memory and written to a folder. A
 * test may change any part of the draft before it is written: the JSON trees, the data, or the
 * bytes that frame them. */
#ifndef BENCH_TEST_MODEL_MAKER_H
#define BENCH_TEST_MODEL_MAKER_H

#include <jansson.h>
#include <stddef.h>

#include "bench/attn.h"

typedef struct made_shape {
  int64_t layers;
  int64_t hidden;
  int64_t intermediate;
  int64_t heads_q;
  int64_t heads_kv;
  int64_t head_dim;
  int64_t vocab;
  bool tied;
  bench_dtype dtype;
  bool unaligned; /* the data start at an odd offset */
} made_shape;

typedef struct made_tensor {
  char name[96];
  int64_t rows; /* 0: a vector of `cols` */
  int64_t cols;
  double *values; /* as stored, so already rounded to the dtype */
} made_tensor;

typedef struct made_model {
  made_shape shape;
  made_tensor *tensors;
  size_t tensor_count;
  json_t *config;
  json_t *header;
  unsigned char *data;
  size_t data_bytes;
  /* Changes to the bytes of the files, none if zero. */
  const char *config_text; /* instead of `config` */
  const char *header_text; /* instead of `header` */
  bool lie;                /* header_length instead of the true one */
  uint64_t header_length;
  size_t cut; /* bytes taken from the end of model.safetensors */
} made_model;

#define MADE_EPS 1e-5
#define MADE_THETA 10000.0
#define MADE_CONTEXT 512

void made_model_init(const made_shape *shape, made_model *out);
void made_model_free(made_model *made);
const made_tensor *made_model_tensor(const made_model *made, const char *name);

/* Writes config.json and model.safetensors into an existing folder. */
void made_model_write(const made_model *made, const char *folder);
void made_file_write(const char *folder, const char *name, const void *bytes, size_t size);

#endif
