/* A CUDA kernel's source, run on the host, against the reference in double: for the tests of such
 * kernels. */
#ifndef BENCH_TEST_CUDA_HOST_H
#define BENCH_TEST_CUDA_HOST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/input.h"
#include "bench/kernel.h"
#include "cpu/reference.h"

typedef struct tensors {
  void *q;
  void *k;
  void *v;
  void *o;
  float *lse;
} tensors;

static inline bench_attn problem(const char *mask, int64_t batch, int64_t heads_q, int64_t heads_kv,
                                 int64_t head_dim, int64_t seq_q, int64_t seq_kv,
                                 bench_dtype dtype) {
  bench_attn attn = {.layers = 1,
                     .batch = batch,
                     .heads_q = heads_q,
                     .heads_kv = heads_kv,
                     .head_dim = head_dim,
                     .seq_q = seq_q,
                     .seq_kv = seq_kv,
                     .dtype = dtype,
                     .seed = 7};
  bench_error error;
  bench_mask_choice choice;
  if (bench_mask_parse(mask, &choice, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  bench_attn_set_mask(&attn, &choice);
  return attn;
}

/* Memory full of NaN, so that what is not written is seen. */
static inline void *allocate(int64_t count, size_t each) {
  const size_t bytes = (size_t)count * each;
  void *memory = aligned_alloc(64, bytes > 0 ? (bytes + 63) / 64 * 64 : 64);
  if (memory == NULL) {
    abort();
  }
  return memset(memory, 0xff, bytes);
}

static inline void *filled(const bench_attn *attn, bench_tensor tensor, int64_t count) {
  void *memory = allocate(count, bench_dtype_bytes(attn->dtype));
  bench_input_fill(attn->input, attn->seed, 0, tensor, attn->dtype, memory, count);
  return memory;
}

static inline tensors make_tensors(const bench_attn *attn) {
  tensors t;
  t.q = filled(attn, BENCH_TENSOR_Q, bench_attn_q_elements(attn));
  t.k = filled(attn, BENCH_TENSOR_K, bench_attn_kv_elements(attn));
  t.v = filled(attn, BENCH_TENSOR_V, bench_attn_kv_elements(attn));
  t.o = allocate(bench_attn_q_elements(attn), bench_dtype_bytes(attn->dtype));
  t.lse = allocate(bench_attn_rows(attn), sizeof *t.lse);
  return t;
}

static inline void free_tensors(tensors *t) {
  free(t->q);
  free(t->k);
  free(t->v);
  free(t->o);
  free(t->lse);
}

static inline void assert_row(const bench_attn *attn, const bench_blocklist *list, const tensors *t,
                              int64_t index, double weights) {
  /* Rounding of sums in float, and of O itself. */
  static const double relative[] = {2e-6, 0x1p-11, 0x1p-8};
  double *scratch = allocate(attn->seq_kv, sizeof *scratch);
  double expected[512];
  float got[512];
  double lse;
  const int64_t d = attn->head_dim;
  const int64_t head = index / attn->seq_q;
  bench_reference_row(attn, list, t->q, t->k, t->v, head / attn->heads_q, head % attn->heads_q,
                      index % attn->seq_q, scratch, expected, &lse);
  free(scratch);
  bench_to_float(attn->dtype,
                 (const char *)t->o + (size_t)(index * d) * bench_dtype_bytes(attn->dtype), got, d);
  for (int64_t e = 0; e < d; e++) {
    const double tolerance = 4e-6 + relative[attn->dtype] * (fabs(expected[e]) + weights);
    if (!(fabs((double)got[e] - expected[e]) <= tolerance)) {
      fail_msg("row %lld, element %lld: %.9g, the reference has %.9g", (long long)index,
               (long long)e, (double)got[e], expected[e]);
    }
  }
  if (isinf(lse)) {
    assert_true(isinf(t->lse[index]) && t->lse[index] < 0);
  } else {
    assert_true(fabs((double)t->lse[index] - lse) <= 1e-5 * (1 + fabs(lse)));
  }
}

/* `weights`: what rounding the weights to the dtype adds, in units of its rounding: the largest
 * |V|, or 0 for a kernel that does not. */
static inline void check_with(const bench_kernel *kernel, const bench_attn *attn,
                              const bench_blocklist *list, double weights) {
  const bench_device device = {.cc = 90};
  assert_null(kernel->why_not(attn, &device));
  tensors t = make_tensors(attn);
  const size_t bytes = kernel->workspace_bytes == NULL ? 0 : kernel->workspace_bytes(attn, &device);
  void *workspace = allocate((int64_t)bytes, 1);
  memset(workspace, 0, bytes < BENCH_WORKSPACE_ZEROED ? bytes : BENCH_WORKSPACE_ZEROED);
  const bench_launch launch = {.attn = attn,
                               .blocks = list,
                               .q = t.q,
                               .k = t.k,
                               .v = t.v,
                               .o = t.o,
                               .lse = t.lse,
                               .workspace = workspace,
                               .device = &device};
  assert_int_equal(kernel->launch(&launch), BENCH_OK);
  for (int64_t index = 0; index < bench_attn_rows(attn); index++) {
    assert_row(attn, list, &t, index, weights);
  }
  free_tensors(&t);
  free(workspace);
}

static inline void check(const bench_kernel *kernel, bench_attn attn, double weights) {
  if (bench_mask_is_simple(&attn.mask)) {
    check_with(kernel, &attn, NULL, weights);
    return;
  }
  bench_blocklist list;
  const int64_t block = bench_mask_block(&attn) > 0 ? bench_mask_block(&attn) : 16;
  tensors t = make_tensors(&attn);
  assert_int_equal(bench_blocklist_build(&attn, block, t.q, t.k, &list, NULL), BENCH_OK);
  free_tensors(&t);
  check_with(kernel, &attn, &list, weights);
  bench_blocklist_free(&list);
}

#endif
