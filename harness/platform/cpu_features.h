/* Which extensions of x86 the CPU kernels may use. */
#ifndef BENCH_CPU_FEATURES_H
#define BENCH_CPU_FEATURES_H

#include "bench/kernel.h"

/* Fills in device->has_*: what the CPU has and the system lets this process use. Asks Linux for the
 * tile registers of AMX, which it gives to a process on demand alone, for as long as it lives. */
void bench_cpu_features(bench_device *device);

#endif
