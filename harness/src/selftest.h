/* Are the clock, the flush and the sampling rule of this machine to be trusted? */
#ifndef BENCH_SELFTEST_H
#define BENCH_SELFTEST_H

#include "bench/backend.h"

typedef struct bench_selftest_check {
  const char *name;
  enum { BENCH_CHECK_PASSED, BENCH_CHECK_FAILED, BENCH_CHECK_SKIPPED } outcome;
  char text[256]; /* what was measured, and what it has to be */
} bench_selftest_check;

#define BENCH_SELFTEST_CHECKS 8

/* Runs every check; *count of them are filled. A call of the backend that fails ends it. */
bench_code bench_selftest_run(const bench_backend *backend, bench_context *context,
                              bench_selftest_check checks[BENCH_SELFTEST_CHECKS], size_t *count,
                              bench_error *error);

#endif
