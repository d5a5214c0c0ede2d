/* What the CUDA kernels share on the host: the problems and the GPUs that they do not take.
 *
 * BENCH_ARCHS is the list of architectures of the kernel's bench_add() line as text, "75 80 90a".
 * Code for compute capability X.Y runs on X.Z with Z >= Y; code for an architecture-specific
 * target (90a) on exactly X.Y. No PTX goes along to be compiled at load time: a kernel never
 * tuned for the GPU would give a time that misleads. */
#ifndef BENCH_KERNELS_CUDA_COMMON_H
#define BENCH_KERNELS_CUDA_COMMON_H

#include <stdlib.h>
#include <string.h>

#include "bench/kernel.h"

/* cc: major * 10 + minor, as in bench_device. */
static inline bool cuda_archs_run_on(const char *archs, int cc) {
  while (*archs != '\0') {
    char *end;
    const long arch = strtol(archs, &end, 10);
    const bool exact = *end == 'a';
    if (exact ? cc == arch : cc / 10 == arch / 10 && cc >= arch) {
      return true;
    }
    archs = end + strcspn(end, " ");
    archs += strspn(archs, " ");
  }
  return false;
}

static inline const char *cuda_why_not(const char *archs, const bench_attn *attn,
                                       const bench_device *device) {
  if (attn->direction != BENCH_FWD) {
    return "the CUDA kernels compute the forward pass only";
  }
  if (!cuda_archs_run_on(archs, device->cc)) {
    return "the kernel is not compiled for this GPU's architecture";
  }
  return NULL;
}

#endif
