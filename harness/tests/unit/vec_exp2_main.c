/* Runs the test of vec_exp2.c if this CPU can. This file is compiled for any CPU. */
#include <stdio.h>

#include "platform/cpu_features.h"
#include "vec_exp2_test.h"

enum { SKIPPED = 77 };

int main(void) {
  bench_device device = {0};
  bench_cpu_features(&device);
  const int has[] = {[4] = 1, [8] = device.has_avx2, [16] = device.has_avx512};
  if (!has[CPU_LANES]) {
    printf("skipped: this CPU has no vectors of %d floats\n", CPU_LANES);
    return SKIPPED;
  }
  return vec_exp2_test();
}
