/* Conformance of numbers: pairs of 16-bit floats, and the functions of one or two floats. */
#include <math.h>

#include "conform.h"
#include "cuda/device.h"

namespace CONFORM_SIDE {

#define COUNT 32 /* inputs, one a lane */

/* ---- pack2, unpack_low, unpack_high: lane l packs in[l] and in[31 - l] ---- */
template <typename T>
BENCH_KERNEL_FN(COUNT)
void pack_kernel(const float *in, uint32_t *out) {
  const int t = thread_x();
  const uint32_t pair = pack2<T>(in[t], in[COUNT - 1 - t]);
  out[t] = pair;
  out[COUNT + t] = float_bits(unpack_low<T>(pair));
  out[2 * COUNT + t] = float_bits(unpack_high<T>(pair));
}
template <typename T>
static bench_code pack_launch(const conform_case *c, const void *in, void *out) {
  (void)c;
  return BENCH_LAUNCH(pack_kernel<T>, 1, COUNT, 0, nullptr, static_cast<const float *>(in),
                      static_cast<uint32_t *>(out));
}

/* A float, and what it is rounded to: nearest, ties to even ("cvt", .rn). */
struct Rounding {
  uint32_t value;
  uint16_t bf16;
  uint16_t fp16;
};
static const Rounding roundings[COUNT] = {
    {0x00000000, 0x0000, 0x0000}, /* 0 */
    {0x80000000, 0x8000, 0x8000}, /* -0 */
    {0x3f800000, 0x3f80, 0x3c00}, /* 1 */
    {0xc0490fdb, 0xc049, 0xc248}, /* -pi */
    {0x3f808000, 0x3f80, 0x3c04}, /* tie in bf16, down to even */
    {0x3f818000, 0x3f82, 0x3c0c}, /* tie in bf16, up to even */
    {0x3f808001, 0x3f81, 0x3c04}, /* just above a tie */
    {0x3f801000, 0x3f80, 0x3c00}, /* tie in fp16, down to even */
    {0x3f803000, 0x3f80, 0x3c02}, /* tie in fp16, up to even */
    {0x3f801001, 0x3f80, 0x3c01}, /* just above a tie in fp16 */
    {0x477fe000, 0x4780, 0x7bff}, /* 65504, the largest of fp16 */
    {0x477fefff, 0x4780, 0x7bff}, /* just below the tie to infinity */
    {0x477ff000, 0x4780, 0x7c00}, /* 65520: infinity */
    {0x7f7fffff, 0x7f80, 0x7c00}, /* the largest float */
    {0x7f7f0000, 0x7f7f, 0x7c00}, /* the largest of bf16 */
    {0x7f7f7fff, 0x7f7f, 0x7c00}, /* just below the tie to infinity */
    {0x7f800000, 0x7f80, 0x7c00}, /* infinity */
    {0xff800000, 0xff80, 0xfc00}, /* -infinity */
    {0x38800000, 0x3880, 0x0400}, /* 2^-14, the least normal of fp16 */
    {0x33800000, 0x3380, 0x0001}, /* 2^-24, its least subnormal */
    {0x33000000, 0x3300, 0x0000}, /* 2^-25: a tie to 0 */
    {0x33000001, 0x3300, 0x0001}, /* just above */
    {0x33c00000, 0x33c0, 0x0002}, /* 1.5 * 2^-24: a tie to even */
    {0xb8000000, 0xb800, 0x8200}, /* -2^-15 */
    {0x00800000, 0x0080, 0x0000}, /* the least normal float */
    {0x00010000, 0x0001, 0x0000}, /* the least subnormal of bf16 */
    {0x00008000, 0x0000, 0x0000}, /* a tie to 0 */
    {0x00008001, 0x0001, 0x0000}, /* just above */
    {0x42280000, 0x4228, 0x5140}, /* 42 */
    {0xbe99999a, 0xbe9a, 0xb4cd}, /* -0.3 */
    {0x3eaaaaab, 0x3eab, 0x3555}, /* 1/3 */
    {0x4640e400, 0x4641, 0x7207}, /* 12345 */
};
static void pack_fill(const conform_case *c, unsigned char *in) {
  (void)c;
  for (size_t i = 0; i < COUNT; i++) {
    conform_put(in, i, roundings[i].value);
  }
}
/* The bits of the float that a 16-bit one is. */
static uint32_t widened(uint16_t bits, bool half) {
  if (!half) {
    return (uint32_t)bits << 16;
  }
  const uint32_t sign = (uint32_t)(bits & 0x8000) << 16;
  const int exponent = bits >> 10 & 31;
  const int fraction = bits & 1023;
  if (exponent == 31) {
    return sign | 0x7f800000u;
  }
  const float size = exponent == 0 ? ldexpf((float)fraction, -24)
                                   : ldexpf((float)(1024 + fraction), exponent - 25);
  uint32_t value;
  memcpy(&value, &size, sizeof value);
  return sign | value;
}
static void pack_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  (void)in;
  const bool half = c->a == 16;
  for (size_t i = 0; i < COUNT; i++) {
    const Rounding &low = roundings[i];
    const Rounding &high = roundings[COUNT - 1 - i];
    const uint16_t low_bits = half ? low.fp16 : low.bf16;
    const uint16_t high_bits = half ? high.fp16 : high.bf16;
    conform_put(out, i, low_bits | (uint32_t)high_bits << 16);
    conform_put(out, COUNT + i, widened(low_bits, half));
    conform_put(out, 2 * COUNT + i, widened(high_bits, half));
  }
}

/* ---- functions ---- */
enum Function { EXP2, LOG2, RCP, LOG, FMA, MAX, MIN, INFINITE };
BENCH_KERNEL_FN(COUNT) void function_kernel(int which, const float *in, float *out) {
  const float x = in[thread_x()];
  const float y = in[COUNT - 1 - thread_x()];
  float result = 0;
  switch (which) {
    case EXP2:
      result = exp2_approx(x);
      break;
    case LOG2:
      result = log2_approx(x);
      break;
    case RCP:
      result = rcp_approx(x);
      break;
    case LOG:
      result = log_natural(x);
      break;
    case FMA:
      result = fma_rn(x, y, -1.0f);
      break;
    case MAX:
      result = max_f(x, y);
      break;
    case MIN:
      result = min_f(x, y);
      break;
    default:
      result = bits_float(float_bits(minus_infinity()));
      break;
  }
  out[thread_x()] = result;
}
static bench_code function_launch(const conform_case *c, const void *in, void *out) {
  return BENCH_LAUNCH(function_kernel, 1, COUNT, 0, nullptr, c->a, static_cast<const float *>(in),
                      static_cast<float *>(out));
}
/* Powers of two and what is between; the ends of the range; no subnormals, which may count as 0. */
static void function_fill(const conform_case *c, unsigned char *in) {
  static const float special[] = {0.0f, -0.0f, INFINITY, -INFINITY, 1.0f, -1.0f, 0.5f, 2.0f};
  static const float positive[] = {0.0f, INFINITY, 1.0f, 0x1p-126f, 0x1p127f, 0.5f, 2.0f, 3.0f};
  const bool logarithm = c->a == LOG2 || c->a == LOG;
  const bool sum = c->a == FMA;
  for (size_t i = 0; i < COUNT; i++) {
    float value = i < 8 ? (logarithm ? positive[i] : special[i]) : 0.37f * (float)i - 5.21f;
    if (i >= 8 && logarithm) {
      value = 0.37f * (float)i;
    }
    if (sum) { /* so that rounding twice would show */
      value = 1.0f + (float)i * 0x1p-23f * 4099.0f;
    }
    if (i == 13 && (c->a == MAX || c->a == MIN)) {
      value = NAN;
    }
    conform_put(in, i, value);
  }
}
static void function_expect(const conform_case *c, const unsigned char *in, unsigned char *out) {
  for (size_t i = 0; i < COUNT; i++) {
    const float x = conform_at<float>(in, i);
    const float y = conform_at<float>(in, COUNT - 1 - i);
    double result = -INFINITY;
    switch (c->a) {
      case EXP2:
        result = exp2((double)x);
        break;
      case LOG2:
        result = log2((double)x);
        break;
      case RCP:
        result = 1.0 / (double)x;
        break;
      case LOG:
        result = log((double)x);
        break;
      case FMA:
        result = (double)x * (double)y - 1.0; /* exact in double, so rounded once */
        break;
      case MAX:
        result = x != x || y > x ? y : x;
        break;
      case MIN:
        result = x != x || y < x ? y : x;
        break;
      default:
        break;
    }
    conform_put(out, i, (float)result);
  }
}

#define FUNCTION(name, which, tolerance)                                                        \
  {                                                                                             \
    name, 80, COUNT * 4, COUNT * 4, function_fill, function_launch, function_expect, tolerance, \
        which, 0, 0, 0                                                                          \
  }
static const conform_case cases[] = {
    {"pack2, unpack_low, unpack_high bf16", 80, COUNT * 4, 3 * COUNT * 4, pack_fill,
     pack_launch<dev_bf16>, pack_expect, 0, 0, 0, 0, 0},
    {"pack2, unpack_low, unpack_high fp16", 80, COUNT * 4, 3 * COUNT * 4, pack_fill,
     pack_launch<dev_fp16>, pack_expect, 0, 16, 0, 0, 0},
    FUNCTION("exp2_approx", EXP2, 0x1p-22),
    FUNCTION("log2_approx", LOG2, 0x1p-21),
    FUNCTION("rcp_approx", RCP, 0x1p-22),
    FUNCTION("log_natural", LOG, 0x1p-22),
    FUNCTION("fma_rn", FMA, 0),
    FUNCTION("max_f", MAX, 1e-30),
    FUNCTION("min_f", MIN, 1e-30),
    FUNCTION("minus_infinity, float_bits, bits_float", INFINITE, 0),
};
CONFORM_TABLE(numbers) = {cases, sizeof cases / sizeof *cases};

}  // namespace CONFORM_SIDE
