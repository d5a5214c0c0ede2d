/* Copies of a problem's tensors. With mode `graph` one launch after another takes the next copy, so
 * that none finds its tensors where the last one left them: as many copies as fill the last-level
 * cache several times. All stand in one allocation, for there may be thousands of small ones. */
#include <stdlib.h>
#include <string.h>

#include "src/work.h"

/* Between two tensors: what a kernel writes behind one is not the next one's. */
#define GAP_BYTES 256

typedef struct tensor {
  const void *from; /* NULL: an output */
  void **to;
  size_t bytes;
} tensor;

enum { TENSORS = 5 };

static void tensors_of(const bench_work *work, const bench_layer *from, bench_layer *to,
                       tensor out[TENSORS]) {
  const bench_attn *attn = &work->attn;
  const size_t item = bench_dtype_bytes(attn->dtype);
  const size_t q = (size_t)bench_attn_q_elements(attn) * item;
  const size_t kv = (size_t)bench_attn_kv_elements(attn) * item;
  const size_t lse = (size_t)bench_attn_rows(attn) * sizeof(float);
  const tensor all[TENSORS] = {{from->q, &to->q, q},
                               {from->k, &to->k, kv},
                               {from->v, &to->v, kv},
                               {NULL, &to->o, q},
                               {NULL, (void **)&to->lse, lse}};
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

/* The inputs go by way of the host: no backend copies within its memory. */
static bench_code copy_layer(const bench_work *work, const bench_layer *from, char *memory,
                             void *bounce, bench_layer *to, bench_error *error) {
  const bench_backend *backend = work->backend;
  tensor tensors[TENSORS];
  bench_code code = BENCH_OK;
  *to = *from;
  to->host_q = to->host_k = to->host_v = NULL; /* no row of a copy is compared */
  tensors_of(work, from, to, tensors);
  for (int i = 0; code == BENCH_OK && i < TENSORS; i++) {
    *tensors[i].to = memory;
    memory += place_bytes(tensors[i].bytes);
    if (tensors[i].from != NULL) {
      code = backend->download(work->context, bounce, tensors[i].from, tensors[i].bytes, error);
      if (code == BENCH_OK) {
        code = backend->upload(work->context, *tensors[i].to, bounce, tensors[i].bytes, error);
      }
    }
  }
  return code;
}

bench_code bench_work_add_sets(bench_work *work, int64_t sets, bench_error *error) {
  const size_t count = (size_t)(sets - 1) * (size_t)work->layers_distinct;
  if (sets <= 1) {
    return BENCH_OK;
  }
  const size_t bytes = layer_bytes(work);
  void *bounce = malloc(bytes);
  work->copies = calloc(count, sizeof *work->copies);
  bench_code code = BENCH_OK;
  if (bounce == NULL || work->copies == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory for copies of the tensors");
  }
  if (code == BENCH_OK) {
    code = work->backend->alloc(work->context, count * bytes, &work->copies_memory, error);
  }
  for (size_t i = 0; code == BENCH_OK && i < count; i++) {
    code = copy_layer(work, &work->layers[i % (size_t)work->layers_distinct],
                      (char *)work->copies_memory + i * bytes, bounce, &work->copies[i], error);
  }
  free(bounce);
  if (code == BENCH_OK) {
    work->sets = sets;
  } else {
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
