/* The committed table of rates from which a plan predicts time. */
#include <string.h>

#include "bench/plan.h"

/* Sustained FLOP/s presumed of a family, on one core (cpu), one multiprocessor (cuda) or one device
 * (emu): low by intent, so that a budget is kept. They predict, they are not results. `half`: fp16
 * and bf16, which tensor cores multiply from compute capability 8.0 on. */
static const struct {
  const char *backend;
  const char *family;
  double fp32;
  double half;
} rate_table[] = {
    {"cpu", "reference", 1e9, 1e9}, {"cpu", "naive", 5e9, 5e9},     {"cpu", "blas", 20e9, 20e9},
    {"cpu", "flash", 25e9, 25e9},   {"cpu", "sparse", 25e9, 25e9},  {"cpu", "memory", 1e11, 1e11},
    {"cpu", "null", 1e15, 1e15},    {"cuda", "naive", 1e9, 1e9},    {"cuda", "blas", 10e9, 50e9},
    {"cuda", "flash", 10e9, 1e12},  {"cuda", "sparse", 10e9, 1e12}, {"cuda", "decode", 1e9, 10e9},
    {"cuda", "vendor", 10e9, 1e12}, {"emu", "naive", 5e6, 5e6},     {"emu", "blas", 1e9, 1e9},
    {"emu", "flash", 1e8, 1e8},     {"emu", "sparse", 1e8, 1e8},    {"emu", "decode", 1e8, 1e8},
};

#define CC_TENSOR_CORES 80

/* What the table counts by. */
static double units(const bench_device *device) {
  const int count = strcmp(device->backend, "cuda") == 0 ? device->sm_count : device->threads;
  return count > 0 ? count : 1;
}

double bench_rate_presumed(const bench_device *device, const char *name, bench_dtype dtype) {
  const bool tensor_cores = strcmp(device->backend, "cuda") != 0 || device->cc >= CC_TENSOR_CORES;
  for (size_t i = 0; i < sizeof rate_table / sizeof rate_table[0]; i++) {
    if (strcmp(rate_table[i].backend, device->backend) == 0 &&
        bench_name_is_of(name, rate_table[i].family)) {
      const bool half = dtype != BENCH_FP32 && tensor_cores;
      return (half ? rate_table[i].half : rate_table[i].fp32) * units(device);
    }
  }
  return 1e9;
}
