/* A stand-in for Nsight: an NVTX injection library that records what a program pushes and pops.
 *
 * A test links it and runs with NVTX_INJECTION64_PATH naming the same file (CMake:
 * bench_nvtx_test), so that the copy NVTX loads and the one the test asks are one. A fake backend
 * calls nvtx_probe_set_timed(1) in timer_start and (0) in timer_stop; every NVTX call in between
 * is a violation. */
#ifndef BENCH_TESTS_NVTX_PROBE_H
#define BENCH_TESTS_NVTX_PROBE_H

typedef enum nvtx_probe_kind {
  NVTX_PROBE_PUSH,
  NVTX_PROBE_POP,
  NVTX_PROBE_START, /* process-wide range, which need not nest */
  NVTX_PROBE_END,
  NVTX_PROBE_MARK
} nvtx_probe_kind;

typedef struct nvtx_probe_event {
  nvtx_probe_kind kind;
  int depth;        /* of the range pushed or popped: 0 for the outermost */
  int timed;        /* inside a timed region */
  char domain[32];  /* empty: the default domain */
  char message[64]; /* of what began; empty for POP and END */
} nvtx_probe_event;

int nvtx_probe_attached(void); /* has NVTX loaded us? False until the first NVTX call. */
int nvtx_probe_depth(void);    /* open ranges of push and pop, over all domains */
void nvtx_probe_set_timed(int timed);
int nvtx_probe_violations(void); /* calls of any kind while timed, and pops below depth 0 */
int nvtx_probe_event_count(void);
const nvtx_probe_event *nvtx_probe_event_at(int index); /* NULL if there is none */
void nvtx_probe_reset(void); /* forgets events, violations, depth and the timed state */

#endif
