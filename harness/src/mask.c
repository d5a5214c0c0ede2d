/* Masks: the rows of the simple ones, and what can be said of any without resolving it.
 *
 * Every simple mask is brought into one normal form (mask_band.h), from which spans, visibility
 * and the exact number of pairs follow without a case for each kind. */
#include "bench/mask.h"

#include <string.h>

#include "blocklist.h"
#include "mask_band.h"
#include "minmax.h"

int bench_mask_part(const bench_mask *mask, int64_t index) {
  return mask->kind == BENCH_MASK_HYBRID &&
         index % (mask->share[0] + mask->share[1]) >= mask->share[0];
}

bench_band bench_mask_band(const bench_attn *attn) {
  const int64_t all = attn->seq_q + attn->seq_kv; /* no two positions are so far apart */
  const int64_t window = min64(attn->mask.window, all);
  switch (attn->mask.kind) {
    case BENCH_MASK_FULL:
      return (bench_band){all, all, 0};
    case BENCH_MASK_WINDOW:
      return (bench_band){attn->mask.both ? window - 1 : 0, window - 1, 0};
    case BENCH_MASK_SINK_WINDOW:
      return (bench_band){0, window - 1, min64(attn->mask.sink, all)};
    default:
      return (bench_band){0, all, 0};
  }
}

int bench_mask_spans(const bench_attn *attn, int64_t row, bench_span spans[2]) {
  const bench_band band = bench_mask_band(attn);
  const int64_t i = row + attn->seq_kv - attn->seq_q;
  const int64_t end = clamp64(i + band.ahead + 1, 0, attn->seq_kv);
  const int64_t begin = clamp64(i - band.behind, 0, end);
  const int64_t sink = min64(band.sink, end);
  int count = 0;
  if (begin <= sink) {
    spans[0] = (bench_span){0, end};
    return end > 0 ? 1 : 0;
  }
  if (sink > 0) {
    spans[count++] = (bench_span){0, sink};
  }
  if (begin < end) {
    spans[count++] = (bench_span){begin, end};
  }
  return count;
}

/* Sum of max(x, 0) over x in [low, high]. */
static int64_t ramp(int64_t low, int64_t high) {
  const int64_t above = high > 0 ? high * (high + 1) / 2 : 0;
  const int64_t below = low > 1 ? (low - 1) * low / 2 : 0;
  return above - below;
}

/* Rows see what causal shows, less the distances of `stride` and more that are no multiple of it:
 * of the n visible keys those at distance 0 .. stride-1, and one for each further multiple. */
static int64_t strided_pairs(const bench_attn *attn) {
  const int64_t stride = attn->mask.stride;
  int64_t pairs = 0;
  for (int64_t row = max64(attn->seq_q - attn->seq_kv, 0); row < attn->seq_q; row++) {
    const int64_t keys = row + attn->seq_kv - attn->seq_q + 1;
    pairs += keys <= stride ? keys : stride + (keys - 1) / stride;
  }
  return pairs;
}

static int64_t band_pairs(const bench_attn *attn) {
  /* Row i sees clamp(i + ahead + 1, 0, seq_kv) keys less the gap max(i - behind - sink, 0). */
  const bench_band band = bench_mask_band(attn);
  const int64_t first = attn->seq_kv - attn->seq_q;
  const int64_t last = attn->seq_kv - 1;
  const int64_t reach = band.ahead + 1;
  return ramp(first + reach, last + reach) -
         ramp(first + reach - attn->seq_kv, last + reach - attn->seq_kv) -
         ramp(first - band.behind - band.sink, last - band.behind - band.sink);
}

bench_code bench_mask_pairs(const bench_attn *attn, int64_t *pairs, bench_error *error) {
  if (bench_mask_is_simple(&attn->mask)) {
    *pairs = band_pairs(attn);
    return BENCH_OK;
  }
  if (attn->mask.kind == BENCH_MASK_STRIDED) {
    *pairs = strided_pairs(attn);
    return BENCH_OK;
  }
  if (attn->mask.kind == BENCH_MASK_TOPK) {
    *pairs = bench_blocklist_topk_pairs(attn);
    return BENCH_OK;
  }
  bench_blocklist list;
  bench_code code = bench_blocklist_build(attn, attn->mask.block, NULL, NULL, &list, error);
  if (code == BENCH_OK) {
    *pairs = bench_blocklist_pairs(&list) / (attn->batch * attn->heads_q);
    bench_blocklist_free(&list);
  }
  return code;
}

bool bench_mask_visible(const bench_attn *attn, const bench_blocklist *list, int64_t head,
                        int64_t row, int64_t key) {
  if (!bench_mask_is_simple(&attn->mask)) {
    return bench_blocklist_visible(list, head, row, key);
  }
  const bench_band band = bench_mask_band(attn);
  const int64_t i = row + attn->seq_kv - attn->seq_q;
  return key >= 0 && key < attn->seq_kv && key <= i + band.ahead &&
         (key < band.sink || key >= i - band.behind);
}
