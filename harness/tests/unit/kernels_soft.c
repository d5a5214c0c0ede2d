/* The table of test_kernels_soft: flash and sparse for CPUs that this machine may not be. Their
 * source is compiled without the flags that allow the instructions, so that the compiler lowers the
 * vectors of AVX-512, and cpu/dot_pairs.h does in C what AVX512-BF16 and AMX-BF16 do. */
#include "backends/kernel_tables.h"
#include "platform/cpu_features.h"

#define SOFT(variant)                                         \
  extern const bench_kernel bench_kernel_cpu_flash_##variant; \
  extern const bench_kernel bench_kernel_cpu_sparse_##variant;
SOFT(soft_avx512)
SOFT(soft_avx512_bf16)
SOFT(soft_amx_bf16)

#define HASH "0000000000000000"
const bench_kernel_entry bench_kernels_cpu[] = {
    {&bench_kernel_cpu_flash_soft_avx512, HASH},
    {&bench_kernel_cpu_flash_soft_avx512_bf16, HASH},
    {&bench_kernel_cpu_flash_soft_amx_bf16, HASH},
    {&bench_kernel_cpu_sparse_soft_avx512, HASH},
    {&bench_kernel_cpu_sparse_soft_avx512_bf16, HASH},
    {&bench_kernel_cpu_sparse_soft_amx_bf16, HASH},
};
const size_t bench_kernels_cpu_count = sizeof bench_kernels_cpu / sizeof bench_kernels_cpu[0];

/* In the place of the harness's: to these kernels, every CPU has everything. */
void bench_cpu_features(bench_device *device) {
  device->has_avx2 = 1;
  device->has_avx512 = 1;
  device->has_avx512_bf16 = 1;
  device->has_amx_bf16 = 1;
}
