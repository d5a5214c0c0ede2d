/* Conversions between fp32, fp16 and bf16 storage, by integer arithmetic, so that every build and
 * machine rounds alike. */
#include <string.h>

#include "bench/attn.h"
#include "platform/clones.h"

static uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float bench_bf16_to_float(uint16_t bits) {
  return float_of((uint32_t)bits << 16);
}

static inline uint16_t bf16_from_bits(uint32_t bits) {
  const uint32_t nan = (bits >> 16) | 0x40u; /* keep a NaN a NaN, quiet */
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
}

uint16_t bench_bf16_from_float(float value) {
  return bf16_from_bits(bits_of(value));
}

float bench_fp16_to_float(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000u) << 16;
  uint32_t exponent = (bits >> 10) & 0x1fu;
  uint32_t mantissa = bits & 0x3ffu;
  if (exponent == 0x1fu) {
    return float_of(sign | 0x7f800000u | (mantissa << 13));
  }
  if (exponent != 0) {
    return float_of(sign | ((exponent + 112u) << 23) | (mantissa << 13));
  }
  float magnitude = (float)mantissa * 0x1p-24f; /* subnormal or zero, exact in float */
  return sign != 0 ? -magnitude : magnitude;
}

uint16_t bench_fp16_from_float(float value) {
  uint32_t bits = bits_of(value);
  uint16_t sign = (uint16_t)((bits >> 16) & 0x8000u);
  uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return (uint16_t)(sign | 0x7e00u);
  }
  if (magnitude >= 0x477ff000u) { /* 65520 and above round to infinity */
    return (uint16_t)(sign | 0x7c00u);
  }
  if (magnitude >= 0x38800000u) { /* normal in fp16 */
    uint32_t rounded = magnitude + 0xfffu + ((magnitude >> 13) & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
  }
  /* Subnormal: adding 0.5 leaves exactly ten fraction bits of the sum for the fp16 mantissa, so
   * the FPU rounds to nearest even for us. */
  float shifted = float_of(magnitude) + 0.5f;
  return (uint16_t)(sign | (bits_of(shifted) - 0x3f000000u));
}

void bench_to_float(bench_dtype dtype, const void *from, float *to, int64_t count) {
  const uint16_t *half = from;
  switch (dtype) {
    case BENCH_FP16:
      for (int64_t i = 0; i < count; i++) {
        to[i] = bench_fp16_to_float(half[i]);
      }
      break;
    case BENCH_BF16:
      for (int64_t i = 0; i < count; i++) {
        to[i] = bench_bf16_to_float(half[i]);
      }
      break;
    default:
      memcpy(to, from, (size_t)count * sizeof *to);
  }
}

BENCH_CLONES void bench_from_float(bench_dtype dtype, const float *from, void *to, int64_t count) {
  uint16_t *half = to;
  switch (dtype) {
    case BENCH_FP16:
      for (int64_t i = 0; i < count; i++) {
        half[i] = bench_fp16_from_float(from[i]);
      }
      break;
    case BENCH_BF16:
      for (int64_t i = 0; i < count; i++) {
        half[i] = bf16_from_bits(bits_of(from[i]));
      }
      break;
    default:
      memcpy(to, from, (size_t)count * sizeof *from);
  }
}

float bench_round_to(bench_dtype dtype, float value) {
  switch (dtype) {
    case BENCH_FP16:
      return bench_fp16_to_float(bench_fp16_from_float(value));
    case BENCH_BF16:
      return bench_bf16_to_float(bench_bf16_from_float(value));
    default:
      return value;
  }
}
