/* Conformance: each wrapper of kernels/cuda/device*.h in a small kernel of its own, written once,
 * run by the emulated device and by a GPU, and compared with tables written from the PTX ISA.
 *
 * A file of cases is compiled twice, by nvcc and against the host twin, with CONFORM_BACKEND as
 * cuda and as emu; it ends in CONFORM_TABLE(mma) = {cases, sizeof cases / sizeof *cases}; and is
 * named in conform_tables.h. */
#ifndef BENCH_TEST_CONFORM_H
#define BENCH_TEST_CONFORM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "bench/status.h"

struct conform_case {
  const char *name; /* of the wrapper, then what is particular */
  int cc;           /* the least compute capability; 90: that one exactly, as sm_90a demands */
  size_t in_bytes;
  size_t out_bytes;
  /* Writes the input; NULL: conform_fill. */
  void (*fill)(const conform_case *, unsigned char *in);
  /* Enqueues the kernel on the default stream; in and out are the device's. `out` holds 0xff. */
  bench_code (*launch)(const conform_case *, const void *in, void *out);
  /* What the ISA promises. */
  void (*expect)(const conform_case *, const unsigned char *in, unsigned char *out);
  /* 0: bit for bit. Else `out` is floats, and this the relative difference that is allowed;
   * a NaN stands for any NaN. */
  double tolerance;
  int a, b, c, d; /* parameters of the case */
  bool refused;   /* the device ends the launch with an error: that is what has to happen */
};

struct conform_table {
  const conform_case *cases;
  size_t count;
};

#define CONFORM_PASTE_(backend, name) conform_##backend##_##name
#define CONFORM_PASTE(backend, name) CONFORM_PASTE_(backend, name)
/* The namespace of a file of cases, so that the two sides of it can be linked into one program. */
#define CONFORM_SIDE CONFORM_PASTE(CONFORM_BACKEND, side)
#define CONFORM_TABLE(name)                                            \
  extern "C" const conform_table CONFORM_PASTE(CONFORM_BACKEND, name); \
  const conform_table CONFORM_PASTE(CONFORM_BACKEND, name)

/* Words that are all different: 0x01000100 * i + 0x00030201 and so on; no pattern of 16 repeats. */
static inline void conform_fill(unsigned char *to, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) {
    to[i] = (unsigned char)((i * 197 + (i >> 8) * 59 + 3) & 0xff);
  }
}

/* Small integers, so that sums of products are exact in any order: -4 to 4. */
static inline int conform_integer(uint32_t seed, uint32_t index) {
  uint32_t x = seed * 0x9e3779b9u + index * 0x85ebca6bu + 0x27d4eb2fu;
  x ^= x >> 15;
  x *= 0x2c1b3c6du;
  x ^= x >> 12;
  return (int)(x % 9) - 4;
}
/* Bits of such an integer. */
static inline uint16_t conform_bf16(int value) {
  const float f = (float)value;
  uint32_t bits;
  memcpy(&bits, &f, sizeof bits);
  return (uint16_t)(bits >> 16);
}
static inline uint16_t conform_fp16(int value) {
  if (value == 0) {
    return 0;
  }
  const int size = value < 0 ? -value : value;
  int exponent = 0;
  while (size >> (exponent + 1) != 0) {
    exponent++;
  }
  const int fraction = (size - (1 << exponent)) << (10 - exponent);
  return (uint16_t)((value < 0 ? 0x8000 : 0) | (15 + exponent) << 10 | fraction);
}

template <typename T>
static inline T conform_at(const unsigned char *bytes, size_t index) {
  T value;
  memcpy(&value, bytes + index * sizeof value, sizeof value);
  return value;
}
template <typename T>
static inline void conform_put(unsigned char *bytes, size_t index, T value) {
  memcpy(bytes + index * sizeof value, &value, sizeof value);
}

#endif
