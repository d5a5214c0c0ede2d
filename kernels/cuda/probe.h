/* Kernels that measure the device and not attention, enqueued by the CUDA backend. All return 0 or
 * a bench_code, as a kernel's launch does. */
#ifndef BENCH_CUDA_PROBE_H
#define BENCH_CUDA_PROBE_H

#include <stddef.h>
#include <stdint.h>

#include "bench/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Host memory that the device sees at the same address. */
typedef struct cuda_probe_page {
  volatile uint32_t release;    /* written by the host: ends the hold */
  volatile uint32_t expired;    /* written by the hold when it ended by itself */
  volatile uint64_t cycles[2];  /* the stamps: of multiprocessor 0, */
  volatile uint64_t time_ns[2]; /* and of all */
} cuda_probe_page;

/* Keeps the stream until page->release is not 0, but no longer than limit_ns. */
bench_code cuda_probe_hold(void *stream, cuda_probe_page *page, uint64_t limit_ns);

/* Writes stamp `which`. Two of them give the clock rate: cycles over time. */
bench_code cuda_probe_stamp(void *stream, int sm_count, cuda_probe_page *page, int which);

/* Does nothing for so long by the global timer, which is not that of events. */
bench_code cuda_probe_delay(void *stream, uint64_t time_ns);

/* Reads `bytes`, a multiple of 16, with all multiprocessors, so many times in one launch. `sink`
 * has room for 16 bytes. */
bench_code cuda_probe_read(void *stream, int sm_count, const void *from, size_t bytes, int passes,
                           void *sink);

#ifdef __cplusplus
}
#endif
#endif
