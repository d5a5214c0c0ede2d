/* Measured roofs of one device: what bench calibrate writes, and bench sweep --roofs reads. */
#ifndef BENCH_ROOFS_H
#define BENCH_ROOFS_H

#include "bench/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ROOF(name, unit, help). NaN: not measured on this device. */
#define BENCH_ROOFS(ROOF)                                                                       \
  ROOF(fma_fp32_tflops, "1e12 FLOP/s", "multiply-adds on registers alone, fp32")                \
  ROOF(gemm_fp32_tflops, "1e12 FLOP/s", "matrix product of random data, fp32")                  \
  ROOF(gemm_fp16_tflops, "1e12 FLOP/s", "the same, fp16")                                       \
  ROOF(gemm_bf16_tflops, "1e12 FLOP/s", "the same, bf16")                                       \
  ROOF(read_gb_per_s, "1e9 B/s", "reading memory: twice the last-level cache, or more")         \
  ROOF(write_gb_per_s, "1e9 B/s", "writing it")                                                 \
  ROOF(copy_gb_per_s, "1e9 B/s", "copying it: bytes read and bytes written")                    \
  ROOF(llc_read_gb_per_s, "1e9 B/s", "reading a quarter of the last-level cache over and over") \
  ROOF(sustained_clock_mhz, "MHz", "clock at the end of a second of matrix products")

#define BENCH_ROOF_FIELD(name, unit, help) double name;
typedef struct bench_roofs {
  BENCH_ROOFS(BENCH_ROOF_FIELD)
} bench_roofs;

/* Measures all of them, about a second each. BENCH_ERR_NOMEM where the buffers do not fit. */
bench_code bench_roofs_measure(const bench_backend *backend, bench_context *context,
                               bench_roofs *out, bench_error *error);

/* Reads a file that bench calibrate wrote. BENCH_ERR_USAGE: not one, or of another device. */
bench_code bench_roofs_load(const char *path, const bench_device *device, bench_roofs *out,
                            bench_error *error);

/* The least time that the device's roofs allow for the work, over the time it took, in percent:
 * flops at the rate of the dtype's matrix products, or bytes_min at the rate of reading, whichever
 * takes longer. Where caches are left warm and hold all the bytes, they are read from there. NaN
 * without the roofs that it needs. */
double bench_roofs_pct(const bench_roofs *roofs, const bench_attn *attn, const bench_device *device,
                       const bench_row *row);

#ifdef __cplusplus
}
#endif
#endif
