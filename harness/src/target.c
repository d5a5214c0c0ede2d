/* Which backend and device a command works on, and the user's wish to stop. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/sweep.h"

volatile int bench_stop;

static void on_signal(int number) {
  (void)number;
  bench_stop = bench_stop + 1;
}

void bench_catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  struct sigaction hangup;
  if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN) { /* not under nohup */
    sigaction(SIGHUP, &action, NULL);
  }
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGPIPE, &ignore, NULL); /* a dead worker or reader is an answer, not an end; */
  sigaction(SIGXFSZ, &ignore, NULL); /* a file that may not grow is a failed write */
}

static bench_code open_backend(const char *name, int device, bench_supervisor **supervisor,
                               bench_target *target, bench_error *error) {
  *target = (bench_target){.backend = bench_backend_find(name, error)};
  bench_text_copy(target->device.backend, sizeof target->device.backend, name);
  if (target->backend == NULL) {
    return error->code;
  }
  bench_code code = bench_supervisor_open(getenv("BENCH_WORKER"), name, device, 0, &bench_stop,
                                          supervisor, error);
  bench_device answered;
  if (code == BENCH_OK) {
    code = bench_supervisor_device(*supervisor, &answered, error);
    if (code == BENCH_OK) {
      target->device = answered;
    } else {
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
  bench_code code = open_backend("cuda", device, supervisor, target, error);
  if (code == BENCH_OK || code == BENCH_ERR_USAGE || bench_stop) {
    return code;
  }
  fprintf(stderr, "bench: no cuda (%s); using the cpu\n", error->message);
  return open_backend("cpu", device, supervisor, target, error);
}
