/* The statistics of one problem on their way from the worker to the files: the heads of a request
 * as they come in, and their means over layers and heads, which stand in every row of the
 * problem. */
#ifndef BENCH_HEAD_MEANS_H
#define BENCH_HEAD_MEANS_H

#include <jansson.h>

#include "bench/row.h"

typedef struct bench_head_means {
  bench_row means; /* the statistics' columns of sweep.csv; the others are missing */
  bool known;      /* the means are those of the problem in hand */

  /* Heads of the request in hand. */
  bench_head_row *heads;
  size_t count;
  size_t capacity;
  bool lost; /* memory was out: what there is of them is not used */
} bench_head_means;

/* Before a request; what is known of the problem stays. */
void bench_head_means_begin(bench_head_means *means);
/* A bench_event_fn: keeps an event that tells a head. */
void bench_head_means_take(void *context, const json_t *event);
/* After an answered request: the means, if heads came. */
void bench_head_means_end(bench_head_means *means);
/* Into a row, if known. */
void bench_head_means_copy(const bench_head_means *means, bench_row *row);
void bench_head_means_free(bench_head_means *means);

#endif
