/* Exact counts of work and memory, from the shape alone. */
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
  if (!bench_mask_is_simple(&attn->mask)) {
    return attn->seq_kv;
  }
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

int64_t bench_bytes_min(const bench_attn *attn) {
  int64_t q = bench_attn_q_elements(attn);
  int64_t kv = attn->batch * attn->heads_kv * attn->head_dim * keys_touched(attn);
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
