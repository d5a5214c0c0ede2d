/* See model_maker.h. */
#include "model_maker.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"

static const char *dtype_text(bench_dtype dtype) {
  return dtype == BENCH_FP32 ? "F32" : dtype == BENCH_FP16 ? "F16" : "BF16";
}

/* Gains lie around 1; a matrix keeps the variance of what it multiplies. */
static void fill(made_model *made, made_tensor *tensor) {
  const int64_t count = (tensor->rows > 0 ? tensor->rows : 1) * tensor->cols;
  const size_t width = bench_dtype_bytes(made->shape.dtype);
  tensor->values = malloc((size_t)count * sizeof *tensor->values);
  made->data = realloc(made->data, made->data_bytes + (size_t)count * width);
  assert(tensor->values != NULL && made->data != NULL);
  for (int64_t i = 0; i < count; i++) {
    float value =
        bench_input_element(BENCH_INPUT_NORMAL, 1, (int64_t)made->tensor_count, BENCH_TENSOR_Q, i);
    value = tensor->rows > 0 ? value * 1.5f / sqrtf((float)tensor->cols) : 1.0f + 0.2f * value;
    value = bench_round_to(made->shape.dtype, value);
    bench_from_float(made->shape.dtype, &value, made->data + made->data_bytes + (size_t)i * width,
                     1);
    tensor->values[i] = value;
  }
  json_t *shape = tensor->rows > 0
                      ? json_pack("[I,I]", (json_int_t)tensor->rows, (json_int_t)tensor->cols)
                      : json_pack("[I]", (json_int_t)tensor->cols);
  json_int_t begin = (json_int_t)made->data_bytes;
  made->data_bytes += (size_t)count * width;
  json_object_set_new(
      made->header, tensor->name,
      json_pack("{s:s,s:o,s:[I,I]}", "dtype", dtype_text(made->shape.dtype), "shape", shape,
                "data_offsets", begin, (json_int_t)made->data_bytes));
}

static void add(made_model *made, const char *name, int64_t layer, int64_t rows, int64_t cols) {
  made->tensors = realloc(made->tensors, (made->tensor_count + 1) * sizeof *made->tensors);
  assert(made->tensors != NULL);
  made_tensor *tensor = &made->tensors[made->tensor_count++];
  *tensor = (made_tensor){.rows = rows, .cols = cols};
  if (layer >= 0) {
    snprintf(tensor->name, sizeof tensor->name, "model.layers.%" PRId64 ".%s.weight", layer, name);
  } else {
    snprintf(tensor->name, sizeof tensor->name, "%s.weight", name);
  }
  fill(made, tensor);
}

static json_t *config_of(const made_shape *s) {
  return json_pack(
      "{s:[s],s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:i,s:f,s:f,s:b,s:s,s:n}", "architectures",
      "LlamaForCausalLM", "model_type", "llama", "hidden_size", (json_int_t)s->hidden,
      "intermediate_size", (json_int_t)s->intermediate, "num_hidden_layers", (json_int_t)s->layers,
      "num_attention_heads", (json_int_t)s->heads_q, "num_key_value_heads", (json_int_t)s->heads_kv,
      "head_dim", (json_int_t)s->head_dim, "vocab_size", (json_int_t)s->vocab,
      "max_position_embeddings", MADE_CONTEXT, "rms_norm_eps", MADE_EPS, "rope_theta", MADE_THETA,
      "tie_word_embeddings", s->tied, "hidden_act", "silu", "rope_scaling");
}

void made_model_init(const made_shape *shape, made_model *out) {
  const int64_t query = shape->heads_q * shape->head_dim;
  const int64_t key = shape->heads_kv * shape->head_dim;
  *out = (made_model){.shape = *shape, .config = config_of(shape), .header = json_object()};
  assert(out->config != NULL && out->header != NULL);
  json_object_set_new(out->header, "__metadata__", json_pack("{s:s}", "format", "pt"));
  add(out, "model.embed_tokens", -1, shape->vocab, shape->hidden);
  for (int64_t layer = 0; layer < shape->layers; layer++) {
    add(out, "input_layernorm", layer, 0, shape->hidden);
    add(out, "self_attn.q_proj", layer, query, shape->hidden);
    add(out, "self_attn.k_proj", layer, key, shape->hidden);
    add(out, "self_attn.v_proj", layer, key, shape->hidden);
    add(out, "self_attn.o_proj", layer, shape->hidden, query);
    add(out, "post_attention_layernorm", layer, 0, shape->hidden);
    add(out, "mlp.gate_proj", layer, shape->intermediate, shape->hidden);
    add(out, "mlp.up_proj", layer, shape->intermediate, shape->hidden);
    add(out, "mlp.down_proj", layer, shape->hidden, shape->intermediate);
  }
  add(out, "model.norm", -1, 0, shape->hidden);
  if (!shape->tied) {
    add(out, "lm_head", -1, shape->vocab, shape->hidden);
  }
}

void made_model_free(made_model *made) {
  for (size_t i = 0; i < made->tensor_count; i++) {
    free(made->tensors[i].values);
  }
  free(made->tensors);
  free(made->data);
  json_decref(made->config);
  json_decref(made->header);
  *made = (made_model){0};
}

const made_tensor *made_model_tensor(const made_model *made, const char *name) {
  for (size_t i = 0; i < made->tensor_count; i++) {
    if (strcmp(made->tensors[i].name, name) == 0) {
      return &made->tensors[i];
    }
  }
  assert(!"no tensor of that name");
  return NULL;
}

void made_file_write(const char *folder, const char *name, const void *bytes, size_t size) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  assert(file != NULL);
  size_t written = fwrite(bytes, 1, size, file);
  assert(fclose(file) == 0 && written == size);
}

void made_model_write(const made_model *made, const char *folder) {
  char *config = json_dumps(made->config, JSON_INDENT(1));
  char *header = json_dumps(made->header, JSON_COMPACT);
  assert(config != NULL && header != NULL);
  const char *text = made->config_text != NULL ? made->config_text : config;
  made_file_write(folder, "config.json", text, strlen(text));

  text = made->header_text != NULL ? made->header_text : header;
  const size_t text_bytes = strlen(text);
  const size_t pad = (text_bytes % 2 == 1) != made->shape.unaligned ? 1 : 0;
  const uint64_t length = text_bytes + pad;
  const uint64_t told = made->lie ? made->header_length : length;
  unsigned char *file = malloc(8 + length + made->data_bytes);
  assert(file != NULL);
  for (int i = 0; i < 8; i++) {
    file[i] = (unsigned char)(told >> (8 * i));
  }
  for (size_t i = 0; i < length; i++) {
    file[8 + i] = i < text_bytes ? (unsigned char)text[i] : ' ';
  }
  memcpy(file + 8 + length, made->data, made->data_bytes);
  made_file_write(folder, "model.safetensors", file, 8 + length + made->data_bytes - made->cut);
  free(file);
  free(config);
  free(header);
}
