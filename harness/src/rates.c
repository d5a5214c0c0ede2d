/* The committed table of rates from which a plan predicts time. */
#include <string.h>

#include "bench/plan.h"

/* Sustained FLOP/s presumed of a family, on one core (cpu) or one device (cuda, emu): low by
 * intent, so that a budget is kept. They predict, they are not results. */
static const struct {
  const char *backend;
  const char *family;
  double flops_per_s;
} rate_table[] = {
    {"cpu", "reference", 1e9}, {"cpu", "naive", 5e9},    {"cpu", "blas", 20e9},
    {"cpu", "flash", 25e9},    {"cpu", "sparse", 25e9},  {"cpu", "null", 1e15},
    {"cuda", "naive", 100e9},  {"cuda", "blas", 500e9},  {"cuda", "flash", 2e12},
    {"cuda", "sparse", 2e12},  {"cuda", "decode", 1e11}, {"cuda", "vendor", 2e12},
    {"emu", "naive", 5e6},     {"emu", "blas", 1e9},     {"emu", "flash", 1e8},
    {"emu", "sparse", 1e8},    {"emu", "decode", 1e8},
};

double bench_rate_presumed(const bench_device *device, const char *name) {
  for (size_t i = 0; i < sizeof rate_table / sizeof rate_table[0]; i++) {
    if (strcmp(rate_table[i].backend, device->backend) == 0 &&
        bench_name_is_of(name, rate_table[i].family)) {
      int threads = device->threads > 0 ? device->threads : 1;
      return rate_table[i].flops_per_s * threads;
    }
  }
  return 1e9;
}
