/* The inputs of a problem: from the generator or from a real model's forward pass, on the host and
 * on the device, and others of the same shape while it is timed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "bench/model.h"
#include "src/work.h"

/* Elements of a tensor that are made anew at a time: some tens of microseconds. */
#define PART 16384

/* A layer's Q, K and V, on the device and on the host. */
typedef struct view {
  void *device;
  void *host;
  size_t bytes;
} view;

enum { VIEWS = 3 };

static void views_of(const bench_work *work, const bench_layer *layer, view out[VIEWS]) {
  const size_t q = bench_q_bytes(&work->attn);
  const size_t kv = bench_kv_bytes(&work->attn);
  out[0] = (view){layer->q, layer->host_q, q};
  out[1] = (view){layer->k, layer->host_k, kv};
  out[2] = (view){layer->v, layer->host_v, kv};
}

/* From the host to the device, or back; nothing to do where they are the same memory. */
static bench_code move_layer(const bench_work *work, const bench_layer *layer, bool back,
                             bench_error *error) {
  const bench_backend *backend = work->backend;
  view views[VIEWS];
  bench_code code = BENCH_OK;
  views_of(work, layer, views);
  for (int i = 0; code == BENCH_OK && !backend->host_memory && i < VIEWS; i++) {
    const view *v = &views[i];
    code = back ? backend->download(work->context, v->host, v->device, v->bytes, error)
                : backend->upload(work->context, v->device, v->host, v->bytes, error);
  }
  return code;
}

/* Where a forward pass leaves its Q, K and V: sequence `batch` of every layer. */
typedef struct capture {
  const bench_work *work;
  int64_t batch;
} capture;

static bench_code capture_layer(void *context, int64_t layer, const float *q, const float *k,
                                const float *v) {
  const capture *into = context;
  const bench_attn *attn = &into->work->attn;
  const bench_layer *to = &into->work->layers[layer];
  int64_t q_count = bench_attn_q_elements(attn) / attn->batch;
  int64_t kv_count = bench_attn_kv_elements(attn) / attn->batch;
  size_t item = bench_dtype_bytes(attn->dtype);
  size_t q_offset = (size_t)(into->batch * q_count) * item;
  size_t kv_offset = (size_t)(into->batch * kv_count) * item;
  bench_from_float(attn->dtype, q, (char *)to->host_q + q_offset, q_count);
  bench_from_float(attn->dtype, k, (char *)to->host_k + kv_offset, kv_count);
  bench_from_float(attn->dtype, v, (char *)to->host_v + kv_offset, kv_count);
  return BENCH_OK;
}

/* Batch entry b reads tokens [b * seq, (b + 1) * seq) of the text. */
static bench_code fill_from_model(const bench_work *work, const bench_work_request *request,
                                  bench_error *error) {
  bench_model *model = NULL;
  bench_tokens tokens = {0};
  bench_code code = bench_model_open(request->model_path, &model, error);
  if (code != BENCH_OK) {
    return code;
  }
  char text_path[4096];
  bench_model_text_path(request->model_path, request->text_path, text_path);
  code = bench_tokens_load(text_path, false, bench_model_get_info(model)->vocab, &tokens, error);
  const bench_attn *attn = &work->attn;
  if (code == BENCH_OK && tokens.count / attn->batch < attn->seq_q) {
    code = bench_fail(error, BENCH_ERR_USAGE, "%s: %" PRId64 " tokens are fewer than batch x seq",
                      text_path, tokens.count);
  }
  const bench_model_info *info = bench_model_get_info(model);
  if (code == BENCH_OK &&
      (bench_hash64(info->hash, tokens.hash, 0) != attn->input_hash ||
       info->layers != work->layers_distinct || info->heads_q != attn->heads_q ||
       info->heads_kv != attn->heads_kv || info->head_dim != attn->head_dim)) {
    code = bench_fail(error, BENCH_ERR_USAGE, "%s: checkpoint or text changed since it was planned",
                      request->model_path);
  }
  for (int64_t batch = 0; code == BENCH_OK && batch < attn->batch; batch++) {
    capture into = {work, batch};
    code = bench_model_forward(model, tokens.ids + batch * attn->seq_q, attn->seq_q, capture_layer,
                               &into, NULL, error);
  }
  bench_tokens_free(&tokens);
  bench_model_close(model);
  return code;
}

static void fill_synthetic(const bench_work *work, bench_input input, uint64_t seed) {
  const bench_attn *attn = &work->attn;
  for (int64_t l = 0; l < work->layers_distinct; l++) {
    const bench_layer *layer = &work->layers[l];
    bench_input_fill(input, seed, l, BENCH_TENSOR_Q, attn->dtype, layer->host_q,
                     bench_attn_q_elements(attn));
    bench_input_fill(input, seed, l, BENCH_TENSOR_K, attn->dtype, layer->host_k,
                     bench_attn_kv_elements(attn));
    bench_input_fill(input, seed, l, BENCH_TENSOR_V, attn->dtype, layer->host_v,
                     bench_attn_kv_elements(attn));
  }
}

bench_code bench_work_fetch_projected(const bench_work *work, bench_error *error) {
  bench_code code = BENCH_OK;
  for (int64_t l = 0;
       code == BENCH_OK && work->attn.scope == BENCH_SCOPE_BLOCK && l < work->layers_distinct;
       l++) {
    code = move_layer(work, &work->layers[l], true, error);
  }
  return code;
}

/* The block's Q, K and V on the device and on the host. */
static bench_code project_layer(const bench_work *work, const bench_layer *layer,
                                bench_error *error) {
  const bench_backend *backend = work->backend;
  bench_code code = bench_block_project_in(work, layer, error);
  if (code == BENCH_OK) {
    code = backend->sync(work->context, error);
  }
  return code == BENCH_OK ? move_layer(work, layer, true, error) : code;
}

/* What the host has onto the device, and through a block's projections. */
static bench_code settle_inputs(bench_work *work, bench_error *error) {
  bench_code code = BENCH_OK;
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    code = move_layer(work, &work->layers[l], false, error);
    if (code == BENCH_OK && work->attn.scope == BENCH_SCOPE_BLOCK) {
      code = project_layer(work, &work->layers[l], error);
    }
  }
  return code;
}

/* A model's inputs to or from their copy. */
static void copy_own_inputs(const bench_work *work, bool back) {
  char *at = work->own_inputs;
  for (int64_t l = 0; l < work->layers_distinct; l++) {
    view views[VIEWS];
    views_of(work, &work->layers[l], views);
    for (int i = 0; i < VIEWS; i++) {
      memcpy(back ? views[i].host : at, back ? at : views[i].host, views[i].bytes);
      at += views[i].bytes;
    }
  }
}

bench_code bench_work_keep_inputs(bench_work *work, bench_error *error) {
  if (work->attn.input != BENCH_INPUT_MODEL || work->own_inputs != NULL) {
    return BENCH_OK;
  }
  const size_t bytes = (size_t)work->layers_distinct *
                       (bench_q_bytes(&work->attn) + 2 * bench_kv_bytes(&work->attn));
  work->own_inputs = malloc(bytes);
  if (work->own_inputs == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no host memory to keep %zu bytes of input", bytes);
  }
  copy_own_inputs(work, false);
  return BENCH_OK;
}

bench_code bench_work_fill(bench_work *work, uint64_t seed, bench_error *error) {
  if (work->input_seed == seed && !work->input_touched) {
    return BENCH_OK;
  }
  const bench_attn *attn = &work->attn;
  const bool model = attn->input == BENCH_INPUT_MODEL;
  bench_code code = bench_work_keep_inputs(work, error);
  if (code == BENCH_OK && model && seed == attn->seed) {
    copy_own_inputs(work, true);
  } else if (code == BENCH_OK) {
    fill_synthetic(work, model ? BENCH_INPUT_NORMAL : attn->input, seed);
  }
  for (int64_t l = 0;
       code == BENCH_OK && attn->scope == BENCH_SCOPE_BLOCK && l < work->layers_distinct; l++) {
    code = bench_block_fill(work, &work->layers[l].block, l, seed, error);
  }
  if (code == BENCH_OK) {
    code = settle_inputs(work, error);
  }
  work->input_seed = seed;
  work->input_touched = code != BENCH_OK;
  return code;
}

bench_code bench_work_first_fill(bench_work *work, const bench_work_request *request,
                                 bench_error *error) {
  bench_code code = BENCH_OK;
  if (work->attn.input == BENCH_INPUT_MODEL) {
    code = fill_from_model(work, request, error);
  } else {
    fill_synthetic(work, work->attn.input, work->attn.seed);
  }
  return code == BENCH_OK ? settle_inputs(work, error) : code;
}

/* What a layer reads: Q, K and V, or of a block X, from which its projections make them. */
typedef struct source {
  bench_tensor tensor;
  void *device;
  void *host; /* NULL: the host keeps none */
  int64_t elements;
} source;

enum { SOURCES_MAX = 3 };

static int sources_of(const bench_work *work, const bench_layer *layer, source out[SOURCES_MAX]) {
  const bench_attn *attn = &work->attn;
  if (attn->scope == BENCH_SCOPE_BLOCK) {
    out[0] = (source){BENCH_TENSOR_X, layer->block.x, NULL, bench_block_x_elements(attn)};
    return 1;
  }
  const int64_t kv = bench_attn_kv_elements(attn);
  out[0] = (source){BENCH_TENSOR_Q, layer->q, layer->host_q, bench_attn_q_elements(attn)};
  out[1] = (source){BENCH_TENSOR_K, layer->k, layer->host_k, kv};
  out[2] = (source){BENCH_TENSOR_V, layer->v, layer->host_v, kv};
  return SOURCES_MAX;
}

static int64_t parts_of(const source *from) {
  return (from->elements + PART - 1) / PART;
}

static int64_t parts_of_layer(const bench_work *work) {
  source sources[SOURCES_MAX];
  const int count = sources_of(work, &work->layers[0], sources);
  int64_t parts = 0;
  for (int i = 0; i < count; i++) {
    parts += parts_of(&sources[i]);
  }
  return parts;
}

int64_t bench_work_parts(const bench_work *work) {
  return work->layers_distinct * parts_of_layer(work);
}

bench_code bench_work_fill_part(bench_work *work, uint64_t seed, int64_t part, bench_error *error) {
  const bench_attn *attn = &work->attn;
  const size_t item = bench_dtype_bytes(attn->dtype);
  const int64_t l = part / parts_of_layer(work);
  source sources[SOURCES_MAX];
  char values[PART * sizeof(float)];
  const source *from = sources;
  sources_of(work, &work->layers[l], sources);
  for (part %= parts_of_layer(work); part >= parts_of(from); from++) {
    part -= parts_of(from);
  }
  const int64_t first = part * PART;
  const int64_t count = from->elements - first < PART ? from->elements - first : PART;
  bench_input_fill_range(attn->input, seed, l, from->tensor, attn->dtype, values, first, count);
  work->input_touched = true;
  if (from->host != NULL) {
    memcpy((char *)from->host + (size_t)first * item, values, (size_t)count * item);
  }
  return work->backend->upload(work->context, (char *)from->device + (size_t)first * item, values,
                               (size_t)count * item, error);
}
