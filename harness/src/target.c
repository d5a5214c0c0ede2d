/* Which backend and device a command works on, and the user's wish to stop. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/sweep.h"

volatile int bench_stop;

static void on_signal(int number) {
  (void)number;
  bench_stop = 1;
}

void bench_catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGPIPE, &ignore, NULL); /* a dead worker or reader is an answer, not an end */
}

static bench_code open_backend(const char *name, int device, bench_supervisor **supervisor,
                               bench_target *target, bench_error *error) {
  target->backend = bench_backend_find(name, error);
  if (target->backend == NULL) {
    return BENCH_ERR_UNSUPPORTED;
  }
  bench_code code = bench_supervisor_open(getenv("BENCH_WORKER"), name, device, 0, &bench_stop,
                                          supervisor, error);
  if (code == BENCH_OK) {
    code = bench_supervisor_device(*supervisor, &target->device, error);
    if (code != BENCH_OK) {
      bench_supervisor_close(*supervisor);
      *supervisor = NULL;
    }
  }
  return code;
}

bench_code bench_target_open(const char *backend, int device, bench_supervisor **supervisor,
                             bench_target *target, bench_error *error) {
  if (strcmp(backend, "auto") != 0) {
    return open_backend(backend, device, supervisor, target, error);
  }
  if (open_backend("cuda", device, supervisor, target, error) == BENCH_OK) {
    return BENCH_OK;
  }
  fprintf(stderr, "bench: no cuda (%s); using the cpu\n", error->message);
  return open_backend("cpu", 0, supervisor, target, error);
}
