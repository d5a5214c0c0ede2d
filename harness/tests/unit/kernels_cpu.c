/* Every CPU kernel against the double reference, on adversarial shapes, masks, types and inputs. */
#include "kernels_cpu.h"

#include "bench/backend.h"

static int skipped_for_openblas;

static bool says(const char *why_not, const char *part) {
  return why_not != NULL && strstr(why_not, part) != NULL;
}

/* True if the kernel takes the problem; fails if it has no good reason not to. */
static bool takes(const bench_kernel *kernel, const bench_attn *attn) {
  const bench_device device = this_device();
  const char *why_not = kernel->why_not(attn, &device);
  if (says(why_not, "there is nothing to skip")) {
    assert_string_equal(kernel->family, "sparse");
    assert_int_equal(attn->mask.kind, BENCH_MASK_STRIDED);
  } else if (says(why_not, "bf16 only")) {
    assert_int_not_equal(attn->dtype, BENCH_BF16);
  } else if (says(why_not, "for more than 4 query rows")) {
    assert_true(attn->heads_q / attn->heads_kv * attn->seq_q <= 4);
  } else if (why_not != NULL && !says(why_not, "this CPU lacks")) {
    assert_non_null(strstr(why_not, "OpenBLAS"));
    skipped_for_openblas++;
  }
  return why_not == NULL;
}

static void run_those_that_take(const bench_attn *attn, int threads, bool bf16_alone) {
  bench_attn fp32 = *attn;
  fp32.dtype = BENCH_FP32;
  const bench_device device = this_device();
  problem p = {0};
  bool made = false;
  for (size_t i = 0; i < bench_kernels_cpu_count; i++) {
    const bench_kernel *kernel = bench_kernels_cpu[i].kernel;
    if (!bench_family_computes(kernel->family) || !takes(kernel, attn) ||
        (bf16_alone && !says(kernel->why_not(&fp32, &device), "bf16 only"))) {
      continue;
    }
    if (!made) {
      problem_init(&p, attn);
      made = true;
    }
    run_kernel(&p, kernel, threads);
  }
  if (made) {
    problem_free(&p);
  }
}

/* All kernels but null, which computes nothing. Those that take bf16 alone get every case in it. */
static void run_kernels(const bench_attn *attn, int threads) {
  bench_attn bf16 = *attn;
  bf16.dtype = BENCH_BF16;
  run_those_that_take(attn, threads, false);
  if (attn->dtype != BENCH_BF16) {
    run_those_that_take(&bf16, threads, true);
  }
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
    if (bench_family_computes(kernel->family)) {
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
