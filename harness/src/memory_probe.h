/* The peak memory of a case: what a fresh worker comes to hold that makes the problem's tensors
 * and runs the kernel over one layer, and nothing else. The worker that verifies
 * and measures is no measure: it also holds references, statistics and what an earlier problem
 * left in the allocator.
 *
 * The peak is the process's high-water mark of resident memory, so it has a constant in it: the
 * program and its libraries, BENCH_PROCESS_BYTES. */
#ifndef BENCH_MEMORY_PROBE_H
#define BENCH_MEMORY_PROBE_H

#include "bench/plan.h"
#include "src/supervisor.h"

typedef struct bench_memory_probe {
  const bench_supervisor *like; /* whose program, backend and device a fresh worker has */
  bench_supervisor *fresh;      /* NULL until the first probe */
  uint64_t case_id;             /* of the last probe; 0: none. The modes of a case share it */
  int64_t peak_bytes;
} bench_memory_probe;

/* BENCH_MISSING_INT where the worker could not tell. */
int64_t bench_memory_probe_peak(bench_memory_probe *probe, const bench_problem *problem,
                                const bench_case *planned, double timeout_s);
void bench_memory_probe_close(bench_memory_probe *probe);

#endif
