/* The plan: exact counts, stable ids, one problem once, reasons for what cannot run. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/plan.h"

static bench_target target_of_cpu(void) {
  bench_target target = {.backend = bench_backend_find("cpu", NULL)};
  target.device = (bench_device){.backend = "cpu",
                                 .name = "test",
                                 .threads = 2,
                                 .mem_bytes = INT64_C(8) << 30,
                                 .llc_bytes = INT64_C(32) << 20};
  return target;
}

/* The plan of a config text; both are freed by the caller. */
static void build(const char *text, bench_config *config, bench_plan *plan) {
  bench_error error = {.message = ""};
  bench_target target = target_of_cpu();
  if (bench_config_parse("test.toml", ".", text, strlen(text), NULL, 0, config, &error) !=
      BENCH_OK) {
    fail_msg("%s", error.message);
  }
  if (bench_plan_build(config, &target, plan, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
}

#define HEAD \
  "[sweep]\nname = \"t\"\nkernels = [\"naive\", \"null\"]\nmodes = [\"cold\", \"warm\"]\n"

static void counts_and_order(void **state) {
  (void)state;
  bench_config config;
  bench_plan plan;
  build(HEAD
        "[[grid]]\nseq = [16, 32]\nheads = [2, 4]\nhead_dim = [32]\nmask = [\"full\", "
        "\"causal\"]\n",
        &config, &plan);
  assert_int_equal(plan.problem_count, 8);
  assert_int_equal(plan.case_count, 16);
  assert_int_equal(bench_plan_rows(&plan), 32);
  for (size_t i = 0; i < plan.case_count; i++) { /* the cases of a problem stand together */
    assert_int_equal(plan.cases[i].problem, i / 2);
    assert_string_equal(plan.cases[i].name, i % 2 == 0 ? "naive" : "null");
  }
  bench_plan_free(&plan);
  bench_config_free(&config);
}

/* What it is measured by is known when it is its turn. */
static void sustained_comes_last(void **state) {
  (void)state;
  bench_config config;
  bench_plan plan;
  build(
      "[sweep]\nname = \"t\"\nkernels = [\"null\"]\nmodes = [\"graph\", \"sustained\", "
      "\"warm\", \"cold\"]\n[[grid]]\nseq = [16]\nheads = [2]\nhead_dim = [32]\n",
      &config, &plan);
  static const bench_mode expected[] = {BENCH_MODE_GRAPH, BENCH_MODE_WARM, BENCH_MODE_COLD,
                                        BENCH_MODE_SUSTAINED};
  assert_int_equal(plan.mode_count, BENCH_MODE_COUNT);
  assert_memory_equal(plan.modes, expected, sizeof expected);
  assert_int_equal(bench_plan_rows(&plan), BENCH_MODE_COUNT);
  bench_plan_free(&plan);
  bench_config_free(&config);
}

static void one_problem_once(void **state) {
  (void)state;
  bench_config config;
  bench_plan plan;
  build(HEAD
        "[[grid]]\nseq = [16, 32]\nheads = [2]\nhead_dim = [32]\n"
        "[[grid]]\nseq = [32, 64]\nheads = [2]\nhead_dim = [32]\n",
        &config, &plan);
  assert_int_equal(plan.problem_count, 3);
  bench_plan_free(&plan);
  bench_config_free(&config);
}

/* Ids are part of the record: the same work must have the same id for ever. */
static void ids_are_stable(void **state) {
  (void)state;
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = attn.batch = attn.heads_q = attn.heads_kv = 1;
  attn.head_dim = 64;
  attn.seq_q = attn.seq_kv = 128;
  attn.seed = 1;
  assert_int_equal(bench_attn_id(&attn), UINT64_C(0xdfe59e6b5cdce0c4));
  uint64_t id = bench_attn_id(&attn);
  attn.seed = 2;
  assert_int_not_equal(bench_attn_id(&attn), id);
  attn.seed = 1;
  attn.mask.kind = BENCH_MASK_CAUSAL;
  assert_int_not_equal(bench_attn_id(&attn), id);
}

static bench_work_count count_of(const bench_attn *attn) {
  bench_work_count count;
  assert_int_equal(bench_count_work(attn, &count, NULL), BENCH_OK);
  return count;
}

/* Doubling one axis changes the counts by the stated formulas, exactly. */
static void counts_follow_the_formulas(void **state) {
  (void)state;
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = 2;
  attn.batch = 3;
  attn.heads_q = 8;
  attn.heads_kv = 2;
  attn.head_dim = 64;
  attn.seq_q = attn.seq_kv = 100;
  attn.dtype = BENCH_BF16;
  attn.mask.kind = BENCH_MASK_CAUSAL;
  int64_t pairs = 100 * 101 / 2;
  assert_int_equal(count_of(&attn).flops, INT64_C(2) * 3 * 8 * 4 * 64 * pairs);
  assert_int_equal(count_of(&attn).bytes_min, 2 * (2 * 3 * 8 + 2 * 3 * 2) * 100 * 64 * 2);
  assert_int_equal(bench_tensor_bytes(&attn, 2),
                   2 * ((2 * 3 * 8 + 2 * 3 * 2) * 100 * 64 * 2 + 3 * 8 * 100 * 4));
  attn.direction = BENCH_BWD;
  assert_int_equal(count_of(&attn).flops, INT64_C(5) * 3 * 8 * 4 * 64 * pairs);
  attn.direction = BENCH_FWD;
  attn.layers = 1 << 24;
  attn.batch = 1 << 12;
  attn.heads_q = 1 << 12;
  attn.seq_q = attn.seq_kv = 1 << 20;
  assert_int_equal(count_of(&attn).flops, BENCH_MISSING_INT);
}

/* Keys that no row sees are not counted as read. */
static void bytes_of_windows(void **state) {
  (void)state;
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = attn.batch = attn.heads_q = attn.heads_kv = 1;
  attn.head_dim = 1;
  attn.seq_q = 10;
  attn.seq_kv = 1000;
  const struct {
    bench_mask mask;
    int64_t keys;
  } cases[] = {
      {{.kind = BENCH_MASK_FULL}, 1000},
      {{.kind = BENCH_MASK_CAUSAL}, 1000},
      {{.kind = BENCH_MASK_WINDOW, .window = 16}, 16 + 9},
      {{.kind = BENCH_MASK_WINDOW, .window = 16, .both = true}, 16 + 9},
      {{.kind = BENCH_MASK_SINK_WINDOW, .window = 16, .sink = 4}, 4 + 16 + 9},
      {{.kind = BENCH_MASK_SINK_WINDOW, .window = 16, .sink = 980}, 1000},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    attn.mask = cases[i].mask;
    assert_int_equal(count_of(&attn).bytes_min, (2 * 10 + 2 * cases[i].keys) * 4);
  }
}

/* Too slow, too large, or not made for it: a skipped case that says so. */
static void reasons(void **state) {
  (void)state;
  bench_config config;
  bench_plan plan;
  build(
      "[sweep]\nname = \"t\"\nkernels = [\"naive\", \"decode\"]\nbudget = { case_s = 1.0 }\n"
      "[[grid]]\nseq = [16, 65536]\nheads = [2]\nhead_dim = [32]\nlayers = [1]\n"
      "[[grid]]\nseq = [1048576]\nheads = [64]\nhead_dim = [512]\n",
      &config, &plan);
  assert_int_equal(plan.case_count, 6);
  assert_null(plan.cases[0].why_not);
  assert_non_null(strstr(plan.cases[1].why_not, "no kernel"));
  assert_non_null(strstr(plan.cases[2].why_not, "predicted time"));
  assert_non_null(strstr(plan.cases[4].why_not, "predicted memory"));
  bench_plan_free(&plan);
  bench_config_free(&config);
}

static bool keep_warm_naive(void *context, const bench_row *row) {
  (void)context;
  return strcmp(row->kernel, "naive") == 0 && strcmp(row->mode, "warm") == 0;
}

static void filter_keeps_modes(void **state) {
  (void)state;
  bench_config config;
  bench_plan plan;
  bench_target target = target_of_cpu();
  build(HEAD "[[grid]]\nseq = [16, 32]\nheads = [2]\nhead_dim = [32]\n", &config, &plan);
  bench_plan_filter(&plan, &target, keep_warm_naive, NULL);
  assert_int_equal(plan.case_count, 2);
  assert_int_equal(bench_plan_rows(&plan), 2);
  bench_plan_free(&plan);
  bench_config_free(&config);
}

static void layers_fill_five_caches(void **state) {
  (void)state;
  bench_attn attn;
  memset(&attn, 0, sizeof attn);
  attn.layers = 100;
  attn.batch = attn.heads_q = attn.heads_kv = 1;
  attn.head_dim = 256;
  attn.seq_q = attn.seq_kv = 1024; /* 4 MiB and 4 KiB a layer */
  assert_int_equal(bench_layers_distinct(&attn, INT64_C(4) << 20), 5);
  assert_int_equal(bench_layers_distinct(&attn, 1), 1);
  assert_int_equal(bench_layers_distinct(&attn, INT64_C(1) << 40), 100);
  attn.input = BENCH_INPUT_MODEL;
  assert_int_equal(bench_layers_distinct(&attn, 1), 100);
}

/* A launch of mode graph reads copies that fill the last-level cache five times, beside the case's
 * own tensors; what the memory is, one must know. */
static void graph_needs_room_for_its_copies(void **state) {
  (void)state;
  const int64_t mib = INT64_C(1) << 20;
  bench_target small = {.device = {.mem_bytes = 1000 * mib, .llc_bytes = 100 * mib}};
  bench_case planned = {.mem_predicted_bytes = 500 * mib};
  assert_null(bench_plan_why_not(&planned, BENCH_MODE_GRAPH, &small));
  planned.mem_predicted_bytes++;
  assert_non_null(strstr(bench_plan_why_not(&planned, BENCH_MODE_GRAPH, &small), "five times"));
  assert_null(bench_plan_why_not(&planned, BENCH_MODE_COLD, &small));
  small.device.mem_bytes = 0;
  assert_null(bench_plan_why_not(&planned, BENCH_MODE_GRAPH, &small));
  planned.why_not = "a reason of its own";
  assert_string_equal(bench_plan_why_not(&planned, BENCH_MODE_GRAPH, &small), planned.why_not);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(counts_and_order),
      cmocka_unit_test(sustained_comes_last),
      cmocka_unit_test(one_problem_once),
      cmocka_unit_test(ids_are_stable),
      cmocka_unit_test(counts_follow_the_formulas),
      cmocka_unit_test(bytes_of_windows),
      cmocka_unit_test(reasons),
      cmocka_unit_test(filter_keeps_modes),
      cmocka_unit_test(layers_fill_five_caches),
      cmocka_unit_test(graph_needs_room_for_its_copies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
