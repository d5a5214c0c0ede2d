/* Synthetic inputs: a counter through splitmix64, and integers up to the last conversion.
 *
 * bench_hash64(a, b, c) is word c of the splitmix64 sequence whose start is made of a and b. A
 * stream (a = seed, b = layer, tensor and purpose) therefore has the statistical quality of
 * splitmix64, and word c costs one finaliser, needing none of the words before it.
 *
 * A NORMAL element e takes the words 3e, 3e+1, 3e+2: twelve 16-bit uniforms, whose sum less its
 * mean is an integer m of |m| < 6 * 2^16 with variance 2^32 - 1. The value is m / 2^16, exact in
 * float. An outlier is added to m as an integer too: no rounding, and so no fused multiply-add,
 * can differ between compilers, hosts and devices. */
#include "bench/input.h"

#include <assert.h>

#include "platform/clones.h"

#define WEYL UINT64_C(0x9e3779b97f4a7c15)         /* 2^64 / golden ratio */
#define SUM_MEAN 393210                           /* 12 * 65535 / 2 */
#define OUTLIER_BELOW UINT64_C(18446744073709551) /* 2^64 / 1000 */
#define CHUNK 2048                                /* elements made at a time: 8 KiB of float */

/* What a stream is for. */
enum { PURPOSE_VALUE, PURPOSE_OUTLIER, PURPOSE_COIN, PURPOSE_COUNT };

static inline uint64_t finalise(uint64_t z) {
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static inline uint64_t stream_start(uint64_t a, uint64_t b) {
  return finalise(finalise(a + WEYL) + b + WEYL);
}

static inline uint64_t stream_word(uint64_t start, uint64_t index) {
  return finalise(start + (index + 1) * WEYL);
}

uint64_t bench_hash64(uint64_t a, uint64_t b, uint64_t c) {
  return stream_word(stream_start(a, b), c);
}

static uint64_t start_of(uint64_t seed, int64_t layer, bench_tensor tensor, int purpose) {
  /* Q, K and V of all layers stand before a block's other tensors of all layers. */
  const int64_t place = tensor < BENCH_TENSOR_X
                            ? layer * 3 + (int)tensor
                            : (INT64_C(1) << 32) + layer * 5 + (int)tensor - BENCH_TENSOR_X;
  return stream_start(seed, (uint64_t)(place * PURPOSE_COUNT + purpose));
}

/* The sum of the word's four 16-bit parts, left as two sums in bits 0-31 and 32-63. */
static inline uint64_t paired_sums(uint64_t word) {
  const uint64_t even = UINT64_C(0x0000ffff0000ffff);
  return (word & even) + ((word >> 16) & even);
}

static inline int32_t irwin_hall(uint64_t start, uint64_t element) {
  const uint64_t sums = paired_sums(stream_word(start, 3 * element)) +
                        paired_sums(stream_word(start, 3 * element + 1)) +
                        paired_sums(stream_word(start, 3 * element + 2));
  return (int32_t)((uint32_t)sums + (uint32_t)(sums >> 32)) - SUM_MEAN;
}

BENCH_CLONES static void normal_range(uint64_t start, int64_t first, int count, float *out) {
  for (int e = 0; e < count; e++) {
    out[e] = (float)irwin_hall(start, (uint64_t)(first + e)) * 0x1p-16f;
  }
}

static void uniform_range(uint64_t start, int64_t first, int count, float *out) {
  for (int e = 0; e < count; e++) {
    const int32_t top = (int32_t)(stream_word(start, (uint64_t)(first + e)) >> 40);
    out[e] = (float)(top - (1 << 23)) * 0x1p-23f;
  }
}

/* Adds `scale` times a second normal to one element in a thousand. */
static void outlier_range(uint64_t seed, int64_t layer, bench_tensor tensor, int64_t scale,
                          int64_t first, int count, float *out) {
  const uint64_t value = start_of(seed, layer, tensor, PURPOSE_VALUE);
  const uint64_t outlier = start_of(seed, layer, tensor, PURPOSE_OUTLIER);
  const uint64_t coin = start_of(seed, layer, tensor, PURPOSE_COIN);
  for (int e = 0; e < count; e++) {
    const uint64_t element = (uint64_t)(first + e);
    int64_t sum = irwin_hall(value, element);
    if (stream_word(coin, element) < OUTLIER_BELOW) {
      sum += scale * irwin_hall(outlier, element);
    }
    out[e] = (float)sum * 0x1p-16f;
  }
}

static void input_range(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                        int64_t first, int count, float *out) {
  const uint64_t start = start_of(seed, layer, tensor, PURPOSE_VALUE);
  assert(input != BENCH_INPUT_MODEL);
  if (input == BENCH_INPUT_UNIFORM) {
    uniform_range(start, first, count, out);
  } else if (input == BENCH_INPUT_NORMAL || tensor != BENCH_TENSOR_K) {
    normal_range(start, first, count, out);
  } else {
    outlier_range(seed, layer, tensor, input == BENCH_INPUT_HUGE ? 10000 : 10, first, count, out);
  }
}

float bench_input_element(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                          int64_t element) {
  float value;
  input_range(input, seed, layer, tensor, element, 1, &value);
  return value;
}

static void fill(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor, float scale,
                 bench_dtype dtype, void *out, int64_t begin, int64_t count) {
  const int64_t chunks = (count + CHUNK - 1) / CHUNK;
  char *bytes = out;
#pragma omp parallel for schedule(static)
  for (int64_t chunk = 0; chunk < chunks; chunk++) {
    float values[CHUNK];
    const int64_t first = chunk * CHUNK;
    const int take = count - first < CHUNK ? (int)(count - first) : CHUNK;
    input_range(input, seed, layer, tensor, begin + first, take, values);
    for (int e = 0; e < take; e++) {
      values[e] *= scale; /* exact for 1 */
    }
    bench_from_float(dtype, values, bytes + (size_t)first * bench_dtype_bytes(dtype), take);
  }
}

void bench_input_fill_scaled(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                             float scale, bench_dtype dtype, void *out, int64_t count) {
  fill(input, seed, layer, tensor, scale, dtype, out, 0, count);
}

void bench_input_fill_range(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                            bench_dtype dtype, void *out, int64_t first, int64_t count) {
  fill(input, seed, layer, tensor, 1.0f, dtype, out, first, count);
}

void bench_input_fill(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                      bench_dtype dtype, void *out, int64_t count) {
  fill(input, seed, layer, tensor, 1.0f, dtype, out, 0, count);
}
