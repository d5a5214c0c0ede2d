/* The longest sequence that fits: how far a problem can be stretched before its memory runs out. */
#ifndef BENCH_CAPACITY_H
#define BENCH_CAPACITY_H

#include "bench/config.h"
#include "bench/plan.h"
#include "src/supervisor.h"

typedef struct bench_capacity {
  int64_t seq;       /* the longest that fits; 0: none does */
  int64_t bytes;     /* predicted of it */
  char variant[32];  /* that would run it */
  char beyond[512];  /* why the next longer one does not fit */
  bool timed_out;    /* a worker did not answer: longer ones than `seq` may fit */
  int64_t processes; /* workers that were asked */
} bench_capacity;

/* Stretches the problem's keys, and its queries with them where it has as many, by bisection. What
 * is predicted to exceed `limit_bytes` is not tried; all else is asked of a fresh worker, which
 * allocates and touches everything that a run would and computes nothing. One that takes longer
 * than a sweep would let it (bench_watchdog_limit_s of the stretched problem) ends the search.
 * Lengths are multiples of BENCH_CAPACITY_STEP. False if the user stopped. */
#define BENCH_CAPACITY_STEP 64
bool bench_capacity_find(const bench_supervisor *like, const bench_target *target,
                         const bench_config *config, const bench_problem *problem, const char *name,
                         int64_t limit_bytes, bench_capacity *out);

#endif
