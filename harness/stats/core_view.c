/* What one row sees. Simple masks and block lists are both read as ascending segments, so that the
 * loop over tiles has one form, visits only tiles with a visible key, and is linear in them. */
#include "stats/core_view.h"

#include "stats/core_tile.h"

static bench_span segment(const stat_view *view, int64_t at) {
  if (view->list == NULL) {
    return view->spans[at];
  }
  const int64_t begin = view->list->column[at] * view->list->block;
  const int64_t end = begin + view->list->block;
  return (bench_span){begin, end < view->list->seq_kv ? end : view->list->seq_kv};
}

/* The bits of the row in a partial block, NULL for a segment without hidden keys. */
static const uint64_t *segment_bits(const stat_view *view, int64_t at) {
  const bench_blocklist *list = view->list;
  if (list == NULL || list->tile[at] == BENCH_BLOCK_FULL) {
    return NULL;
  }
  return list->tiles + (list->tile[at] * list->block + view->row % list->block) * list->words;
}

static int64_t segment_keys(const stat_view *view, int64_t at) {
  const bench_span span = segment(view, at);
  const uint64_t *bits = segment_bits(view, at);
  if (bits == NULL) {
    return span.end - span.begin;
  }
  int64_t keys = 0;
  for (int64_t word = 0; word < view->list->words; word++) {
    keys += __builtin_popcountll(bits[word]);
  }
  return keys;
}

void bench_stat_view_init(stat_view *view, const bench_attn *attn, const bench_blocklist *list,
                          int64_t head, int64_t row) {
  view->row = row;
  view->position = row + attn->seq_kv - attn->seq_q;
  if (bench_mask_is_simple(&attn->mask)) {
    view->list = NULL;
    view->at = 0;
    view->end = bench_mask_spans(attn, row, view->spans);
  } else {
    view->list = list;
    const int64_t block_row = bench_blocklist_row(list, head, row);
    view->at = list->row_begin[block_row];
    view->end = list->row_begin[block_row + 1];
  }
  view->keys = 0;
  for (int64_t at = view->at; at < view->end; at++) {
    view->keys += segment_keys(view, at);
  }
  bench_stat_view_advance(view, 0);
}

void bench_stat_view_advance(stat_view *view, int64_t key) {
  while (view->at < view->end && segment(view, view->at).end <= key) {
    view->at++;
  }
  if (view->at == view->end) {
    view->next = STAT_VIEW_END;
  } else {
    const int64_t begin = segment(view, view->at).begin;
    view->next = begin > key ? begin : key;
  }
}

int64_t bench_stat_view_reach(const stat_view *view, int64_t limit) {
  int64_t reach = 0;
  for (int64_t at = view->at; at < view->end; at++) {
    const bench_span span = segment(view, at);
    if (span.begin >= limit) {
      break;
    }
    reach = span.end < limit ? span.end : limit;
  }
  return reach;
}

void bench_stat_view_hide(const stat_view *view, int64_t begin, int64_t end, float *s) {
  int64_t key = begin; /* all below are settled */
  for (int64_t at = view->at; at < view->end && key < end; at++) {
    const bench_span span = segment(view, at);
    const uint64_t *bits = segment_bits(view, at);
    for (; key < span.begin && key < end; key++) {
      s[key - begin] = STAT_HIDDEN;
    }
    if (bits == NULL) {
      key = span.end;
      continue;
    }
    for (; key < span.end && key < end; key++) {
      const int64_t column = key - span.begin;
      if (((bits[column >> 6] >> (column & 63)) & 1) == 0) {
        s[key - begin] = STAT_HIDDEN;
      }
    }
  }
  for (; key < end; key++) {
    s[key - begin] = STAT_HIDDEN;
  }
}
