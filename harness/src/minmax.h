/* The smaller and the larger of two counts. */
#ifndef BENCH_MINMAX_H
#define BENCH_MINMAX_H

#include <stdint.h>

static inline int64_t min64(int64_t a, int64_t b) {
  return a < b ? a : b;
}

static inline int64_t max64(int64_t a, int64_t b) {
  return a > b ? a : b;
}

static inline int64_t clamp64(int64_t value, int64_t low, int64_t high) {
  return value < low ? low : min64(value, high);
}

#endif
