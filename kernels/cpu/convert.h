/* Stored numbers to float and back, without branches and in line, so that every compiler
 * vectorises the loops. bench_to_float and bench_from_float give the same values. */
#ifndef BENCH_KERNELS_CPU_CONVERT_H
#define BENCH_KERNELS_CPU_CONVERT_H

#include <string.h>

#include "bench/attn.h"

#define BENCH_HEAD_DIM_MAX 512

static inline uint32_t float_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static inline float float_of_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

/* Shifted into place (the sign by the way of sign extension), a half is a float whose exponent is
 * 112 too small: one exact product mends it, subnormals included. Only inf and NaN, which come out
 * as 65536 and more, need their exponent filled up. */
static inline float convert_from_fp16(uint16_t half) {
  const uint32_t extended = (uint32_t)(int32_t)(int16_t)half;
  const float value = float_of_bits(extended << 13 & 0x8fffe000) * 0x1p112f;
  const int32_t size = (int32_t)(float_bits(value) & 0x7fffffff);
  const uint32_t special = (uint32_t)((0x477fffff - size) >> 31) & 0x7f800000;
  return float_of_bits(float_bits(value) | special);
}

/* Round to nearest even. A subnormal half is rounded by adding 0.5, which leaves ten fraction
 * bits for it. */
static inline uint16_t convert_to_fp16(float value) {
  const uint32_t sign = float_bits(value) >> 16 & 0x8000;
  const uint32_t size = float_bits(value) & 0x7fffffff;
  const uint32_t normal = (size + 0xfff + (size >> 13 & 1) - 0x38000000) >> 13;
  const uint32_t subnormal = float_bits(float_of_bits(size) + 0.5f) - 0x3f000000;
  uint32_t half = size < 0x38800000 ? subnormal : normal;
  half = size < 0x477ff000 ? half : 0x7c00; /* 65520 and above */
  half = size > 0x7f800000 ? 0x7e00 : half; /* NaN */
  return (uint16_t)(half | sign);
}

static inline uint16_t convert_to_bf16(float value) {
  const uint32_t bits = float_bits(value);
  const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const uint32_t quiet = bits >> 16 | 0x40;
  return (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
}

/* Elements [first, first + count) of a tensor as floats: in place for fp32, else through
 * `buffer`, which has room for count. */
static inline const float *convert_load(bench_dtype dtype, const void *tensor, int64_t first,
                                        int64_t count, float *restrict buffer) {
  if (dtype == BENCH_FP32) {
    return (const float *)tensor + first;
  }
  const uint16_t *from = (const uint16_t *)tensor + first;
  if (dtype == BENCH_BF16) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
      buffer[i] = float_of_bits((uint32_t)from[i] << 16);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
      buffer[i] = convert_from_fp16(from[i]);
    }
  }
  return buffer;
}

/* Rounds `count` values into elements first, first + 1, ... of a tensor. */
static inline void convert_store(bench_dtype dtype, const float *restrict values, int64_t count,
                                 void *tensor, int64_t first) {
  if (dtype == BENCH_FP32) {
    memcpy((float *)tensor + first, values, (size_t)count * sizeof *values);
    return;
  }
  uint16_t *restrict to = (uint16_t *)tensor + first;
  if (dtype == BENCH_BF16) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
      to[i] = convert_to_bf16(values[i]);
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
      to[i] = convert_to_fp16(values[i]);
    }
  }
}

#endif
