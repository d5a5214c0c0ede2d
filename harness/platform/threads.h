/* The OpenMP threads of this process, each on a core of its own. */
#ifndef BENCH_PLATFORM_THREADS_H
#define BENCH_PLATFORM_THREADS_H

#include "bench/kernel.h"

/* As many as the device has threads, or one per core beside a device that has none of its own;
 * near the device where that is known. Fills device->numa_node if it was unknown and hwloc knows.
 */
void bench_threads_bind(bench_device *device);

#endif
