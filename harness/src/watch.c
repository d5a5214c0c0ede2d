/* Rows that are changed before a sample and looked at behind it: see watch.h. */
#include "src/watch.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "bench/input.h"
#include "platform/proc.h"

#define HEAD_DIM_MAX 512 /* of the config */

uint64_t bench_watch_secret(void) {
  uint64_t secret = 0;
  if (getrandom(&secret, sizeof secret, GRND_NONBLOCK) != (ssize_t)sizeof secret) {
    secret = (uint64_t)bench_proc_monotonic_ns();
  }
  return secret;
}

bench_code bench_watch_open(bench_work *work, const bench_kernel *kernel, bench_watch *out,
                            bench_error *error) {
  *out = (bench_watch){
      .work = work, .computes = bench_kernel_computes(kernel), .secret = bench_watch_secret()};
  assert(work->attn.head_dim <= HEAD_DIM_MAX);
  return bench_work_keep_inputs(work, error);
}

static size_t row_bytes(const bench_attn *attn) {
  return (size_t)attn->head_dim * bench_dtype_bytes(attn->dtype);
}

/* One row of a tensor, on the host too where it has a view of this layer. */
static bench_code renew_row(bench_watch *w, bench_tensor tensor, void *device, void *host,
                            int64_t row, bench_error *error) {
  bench_work *work = w->work;
  const bench_attn *attn = &work->attn;
  const bench_input input = attn->input == BENCH_INPUT_MODEL ? BENCH_INPUT_NORMAL : attn->input;
  const uint64_t seed = bench_hash64(w->secret, 1, (uint64_t)w->sample);
  const size_t offset = (size_t)row * row_bytes(attn);
  char values[HEAD_DIM_MAX * sizeof(float)];
  bench_input_fill_range(input, seed, w->layer, tensor, attn->dtype, values, 0, attn->head_dim);
  work->input_touched = true;
  if (host != NULL) {
    memcpy((char *)host + offset, values, row_bytes(attn));
  }
  return work->backend->upload(work->context, (char *)device + offset, values, row_bytes(attn),
                               error);
}

static bench_code renew_rows(bench_watch *w, const bench_layer *layer, bench_error *error) {
  const bench_attn *attn = &w->work->attn;
  const int64_t kv_rows = attn->batch * attn->heads_kv * attn->seq_kv;
  const int64_t key =
      (int64_t)(bench_hash64(w->secret, 2, (uint64_t)w->sample) % (uint64_t)kv_rows);
  bench_code code = renew_row(w, BENCH_TENSOR_Q, layer->q, layer->host_q, w->row, error);
  if (code == BENCH_OK) {
    code = renew_row(w, BENCH_TENSOR_K, layer->k, layer->host_k, key, error);
  }
  if (code == BENCH_OK) {
    code = renew_row(w, BENCH_TENSOR_V, layer->v, layer->host_v, key, error);
  }
  return code;
}

bench_code bench_watch_before(bench_watch *w, bench_error *error) {
  if (!w->computes) {
    return BENCH_OK;
  }
  const bench_work *work = w->work;
  const bench_attn *attn = &work->attn;
  const uint64_t drawn = bench_hash64(w->secret, 0, (uint64_t)w->sample);
  w->layer = (int64_t)(drawn % (uint64_t)work->layers_distinct);
  w->row = (int64_t)(bench_hash64(drawn, 0, 0) % (uint64_t)bench_attn_rows(attn));
  const bench_layer *layer = bench_work_layer(work, w->layer);
  bench_code code = BENCH_OK;
  if (attn->scope == BENCH_SCOPE_ATTENTION) {
    code = renew_rows(w, layer, error);
  }
  if (code == BENCH_OK) {
    code = work->backend->fill(work->context, (char *)layer->o + (size_t)w->row * row_bytes(attn),
                               0xff, row_bytes(attn), error);
  }
  return code == BENCH_OK
             ? work->backend->fill(work->context, layer->lse + w->row, 0xff, sizeof(float), error)
             : code;
}

static void find_unwritten(const bench_attn *attn, const float *o, float lse,
                           bench_verdict *verdict) {
  bool written = !isnan(lse);
  for (int64_t d = 0; d < attn->head_dim; d++) {
    written = written && !isnan(o[d]);
  }
  if (!written) {
    verdict->right = false;
    snprintf(verdict->reason, sizeof verdict->reason, "it did not write a row");
  }
}

bench_code bench_watch_after(bench_watch *w, bench_verdict *verdict, bench_error *error) {
  const int64_t sample = w->sample++;
  if (!w->computes) {
    return BENCH_OK;
  }
  const bench_work *work = w->work;
  const bench_attn *attn = &work->attn;
  const bench_layer *layer = bench_work_layer(work, w->layer);
  char row[HEAD_DIM_MAX * sizeof(float)];
  float o[HEAD_DIM_MAX];
  float lse;
  bench_code code = work->backend->download(work->context, row,
                                            (char *)layer->o + (size_t)w->row * row_bytes(attn),
                                            row_bytes(attn), error);
  if (code == BENCH_OK) {
    code = work->backend->download(work->context, &lse, layer->lse + w->row, sizeof lse, error);
  }
  if (code != BENCH_OK) {
    return code;
  }
  bench_to_float(attn->dtype, row, o, attn->head_dim);
  find_unwritten(attn, o, lse, verdict);
  const bool compare =
      (sample & (sample - 1)) == 0 && layer->host_q != NULL && attn->scope == BENCH_SCOPE_ATTENTION;
  if (verdict->right && compare) {
    code = bench_verify_row(work, w->layer, w->row, o, lse, verdict, error);
  }
  if (!verdict->right) {
    char what[sizeof verdict->reason];
    snprintf(what, sizeof what, "right before it was timed, but in sample %" PRId64 ": %.400s",
             sample, verdict->reason);
    snprintf(verdict->reason, sizeof verdict->reason, "%s", what);
  }
  return code;
}
