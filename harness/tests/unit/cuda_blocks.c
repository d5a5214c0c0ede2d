/* A tensor-core kernel of sparse, executed on the host: what the comparison with the reference
 * cannot see. Which K and V are touched, in which order the block rows are worked on, and block
 * sizes that share a block row among several blocks of threads. */
#include "cuda_host.h"

extern const bench_kernel TESTED_KERNEL; /* one program for each variant */
static const bench_kernel *const kernel = &TESTED_KERNEL;
static const bench_device device = {.cc = 90};

static bench_blocklist list_of(const bench_attn *attn, const tensors *t) {
  bench_blocklist list;
  const int64_t block = bench_mask_block(attn) > 0 ? bench_mask_block(attn) : 64;
  assert_int_equal(bench_blocklist_build(attn, block, t->q, t->k, &list, NULL), BENCH_OK);
  return list;
}

static void launch(const bench_attn *attn, const bench_blocklist *list, const tensors *t,
                   void *workspace) {
  const bench_launch made = {.attn = attn,
                             .blocks = list,
                             .q = t->q,
                             .k = t->k,
                             .v = t->v,
                             .o = t->o,
                             .lse = t->lse,
                             .workspace = workspace};
  assert_int_equal(kernel->launch(&made), BENCH_OK);
}

static void *workspace_of(const bench_attn *attn) {
  return allocate((int64_t)kernel->workspace_bytes(attn, &device), 1);
}

/* K and V of one block column are NaN: rows that keep it show it, and all others know nothing of
 * it. */
static void check_touched(const char *mask, int64_t head_dim, int64_t column) {
  const bench_attn attn = problem(mask, 1, 1, 1, head_dim, 500, 500, BENCH_BF16);
  tensors t = make_tensors(&attn);
  bench_blocklist list = list_of(&attn, &t);
  void *workspace = workspace_of(&attn);
  const size_t bytes = (size_t)(list.block * head_dim) * 2;
  tensors poisoned = make_tensors(&attn);
  memset((char *)poisoned.k + (size_t)column * bytes, 0xff, bytes);
  memset((char *)poisoned.v + (size_t)column * bytes, 0xff, bytes);
  launch(&attn, &list, &poisoned, workspace);
  const tensors got = {.q = t.q, .k = t.k, .v = t.v, .o = poisoned.o, .lse = poisoned.lse};
  int64_t kept = 0;
  for (int64_t row = 0; row < attn.seq_q; row++) {
    bool sees = false;
    for (int64_t i = list.row_begin[row / list.block]; i < list.row_begin[row / list.block + 1];
         i++) {
      sees = sees || list.column[i] == column;
    }
    kept += sees;
    if (!sees) {
      assert_row(&attn, &list, &got, row, 4);
    }
  }
  assert_true(kept > 0 && kept < attn.seq_q);
  free(workspace);
  free_tensors(&t);
  free_tensors(&poisoned);
  bench_blocklist_free(&list);
}

static void empty_blocks_are_not_touched(void **state) {
  (void)state;
  check_touched("block:density=0.4:size=64", 64, 1);
  check_touched("block:density=0.4:size=64", 256, 2);
  check_touched("block:density=0.5:size=128:layout=skewed", 128, 0);
  check_touched("topk:blocks=2:size=64", 32, 3);
}

/* The workspace ends with the order of the block rows of each pattern, and behind it what it was
 * counted with: for each pattern, how many rows keep 0 blocks, 1 block, ... all columns. */
static const int32_t *order_in(const void *workspace, const bench_attn *attn,
                               const bench_blocklist *list) {
  const int64_t columns = (list->seq_kv + list->block - 1) / list->block;
  const int64_t words = list->patterns * (list->rows + columns + 1);
  return (const int32_t *)((const char *)workspace + kernel->workspace_bytes(attn, &device)) -
         words;
}

static void heavy_rows_come_first(void **state) {
  (void)state;
  const bench_attn attn =
      problem("block:density=0.3:size=64:layout=skewed", 1, 1, 1, 32, 2500, 2500, BENCH_BF16);
  tensors t = make_tensors(&attn);
  bench_blocklist list = list_of(&attn, &t);
  void *workspace = workspace_of(&attn);
  launch(&attn, &list, &t, workspace);
  const int32_t *order = order_in(workspace, &attn, &list);
  bool *seen = calloc((size_t)list.rows, sizeof *seen);
  assert_non_null(seen);
  int64_t before = INT64_MAX;
  for (int64_t n = 0; n < list.rows; n++) {
    assert_in_range(order[n], 0, list.rows - 1);
    assert_false(seen[order[n]]);
    seen[order[n]] = true;
    const int64_t kept = list.row_begin[order[n] + 1] - list.row_begin[order[n]];
    assert_true(kept <= before);
    before = kept;
  }
  free(seen);
  free(workspace);
  free_tensors(&t);
  bench_blocklist_free(&list);
}

/* More columns than the sort has threads, and patterns of their own for each head. */
static void many_columns_and_patterns(void **state) {
  (void)state;
  check(kernel,
        problem("bigbird:window=1:global=1:random=2:size=64", 1, 1, 1, 32, 70, 17000, BENCH_FP16),
        4);
  check(kernel, problem("topk:blocks=2:size=64", 2, 4, 2, 32, 200, 260, BENCH_BF16), 4);
}

/* 192: three blocks of 64 rows a block row; 256: two of 128, of which the last may have no rows. */
static void block_rows_shared_by_blocks(void **state) {
  (void)state;
  check(kernel, problem("block:density=0.6:size=192", 1, 2, 1, 64, 450, 450, BENCH_BF16), 4);
  check(kernel, problem("block:density=0.6:size=256", 1, 1, 1, 64, 300, 700, BENCH_BF16), 4);
  check(kernel, problem("block:density=0.5:size=256", 1, 1, 1, 256, 257, 513, BENCH_FP16), 4);
}

static void refusals_have_their_reason(void **state) {
  (void)state;
  bench_attn attn = problem("block:density=0.5:size=32", 1, 1, 1, 64, 90, 90, BENCH_BF16);
  assert_non_null(strstr(kernel->why_not(&attn, &device), "multiple of 64"));
  attn = problem("strided:100", 1, 1, 1, 64, 90, 90, BENCH_BF16);
  assert_non_null(strstr(kernel->why_not(&attn, &device), "stride below 128"));
  attn = problem("causal", 1, 1, 1, 64, 90, 90, BENCH_FP32);
  assert_non_null(strstr(kernel->why_not(&attn, &device), "fp32"));
  attn = problem("causal", 1, 1, 1, 264, 90, 90, BENCH_BF16);
  assert_non_null(strstr(kernel->why_not(&attn, &device), "above 256"));
  attn = problem("causal", 1, 1, 1, 68, 90, 90, BENCH_BF16);
  assert_non_null(strstr(kernel->why_not(&attn, &device), "multiple of 8"));
  attn = problem("causal", 1, 1, 1, 64, 90, 90, BENCH_BF16);
  attn.direction = BENCH_BWD;
  assert_non_null(strstr(kernel->why_not(&attn, &device), "forward"));
  const bench_device old = {.cc = 75};
  attn.direction = BENCH_FWD;
  assert_non_null(strstr(kernel->why_not(&attn, &old), "needs compute capability"));
  assert_null(kernel->why_not(&attn, &device));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(empty_blocks_are_not_touched), cmocka_unit_test(heavy_rows_come_first),
      cmocka_unit_test(many_columns_and_patterns),    cmocka_unit_test(block_rows_shared_by_blocks),
      cmocka_unit_test(refusals_have_their_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
