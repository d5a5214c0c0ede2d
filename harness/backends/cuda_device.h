/* What the parts of the cuda backend share: faults of the runtime, and the devices. */
#ifndef BENCH_CUDA_DEVICE_H_
#define BENCH_CUDA_DEVICE_H_

#include <cuda_runtime_api.h>

#include "bench/kernel.h"

/* A status of the runtime as a bench_code; `what` failed. */
bench_code bench_cuda_check(cudaError_t status, const char *what, bench_error *error);

/* As bench_backend.device_count. */
int bench_cuda_device_count(bench_error *why_none);
bench_code bench_cuda_read_device(int index, bench_device *out, bench_error *error);

#endif
