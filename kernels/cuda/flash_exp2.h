/* 2^x without the special function unit.
 *
 * That unit makes 16 results a clock, where a multiprocessor makes 128 FMA and, on Hopper, 4096
 * FLOP of products: at head dim 64 a logit takes it as long as its share of the products takes the
 * tensor cores. So part of the weights may go this way, in 8 instructions of the FMA and integer
 * units in place of one. */
#ifndef BENCH_CUDA_FLASH_EXP2_H
#define BENCH_CUDA_FLASH_EXP2_H

#include "cuda/device.h"

/* For x up to 126; to 1.1e-4 relative above -126, where bf16 rounds at 2e-3 and fp16 at 2.4e-4;
 * exact for whole x; subnormal below -126, and 0 from -127 down, -inf included.
 *
 * Cody and Waite: x = n + f with n whole and |f| <= 1/2, as adding 1.5 * 2^23 leaves no bits for a
 * fraction. The cubic is the one with the least relative error over f among those that are 1 at 0
 * (fitted by Lawson's iteration), so that at x = -127 nothing is left of it: its bits are those of
 * 1.0, from which n takes away the exponent. */
BENCH_DEVICE_FN float exp2_polynomial(float x) {
  const float whole_only = 12582912.0f;
  x = max_f(x, -127.0f);
  const float n = x + whole_only; /* n in the lowest bits */
  const float f = x - (n - whole_only);
  const float cubic = fma_rn(fma_rn(0.0550082899f, f, 0.2422110607f), f, 0.6932830072f);
  return bits_float(float_bits(fma_rn(cubic, f, 1.0f)) + (float_bits(n) << 23));
}

#endif
