/* Copies of a problem's tensors. With mode `graph` one launch after another takes the next copy, so
 * that none finds its tensors where the last one left them: as many copies as fill the last-level
 * cache several times. All stand in one allocation, for there may be thousands of small ones. */
#include <stdlib.h>
#include <string.h>

#include "src/work.h"

/* Between two tensors: what a kernel writes behind one is not the next one's. */
#define GAP_BYTES 256

typedef struct tensor {
  const void *from; /* as the host has it; NULL: an output */
  void **to;
  size_t bytes;
} tensor;

enum { TENSORS = 5 };

static void tensors_of(const bench_work *work, const bench_layer *from, bench_layer *to,
                       tensor out[TENSORS]) {
  const bench_attn *attn = &work->attn;
  const tensor all[TENSORS] = {{from->host_q, &to->q, bench_q_bytes(attn)},
                               {from->host_k, &to->k, bench_kv_bytes(attn)},
                               {from->host_v, &to->v, bench_kv_bytes(attn)},
                               {NULL, &to->o, bench_q_bytes(attn)},
                               {NULL, (void **)&to->lse, bench_lse_bytes(attn)}};
  memcpy(out, all, sizeof all);
}

static size_t place_bytes(size_t bytes) {
  return (bytes + GAP_BYTES - 1) / GAP_BYTES * GAP_BYTES + GAP_BYTES;
}

static size_t layer_bytes(const bench_work *work) {
  bench_layer ignored;
  tensor tensors[TENSORS];
  size_t bytes = 0;
  tensors_of(work, &work->layers[0], &ignored, tensors);
  for (int i = 0; i < TENSORS; i++) {
    bytes += place_bytes(tensors[i].bytes);
  }
  return bytes;
}

/* Gives a copy of `from` its places in `memory`. */
static void place_layer(const bench_work *work, const bench_layer *from, char *memory,
                        bench_layer *to) {
  tensor tensors[TENSORS];
  *to = *from;
  to->host_q = to->host_k = to->host_v = NULL; /* no row of a copy is compared */
  tensors_of(work, from, to, tensors);
  for (int i = 0; i < TENSORS; i++) {
    *tensors[i].to = memory;
    memory += place_bytes(tensors[i].bytes);
  }
}

static bench_code fill_copy(const bench_work *work, const bench_layer *from, bench_layer *to,
                            bench_error *error) {
  tensor tensors[TENSORS];
  bench_code code = BENCH_OK;
  tensors_of(work, from, to, tensors);
  for (int i = 0; code == BENCH_OK && i < TENSORS; i++) {
    if (tensors[i].from != NULL) {
      code = work->backend->upload(work->context, *tensors[i].to, tensors[i].from, tensors[i].bytes,
                                   error);
    }
  }
  return code;
}

bench_code bench_work_fill_sets(bench_work *work, bench_error *error) {
  const int64_t count = (work->sets - 1) * work->layers_distinct;
  bench_code code = BENCH_OK;
  for (int64_t i = 0; code == BENCH_OK && i < count; i++) {
    code = fill_copy(work, &work->layers[i % work->layers_distinct], &work->copies[i], error);
  }
  return code;
}

bench_code bench_work_add_sets(bench_work *work, int64_t sets, bench_error *error) {
  const size_t count = (size_t)(sets - 1) * (size_t)work->layers_distinct;
  if (sets <= 1) {
    return BENCH_OK;
  }
  const size_t bytes = layer_bytes(work);
  work->copies = calloc(count, sizeof *work->copies);
  bench_code code = BENCH_OK;
  if (work->copies == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory for copies of the tensors");
  }
  if (code == BENCH_OK) {
    code = work->backend->alloc(work->context, count * bytes, &work->copies_memory, error);
  }
  if (code == BENCH_OK) {
    for (size_t i = 0; i < count; i++) {
      place_layer(work, &work->layers[i % (size_t)work->layers_distinct],
                  (char *)work->copies_memory + i * bytes, &work->copies[i]);
    }
    work->sets = sets;
    code = bench_work_fill_sets(work, error);
  }
  if (code != BENCH_OK) {
    bench_work_drop_sets(work);
  }
  return code;
}

void bench_work_drop_sets(bench_work *work) {
  work->backend->free(work->context, work->copies_memory);
  free(work->copies);
  work->copies_memory = NULL;
  work->copies = NULL;
  work->sets = 1;
  work->set = 0;
}
