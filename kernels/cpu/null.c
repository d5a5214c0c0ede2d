/* null: computes nothing and claims nothing. It tests the harness itself: what a row costs when
 * the kernel costs nothing is the harness's own floor. It writes nothing, so `verify` does not
 * compare it.
 *
 * Where the environment has BENCH_FAULT, it misbehaves in the cases named there: the worker says
 * in BENCH_FAULT_NOW how. What a crash or a hang costs a sweep can so be tried on any machine. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/kernel.h"

static const char *null_why_not(const bench_attn *attn, const bench_device *device) {
  (void)attn;
  (void)device;
  return NULL;
}

static bench_code crash(const bench_launch *launch) {
  (void)launch;
  signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would turn the death into an exit */
  raise(SIGSEGV);
  return BENCH_OK;
}

static bench_code stop_short(const bench_launch *launch) {
  (void)launch;
  abort();
  return BENCH_OK;
}

static bench_code hang(const bench_launch *launch) {
  (void)launch;
  for (;;) {
    pause();
  }
  return BENCH_OK;
}

/* Longer than a test may let a case take. */
static bench_code dawdle(const bench_launch *launch) {
  (void)launch;
  const struct timespec while_s = {.tv_sec = 5};
  nanosleep(&while_s, NULL);
  return BENCH_OK;
}

/* Longer by 0.2 ms each time, which no noise of a machine hides. */
static bench_code drift(const bench_launch *launch) {
  static long launches;
  (void)launch;
  const long us = 200 * ++launches;
  const struct timespec while_s = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
  nanosleep(&while_s, NULL);
  return BENCH_OK;
}

static bench_code exhaust(const bench_launch *launch) {
  (void)launch;
  return BENCH_ERR_NOMEM;
}

static bench_code overrun(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  memset((char *)launch->o + bench_attn_q_elements(attn) * bench_dtype_bytes(attn->dtype), 0, 4);
  return BENCH_OK;
}

static const struct {
  const char *kind;
  bench_code (*launch)(const bench_launch *launch);
} faults[] = {{"crash", crash}, {"abort", stop_short}, {"hang", hang},    {"slow", dawdle},
              {"drift", drift}, {"oom", exhaust},      {"wrong", overrun}};

static bench_code launch_faulty(const bench_launch *launch) {
  const char *kind = getenv("BENCH_FAULT_NOW");
  for (size_t i = 0; kind != NULL && i < sizeof faults / sizeof faults[0]; i++) {
    if (strcmp(kind, faults[i].kind) == 0) {
      return faults[i].launch(launch);
    }
  }
  return BENCH_OK;
}

static bench_code null_launch(const bench_launch *launch) {
  static int planted = -1; /* looked up once: the floor is not that of getenv() */
  if (planted < 0) {
    planted = getenv("BENCH_FAULT") != NULL;
  }
  return planted ? launch_faulty(launch) : BENCH_OK;
}

BENCH_KERNEL(cpu, null) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(null),
    .summary = "does nothing: the floor of the harness's own cost",
    .why_not = null_why_not,
    .launch = null_launch,
};
