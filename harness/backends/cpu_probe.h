/* What calibration and self-test ask of the cpu backend. */
#ifndef BENCH_CPU_PROBE_H
#define BENCH_CPU_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "bench/backend.h"

/* The calling core's clock now, by a chain of additions of one cycle each; 0 where it is not known
 * how long one takes. Takes some 20 us. */
double bench_cpu_clock_mhz(void);

/* A pass over memory by all threads. */
void bench_cpu_traffic(bench_traffic kind, void *to, const void *from, size_t bytes, int passes);

/* Multiply-adds by all threads, in the widest vectors that the machine has; the operations done. */
double bench_cpu_multiply_add(void);

/* Does nothing for so long by CLOCK_MONOTONIC_RAW, which nobody adjusts. */
void bench_cpu_delay(int64_t time_ns);

#endif
