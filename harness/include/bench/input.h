/* Synthetic inputs from a counter-based integer generator: any element on its own, bit-equal on
 * every host and device.
 *
 * Element e of tensor t (0 Q, 1 K, 2 V, and of a block 3 X, 4-7 its weights) of layer l depends on
 * (seed, l, t, e) alone. NORMAL is the Irwin-Hall sum of twelve 16-bit uniforms less their mean,
 * made of integers only: mean 0, variance 1, |x| < 6, excess kurtosis -0.1. UNIFORM is in [-1, 1).
 * See attn.h for OUTLIER. */
#ifndef BENCH_INPUT_H
#define BENCH_INPUT_H

#include "bench/attn.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bench_tensor {
  BENCH_TENSOR_Q,
  BENCH_TENSOR_K,
  BENCH_TENSOR_V,
  BENCH_TENSOR_X,
  BENCH_TENSOR_WQ,
  BENCH_TENSOR_WK,
  BENCH_TENSOR_WV,
  BENCH_TENSOR_WO
} bench_tensor;

/* The value before rounding to a dtype. */
float bench_input_element(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                          int64_t element);

/* Fills elements [0, count) of one tensor in `dtype`, with all cores. Not for
 * BENCH_INPUT_MODEL. */
void bench_input_fill(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                      bench_dtype dtype, void *out, int64_t count);

/* Elements [first, first + count), to `out` on. */
void bench_input_fill_range(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                            bench_dtype dtype, void *out, int64_t first, int64_t count);

/* All from the first, every element times `scale` before it is rounded. */
void bench_input_fill_scaled(bench_input input, uint64_t seed, int64_t layer, bench_tensor tensor,
                             float scale, bench_dtype dtype, void *out, int64_t count);

/* splitmix64's finaliser over a mix of the three words: the source of every seeded draw. */
uint64_t bench_hash64(uint64_t a, uint64_t b, uint64_t c);

#ifdef __cplusplus
}
#endif
#endif
