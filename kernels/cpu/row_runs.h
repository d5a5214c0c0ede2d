/* The visible keys of one row as ascending disjoint runs, whatever the mask: at most two spans of
 * a simple mask, or the kept blocks of a block list with their bits. The row-by-row kernels walk
 * them so:
 *     row_runs runs = row_runs_of(attn, list, head, row);
 *     for (bench_span run; row_runs_next(&runs, &run);) { ... run.begin <= j < run.end ... } */
#ifndef BENCH_KERNELS_CPU_ROW_RUNS_H
#define BENCH_KERNELS_CPU_ROW_RUNS_H

#include "bench/mask.h"

typedef struct row_runs {
  const bench_blocklist *list; /* NULL: the spans say it all */
  bench_span spans[2];
  int64_t next; /* span, or kept block of the list */
  int64_t stop; /* one past the last */
  int64_t row;  /* of the list: within its block */
  int64_t key;  /* of the list: where in the block at `next` to go on */
} row_runs;

/* `head` counts over batch and query heads. */
static inline row_runs row_runs_of(const bench_attn *attn, const bench_blocklist *list,
                                   int64_t head, int64_t row) {
  row_runs runs = {.next = 0};
  if (bench_mask_is_simple(&attn->mask)) {
    runs.stop = bench_mask_spans(attn, row, runs.spans);
    return runs;
  }
  runs.list = list;
  const int64_t block_row = bench_blocklist_row(list, head, row);
  runs.next = list->row_begin[block_row];
  runs.stop = list->row_begin[block_row + 1];
  runs.row = row % list->block;
  return runs;
}

static inline bool row_runs_next(row_runs *runs, bench_span *run) {
  const bench_blocklist *list = runs->list;
  for (; runs->next < runs->stop; runs->next++, runs->key = 0) {
    if (list == NULL) {
      *run = runs->spans[runs->next++];
      return true;
    }
    const int64_t first = list->column[runs->next] * list->block;
    const int64_t left = list->seq_kv - first;
    const int64_t keys = left < list->block ? left : list->block;
    const int32_t tile = list->tile[runs->next];
    if (tile == BENCH_BLOCK_FULL) {
      *run = (bench_span){first, first + keys};
      runs->next++;
      return true;
    }
    const uint64_t *bits = list->tiles + (tile * list->block + runs->row) * list->words;
    int64_t begin = runs->key;
    while (begin < keys && (bits[begin >> 6] >> (begin & 63) & 1) == 0) {
      begin++;
    }
    int64_t end = begin;
    while (end < keys && (bits[end >> 6] >> (end & 63) & 1) != 0) {
      end++;
    }
    if (begin < end) {
      *run = (bench_span){first + begin, first + end};
      runs->key = end;
      return true;
    }
  }
  return false;
}

#endif
