/* 2^x for the softmax, where x <= 0: no branch and no call, so that a loop over it vectorises. */
#ifndef BENCH_KERNELS_CPU_EXP2_H
#define BENCH_KERNELS_CPU_EXP2_H

#include "cpu/convert.h"

/* 2^f for |f| <= 1/2, of a number or of a vector: a minimax polynomial. */
#define CPU_EXP2_FRACTION(f)                                                                     \
  ((((((0.000154531634f * (f) + 0.00133908633f) * (f) + 0.00961808302f) * (f) + 0.0555035695f) * \
         (f) +                                                                                   \
     0.240226507f) *                                                                             \
        (f) +                                                                                    \
    0.693147182f) *                                                                              \
       (f) +                                                                                     \
   1.0f)

/* Within 1.2e-7 relative for -126 <= x <= 0; below -126, and for -inf, 0: no subnormal is ever
 * made. x = n + f with n an integer and |f| <= 1/2; 2^f is a minimax polynomial of degree 6
 * (1e-8 relative), and n goes into the exponent. Adding 1.5 * 2^23 rounds x to n and leaves n in
 * the low bits of the sum. */
static inline float cpu_exp2(float x) {
  const float bounded = x < -126.0f ? -127.0f : x;
  const float shifted = bounded + 0x1.8p23f;
  const float f = bounded - (shifted - 0x1.8p23f);
  const float p = CPU_EXP2_FRACTION(f);
  return p * float_of_bits((float_bits(shifted) << 23) + 0x3f800000u);
}

#endif
