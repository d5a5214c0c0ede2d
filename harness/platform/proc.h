/* What a process can ask of its operating system: names, times, memory, limits, folders. Linux;
 * a figure that cannot be had is -1 (NaN for a floating one) and never an error. */
#ifndef BENCH_PLATFORM_PROC_H
#define BENCH_PLATFORM_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "bench/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_HOST_MAX 256
#define BENCH_TIME_MAX 32

void bench_proc_host(char out[BENCH_HOST_MAX]); /* "unknown" if it has no name */
/* UTC: "2025-01-31T23:59:59Z" for a row, "20250131-235959" for a folder's name. */
void bench_proc_time_iso(time_t when, char out[BENCH_TIME_MAX]);
void bench_proc_time_compact(time_t when, char out[BENCH_TIME_MAX]);

/* CLOCK_MONOTONIC. */
int64_t bench_proc_monotonic_ns(void);
double bench_proc_monotonic_s(void);
/* Processor time of this process, all its threads, since its start. */
double bench_proc_cpu_s(void);

/* Resident memory of this process. The peak is since its start, or since a reset that succeeded;
 * the reset is not permitted everywhere. */
int64_t bench_proc_mem_resident_bytes(void);
int64_t bench_proc_mem_peak_bytes(void);
bool bench_proc_mem_peak_reset(void);

/* The machine's memory as far as this process may use it: the smaller of what the machine and what
 * the cgroups around us (v2 or v1) have, in total and still to be had (page cache counts as free).
 * The limit alone is -1 where no cgroup sets one. */
int64_t bench_proc_mem_total_bytes(void);
int64_t bench_proc_mem_available_bytes(void);
int64_t bench_proc_mem_limit_bytes(void);
/* How often the kernel has killed a process for memory: of our cgroup where it counts them, else
 * of the machine. */
int64_t bench_proc_oom_kills(void);
/* Makes this process the first that the kernel kills where memory runs out. */
bool bench_proc_oom_first(void);

double bench_proc_load_1min(void);
bool bench_proc_executable(char *out, size_t bytes); /* absolute path of this program */
/* mkdir -p. An existing folder is fine. */
bench_code bench_proc_mkdirs(const char *path, bench_error *error);

/* The part that reads cgroup files, on any copy of them: `self_cgroup` is /proc/self/cgroup's text,
 * `mount` where the hierarchies are mounted. For tests. */
typedef struct bench_cgroup_memory {
  int64_t limit_bytes;     /* -1: none */
  int64_t available_bytes; /* -1: no limit */
  int64_t oom_kills;       /* -1: unknown */
} bench_cgroup_memory;
bench_cgroup_memory bench_proc_cgroup_memory(const char *self_cgroup, const char *mount);

#ifdef __cplusplus
}
#endif
#endif
