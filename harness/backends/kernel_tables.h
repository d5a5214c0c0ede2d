/* The generated tables of kernels, one per backend (CMakeLists.txt: bench_kernel_table). */
#ifndef BENCH_KERNEL_TABLES_H
#define BENCH_KERNEL_TABLES_H

#include "bench/kernel.h"

extern const bench_kernel_entry bench_kernels_cpu[];
extern const size_t bench_kernels_cpu_count;

extern const bench_kernel_entry bench_kernels_cuda[];
extern const size_t bench_kernels_cuda_count;

extern const bench_kernel_entry bench_kernels_emu[];
extern const size_t bench_kernels_emu_count;

#endif
