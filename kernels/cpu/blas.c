/* blas: unfused attention, the baseline of every flash paper. S = Q K^T by OpenBLAS, a masked
 * softmax over all of S in memory, O = P V by OpenBLAS.
 *
 * One thread works on one head at a time, with a whole S of its own and a single BLAS thread;
 * where heads are fewer than threads, each head's query rows are split among them. So the work is
 * parallel without BLAS's own threads, which would compete for the cores with OpenMP's. 16-bit
 * tensors are widened to float in the workspace first. */
#include <math.h>

#include "bench/blas.h"
#include "bench/kernel.h"
#include "cpu/common.h"
#include "cpu/convert.h"
#include "cpu/exp2.h"
#include "cpu/row_runs.h"

static const char *blas_why_not(const bench_attn *attn, const bench_device *device) {
  const char *reason = cpu_why_not(attn, device);
  if (reason == NULL) {
    reason = bench_blas_sgemm() == NULL ? "OpenBLAS (libopenblas.so.0) is not installed" : NULL;
  }
  return reason;
}

/* Query rows of one work item: a head's, or its share of them where threads outnumber heads. */
static int64_t blas_rows(const bench_attn *attn, int threads) {
  const int64_t heads = attn->batch * attn->heads_q;
  const int64_t parts = (threads + heads - 1) / heads;
  return (attn->seq_q + parts - 1) / parts;
}

/* One thread's floats: S [rows][seq_kv], and for 16-bit tensors also Q and O [rows][d], K and V
 * [seq_kv][d]. */
static size_t blas_scratch_bytes(const bench_attn *attn, int threads) {
  const int64_t rows = blas_rows(attn, threads);
  const int64_t widened =
      attn->dtype == BENCH_FP32 ? 0 : 2 * (rows + attn->seq_kv) * attn->head_dim;
  return cpu_align((size_t)(rows * attn->seq_kv + rows + widened) * sizeof(float));
}

/* A launch may use fewer threads than the device has, each then with more rows. */
static size_t blas_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  size_t most = 0;
  for (int threads = 1; threads <= device->threads; threads++) {
    const size_t bytes = (size_t)threads * blas_scratch_bytes(attn, threads);
    most = bytes > most ? bytes : most;
  }
  return most + 128;
}

/* The largest of `count` scores. Sixteen maxima side by side: a single one would be a chain of
 * comparisons that no compiler may cut. */
static float blas_max(const float *scores, int64_t count) {
  float most[16];
  int64_t j = 0;
  for (int i = 0; i < 16; i++) {
    most[i] = -INFINITY;
  }
  for (; j + 16 <= count; j += 16) {
#pragma omp simd
    for (int i = 0; i < 16; i++) {
      most[i] = scores[j + i] > most[i] ? scores[j + i] : most[i];
    }
  }
  for (; j < count; j++) {
    most[0] = fmaxf(most[0], scores[j]);
  }
  for (int i = 1; i < 16; i++) {
    most[0] = fmaxf(most[0], most[i]);
  }
  return most[0];
}

/* Scores to weights exp(s - max), zero where the mask hides the key; returns their sum. */
static float blas_softmax_row(const bench_launch *launch, int64_t head, int64_t row, float *scores,
                              float *lse) {
  const bench_attn *attn = launch->attn;
  const float log2e = 1.44269504f;
  float max = -INFINITY;
  float sum = 0;
  row_runs runs = row_runs_of(attn, launch->blocks, head, row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    max = fmaxf(max, blas_max(scores + run.begin, run.end - run.begin));
  }
  int64_t done = 0;
  runs = row_runs_of(attn, launch->blocks, head, row);
  for (bench_span run; row_runs_next(&runs, &run); done = run.end) {
    memset(scores + done, 0, (size_t)(run.begin - done) * sizeof *scores);
#pragma omp simd reduction(+ : sum)
    for (int64_t j = run.begin; j < run.end; j++) {
      scores[j] = cpu_exp2((scores[j] - max) * log2e);
      sum += scores[j];
    }
  }
  memset(scores + done, 0, (size_t)(attn->seq_kv - done) * sizeof *scores);
  *lse = sum > 0 ? max + logf(sum) : -INFINITY;
  return sum;
}

/* Query rows [row, row + rows) of `head` (over batch and heads). */
static void blas_item(const bench_launch *launch, int64_t head, int64_t row, int64_t rows,
                      float *scratch) {
  const bench_attn *attn = launch->attn;
  const int d = (int)attn->head_dim;
  const int keys = (int)attn->seq_kv;
  const int64_t first = head * attn->seq_q + row;
  const int64_t kv_first = head / (attn->heads_q / attn->heads_kv) * keys * d;
  const bool fp32 = attn->dtype == BENCH_FP32;
  bench_sgemm_fn *sgemm = bench_blas_sgemm();
  float *scores = scratch;
  float *sums = scores + rows * keys;
  float *wide = sums + rows;
  float *wide_k = wide + 2 * rows * d;
  float *o = fp32 ? (float *)launch->o + first * d : wide + rows * d;
  const float *q = convert_load(attn->dtype, launch->q, first * d, rows * d, wide);
  const float *k = convert_load(attn->dtype, launch->k, kv_first, (int64_t)keys * d, wide_k);
  const float *v = convert_load(attn->dtype, launch->v, kv_first, (int64_t)keys * d,
                                fp32 ? NULL : wide_k + (int64_t)keys * d);
  sgemm(BENCH_BLAS_ROW_MAJOR, BENCH_BLAS_PLAIN, BENCH_BLAS_TRANSPOSED, (int)rows, keys, d,
        1.0f / sqrtf((float)d), q, d, k, d, 0.0f, scores, keys);
  for (int64_t r = 0; r < rows; r++) {
    sums[r] = blas_softmax_row(launch, head, row + r, scores + r * keys, &launch->lse[first + r]);
  }
  sgemm(BENCH_BLAS_ROW_MAJOR, BENCH_BLAS_PLAIN, BENCH_BLAS_PLAIN, (int)rows, d, keys, 1.0f, scores,
        keys, v, d, 0.0f, o, d);
  for (int64_t r = 0; r < rows; r++) {
    const float inverse = sums[r] > 0 ? 1.0f / sums[r] : 0.0f;
    for (int64_t c = 0; c < d; c++) {
      o[r * d + c] *= inverse;
    }
  }
  if (!fp32) {
    convert_store(attn->dtype, o, rows * d, launch->o, first * d);
  }
}

static bench_code blas_launch(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const int64_t rows = blas_rows(attn, launch->threads);
  const int64_t parts = (attn->seq_q + rows - 1) / rows;
  const int64_t items = attn->batch * attn->heads_q * parts;
  if (bench_blas_sgemm() == NULL) {
    return BENCH_ERR_UNSUPPORTED;
  }
#pragma omp parallel num_threads(launch->threads)
  {
    float *scratch = cpu_scratch(launch, blas_scratch_bytes(attn, launch->threads));
#pragma omp for schedule(dynamic)
    for (int64_t i = 0; i < items; i++) {
      const int64_t row = i % parts * rows;
      const int64_t left = attn->seq_q - row;
      blas_item(launch, i / parts, row, left < rows ? left : rows, scratch);
    }
  }
  return BENCH_OK;
}

BENCH_KERNEL(cpu, blas) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(blas),
    .summary = "unfused: two OpenBLAS products around a softmax of the whole score matrix",
    .why_not = blas_why_not,
    .workspace_bytes = blas_workspace_bytes,
    .launch = blas_launch,
};
