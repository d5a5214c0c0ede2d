/* Named ranges for Nsight Systems and Nsight Compute, in the domain "bench":
 * case > prepare, verify, measure. Never pushed or popped inside a timed region, where one call
 * can cost as much as a small kernel.
 *
 * Without the NVTX header at build time, or without a tool at run time, they do nothing. */
#ifndef BENCH_PLATFORM_NVTX_H
#define BENCH_PLATFORM_NVTX_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Is NVTX compiled in? */
bool bench_nvtx_available(void);
/* Ranges nest per thread. The name is copied by the tool. */
void bench_nvtx_push(const char *name);
void bench_nvtx_pop(void);

#ifdef __cplusplus
}
#endif
#endif
