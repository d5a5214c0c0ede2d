/* kernels/cuda/naive.cu, compiled for the host with harness/tests/host_device, against the
 * reference in double: every mask, dtype and kind of shape, all rows and the LSE. It proves the
 * kernel's arithmetic and barriers; what the GPU's own compiler makes of it, it cannot. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/input.h"
#include "bench/kernel.h"
#include "cpu/reference.h"

extern const bench_kernel bench_kernel_cuda_naive_simt;

typedef struct tensors {
  void *q;
  void *k;
  void *v;
  void *o;
  float *lse;
} tensors;

static bench_attn problem(const char *mask, int64_t batch, int64_t heads_q, int64_t heads_kv,
                          int64_t head_dim, int64_t seq_q, int64_t seq_kv, bench_dtype dtype) {
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
  if (bench_mask_parse(mask, &attn.mask, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  return attn;
}

/* Memory full of NaN, so that what is not written is seen. */
static void *allocate(int64_t count, size_t each) {
  const size_t bytes = (size_t)count * each;
  void *memory = malloc(bytes);
  if (memory == NULL) {
    abort();
  }
  return memset(memory, 0xff, bytes);
}

static void *filled(const bench_attn *attn, bench_tensor tensor, int64_t count) {
  void *memory = allocate(count, bench_dtype_bytes(attn->dtype));
  bench_input_fill(attn->input, attn->seed, 0, tensor, attn->dtype, memory, count);
  return memory;
}

static tensors make_tensors(const bench_attn *attn) {
  tensors t;
  t.q = filled(attn, BENCH_TENSOR_Q, bench_attn_q_elements(attn));
  t.k = filled(attn, BENCH_TENSOR_K, bench_attn_kv_elements(attn));
  t.v = filled(attn, BENCH_TENSOR_V, bench_attn_kv_elements(attn));
  t.o = allocate(bench_attn_q_elements(attn), bench_dtype_bytes(attn->dtype));
  t.lse = allocate(bench_attn_rows(attn), sizeof *t.lse);
  return t;
}

static void free_tensors(tensors *t) {
  free(t->q);
  free(t->k);
  free(t->v);
  free(t->o);
  free(t->lse);
}

static void assert_row(const bench_attn *attn, const bench_blocklist *list, const tensors *t,
                       int64_t index) {
  /* Rounding of O itself, then of sums in float. */
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
    const double tolerance = 4e-6 + relative[attn->dtype] * fabs(expected[e]);
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

static void check_with(const bench_attn *attn, const bench_blocklist *list) {
  const bench_kernel *kernel = &bench_kernel_cuda_naive_simt;
  const bench_device device = {.cc = 90};
  assert_null(kernel->why_not(attn, &device));
  tensors t = make_tensors(attn);
  const bench_launch launch = {
      .attn = attn, .blocks = list, .q = t.q, .k = t.k, .v = t.v, .o = t.o, .lse = t.lse};
  assert_int_equal(kernel->launch(&launch), BENCH_OK);
  for (int64_t index = 0; index < bench_attn_rows(attn); index++) {
    assert_row(attn, list, &t, index);
  }
  free_tensors(&t);
}

static void check(bench_attn attn) {
  if (bench_mask_is_simple(&attn.mask)) {
    check_with(&attn, NULL);
    return;
  }
  bench_blocklist list;
  assert_int_equal(bench_blocklist_build(&attn, attn.mask.block, &list, NULL), BENCH_OK);
  check_with(&attn, &list);
  bench_blocklist_free(&list);
}

static void every_mask(void **state) {
  (void)state;
  static const char *const masks[] = {"full",
                                      "causal",
                                      "window:1",
                                      "window:19",
                                      "window:19:both",
                                      "window:500:both",
                                      "sink:3+window:9",
                                      "sink:90+window:2",
                                      "block:density=0.5:size=16",
                                      "block:density=0.3:size=72:layout=skewed"};
  for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
    check(problem(masks[i], 1, 1, 1, 24, 75, 75, BENCH_FP32));
  }
}

static void every_dtype_and_width(void **state) {
  (void)state;
  static const int64_t widths[] = {1, 33, 64, 128, 200, 512};
  for (bench_dtype dtype = BENCH_FP32; dtype < BENCH_DTYPE_COUNT; dtype++) {
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
      check(problem("causal", 1, 1, 1, widths[i], 6, 6, dtype));
    }
  }
}

static void grouped_heads_and_batches(void **state) {
  (void)state;
  check(problem("causal", 2, 6, 2, 16, 9, 9, BENCH_BF16));
  check(problem("full", 3, 4, 1, 16, 5, 7, BENCH_FP16));
}

/* More keys than a chunk of 128; fewer keys than rows, so that the first rows see none. */
static void cross_shapes(void **state) {
  (void)state;
  check(problem("causal", 1, 1, 1, 16, 3, 300, BENCH_FP32));
  check(problem("full", 1, 1, 1, 16, 2, 257, BENCH_FP32));
  check(problem("window:140:both", 1, 2, 1, 16, 4, 400, BENCH_FP32));
  check(problem("causal", 1, 1, 1, 16, 20, 5, BENCH_FP32));
  check(problem("sink:2+window:3", 1, 1, 1, 16, 20, 5, BENCH_FP32));
  check(problem("window:2:both", 1, 1, 1, 16, 20, 5, BENCH_FP32));
  check(problem("block:density=0.5:size=8", 1, 2, 1, 16, 20, 11, BENCH_FP32));
  check(problem("block:density=0.6:size=160", 1, 1, 1, 16, 5, 420, BENCH_FP32));
}

/* A chunk that hides all its keys from the row, before one that shows some: a list may say so. */
static void hidden_chunk_comes_first(void **state) {
  (void)state;
  const bench_attn attn = problem("block:density=1:size=16", 1, 1, 1, 16, 32, 32, BENCH_FP32);
  bench_blocklist list;
  assert_int_equal(bench_blocklist_build(&attn, 16, &list, NULL), BENCH_OK);
  uint64_t *tiles = realloc(list.tiles, (size_t)(list.tile_count + 1) * 16 * sizeof *tiles);
  assert_non_null(tiles);
  memset(tiles + list.tile_count * 16, 0, 16 * sizeof *tiles);
  list.tiles = tiles;
  list.tile[list.row_begin[1]] = (int32_t)list.tile_count++;
  check_with(&attn, &list);
  bench_blocklist_free(&list);
}

static void large_scores_stay_finite(void **state) {
  (void)state;
  bench_attn attn = problem("causal", 1, 1, 1, 64, 40, 40, BENCH_FP32);
  attn.input = BENCH_INPUT_OUTLIER;
  check(attn);
}

static void refusals_have_their_reason(void **state) {
  (void)state;
  const bench_kernel *kernel = &bench_kernel_cuda_naive_simt;
  bench_device device = {.cc = 90};
  bench_attn attn = problem("causal", 1, 1, 1, 64, 40, 40, BENCH_FP32);
  attn.direction = BENCH_BWD;
  assert_non_null(strstr(kernel->why_not(&attn, &device), "forward"));
  attn.direction = BENCH_FWD;
  attn.scope = BENCH_SCOPE_BLOCK;
  assert_non_null(strstr(kernel->why_not(&attn, &device), "projections"));
  attn.scope = BENCH_SCOPE_ATTENTION;
  device.cc = 61;
  assert_non_null(strstr(kernel->why_not(&attn, &device), "architecture"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_mask),
      cmocka_unit_test(every_dtype_and_width),
      cmocka_unit_test(grouped_heads_and_batches),
      cmocka_unit_test(cross_shapes),
      cmocka_unit_test(hidden_chunk_comes_first),
      cmocka_unit_test(large_scores_stay_finite),
      cmocka_unit_test(refusals_have_their_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
