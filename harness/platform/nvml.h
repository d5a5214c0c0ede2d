/* What the NVIDIA driver tells of a GPU while it works, by NVML. The library is opened when it is
 * first asked for, with prototypes of our own: nothing of NVIDIA's is needed to build, and where it
 * is not installed that is one sentence. */
#ifndef BENCH_PLATFORM_NVML_H
#define BENCH_PLATFORM_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/status.h"

typedef struct bench_nvml bench_nvml; /* opaque: one GPU */

/* The GPU of this UUID ("GPU-..."). The caller closes. */
bench_code bench_nvml_open(const char *uuid, bench_nvml **out, bench_error *why_not);
void bench_nvml_close(bench_nvml *nvml);

typedef struct bench_nvml_state {
  double sm_mhz; /* NaN: not told */
  double temp_c;
  double power_w;
  double energy_j;   /* since the driver was loaded */
  uint64_t throttle; /* bits of BENCH_THROTTLE_* */
} bench_nvml_state;
void bench_nvml_read(const bench_nvml *nvml, bench_nvml_state *out);

/* Reasons why clocks are lower than asked for; the first column is NVML's bit. */
#define BENCH_THROTTLES(REASON)  \
  REASON(0x002, app_clocks, 0)   \
  REASON(0x004, sw_power_cap, 0) \
  REASON(0x008, hw_slowdown, 1)  \
  REASON(0x010, sync_boost, 0)   \
  REASON(0x020, sw_thermal, 1)   \
  REASON(0x040, hw_thermal, 1)   \
  REASON(0x080, hw_power_brake, 1)

/* "sw_power_cap|hw_thermal"; "" for none. */
void bench_throttle_format(uint64_t bits, char *text, size_t capacity);
/* Whether one of them means that the GPU was not in order: heat, or a fault of its power. A power
 * cap is how a GPU works under load. */
bool bench_throttle_is_fault(uint64_t bits);

#endif
