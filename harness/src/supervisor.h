/* The parent's side of a worker: spawn it, ask it, watch it, and say how it died. */
#ifndef BENCH_SUPERVISOR_H
#define BENCH_SUPERVISOR_H

#include <jansson.h>

#include "bench/kernel.h"
#include "bench/status.h"

typedef struct bench_supervisor bench_supervisor; /* opaque: one worker slot */

/* How a request ended. */
typedef enum bench_answer {
  BENCH_ANSWERED,   /* `result` is the event that ended it */
  BENCH_CRASHED,    /* the worker died; the reason says of what and in which phase */
  BENCH_TIMED_OUT,  /* it did not answer in time and was killed */
  BENCH_OOM_KILLED, /* killed by the kernel for memory */
  BENCH_STOPPED,    /* the user stopped the program */
} bench_answer;

/* `program` NULL: this executable. No process is started yet. `stop` counts the wishes
 * to stop; a signal handler may add to it. The caller closes. */
bench_code bench_supervisor_open(const char *program, const char *backend, int device, int threads,
                                 const volatile int *stop, bench_supervisor **out,
                                 bench_error *error);
#define BENCH_PEER_COMMAND_MAX 4096
/* A slot for a peer: `command`, shorter than that, is given to the shell by this executable
 * (peer_start.h). It need not say what device it has opened. */
bench_code bench_supervisor_open_peer(const char *command, const bench_supervisor *like,
                                      bench_supervisor **out, bench_error *error);
/* Another slot for the same program, backend and device, with the same manners. */
bench_code bench_supervisor_open_like(const bench_supervisor *like, bench_supervisor **out,
                                      bench_error *error);
void bench_supervisor_close(bench_supervisor *supervisor);
/* From now on the first stop lets a request that runs come to its end; the second ends it. */
void bench_supervisor_finish_requests(bench_supervisor *supervisor);
/* Calls `idle` a few times a second, at least, while an answer or the end of a worker is waited
 * for. */
typedef void bench_idle_fn(void *context);
void bench_supervisor_on_idle(bench_supervisor *supervisor, bench_idle_fn *idle, void *context);
/* Takes over what the two above have made of another slot. */
void bench_supervisor_wait_like(bench_supervisor *supervisor, const bench_supervisor *like);
/* Ends the worker; the next request starts a fresh one. */
void bench_supervisor_restart(bench_supervisor *supervisor);

/* Called for each event before the last one. */
typedef void bench_event_fn(void *context, const json_t *event);

/* Sends one request, starting (again) a worker if none runs, and reads events until the one that
 * ends it. `timeout_s` is from the request to the last event. *result is a new reference, only
 * with BENCH_ANSWERED; `reason` is filled otherwise. */
bench_answer bench_supervisor_request(bench_supervisor *supervisor, const json_t *request,
                                      double timeout_s, bench_event_fn *on_event, void *context,
                                      json_t **result, char reason[512]);

/* The names of its kernels that the worker told when it was last started: a list, or NULL. */
const json_t *bench_supervisor_kernels(const bench_supervisor *supervisor);

/* Starts a worker if none runs and gives the device that it opened. */
bench_code bench_supervisor_device(bench_supervisor *supervisor, bench_device *out,
                                   bench_error *error);

#endif
