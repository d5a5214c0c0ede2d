/* What one row sees, met tile by tile from the first key to the last. Internal to core*.c. */
#ifndef BENCH_STATS_CORE_VIEW_H
#define BENCH_STATS_CORE_VIEW_H

#include "bench/mask.h"

/* The visible keys as ascending segments: the spans of a simple mask, or the kept blocks of a
 * block row, where the bits of a partial block hide some keys of its segment. */
typedef struct stat_view {
  const bench_blocklist *list; /* NULL for a simple mask */
  int64_t row;
  int64_t position; /* of the row: i */
  int64_t keys;     /* visible keys */
  bench_span spans[2];
  int64_t at;   /* the first segment that may still be met */
  int64_t end;  /* one past the last segment */
  int64_t next; /* the first key from which a visible one may still come, or STAT_VIEW_END */
} stat_view;

#define STAT_VIEW_END INT64_MAX

/* `head` counts over batch and query heads. */
void bench_stat_view_init(stat_view *view, const bench_attn *attn, const bench_blocklist *list,
                          int64_t head, int64_t row);

/* Leaves the keys below `key` behind. Keys only grow. */
void bench_stat_view_advance(stat_view *view, int64_t key);

/* One past the last key below `limit` that may be visible; only after an advance, `next` < limit.
 */
int64_t bench_stat_view_reach(const stat_view *view, int64_t limit);

/* Hides the logits s[0 .. end-begin-1] of the keys in [begin, end) that the row does not see. */
void bench_stat_view_hide(const stat_view *view, int64_t begin, int64_t end, float *s);

#endif
