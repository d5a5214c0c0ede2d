/* Every CPU kernel against the double reference, on adversarial shapes, masks, types and inputs.
 *
 * The rule of tolerance: max|out - ref| <= 2 max|naive in dtype - ref| + 2 max|ref+0.3-0.3-ref|,
 * maxima over the whole tensor, the last term evaluated in the dtype. Memory around O, LSE and
 * the workspace must stay as it was, and every element of O and LSE must be written. */
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

enum { GUARD = 256, THREADS = 3, FREE_BLOCK = 24 };

static bench_device this_device(void) {
  bench_device device = {.backend = "cpu", .threads = THREADS};
#ifdef __x86_64__
  device.has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  device.has_avx512 = device.has_avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
#endif
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
  char *work = guarded(work_bytes);
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

static int skipped_for_openblas;

/* All kernels but null, which computes nothing. */
static void run_kernels(const bench_attn *attn, int threads) {
  const bench_device device = this_device();
  problem p;
  problem_init(&p, attn);
  for (size_t i = 0; i < bench_kernels_cpu_count; i++) {
    const bench_kernel *kernel = bench_kernels_cpu[i].kernel;
    if (strcmp(kernel->family, "null") == 0) {
      continue;
    }
    const char *why_not = kernel->why_not(attn, &device);
    if (why_not == NULL) {
      run_kernel(&p, kernel, threads);
    } else if (strstr(why_not, "there is nothing to skip") != NULL) {
      assert_string_equal(kernel->family, "sparse");
      assert_int_equal(attn->mask.kind, BENCH_MASK_STRIDED);
    } else if (strstr(why_not, "this CPU lacks") == NULL) {
      assert_non_null(strstr(why_not, "OpenBLAS"));
      skipped_for_openblas++;
    }
  }
  problem_free(&p);
}

static const struct {
  int q;
  int kv;
} sequences[] = {{1, 1},   {1, 37},    {37, 1},    {2, 3},    {7, 13},  {13, 7},   {64, 64},
                 {61, 67}, {128, 128}, {129, 257}, {131, 97}, {5, 300}, {300, 70}, {127, 191}};

static const struct {
  int batch;
  int heads_q;
  int heads_kv;
} head_counts[] = {{1, 1, 1}, {1, 2, 1}, {2, 2, 2}, {1, 6, 2}, {1, 3, 3}};

static const int head_dims[] = {32, 64, 80, 96, 128, 256, 40, 7};

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* Case `index` of a mask and a pair of lengths: the other axes turn with coprime periods, so that
 * they meet in ever new combinations. */
static bench_attn make_case(const char *mask, int sequence, bench_input source, int index) {
  bench_attn attn = {
      .layers = 1,
      .batch = head_counts[index % COUNT(head_counts)].batch,
      .heads_q = head_counts[index % COUNT(head_counts)].heads_q,
      .heads_kv = head_counts[index % COUNT(head_counts)].heads_kv,
      .head_dim = head_dims[index % COUNT(head_dims)],
      .seq_q = sequences[sequence].q,
      .seq_kv = sequences[sequence].kv,
      .dtype = (bench_dtype)(index % BENCH_DTYPE_COUNT),
      .input = source,
      .seed = (uint64_t)index + 1,
  };
  bench_error error = {0};
  bench_mask_choice choice;
  if (bench_mask_parse(mask, &choice, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  bench_attn_set_mask(&attn, &choice);
  return attn;
}

static void run_masks(const char *const *masks, int count, bench_input source, int first) {
  int index = first;
  for (int m = 0; m < count; m++) {
    for (int s = 0; s < COUNT(sequences); s++, index++) {
      const bench_attn attn = make_case(masks[m], s, source, index);
      run_kernels(&attn, 1 + index % THREADS);
    }
  }
}

static const char *const simple_masks[] = {"full",
                                           "causal",
                                           "window:1",
                                           "window:5",
                                           "window:64",
                                           "window:1:both",
                                           "window:70:both",
                                           "sink:1+window:1",
                                           "sink:4+window:16",
                                           "sink:40+window:100",
                                           "sink:66+window:3"};

static const char *const block_masks[] = {
    "block:density=0.3:size=8",  "block:density=0.05:size=8:layout=skewed",
    "block:density=0.5:size=16", "block:density=0.4:size=24:layout=skewed",
    "block:density=0.6:size=64", "block:density=0.5:size=72",
    "block:density=1:size=128",  "block:density=0.5:size=256"};

/* Where heads see different keys, and where the kernel chooses the size of a block. */
static const char *const listed_masks[] = {
    "strided:7",
    "strided:140",
    "bigbird:window=2:global=1:random=1:size=16",
    "bigbird:window=1:global=0:random=2:size=8",
    "topk:blocks=2:size=16",
    "topk:blocks=5:size=8",
    "hybrid:causal/window:9@heads=1-1",
    "hybrid:full/block:density=0.3:size=16@heads=2-1",
    "hybrid:topk:blocks=3:size=8/sink:2+window:20@heads=1-1",
    "hybrid:topk:blocks=1:size=24/topk:blocks=4:size=24@heads=1-2"};

static void masks_of_spans(void **state) {
  (void)state;
  run_masks(simple_masks, COUNT(simple_masks), BENCH_INPUT_NORMAL, 0);
}

static void masks_of_blocks(void **state) {
  (void)state;
  run_masks(block_masks, COUNT(block_masks), BENCH_INPUT_NORMAL, 1);
}

static void masks_of_lists(void **state) {
  (void)state;
  run_masks(listed_masks, COUNT(listed_masks), BENCH_INPUT_NORMAL, 6);
}

static void outliers(void **state) {
  (void)state;
  run_masks(simple_masks, 3, BENCH_INPUT_OUTLIER, 2);
  run_masks(block_masks, 1, BENCH_INPUT_OUTLIER, 3);
}

static void huge_inputs_stay_finite(void **state) {
  (void)state;
  run_masks(simple_masks, 3, BENCH_INPUT_HUGE, 4);
  run_masks(block_masks, 1, BENCH_INPUT_HUGE, 5);
}

/* Every head dimension in every dtype, and the ends of the range. */
static void head_dimensions(void **state) {
  (void)state;
  static const int dims[] = {1, 2, 8, 16, 32, 33, 64, 80, 96, 112, 128, 192, 256, 512};
  for (int i = 0; i < COUNT(dims); i++) {
    for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
      bench_attn attn = make_case("causal", 7, BENCH_INPUT_UNIFORM, i);
      attn.head_dim = dims[i];
      attn.dtype = (bench_dtype)dtype;
      run_kernels(&attn, 2);
    }
  }
}

/* Keys in parts, of which the last one is short, and masks that hide some of them whole. */
static void few_rows_of_many_keys(void **state) {
  (void)state;
  static const char *const masks[] = {"full",
                                      "causal",
                                      "window:300",
                                      "window:5000",
                                      "sink:4+window:100",
                                      "strided:700",
                                      "block:density=0.1:size=64",
                                      "hybrid:causal/window:24@heads=1-1"};
  for (int m = 0; m < COUNT(masks); m++) {
    bench_attn attn = make_case(masks[m], 0, BENCH_INPUT_NORMAL, 3 + 5 * m); /* 6 heads on 2 */
    attn.seq_q = (int[]){1, 5, 16}[m % 3];
    attn.seq_kv = 9001;
    run_kernels(&attn, 2 + m % 2);
  }
}

static void others_are_refused(void **state) {
  (void)state;
  const bench_device device = this_device();
  for (size_t i = 0; i < bench_kernels_cpu_count; i++) {
    const bench_kernel *kernel = bench_kernels_cpu[i].kernel;
    bench_attn backward = make_case("full", 0, BENCH_INPUT_NORMAL, 0);
    backward.direction = BENCH_BWD;
    if (strcmp(kernel->family, "null") != 0) {
      assert_non_null(kernel->why_not(&backward, &device));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(others_are_refused),      cmocka_unit_test(masks_of_spans),
      cmocka_unit_test(masks_of_blocks),         cmocka_unit_test(masks_of_lists),
      cmocka_unit_test(head_dimensions),         cmocka_unit_test(outliers),
      cmocka_unit_test(huge_inputs_stay_finite), cmocka_unit_test(few_rows_of_many_keys),
  };
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  if (skipped_for_openblas > 0) {
    printf("blas: not tested, for want of OpenBLAS\n");
  }
  return failed;
}
