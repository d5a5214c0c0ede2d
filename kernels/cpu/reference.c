/* reference: attention as the textbook has it, in double, row by row, two passes over the keys.
 * Slow and plain on purpose: every other kernel of every backend is held against it, through the
 * row functions of reference.h. Only the output is rounded, O to the problem's dtype and LSE to
 * float.
 *
 * Keys are taken four at a time: four independent sums hide the latency of the adder, and each
 * load of q or o serves four keys. */
#include "cpu/reference.h"

#include <math.h>

#include "bench/kernel.h"
#include "cpu/common.h"
#include "cpu/convert.h"
#include "cpu/row_runs.h"

enum { KEYS = 4 };

/* One row's view of the tensors. */
typedef struct row_view {
  const bench_attn *attn;
  const bench_blocklist *list;
  int64_t head; /* over batch and heads */
  int64_t row;
  int64_t kv_first; /* element of K and V at which this head's keys begin */
  float q[BENCH_HEAD_DIM_MAX];
} row_view;

static void view_row(row_view *view, const bench_attn *attn, const bench_blocklist *list,
                     const void *q, int64_t batch, int64_t head, int64_t row) {
  const int64_t d = attn->head_dim;
  const int64_t kv_head = head / (attn->heads_q / attn->heads_kv);
  view->attn = attn;
  view->list = list;
  view->head = batch * attn->heads_q + head;
  view->row = row;
  view->kv_first = (batch * attn->heads_kv + kv_head) * attn->seq_kv * d;
  const int64_t first = (view->head * attn->seq_q + row) * d;
  const float *values = convert_load(attn->dtype, q, first, d, view->q);
  if (values != view->q) {
    memcpy(view->q, values, (size_t)d * sizeof *values);
  }
}

/* Rows key .. key+3 of K or V as floats; past `end` the last row stands in. */
static void key_rows(const row_view *view, const void *tensor, int64_t key, int64_t end,
                     float buffer[KEYS][BENCH_HEAD_DIM_MAX], const float *rows[KEYS]) {
  const int64_t d = view->attn->head_dim;
  for (int64_t i = 0; i < KEYS; i++) {
    const int64_t at = key + i < end ? key + i : end - 1;
    rows[i] = convert_load(view->attn->dtype, tensor, view->kv_first + at * d, d, buffer[i]);
  }
}

static void dots_double(const double *q, const float *const k[KEYS], int64_t d, double dots[KEYS]) {
  double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
  for (int64_t c = 0; c < d; c++) {
    s0 += q[c] * (double)k[0][c];
    s1 += q[c] * (double)k[1][c];
    s2 += q[c] * (double)k[2][c];
    s3 += q[c] * (double)k[3][c];
  }
  dots[0] = s0;
  dots[1] = s1;
  dots[2] = s2;
  dots[3] = s3;
}

/* scratch[j] = q . k_j / sqrt(d) for the visible keys; returns the largest. */
static double logits_double(const row_view *view, const void *k, double *scratch) {
  const int64_t d = view->attn->head_dim;
  const double scale = 1.0 / sqrt((double)d);
  float buffer[KEYS][BENCH_HEAD_DIM_MAX];
  double q[BENCH_HEAD_DIM_MAX];
  for (int64_t c = 0; c < d; c++) {
    q[c] = (double)view->q[c];
  }
  double max = -INFINITY;
  row_runs runs = row_runs_of(view->attn, view->list, view->head, view->row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    for (int64_t j = run.begin; j < run.end; j += KEYS) {
      const float *rows[KEYS];
      double dots[KEYS];
      key_rows(view, k, j, run.end, buffer, rows);
      dots_double(q, rows, d, dots);
      for (int64_t i = 0; i < KEYS && j + i < run.end; i++) {
        scratch[j + i] = dots[i] * scale;
        max = fmax(max, scratch[j + i]);
      }
    }
  }
  return max;
}

void bench_reference_row(const bench_attn *attn, const bench_blocklist *list, const void *q,
                         const void *k, const void *v, int64_t batch, int64_t head, int64_t row,
                         double *scratch, double *o, double *lse) {
  const int64_t d = attn->head_dim;
  row_view view;
  view_row(&view, attn, list, q, batch, head, row);
  const double max = logits_double(&view, k, scratch);
  double sum = 0;
  memset(o, 0, (size_t)d * sizeof *o);
  row_runs runs = row_runs_of(attn, list, view.head, row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    for (int64_t j = run.begin; j < run.end; j += KEYS) {
      float buffer[KEYS][BENCH_HEAD_DIM_MAX];
      const float *rows[KEYS];
      double p[KEYS] = {0};
      for (int64_t i = 0; i < KEYS && j + i < run.end; i++) {
        p[i] = exp(scratch[j + i] - max);
        sum += p[i];
      }
      key_rows(&view, v, j, run.end, buffer, rows);
#pragma omp simd
      for (int64_t c = 0; c < d; c++) {
        o[c] += p[0] * (double)rows[0][c] + p[1] * (double)rows[1][c] +
                (p[2] * (double)rows[2][c] + p[3] * (double)rows[3][c]);
      }
    }
  }
  for (int64_t c = 0; c < d && sum > 0; c++) {
    o[c] /= sum;
  }
  *lse = sum > 0 ? max + log(sum) : -INFINITY;
}

/* As logits_double, in the problem's dtype. */
static float logits_naive(const row_view *view, const void *k, float *logits) {
  const bench_dtype dtype = view->attn->dtype;
  const int64_t d = view->attn->head_dim;
  const float scale = (float)(1.0 / sqrt((double)d));
  float buffer[KEYS][BENCH_HEAD_DIM_MAX];
  float max = -INFINITY;
  row_runs runs = row_runs_of(view->attn, view->list, view->head, view->row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    for (int64_t j = run.begin; j < run.end; j += KEYS) {
      const float *rows[KEYS];
      float dots[KEYS] = {0};
      key_rows(view, k, j, run.end, buffer, rows);
      for (int64_t c = 0; c < d; c++) {
        for (int i = 0; i < KEYS; i++) {
          dots[i] += view->q[c] * rows[i][c];
        }
      }
      for (int64_t i = 0; i < KEYS && j + i < run.end; i++) {
        logits[j + i] = bench_round_to(dtype, dots[i] * scale);
        max = fmaxf(max, logits[j + i]);
      }
    }
  }
  return max;
}

void bench_naive_row(const bench_attn *attn, const bench_blocklist *list, const void *q,
                     const void *k, const void *v, int64_t batch, int64_t head, int64_t row,
                     float *scratch, float *o) {
  const int64_t d = attn->head_dim;
  float *logits = scratch;
  float *weights = scratch + attn->seq_kv;
  row_view view;
  view_row(&view, attn, list, q, batch, head, row);
  const float max = logits_naive(&view, k, logits);
  float sum = 0;
  row_runs runs = row_runs_of(attn, list, view.head, row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    for (int64_t j = run.begin; j < run.end; j++) {
      weights[j] = expf(logits[j] - max);
      sum += weights[j];
    }
  }
  memset(o, 0, (size_t)d * sizeof *o);
  runs = row_runs_of(attn, list, view.head, row);
  for (bench_span run; row_runs_next(&runs, &run);) {
    for (int64_t j = run.begin; j < run.end; j++) {
      float buffer[BENCH_HEAD_DIM_MAX];
      const float p = bench_round_to(attn->dtype, weights[j] / sum);
      const float *values = convert_load(attn->dtype, v, view.kv_first + j * d, d, buffer);
#pragma omp simd
      for (int64_t c = 0; c < d; c++) {
        o[c] += p * values[c];
      }
    }
  }
  for (int64_t c = 0; c < d; c++) {
    o[c] = bench_round_to(attn->dtype, o[c]);
  }
}

/* Scratch of one thread: a score row and an output row, doubles. */
static size_t reference_scratch_bytes(const bench_attn *attn) {
  return cpu_align(((size_t)attn->seq_kv + (size_t)attn->head_dim) * sizeof(double));
}

static size_t reference_workspace_bytes(const bench_attn *attn, const bench_device *device) {
  return cpu_workspace_bytes(device, reference_scratch_bytes(attn));
}

static bench_code reference_launch(const bench_launch *launch) {
  const bench_attn *attn = launch->attn;
  const int64_t d = attn->head_dim;
  const int64_t rows = bench_attn_rows(attn);
#pragma omp parallel num_threads(launch->threads)
  {
    double *scratch = cpu_scratch(launch, reference_scratch_bytes(attn));
    double *o = scratch + attn->seq_kv;
#pragma omp for schedule(dynamic, 16)
    for (int64_t i = 0; i < rows; i++) {
      const int64_t row = i % attn->seq_q;
      const int64_t head = i / attn->seq_q % attn->heads_q;
      const int64_t batch = i / attn->seq_q / attn->heads_q;
      double lse;
      bench_reference_row(attn, launch->blocks, launch->q, launch->k, launch->v, batch, head, row,
                          scratch, o, &lse);
      float rounded[BENCH_HEAD_DIM_MAX];
      for (int64_t c = 0; c < d; c++) {
        rounded[c] = (float)o[c];
      }
      convert_store(attn->dtype, rounded, d, launch->o, i * d);
      launch->lse[i] = (float)lse;
    }
  }
  return BENCH_OK;
}

BENCH_KERNEL(cpu, reference) = {
    .abi = BENCH_KERNEL_ABI,
    BENCH_KERNEL_NAMES(reference),
    .summary = "double precision, two passes over the keys of each row: the oracle",
    .why_not = cpu_why_not,
    .workspace_bytes = reference_workspace_bytes,
    .launch = reference_launch,
};
