/* The worker's own matters: its state, the case in hand, and the path of one case through it. */
#ifndef BENCH_WORKER_CASE_H
#define BENCH_WORKER_CASE_H

#include <jansson.h>
#include <stdio.h>

#include "bench/row.h"
#include "src/work.h"

typedef struct bench_worker {
  FILE *out; /* the protocol's own stream; stdout is stderr by now */
  const bench_backend *backend;
  bench_context *context;
  int64_t memory_free_at_start;
  bench_work work;            /* of the last problem; backend NULL: none */
  const bench_kernel *judged; /* what `verdict` is about, for this problem; NULL: nothing */
  bench_verdict verdict;
  bench_monitor monitor; /* of the device; opened with it */
  json_t *clock_mhz;     /* of the samples of the case in hand, or NULL */
} bench_worker;

/* What a request asks for. */
typedef enum bench_worker_task {
  BENCH_TASK_MEASURE, /* verify, then time */
  BENCH_TASK_CHECK,   /* mode "check": verify and do not time */
  BENCH_TASK_FIT,     /* mode "fit": allocate and touch what a run would, and compute nothing */
  BENCH_TASK_MEMORY,  /* mode "memory": run once and tell the peak */
  BENCH_TASK_EXPORT,  /* mode "export": leave the inputs in `folder`, for a peer */
  BENCH_TASK_JUDGE,   /* mode "judge": compare the outputs that a peer left in `folder` */
} bench_worker_task;

typedef struct bench_worker_request {
  bench_work_request work;
  const char *name;
  bench_worker_task task;
  bench_mode mode;    /* BENCH_TASK_MEASURE */
  const char *folder; /* BENCH_TASK_EXPORT and _JUDGE: see worker_peer.h */
  double case_s;
  bool whole; /* compare every row, whatever it costs */
  bool statistics;
  bool check_lse; /* the statistics once more by LSE identities; a difference makes it wrong */
} bench_worker_request;

/* Writes an event; takes the reference. */
void bench_worker_send(bench_worker *worker, json_t *event);

/* Runs the case: its columns into the row, times in ns into *samples (NULL: none), *status set
 * where the case is not ok though no call failed. */
bench_code bench_worker_case(bench_worker *worker, const bench_worker_request *asked,
                             bench_row *row, json_t **samples, const char **status,
                             bench_error *error);

#endif
