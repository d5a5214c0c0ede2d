/* The core statistics of a block of rows of one head. Internal to core*.c. */
#ifndef BENCH_STATS_CORE_ROWS_H
#define BENCH_STATS_CORE_ROWS_H

#include "bench/mask.h"
#include "stats/core_tile.h"

#define STAT_BLOCK 96 /* rows that share one pass over K: so many times less memory traffic */

/* Sums over rows, in the order of bench_stat_core. */
typedef enum stat_field {
  STAT_LSE,
  STAT_MAX_LOGIT, /* the maximum, not a sum */
  STAT_ENTROPY,
  STAT_ENTROPY_NORM,
  STAT_SUM_P2,
  STAT_P_MAX,
  STAT_DISTANCE,
  STAT_DISTANCE_NOSINK,
  STAT_DISTANCE_RMS,
  STAT_WINDOW16,
  STAT_WINDOW64,
  STAT_WINDOW256,
  STAT_WINDOW1024,
  STAT_SINK,
  STAT_SINK4,
  STAT_FIELDS
} stat_field;

typedef struct stat_partial {
  int64_t rows;        /* rows with at least two visible keys */
  int64_t nosink_rows; /* of these, rows with mass beyond key 0 */
  double sum[STAT_FIELDS];
} stat_partial;

/* One query head of one sequence and the keys it reads. */
typedef struct stat_head {
  const bench_attn *attn;
  const bench_blocklist *list;
  int64_t index; /* over batch and query heads */
  const stat_loops *loops;
  const void *q;       /* [seq_q][head_dim] in the dtype */
  const float *panels; /* packed K less `shift`: [seq_kv / STAT_PANEL, rounded up to whole tiles]
                          [head_dim][STAT_PANEL] */
  const float *shift;  /* [head_dim] */
  int64_t row_stride;
} stat_head;

typedef struct stat_scratch stat_scratch;               /* one thread's */
stat_scratch *bench_stat_scratch_new(int64_t head_dim); /* NULL without memory */
void bench_stat_scratch_delete(stat_scratch *scratch);

/* Rows first * row_stride, (first + 1) * row_stride, ...: `count` of them, at most STAT_BLOCK. */
void bench_stat_rows(const stat_head *head, int64_t first, int64_t count, stat_scratch *scratch,
                     stat_partial *out);

#endif
