/* naive: one row after the other in float, the row's scores in memory, each key read where it
 * stands. No tiling, no reuse: every row fetches its K and V anew, which is what the other
 * families exist to avoid. */
#include <math.h>

#include "bench/kernel.h"
#include "cpu/common.h"
#include "cpu/convert.h"
#include "cpu/row_runs.h"

/* Scratch of one thread: the score row. */
static size_t naive_scratch_bytes(const bench_attn *attn) {
  return cpu_align((size_t)attn->seq_kv * sizeof(float));
}

static size_t naive_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  return cpu_workspace_bytes(device, naive_scratch_bytes(attn));
}

static float dot(const float *a, const float *b, int64_t count) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t c = 0; c < count; c++) {
    sum += a[c] * b[c];
  }
  return sum;
}

/* Row `index` of all batch * heads_q * seq_q rows. */
static void naive_row(const bench_launch *launch, int64_t index, float *scores) {
  const bench_attn *attn = launch->attn;
  const bench_dtype dtype = attn->dtype;
  const int64_t d = attn->head_dim;
  const int64_t row = index % attn->seq_q;
  const int64_t head = index / attn->seq_q; /* over batch and heads */
  const int64_t kv_first = head / (attn->heads_q / attn->heads_kv) * attn->seq_kv * d;
  const float scale = 1.0f / sqrtf((float)d);
  float q_buffer[BENCH_HEAD_DIM_MAX];
  float kv_buffer[BENCH_HEAD_DIM_MAX];
  float o[BENCH_HEAD_DIM_MAX] = {0};
  const float *q = convert_load(dtype, launch->q, index * d, d, q_buffer);

  float max = -INFINITY;
  row_runs runs = row_runs_of(attn, launch->blocks, head, row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    for (int64_t j = run.begin; j < run.end; j++) {
      scores[j] = scale * dot(q, convert_load(dtype, launch->k, kv_first + j * d, d, kv_buffer), d);
      max = fmaxf(max, scores[j]);
    }
  }
  float sum = 0;
  runs = row_runs_of(attn, launch->blocks, head, row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    for (int64_t j = run.begin; j < run.end; j++) {
      const float p = expf(scores[j] - max);
      const float *v = convert_load(dtype, launch->v, kv_first + j * d, d, kv_buffer);
      sum += p;
#pragma omp simd
      for (int64_t c = 0; c < d; c++) {
        o[c] += p * v[c];
      }
    }
  }
  for (int64_t c = 0; c < d && sum > 0; c++) {
    o[c] /= sum;
  }
  convert_store(dtype, o, d, launch->o, index * d);
  launch->lse[index] = sum > 0 ? max + logf(sum) : -INFINITY;
}

static bench_code naive_launch(const bench_launch *launch) {
  const int64_t rows = bench_attn_rows(launch->attn);
#pragma omp parallel num_threads(launch->threads)
  {
    float *scores = cpu_scratch(launch, naive_scratch_bytes(launch->attn));
#pragma omp for schedule(dynamic, 16)
    for (int64_t i = 0; i < rows; i++) {
      naive_row(launch, i, scores);
    }
  }
  return BENCH_OK;
}

BENCH_KERNEL(cpu, naive) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(naive),
    .summary = "row by row in float, the score row in memory",
    .why_not = cpu_why_not,
    .workspace_bytes = naive_workspace_bytes,
    .launch = naive_launch,
};
