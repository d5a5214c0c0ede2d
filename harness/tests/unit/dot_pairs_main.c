/* Runs the tests of dot_pairs.c as far as this CPU can, or all of them where they are compiled to
 * do IN_SOFTWARE. This file is compiled for any CPU. */
#include <stdbool.h>
#include <stdio.h>

#include "dot_pairs_tests.h"
#include "platform/cpu_features.h"

enum { SKIPPED = 77 };

#ifdef IN_SOFTWARE
static const bool in_software = true;
#else
static const bool in_software = false;
#endif

int main(void) {
  bench_device device = {0};
  bench_cpu_features(&device);
  if (in_software || device.has_amx_bf16) {
    return dot_pairs_test_vectors() + dot_pairs_test_tiles();
  }
  printf("skipped: this CPU has no AMX-BF16%s\n",
         device.has_avx512_bf16 ? ", but AVX512-BF16" : ", nor AVX512-BF16");
  return device.has_avx512_bf16 ? dot_pairs_test_vectors() : SKIPPED;
}
