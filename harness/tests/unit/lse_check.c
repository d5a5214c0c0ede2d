/* --check lse: the second road agrees with the statistics, and notices when they are wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/input.h"
#include "stats/lse_check.h"

#define HEADS 4

typedef struct layer {
  bench_attn attn;
  bench_blocklist list;
  void *q;
  void *k;
} layer;

static layer make(const char *mask, bench_dtype dtype, bench_input input, int64_t seq_q,
                  int64_t seq_kv) {
  layer made = {.attn = {.layers = 1,
                         .batch = 2,
                         .heads_q = HEADS,
                         .heads_kv = 2,
                         .head_dim = 64,
                         .seq_q = seq_q,
                         .seq_kv = seq_kv,
                         .dtype = dtype,
                         .input = input,
                         .seed = 3}};
  bench_mask_choice choice;
  assert_int_equal(bench_mask_parse(mask, &choice, NULL), BENCH_OK);
  bench_attn_set_mask(&made.attn, &choice);
  made.q = malloc((size_t)bench_attn_q_elements(&made.attn) * 4);
  made.k = malloc((size_t)bench_attn_kv_elements(&made.attn) * 4);
  bench_input_fill(input, 3, 0, BENCH_TENSOR_Q, dtype, made.q, bench_attn_q_elements(&made.attn));
  bench_input_fill(input, 3, 0, BENCH_TENSOR_K, dtype, made.k, bench_attn_kv_elements(&made.attn));
  if (!bench_mask_is_simple(&made.attn.mask)) {
    const int64_t block = bench_mask_block(&made.attn) > 0 ? bench_mask_block(&made.attn) : 32;
    assert_int_equal(bench_blocklist_build(&made.attn, block, made.q, made.k, &made.list, NULL),
                     BENCH_OK);
  }
  return made;
}

static bool agrees(const layer *of, int64_t stride, const bench_stat_core *heads) {
  bool result = false;
  char reason[256] = "";
  bench_error error;
  const bench_blocklist *list = of->list.row_begin != NULL ? &of->list : NULL;
  assert_int_equal(
      bench_stat_lse_check(&of->attn, list, of->q, of->k, stride, heads, &result, reason, &error),
      BENCH_OK);
  assert_int_equal(result, reason[0] == '\0');
  return result;
}

static void both_roads_agree(void **state) {
  (void)state;
  static const char *const masks[] = {"full",
                                      "causal",
                                      "window:33",
                                      "window:33:both",
                                      "sink:4+window:20",
                                      "block:density=0.4:size=32",
                                      "strided:20",
                                      "topk:blocks=2:size=16",
                                      "hybrid:causal/window:5@heads=1-1"};
  static const int64_t shapes[][2] = {{130, 130}, {1, 200}, {40, 200}, {90, 50}};
  for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
      for (int input = BENCH_INPUT_NORMAL; input <= BENCH_INPUT_OUTLIER; input++) {
        layer of = make(masks[m], (bench_dtype)(m % BENCH_DTYPE_COUNT), (bench_input)input,
                        shapes[s][0], shapes[s][1]);
        const bench_blocklist *list = of.list.row_begin != NULL ? &of.list : NULL;
        bench_stat_core heads[HEADS];
        int64_t stride = 1 + (int64_t)(s % 2) * 2;
        assert_int_equal(bench_stat_core_layer(&of.attn, list, of.q, of.k, stride, heads, NULL),
                         BENCH_OK);
        assert_true(agrees(&of, stride, heads));
        bench_blocklist_free(&of.list);
        free(of.q);
        free(of.k);
      }
    }
  }
}

static void a_wrong_figure_is_noticed(void **state) {
  (void)state;
  layer of = make("causal", BENCH_BF16, BENCH_INPUT_NORMAL, 200, 200);
  bench_stat_core heads[HEADS];
  assert_int_equal(bench_stat_core_layer(&of.attn, NULL, of.q, of.k, 1, heads, NULL), BENCH_OK);
  heads[2].entropy_nats += 0.002;
  assert_false(agrees(&of, 1, heads));
  heads[2].entropy_nats -= 0.002;
  assert_true(agrees(&of, 1, heads));
  heads[HEADS - 1].sum_p2 *= 1.005;
  assert_false(agrees(&of, 1, heads));
  free(of.q);
  free(of.k);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_roads_agree),
      cmocka_unit_test(a_wrong_figure_is_noticed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
