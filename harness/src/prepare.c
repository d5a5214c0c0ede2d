/* Makes one problem ready: tensors on the host and on the device, outputs between canaries, block
 * lists. What the inputs hold: inputs.c. */
#include <stdlib.h>

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
  bench_code code = alloc_input(work, bench_q_bytes(attn), &layer->q, &layer->host_q, error);
  if (code == BENCH_OK) {
    code = alloc_input(work, bench_kv_bytes(attn), &layer->k, &layer->host_k, error);
  }
  if (code == BENCH_OK) {
    code = alloc_input(work, bench_kv_bytes(attn), &layer->v, &layer->host_v, error);
  }
  if (code == BENCH_OK) {
    code = bench_guarded_alloc(work->backend, work->context, bench_q_bytes(attn), &layer->o, error);
  }
  if (code == BENCH_OK) {
    code = bench_guarded_alloc(work->backend, work->context, bench_lse_bytes(attn),
                               (void **)&layer->lse, error);
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
  if (code == BENCH_OK && !request->unfilled) {
    code = bench_work_first_fill(out, request, error);
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
    code = work->backend->fill(work->context, layer->o, 0xff, bench_q_bytes(&work->attn), error);
    if (code == BENCH_OK) {
      code =
          work->backend->fill(work->context, layer->lse, 0xff, bench_lse_bytes(&work->attn), error);
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
    code = bench_guarded_check(work->backend, work->context, layer->o, bench_q_bytes(&work->attn),
                               intact, error);
    if (code == BENCH_OK) {
      code = bench_guarded_check(work->backend, work->context, layer->lse,
                                 bench_lse_bytes(&work->attn), intact, error);
    }
    if (code == BENCH_OK && work->attn.scope == BENCH_SCOPE_BLOCK) {
      code = bench_block_canaries(work, layer, intact, error);
    }
  }
  return code;
}
