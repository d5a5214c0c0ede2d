/* Exact counts of work and memory, from the shape alone. */
#include <stdlib.h>

#include "bench/plan.h"

int64_t bench_flops(const bench_attn *attn, int64_t pairs) {
  __int128 flops = (__int128)attn->layers * attn->batch * attn->heads_q * pairs;
  flops *= 2 * (attn->head_dim + attn->head_dim);
  if (attn->direction == BENCH_BWD) {
    flops = flops * 5 / 2; /* five matrix products where the forward pass has two */
  }
  return flops > INT64_MAX ? BENCH_MISSING_INT : (int64_t)flops;
}

/* Keys that at least one row sees. The first row's window starts furthest left and the last row's
 * ends furthest right, and windows of neighbouring rows overlap, so their union is one span. */
static int64_t keys_touched(const bench_attn *attn) {
  /* Rows at negative positions see nothing under the causal kinds. */
  int64_t first = attn->seq_q > attn->seq_kv ? attn->seq_q - attn->seq_kv : 0;
  if (attn->mask.kind == BENCH_MASK_FULL || attn->mask.both) {
    first = 0;
  }
  bench_span spans[2];
  int count = bench_mask_spans(attn, first, spans);
  int64_t begin = count > 0 ? spans[count - 1].begin : 0;
  int64_t sink_end = count == 2 ? spans[0].end : 0;
  count = bench_mask_spans(attn, attn->seq_q - 1, spans);
  int64_t end = count > 0 ? spans[count - 1].end : begin;
  if (count == 2 && spans[0].end > sink_end) {
    sink_end = spans[0].end;
  }
  return end - begin + (sink_end < begin ? sink_end : begin);
}

/* Keys of the block columns that stand in the list. Columns ascend within a row only, so each is
 * looked for once in a map of those seen. */
static int64_t keys_listed(const bench_attn *attn, const bench_blocklist *list) {
  int64_t columns = (attn->seq_kv + list->block - 1) / list->block;
  bool *seen = calloc((size_t)columns, sizeof *seen);
  int64_t keys = 0;
  for (int64_t b = 0; seen != NULL && b < list->blocks; b++) {
    int64_t first = list->column[b] * list->block;
    int64_t left = attn->seq_kv - first;
    if (!seen[list->column[b]]) {
      seen[list->column[b]] = true;
      keys += left < list->block ? left : list->block;
    }
  }
  keys = seen != NULL ? keys : attn->seq_kv;
  free(seen);
  return keys;
}

int64_t bench_bytes_min(const bench_attn *attn, const bench_blocklist *list) {
  int64_t keys = list != NULL ? keys_listed(attn, list) : keys_touched(attn);
  int64_t q = bench_attn_q_elements(attn);
  int64_t kv = attn->batch * attn->heads_kv * attn->head_dim * keys;
  return attn->layers * (2 * q + 2 * kv) * (int64_t)bench_dtype_bytes(attn->dtype);
}

int64_t bench_tensor_bytes(const bench_attn *attn, int64_t layers_distinct) {
  int64_t elements = 2 * bench_attn_q_elements(attn) + 2 * bench_attn_kv_elements(attn);
  int64_t lse = bench_attn_rows(attn) * (int64_t)sizeof(float);
  return layers_distinct * (elements * (int64_t)bench_dtype_bytes(attn->dtype) + lse);
}

int64_t bench_layers_distinct(const bench_attn *attn, int64_t llc_bytes) {
  if (attn->input == BENCH_INPUT_MODEL) {
    return attn->layers; /* each layer of a real model is its own */
  }
  int64_t layer = bench_tensor_bytes(attn, 1);
  int64_t wanted = (5 * llc_bytes + layer - 1) / layer;
  wanted = wanted < 1 ? 1 : wanted;
  return wanted < attn->layers ? wanted : attn->layers;
}
