/* The header of a NumPy .npy file, versions 1 to 3: which integers follow, and how many. */
#ifndef BENCH_MODEL_NPY_H
#define BENCH_MODEL_NPY_H

#include <stddef.h>
#include <stdint.h>

#include "bench/status.h"

typedef struct bench_npy {
  int width;        /* bytes of an integer: 1, 2, 4 or 8; little-endian */
  int is_signed;    /* two's complement */
  int64_t elements; /* product of the one or two dimensions */
  size_t data;      /* bytes before the first element */
} bench_npy;

/* Checks that the data that follow the header are exactly `elements` integers. */
bench_code bench_npy_parse(const char *label, const void *bytes, size_t size, bench_npy *out,
                           bench_error *error);

#endif
