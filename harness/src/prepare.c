/* Makes one problem ready: inputs on the host and on the device, outputs between canaries, block
 * lists. Inputs come from the generator or from a real model's forward pass. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/input.h"
#include "bench/model.h"
#include "src/work.h"

/* Bytes of canary on each side: a multiple of every alignment that a kernel may presume. */
#define GUARD_BYTES 1024
#define GUARD_PATTERN 0xa5

bench_code bench_guarded_alloc(const bench_backend *backend, bench_context *context, size_t bytes,
                               void **out, bench_error *error) {
  void *memory = NULL;
  bench_code code = backend->alloc(context, bytes + 2 * GUARD_BYTES, &memory, error);
  if (code == BENCH_OK) {
    code = backend->fill(context, memory, GUARD_PATTERN, bytes + 2 * GUARD_BYTES, error);
  }
  if (code != BENCH_OK) {
    backend->free(context, memory);
    return code;
  }
  *out = (char *)memory + GUARD_BYTES;
  return BENCH_OK;
}

void bench_guarded_free(const bench_backend *backend, bench_context *context, void *memory) {
  if (memory != NULL) {
    backend->free(context, (char *)memory - GUARD_BYTES);
  }
}

bench_code bench_guarded_check(const bench_backend *backend, bench_context *context,
                               const void *memory, size_t bytes, bool *intact, bench_error *error) {
  unsigned char guard[2 * GUARD_BYTES];
  const char *start = memory;
  bench_code code = backend->download(context, guard, start - GUARD_BYTES, GUARD_BYTES, error);
  if (code == BENCH_OK) {
    code = backend->download(context, guard + GUARD_BYTES, start + bytes, GUARD_BYTES, error);
  }
  for (size_t i = 0; code == BENCH_OK && i < sizeof guard; i++) {
    *intact = *intact && guard[i] == GUARD_PATTERN;
  }
  return code;
}

static size_t q_bytes(const bench_attn *attn) {
  return (size_t)bench_attn_q_elements(attn) * bench_dtype_bytes(attn->dtype);
}

static size_t kv_bytes(const bench_attn *attn) {
  return (size_t)bench_attn_kv_elements(attn) * bench_dtype_bytes(attn->dtype);
}

static size_t lse_bytes(const bench_attn *attn) {
  return (size_t)bench_attn_rows(attn) * sizeof(float);
}

/* A device tensor and the host's view of it: the same memory where the backend allows. */
static bench_code alloc_input(const bench_work *work, size_t bytes, void **device, void **host,
                              bench_error *error) {
  bench_code code = work->backend->alloc(work->context, bytes, device, error);
  if (code != BENCH_OK) {
    return code;
  }
  *host = work->backend->host_memory ? *device : malloc(bytes);
  return *host != NULL
             ? BENCH_OK
             : bench_fail(error, BENCH_ERR_NOMEM, "no host memory for %zu bytes of input", bytes);
}

static bench_code alloc_layer(const bench_work *work, int64_t index, bench_error *error) {
  const bench_attn *attn = &work->attn;
  bench_layer *layer = &work->layers[index];
  bench_code code = alloc_input(work, q_bytes(attn), &layer->q, &layer->host_q, error);
  if (code == BENCH_OK) {
    code = alloc_input(work, kv_bytes(attn), &layer->k, &layer->host_k, error);
  }
  if (code == BENCH_OK) {
    code = alloc_input(work, kv_bytes(attn), &layer->v, &layer->host_v, error);
  }
  if (code == BENCH_OK) {
    code = bench_guarded_alloc(work->backend, work->context, q_bytes(attn), &layer->o, error);
  }
  if (code == BENCH_OK) {
    code = bench_guarded_alloc(work->backend, work->context, lse_bytes(attn), (void **)&layer->lse,
                               error);
  }
  if (code == BENCH_OK && attn->scope == BENCH_SCOPE_BLOCK) {
    code = bench_block_open(work, index, &layer->block, error);
  }
  return code;
}

static void free_layer(const bench_work *work, bench_layer *layer) {
  if (!work->backend->host_memory) {
    free(layer->host_q);
    free(layer->host_k);
    free(layer->host_v);
  }
  work->backend->free(work->context, layer->q);
  work->backend->free(work->context, layer->k);
  work->backend->free(work->context, layer->v);
  bench_guarded_free(work->backend, work->context, layer->o);
  bench_guarded_free(work->backend, work->context, layer->lse);
  bench_block_close(work, &layer->block);
}

static bench_code upload_layer(const bench_work *work, const bench_layer *layer,
                               bench_error *error) {
  if (work->backend->host_memory) {
    return BENCH_OK;
  }
  const bench_attn *attn = &work->attn;
  const bench_backend *backend = work->backend;
  bench_code code = backend->upload(work->context, layer->q, layer->host_q, q_bytes(attn), error);
  if (code == BENCH_OK) {
    code = backend->upload(work->context, layer->k, layer->host_k, kv_bytes(attn), error);
  }
  if (code == BENCH_OK) {
    code = backend->upload(work->context, layer->v, layer->host_v, kv_bytes(attn), error);
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

/* The block's Q, K and V on the device and, for the reference and the statistics, on the host. */
static bench_code project_layer(const bench_work *work, const bench_layer *layer,
                                bench_error *error) {
  const bench_attn *attn = &work->attn;
  const bench_backend *backend = work->backend;
  bench_code code = bench_block_project_in(work, layer, error);
  if (code == BENCH_OK) {
    code = backend->sync(work->context, error);
  }
  if (code != BENCH_OK || backend->host_memory) {
    return code;
  }
  code = backend->download(work->context, layer->host_q, layer->q, q_bytes(attn), error);
  if (code == BENCH_OK) {
    code = backend->download(work->context, layer->host_k, layer->k, kv_bytes(attn), error);
  }
  if (code == BENCH_OK) {
    code = backend->download(work->context, layer->host_v, layer->v, kv_bytes(attn), error);
  }
  return code;
}

/* What the host has onto the device, and through a block's projections. */
static bench_code settle_inputs(bench_work *work, bench_error *error) {
  bench_code code = BENCH_OK;
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    code = upload_layer(work, &work->layers[l], error);
    if (code == BENCH_OK && work->attn.scope == BENCH_SCOPE_BLOCK) {
      code = project_layer(work, &work->layers[l], error);
    }
  }
  return code;
}

/* A model's inputs to or from their copy. */
static void copy_own_inputs(const bench_work *work, bool back) {
  const bench_attn *attn = &work->attn;
  char *at = work->own_inputs;
  for (int64_t l = 0; l < work->layers_distinct; l++) {
    const bench_layer *layer = &work->layers[l];
    const struct {
      void *host;
      size_t bytes;
    } tensors[] = {{layer->host_q, q_bytes(attn)},
                   {layer->host_k, kv_bytes(attn)},
                   {layer->host_v, kv_bytes(attn)}};
    for (int i = 0; i < 3; i++) {
      memcpy(back ? tensors[i].host : at, back ? at : tensors[i].host, tensors[i].bytes);
      at += tensors[i].bytes;
    }
  }
}

bench_code bench_work_keep_inputs(bench_work *work, bench_error *error) {
  if (work->attn.input != BENCH_INPUT_MODEL || work->own_inputs != NULL) {
    return BENCH_OK;
  }
  const size_t bytes =
      (size_t)work->layers_distinct * (q_bytes(&work->attn) + 2 * kv_bytes(&work->attn));
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

bench_code bench_work_open(const bench_backend *backend, bench_context *context,
                           const bench_work_request *request, bench_work *out, bench_error *error) {
  *out = (bench_work){.backend = backend,
                      .context = context,
                      .id = request->id,
                      .attn = request->attn,
                      .layers_distinct = request->layers_distinct,
                      .input_seed = request->attn.seed,
                      .sets = 1};
  out->layers = calloc((size_t)out->layers_distinct, sizeof *out->layers);
  bench_code code = BENCH_OK;
  if (out->layers == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory for the layers' table");
    out->layers_distinct = 0;
  }
  for (int64_t l = 0; code == BENCH_OK && l < out->layers_distinct; l++) {
    code = alloc_layer(out, l, error);
  }
  if (code == BENCH_OK && out->attn.input == BENCH_INPUT_MODEL) {
    code = fill_from_model(out, request, error);
  } else if (code == BENCH_OK && !request->unfilled) {
    fill_synthetic(out, out->attn.input, out->attn.seed);
  }
  if (code == BENCH_OK && !request->unfilled) {
    code = settle_inputs(out, error);
  }
  if (code == BENCH_OK) {
    code = bench_work_resolve_masks(out, error);
  }
  if (code != BENCH_OK) {
    bench_work_close(out);
  }
  return code;
}

void bench_work_close(bench_work *work) {
  if (work->backend == NULL) {
    return;
  }
  bench_work_drop_sets(work);
  for (int64_t l = 0; l < work->layers_distinct; l++) {
    free_layer(work, &work->layers[l]);
  }
  free(work->layers);
  free(work->own_inputs);
  bench_work_free_masks(work);
  bench_reference_free(work->reference);
  *work = (bench_work){0};
}

bench_code bench_work_poison(bench_work *work, bench_error *error) {
  bench_code code = BENCH_OK;
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    bench_layer *layer = &work->layers[l];
    code = work->backend->fill(work->context, layer->o, 0xff, q_bytes(&work->attn), error);
    if (code == BENCH_OK) {
      code = work->backend->fill(work->context, layer->lse, 0xff, lse_bytes(&work->attn), error);
    }
    if (code == BENCH_OK && work->attn.scope == BENCH_SCOPE_BLOCK) {
      code = bench_block_poison(work, layer, error);
    }
  }
  return code;
}

bench_code bench_work_canaries(bench_work *work, bool *intact, bench_error *error) {
  bench_code code = BENCH_OK;
  *intact = true;
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    const bench_layer *layer = &work->layers[l];
    code = bench_guarded_check(work->backend, work->context, layer->o, q_bytes(&work->attn), intact,
                               error);
    if (code == BENCH_OK) {
      code = bench_guarded_check(work->backend, work->context, layer->lse, lse_bytes(&work->attn),
                                 intact, error);
    }
    if (code == BENCH_OK && work->attn.scope == BENCH_SCOPE_BLOCK) {
      code = bench_block_canaries(work, layer, intact, error);
    }
  }
  return code;
}
