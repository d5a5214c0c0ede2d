/* kernels/cuda/naive.cu, executed on the host by kernels/emu, against the
 * reference in double: every mask, dtype and kind of shape, all rows and the LSE. It proves the
 * kernel's arithmetic and barriers; what the GPU's own compiler makes of it, it cannot. */
#include "cuda_host.h"

extern const bench_kernel bench_kernel_cuda_naive_simt;
static const bench_kernel *const kernel = &bench_kernel_cuda_naive_simt;

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
    check(kernel, problem(masks[i], 1, 1, 1, 24, 75, 75, BENCH_FP32), 0);
  }
}

/* Where each sequence and head sees its own keys. */
static void every_listed_mask(void **state) {
  (void)state;
  static const char *const masks[] = {"strided:13", "bigbird:window=1:global=1:random=1:size=8",
                                      "topk:blocks=2:size=8", "hybrid:causal/window:5@heads=1-1",
                                      "hybrid:topk:blocks=1:size=16/full@heads=1-2"};
  for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
    check(kernel, problem(masks[i], 2, 4, 2, 24, 41, 53, BENCH_FP32), 0);
  }
}

static void every_dtype_and_width(void **state) {
  (void)state;
  static const int64_t widths[] = {1, 33, 64, 128, 200, 512};
  for (bench_dtype dtype = BENCH_FP32; dtype < BENCH_DTYPE_COUNT; dtype++) {
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
      check(kernel, problem("causal", 1, 1, 1, widths[i], 6, 6, dtype), 0);
    }
  }
}

static void grouped_heads_and_batches(void **state) {
  (void)state;
  check(kernel, problem("causal", 2, 6, 2, 16, 9, 9, BENCH_BF16), 0);
  check(kernel, problem("full", 3, 4, 1, 16, 5, 7, BENCH_FP16), 0);
}

/* More keys than a chunk of 128; fewer keys than rows, so that the first rows see none. */
static void cross_shapes(void **state) {
  (void)state;
  check(kernel, problem("causal", 1, 1, 1, 16, 3, 300, BENCH_FP32), 0);
  check(kernel, problem("full", 1, 1, 1, 16, 2, 257, BENCH_FP32), 0);
  check(kernel, problem("window:140:both", 1, 2, 1, 16, 4, 400, BENCH_FP32), 0);
  check(kernel, problem("causal", 1, 1, 1, 16, 20, 5, BENCH_FP32), 0);
  check(kernel, problem("sink:2+window:3", 1, 1, 1, 16, 20, 5, BENCH_FP32), 0);
  check(kernel, problem("window:2:both", 1, 1, 1, 16, 20, 5, BENCH_FP32), 0);
  check(kernel, problem("block:density=0.5:size=8", 1, 2, 1, 16, 20, 11, BENCH_FP32), 0);
  check(kernel, problem("block:density=0.6:size=160", 1, 1, 1, 16, 5, 420, BENCH_FP32), 0);
}

/* A chunk that hides all its keys from the row, before one that shows some: a list may say so. */
static void hidden_chunk_comes_first(void **state) {
  (void)state;
  const bench_attn attn = problem("block:density=1:size=16", 1, 1, 1, 16, 32, 32, BENCH_FP32);
  bench_blocklist list;
  assert_int_equal(bench_blocklist_build(&attn, 16, NULL, NULL, &list, NULL), BENCH_OK);
  uint64_t *tiles = realloc(list.tiles, (size_t)(list.tile_count + 1) * 16 * sizeof *tiles);
  assert_non_null(tiles);
  memset(tiles + list.tile_count * 16, 0, 16 * sizeof *tiles);
  list.tiles = tiles;
  list.tile[list.row_begin[1]] = (int32_t)list.tile_count++;
  check_with(kernel, &attn, &list, 0);
  bench_blocklist_free(&list);
}

static void large_scores_stay_finite(void **state) {
  (void)state;
  bench_attn attn = problem("causal", 1, 1, 1, 64, 40, 40, BENCH_FP32);
  attn.input = BENCH_INPUT_OUTLIER;
  check(kernel, attn, 0);
}

static void refusals_have_their_reason(void **state) {
  (void)state;
  bench_device device = {.cc = 90};
  bench_attn attn = problem("causal", 1, 1, 1, 64, 40, 40, BENCH_FP32);
  attn.direction = BENCH_BWD;
  assert_non_null(strstr(kernel->why_not(&attn, &device), "forward"));
  attn.direction = BENCH_FWD;
  device.cc = 61;
  assert_non_null(strstr(kernel->why_not(&attn, &device), "architecture"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_mask),
      cmocka_unit_test(every_listed_mask),
      cmocka_unit_test(every_dtype_and_width),
      cmocka_unit_test(grouped_heads_and_batches),
      cmocka_unit_test(cross_shapes),
      cmocka_unit_test(hidden_chunk_comes_first),
      cmocka_unit_test(large_scores_stay_finite),
      cmocka_unit_test(refusals_have_their_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
