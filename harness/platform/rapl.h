/* Energy of the CPU packages, by the counters that Linux shows of RAPL. Reading them is often the
 * privilege of root, and virtual machines have none. */
#ifndef BENCH_PLATFORM_RAPL_H
#define BENCH_PLATFORM_RAPL_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/status.h"

#define BENCH_RAPL_ROOT "/sys/class/powercap"
#define BENCH_RAPL_PACKAGES_MAX 16

typedef struct bench_rapl {
  int packages;
  char paths[BENCH_RAPL_PACKAGES_MAX][256];  /* of the counters */
  int64_t range_uj[BENCH_RAPL_PACKAGES_MAX]; /* where a counter starts again */
  int64_t last_uj[BENCH_RAPL_PACKAGES_MAX];
  double joules; /* since opening */
} bench_rapl;

/* Finds the packages below `root`; an error says why there is no counter to read. */
bench_code bench_rapl_open(const char *root, bench_rapl *out, bench_error *why_not);
/* Joules of all packages since opening. To be called before a counter can have gone round, which
 * takes minutes. NaN: a counter is no longer readable. */
double bench_rapl_read(bench_rapl *rapl);

#endif
