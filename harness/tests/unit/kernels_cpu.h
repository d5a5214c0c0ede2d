/* A problem for the CPU kernels, with its reference and tolerance, and one kernel run on it.
 *
 * The rule of tolerance: max|out - ref| <= 2 max|naive in dtype - ref| + 2 max|ref+0.3-0.3-ref|,
 * maxima over the whole tensor, the last term evaluated in the dtype. Memory around O, LSE and
 * the workspace must stay as it was, and every element of O and LSE must be written. */
#ifndef BENCH_TESTS_KERNELS_CPU_H
#define BENCH_TESTS_KERNELS_CPU_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backends/kernel_tables.h"
#include "bench/input.h"
#include "bench/kernel.h"
#include "cpu/convert.h"
#include "cpu/reference.h"
#include "platform/cpu_features.h"

enum { GUARD = 256, THREADS = 3, FREE_BLOCK = 24 };

static bench_device this_device(void) {
  bench_device device = {.backend = "cpu", .threads = THREADS};
  bench_cpu_features(&device);
  return device;
}

/* Exactly `bytes`, 64-byte aligned, so that a sanitizer sees the first byte past the end. */
static void *allocate(size_t bytes) {
  void *memory = NULL;
  assert_int_equal(posix_memalign(&memory, 64, bytes > 0 ? bytes : 1), 0);
  return memory;
}

/* `bytes` between two guards, all filled with 0xa5: as fp32, fp16 and bf16 a finite number that
 * no kernel computes. */
static char *guarded(size_t bytes) {
  char *memory = allocate(bytes + 2 * GUARD);
  memset(memory, 0xa5, bytes + 2 * GUARD);
  return memory + GUARD;
}

/* As a launch finds it: zeros, behind which everything is NaN. */
static char *workspace(size_t bytes) {
  char *memory = guarded(bytes);
  memset(memory, 0xff, bytes);
  memset(memory, 0, bytes < BENCH_WORKSPACE_ZEROED ? bytes : BENCH_WORKSPACE_ZEROED);
  return memory;
}

static bool guards_intact(const char *memory, size_t bytes) {
  for (size_t i = 0; i < GUARD; i++) {
    if ((unsigned char)memory[-1 - (ptrdiff_t)i] != 0xa5 ||
        (unsigned char)memory[bytes + i] != 0xa5) {
      return false;
    }
  }
  return true;
}

/* One problem with its inputs, reference and tolerance. */
typedef struct problem {
  bench_attn attn;
  bench_blocklist list; /* of a mask that is not simple */
  void *q;
  void *k;
  void *v;
  double *o;
  double *lse;
  double tolerance;
} problem;

static void *input(const bench_attn *attn, bench_tensor tensor, int64_t count) {
  void *memory = allocate((size_t)count * bench_dtype_bytes(attn->dtype));
  bench_input_fill(attn->input, attn->seed, 0, tensor, attn->dtype, memory, count);
  return memory;
}

static bool has_list(const bench_attn *attn) {
  return !bench_mask_is_simple(&attn->mask);
}

static double larger(double a, double b) {
  return a > b ? a : b;
}

static double rounding(bench_dtype dtype, double reference) {
  const float value = bench_round_to(dtype, (float)reference);
  const float there = bench_round_to(dtype, value + 0.3f);
  return fabs((double)bench_round_to(dtype, there - 0.3f) - (double)value);
}

static void problem_init(problem *p, const bench_attn *attn) {
  const int64_t d = attn->head_dim;
  bench_error error = {0};
  *p = (problem){.attn = *attn};
  p->q = input(attn, BENCH_TENSOR_Q, bench_attn_q_elements(attn));
  p->k = input(attn, BENCH_TENSOR_K, bench_attn_kv_elements(attn));
  if (has_list(attn)) {
    const int64_t block = bench_mask_block(attn);
    assert_int_equal(
        bench_blocklist_build(attn, block > 0 ? block : FREE_BLOCK, p->q, p->k, &p->list, &error),
        BENCH_OK);
  }
  p->v = input(attn, BENCH_TENSOR_V, bench_attn_kv_elements(attn));
  p->o = allocate((size_t)bench_attn_q_elements(attn) * sizeof *p->o);
  p->lse = allocate((size_t)bench_attn_rows(attn) * sizeof *p->lse);
  double *scratch = allocate((size_t)attn->seq_kv * sizeof *scratch);
  float *floats = allocate((size_t)attn->seq_kv * 2 * sizeof *floats);
  float naive[BENCH_HEAD_DIM_MAX];
  double naive_error = 0;
  double rounding_error = 0;
  for (int64_t i = 0; i < bench_attn_rows(attn); i++) {
    const int64_t row = i % attn->seq_q;
    const int64_t head = i / attn->seq_q % attn->heads_q;
    const int64_t batch = i / attn->seq_q / attn->heads_q;
    double *o = p->o + i * d;
    bench_reference_row(attn, &p->list, p->q, p->k, p->v, batch, head, row, scratch, o, &p->lse[i]);
    bench_naive_row(attn, &p->list, p->q, p->k, p->v, batch, head, row, floats, naive);
    for (int64_t c = 0; c < d; c++) {
      naive_error = larger(naive_error, fabs((double)naive[c] - o[c]));
      rounding_error = larger(rounding_error, rounding(attn->dtype, o[c]));
    }
  }
  p->tolerance = 2 * naive_error + 2 * rounding_error;
  free(scratch);
  free(floats);
}

static void problem_free(problem *p) {
  bench_blocklist_free(&p->list);
  free(p->q);
  free(p->k);
  free(p->v);
  free(p->o);
  free(p->lse);
}

static void describe(const problem *p, const bench_kernel *kernel, char text[512]) {
  const bench_attn *a = &p->attn;
  char mask[BENCH_MASK_TEXT_MAX];
  bench_mask_format(&a->mask, a->part, mask);
  snprintf(text, 512, "%s.%s %s %s %s batch=%d heads=%d/%d d=%d seq=%d/%d", kernel->family,
           kernel->variant, mask, bench_dtype_name(a->dtype), bench_input_name(a->input),
           (int)a->batch, (int)a->heads_q, (int)a->heads_kv, (int)a->head_dim, (int)a->seq_q,
           (int)a->seq_kv);
}

/* Fails with the case and the first thing that is wrong with the result. */
static void check_result(const problem *p, const bench_kernel *kernel, const void *o,
                         const float *lse) {
  const bench_attn *attn = &p->attn;
  const double lse_tolerance = attn->input == BENCH_INPUT_OUTLIER ? 2e-4 : 1e-5;
  double error = 0;
  char text[512];
  describe(p, kernel, text);
  float values[BENCH_HEAD_DIM_MAX];
  for (int64_t i = 0; i < bench_attn_rows(attn); i++) {
    const int64_t d = attn->head_dim;
    bench_to_float(attn->dtype, (const char *)o + (size_t)(i * d) * bench_dtype_bytes(attn->dtype),
                   values, d);
    for (int64_t c = 0; c < d; c++) {
      if (!isfinite(values[c]) || (isinf(p->lse[i]) && values[c] != 0)) {
        fail_msg("%s: O[%d][%d] = %g", text, (int)i, (int)c, (double)values[c]);
      }
      error = larger(error, fabs((double)values[c] - p->o[i * d + c]));
    }
    const bool same = isinf(p->lse[i]) ? lse[i] == -INFINITY
                                       : fabs((double)lse[i] - p->lse[i]) <=
                                             lse_tolerance * larger(1, fabs(p->lse[i]));
    if (!same && attn->input != BENCH_INPUT_HUGE) {
      fail_msg("%s: LSE[%d] = %.9g, not %.9g", text, (int)i, (double)lse[i], p->lse[i]);
    }
  }
  if (!(error <= p->tolerance) && attn->input != BENCH_INPUT_HUGE) {
    fail_msg("%s: error %.3g above %.3g", text, error, p->tolerance);
  }
}

/* What flash and sparse compute does not depend on the number of threads, to the last bit. */
static void assert_same_by_one_thread(bench_launch launch, const bench_kernel *kernel) {
  if (strcmp(kernel->family, "flash") != 0 && strcmp(kernel->family, "sparse") != 0) {
    return;
  }
  const size_t o_bytes =
      (size_t)bench_attn_q_elements(launch.attn) * bench_dtype_bytes(launch.attn->dtype);
  const size_t lse_bytes = (size_t)bench_attn_rows(launch.attn) * sizeof(float);
  const void *o = launch.o;
  const float *lse = launch.lse;
  launch.threads = 1;
  launch.o = allocate(o_bytes);
  launch.lse = allocate(lse_bytes);
  assert_int_equal(kernel->launch(&launch), BENCH_OK);
  assert_memory_equal(launch.o, o, o_bytes);
  assert_memory_equal(launch.lse, lse, lse_bytes);
  free(launch.o);
  free(launch.lse);
}

static void run_kernel(const problem *p, const bench_kernel *kernel, int threads) {
  const bench_attn *attn = &p->attn;
  const bench_device device = this_device();
  const size_t o_bytes = (size_t)bench_attn_q_elements(attn) * bench_dtype_bytes(attn->dtype);
  const size_t lse_bytes = (size_t)bench_attn_rows(attn) * sizeof(float);
  const size_t work_bytes =
      kernel->workspace_bytes != NULL ? kernel->workspace_bytes(attn, &device) : 0;
  char *o = guarded(o_bytes);
  char *lse = guarded(lse_bytes);
  char *work = workspace(work_bytes);
  bench_blocklist list = {0};
  const bench_blocklist *blocks = has_list(attn) ? &p->list : NULL;
  if (kernel->wants_blocks && bench_mask_block(attn) == 0) {
    assert_int_equal(bench_blocklist_build(attn, kernel->block, p->q, p->k, &list, NULL), BENCH_OK);
    blocks = &list;
  }
  const bench_launch launch = {.attn = attn,
                               .blocks = blocks,
                               .q = p->q,
                               .k = p->k,
                               .v = p->v,
                               .o = o,
                               .lse = (float *)lse,
                               .workspace = work_bytes > 0 ? work : NULL,
                               .threads = threads,
                               .device = &device};
  assert_int_equal(kernel->launch(&launch), BENCH_OK);
  check_result(p, kernel, o, (const float *)lse);
  if (threads > 1) {
    assert_same_by_one_thread(launch, kernel);
  }
  assert_true(guards_intact(o, o_bytes));
  assert_true(guards_intact(lse, lse_bytes));
  assert_true(guards_intact(work, work_bytes));
  bench_blocklist_free(&list);
  free(o - GUARD);
  free(lse - GUARD);
  free(work - GUARD);
}

#endif
