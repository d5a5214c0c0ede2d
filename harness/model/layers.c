/* Norm, projection, rotation and gate; see layers.h. Sums over a row and angles are in double:
 * they cost nothing beside the projections, and leave the projections' rounding as the only one
 * that grows with the width. */
#include "model/layers.h"

#include <math.h>
#include <string.h>

#include "bench/blas.h"

void bench_rms_norm(const float *x, const float *gain, int64_t n, int64_t width, double eps,
                    float *out) {
  for (int64_t r = 0; r < n; r++) {
    const float *from = x + r * width;
    float *to = out + r * width;
    double squares = 0.0;
    for (int64_t c = 0; c < width; c++) {
      squares += (double)from[c] * from[c];
    }
    const float scale = (float)(1.0 / sqrt(squares / (double)width + eps));
    for (int64_t c = 0; c < width; c++) {
      to[c] = from[c] * scale * gain[c];
    }
  }
}

void bench_linear(const float *x, const float *weight, int64_t n, int64_t rows, int64_t cols,
                  float keep, float *out) {
  bench_blas_sgemm()(BENCH_BLAS_ROW_MAJOR, BENCH_BLAS_PLAIN, BENCH_BLAS_TRANSPOSED, (int)n,
                     (int)rows, (int)cols, 1.0f, x, (int)cols, weight, (int)cols, keep, out,
                     (int)rows);
}

void bench_rope_table(double theta, int64_t seq, int64_t head_dim, float *cosine, float *sine) {
  const int64_t half = head_dim / 2;
#pragma omp parallel for
  for (int64_t position = 0; position < seq; position++) {
    for (int64_t d = 0; d < half; d++) {
      double angle = (double)position * pow(theta, -2.0 * (double)d / (double)head_dim);
      cosine[position * half + d] = (float)cos(angle);
      sine[position * half + d] = (float)sin(angle);
    }
  }
}

static void rotate(const float *from, const float *cosine, const float *sine, int64_t half,
                   float *to) {
  for (int64_t d = 0; d < half; d++) {
    to[d] = from[d] * cosine[d] - from[d + half] * sine[d];
    to[d + half] = from[d + half] * cosine[d] + from[d] * sine[d];
  }
}

void bench_heads_scatter(const bench_head_slice *slice, const float *rows, const float *cosine,
                         const float *sine, float *heads) {
  const int64_t dim = slice->head_dim;
  for (int64_t r = 0; r < slice->n; r++) {
    const int64_t position = slice->first + r;
    for (int64_t h = 0; h < slice->heads; h++) {
      const float *from = rows + (r * slice->heads + h) * dim;
      float *to = heads + (h * slice->seq + position) * dim;
      if (cosine == NULL) {
        memcpy(to, from, (size_t)dim * sizeof *to);
      } else {
        rotate(from, cosine + position * (dim / 2), sine + position * (dim / 2), dim / 2, to);
      }
    }
  }
}

void bench_heads_gather(const bench_head_slice *slice, const float *heads, float *rows) {
  const int64_t dim = slice->head_dim;
  for (int64_t r = 0; r < slice->n; r++) {
    for (int64_t h = 0; h < slice->heads; h++) {
      memcpy(rows + (r * slice->heads + h) * dim, heads + (h * slice->seq + slice->first + r) * dim,
             (size_t)dim * sizeof *rows);
    }
  }
}

void bench_swiglu(float *gate, const float *up, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    gate[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
  }
}
