/* One kernel of the emulated device on one problem, judged as `bench check` judges. */
#ifndef BENCH_TEST_EMU_RUNNER_H
#define BENCH_TEST_EMU_RUNNER_H

#include "bench/backend.h"
#include "cases.h"
#include "emu/emu.h"

typedef struct runner {
  const bench_backend *backend;
  bench_context *context;
  const bench_device *device;
} runner;

/* Exits with 1 and a sentence if there is no device. */
runner runner_open(void);

/* "naive/simt" or its family alone. */
bool runner_is_named(const bench_kernel *kernel, const char *name);

typedef struct outcome {
  int64_t ok;
  int64_t failed;
  int64_t skipped;
  char first[2400]; /* of the failures */
} outcome;

/* Runs the cases of a set one by one, until the first failure if `stops`; `told` prints each
 * failure. */
outcome runner_run(const runner *on, const bench_kernel *kernel, case_set set, bool stops,
                   bool told);

#endif
