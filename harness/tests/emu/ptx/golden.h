/* A kernel of the golden test of PTX, under a name that is not mangled. */
#ifndef BENCH_TEST_PTX_GOLDEN_H
#define BENCH_TEST_PTX_GOLDEN_H

#include "cuda/device.h"

#define GOLDEN(name, ...) extern "C" __global__ void golden_##name(__VA_ARGS__)

#endif
