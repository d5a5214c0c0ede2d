/* The operations of a Llama layer other than attention, on rows of floats. `n` counts rows. All
 * but the table run in the calling thread: the caller shares slices of rows out among threads. */
#ifndef BENCH_MODEL_LAYERS_H
#define BENCH_MODEL_LAYERS_H

#include <stdint.h>

/* out[n][width] = x / sqrt(mean(x^2) + eps) * gain. `out` may be `x`. */
void bench_rms_norm(const float *x, const float *gain, int64_t n, int64_t width, double eps,
                    float *out);

/* out[n][rows] = x[n][cols] weight[rows][cols]^T + keep * out, by BLAS, which must be there
 * (bench_blas_sgemm). */
void bench_linear(const float *x, const float *weight, int64_t n, int64_t rows, int64_t cols,
                  float keep, float *out);

/* Rotation angles of positions 0 .. seq-1: cosine and sine, each [seq][head_dim / 2]. */
void bench_rope_table(double theta, int64_t seq, int64_t head_dim, float *cosine, float *sine);

/* Where a slice of rows stands among all heads: rows [first, first + n) of [heads][seq][dim]. */
typedef struct bench_head_slice {
  int64_t heads;
  int64_t seq;
  int64_t head_dim;
  int64_t first;
  int64_t n;
} bench_head_slice;

/* rows[n][heads * dim] into heads[heads][seq][dim]; with tables, rotated on the way: element d
 * pairs with d + dim/2 (the half-split layout of Hugging Face's Llama). */
void bench_heads_scatter(const bench_head_slice *slice, const float *rows, const float *cosine,
                         const float *sine, float *heads);
void bench_heads_gather(const bench_head_slice *slice, const float *heads, float *rows);

/* gate = gate * sigmoid(gate) * up */
void bench_swiglu(float *gate, const float *up, int64_t count);

#endif
