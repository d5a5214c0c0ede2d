/* What a mutated kernel includes that is not its own: everything but the headers of kernels/cuda
 * beside device.h, which are compiled again for each mutant in a namespace of its own. */
#ifndef BENCH_TEST_EMU_MUTANT_HEADERS_H
#define BENCH_TEST_EMU_MUTANT_HEADERS_H

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cublas.h"
#include "bench/kernel.h"
#include "cuda/device.h"

#endif
