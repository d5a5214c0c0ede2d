/* The core statistics against their definitions in double, for every mask, dtype and kind of
 * shape, and against what any kernel's (O, LSE) says of the same row. Goal: entropy within 1e-5
 * nats, all else within 1e-5 relative; logits to 1e-5, or to 1e-7 of their size. */
#include <omp.h>

#include "stats_reference.h"

static void check_core(const bench_stat_core *value, const bench_stat_core *wanted) {
  assert_int_equal(value->rows, wanted->rows);
  if (wanted->rows == 0) {
    return;
  }
  assert_true(fabs(value->lse - wanted->lse) <= 1e-5 + 1e-7 * fabs(wanted->lse));
  assert_true(fabs(value->max_logit - wanted->max_logit) <= 1e-5 + 1e-7 * fabs(wanted->max_logit));
  check_value("entropy_nats", value->entropy_nats, wanted->entropy_nats, 1.0);
  check_value("entropy_norm", value->entropy_norm, wanted->entropy_norm, 0.1);
  check_value("sum_p2", value->sum_p2, wanted->sum_p2, 0.0);
  check_value("p_max", value->p_max, wanted->p_max, 0.0);
  /* Below the floors a value has no digits left in the reference either. */
  check_value("distance", value->distance_tokens, wanted->distance_tokens, 1e-9);
  check_value("nosink", value->distance_nosink_tokens, wanted->distance_nosink_tokens, 1e-9);
  check_value("rms", value->distance_rms_tokens, wanted->distance_rms_tokens, 1e-9);
  check_value("window16", value->window16_mass, wanted->window16_mass, 1e-9);
  check_value("window64", value->window64_mass, wanted->window64_mass, 1e-9);
  check_value("window256", value->window256_mass, wanted->window256_mass, 1e-9);
  check_value("window1024", value->window1024_mass, wanted->window1024_mass, 1e-9);
  check_value("sink", value->sink_mass, wanted->sink_mass, 1e-9);
  check_value("sink4", value->sink4_mass, wanted->sink4_mass, 1e-9);
}

static void check_layer(const reference_layer *layer, int64_t row_stride) {
  bench_stat_core *out = measure(layer, row_stride);
  for (int64_t h = 0; h < layer->attn.heads_q; h++) {
    const bench_stat_core wanted = reference_head(layer, h, row_stride);
    check_core(&out[h], &wanted);
  }
  free(out);
}

static void check_mask(const char *mask, bench_attn attn, int64_t row_stride) {
  bench_mask_choice choice;
  assert_int_equal(bench_mask_parse(mask, &choice, NULL), BENCH_OK);
  bench_attn_set_mask(&attn, &choice);
  reference_layer layer = reference_make(&attn);
  check_layer(&layer, row_stride);
  reference_free(&layer);
}

/* Square, cross both ways, decode, grouped heads, batch, every dtype. */
static void equals_double_precision(void **state) {
  (void)state;
  static const char *const masks[] = {
      "full",
      "causal",
      "window:37",
      "window:20:both",
      "window:1",
      "sink:3+window:50",
      "sink:200+window:5",
      "block:density=0.4:size=24",
      "block:density=0.3:size=64:layout=skewed",
      "strided:10",
      "topk:blocks=3:size=8",
      "hybrid:window:9/causal@heads=1-1",
  };
  static const int64_t shapes[][2] = {{300, 300}, {97, 1300}, {260, 130}, {1, 700}, {5, 1}};
  int dtype = 0;
  for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
    for (size_t n = 0; n < sizeof shapes / sizeof shapes[0]; n++) {
      bench_attn attn = shape_of(shapes[n][0], shapes[n][1], BENCH_MASK_FULL);
      attn.batch = 2;
      attn.heads_q = 4;
      attn.heads_kv = 2;
      attn.head_dim = n == 0 ? 20 : 64;
      attn.seed = 100 * m + n;
      attn.dtype = (bench_dtype)(dtype++ % BENCH_DTYPE_COUNT);
      attn.input = m % 3 == 1 ? BENCH_INPUT_OUTLIER : BENCH_INPUT_NORMAL;
      check_mask(masks[m], attn, n == 1 ? 7 : 1);
    }
  }
}

static void random_shapes_equal_double_precision(void **state) {
  (void)state;
  uint64_t random = 5;
  for (int n = 0; n < 150; n++) {
    bench_attn attn = shape_simple(&random, 200);
    attn.head_dim = shape_between(&random, 1, 40);
    attn.dtype = (bench_dtype)shape_between(&random, 0, 2);
    attn.seed = (uint64_t)n;
    reference_layer layer = reference_make(&attn);
    check_layer(&layer, shape_between(&random, 1, 5));
    reference_free(&layer);
  }
}

static void long_rows_equal_double_precision(void **state) {
  (void)state;
  bench_attn attn = shape_of(4, 131072, BENCH_MASK_FULL);
  attn.head_dim = 32;
  check_mask("causal", attn, 1);
  attn.input = BENCH_INPUT_OUTLIER;
  attn.dtype = BENCH_BF16;
  check_mask("full", attn, 1);
}

/* All logits moved by 1000: nothing but LSE and the largest logit may feel it. */
static void an_offset_costs_no_digits(void **state) {
  (void)state;
  for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
    bench_attn attn = shape_of(200, 200, BENCH_MASK_CAUSAL);
    attn.dtype = (bench_dtype)dtype;
    reference_layer layer = reference_make(&attn);
    const bench_stat_core before = measure_one(&layer);
    for (int64_t r = 0; r < 200; r++) {
      layer.q_float[r * 16 + 15] = 40.0f;
      layer.k_float[r * 16 + 15] = 100.0f;
    }
    reference_store(&layer);
    const bench_stat_core after = measure_one(&layer);
    assert_true(after.lse > before.lse + 990.0);
    check_layer(&layer, 1);
    reference_free(&layer);
  }
}

/* O of a row with V := K, in double. */
static double q_dot_o(const reference_layer *layer, int64_t row, const double *s, double lse) {
  double sum = 0.0;
  for (int64_t c = 0; c < 16; c++) {
    double o = 0.0;
    for (int64_t j = 0; j <= row; j++) {
      o += exp(s[j] - lse) * layer->k_float[16 * j + c];
    }
    sum += layer->q_float[16 * row + c] * o;
  }
  return sum;
}

/* H = LSE(s) - scale q.O[V := K]; P2 = exp(LSE(2s) - 2 LSE(s)); the mass of any set of keys is
 * exp(LSE of the set - LSE). */
static void lse_identities(void **state) {
  (void)state;
  const int64_t n = 500;
  const bench_attn attn = shape_of(n, n, BENCH_MASK_CAUSAL);
  reference_layer layer = reference_make(&attn);
  const bench_stat_core core = measure_one(&layer);
  double s[500] = {0};
  bench_stat_core sum = {.rows = n - 1};
  for (int64_t i = 1; i < n; i++) {
    reference_logits(&layer, 0, 0, i, s);
    const double lse = reference_lse(s, 1.0, 0, n);
    sum.lse += lse / (double)(n - 1);
    sum.entropy_nats += (lse - 0.25 * q_dot_o(&layer, i, s, lse)) / (double)(n - 1);
    sum.sum_p2 += exp(reference_lse(s, 2.0, 0, n) - 2.0 * lse) / (double)(n - 1);
    const int64_t begin = i < 63 ? 0 : i - 63;
    sum.window64_mass += exp(reference_lse(s, 1.0, begin, i + 1) - lse) / (double)(n - 1);
    sum.sink4_mass += exp(reference_lse(s, 1.0, 0, 4) - lse) / (double)(n - 1);
  }
  check_value("lse", core.lse, sum.lse, 1.0);
  check_value("entropy", core.entropy_nats, sum.entropy_nats, 1.0);
  check_value("sum_p2", core.sum_p2, sum.sum_p2, 0.0);
  check_value("window64", core.window64_mass, sum.window64_mass, 0.0);
  check_value("sink4", core.sink4_mass, sum.sink4_mass, 0.0);
  reference_free(&layer);
}

static void invariants(void **state) {
  (void)state;
  for (uint64_t seed = 1; seed <= 40; seed++) {
    bench_attn attn = shape_of(1, 1500, seed % 2 == 0 ? BENCH_MASK_FULL : BENCH_MASK_CAUSAL);
    attn.seed = seed;
    attn.input = (bench_input)(seed % 4);
    reference_layer layer = reference_make(&attn);
    const bench_stat_core core = measure_one(&layer);
    assert_true(core.p_max * core.p_max <= core.sum_p2 * (1.0 + 1e-6));
    assert_true(core.sum_p2 <= core.p_max * (1.0 + 1e-6) && core.p_max <= 1.0);
    assert_true(core.entropy_nats >= 0.0 && core.entropy_nats <= log(1500.0) + 1e-6);
    assert_true(core.window16_mass <= core.window64_mass + 1e-6);
    assert_true(core.window64_mass <= core.window256_mass + 1e-6);
    assert_true(core.window256_mass <= core.window1024_mass + 1e-6);
    assert_true(core.window1024_mass <= 1.0 + 1e-6 && core.sink_mass <= core.sink4_mass + 1e-6);
    assert_true(core.distance_tokens <= core.distance_rms_tokens * (1.0 + 1e-6));
    assert_true(core.max_logit <= core.lse + 1e-6);
    reference_free(&layer);
  }
}

static void threads_do_not_matter(void **state) {
  (void)state;
  bench_attn attn = shape_of(700, 700, BENCH_MASK_CAUSAL);
  attn.heads_q = 6;
  attn.heads_kv = 2;
  attn.batch = 2;
  reference_layer layer = reference_make(&attn);
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  bench_stat_core *one = measure(&layer, 1);
  static const int counts[] = {2, 3, 7};
  for (int n = 0; n < 3; n++) {
    omp_set_num_threads(counts[n]);
    bench_stat_core *many = measure(&layer, 1);
    assert_memory_equal(many, one, 6 * sizeof *one);
    free(many);
  }
  omp_set_num_threads(threads);
  free(one);
  reference_free(&layer);
}

static void missing_and_means(void **state) {
  (void)state;
  const bench_attn attn = shape_of(1, 1, BENCH_MASK_CAUSAL);
  reference_layer layer = reference_make(&attn);
  bench_stat_core three[3] = {measure_one(&layer), {.rows = 4}, {.rows = 6}};
  assert_int_equal(three[0].rows, 0);
  assert_true(isnan(three[0].entropy_nats) && isnan(three[0].max_logit));
  assert_true(isnan(three[0].distance_nosink_tokens));
  three[1].entropy_nats = 1.0;
  three[1].max_logit = -7.0;
  three[2].entropy_nats = 2.0;
  three[2].max_logit = -5.0;
  three[2].sink_mass = INFINITY;
  bench_stat_core mean;
  bench_stat_core_mean(three, 3, &mean);
  assert_int_equal(mean.rows, 10);
  assert_true(mean.entropy_nats == 1.5 && mean.max_logit == -5.0 && mean.sink_mass == 0.0);
  bench_stat_core_mean(three, 1, &mean);
  assert_true(isnan(mean.entropy_nats) && isnan(mean.max_logit));
  bench_error error;
  assert_int_equal(bench_stat_core_layer(&attn, NULL, layer.q, layer.k, 0, &mean, &error),
                   BENCH_ERR_USAGE);
  reference_free(&layer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(equals_double_precision),
      cmocka_unit_test(random_shapes_equal_double_precision),
      cmocka_unit_test(long_rows_equal_double_precision),
      cmocka_unit_test(an_offset_costs_no_digits),
      cmocka_unit_test(lse_identities),
      cmocka_unit_test(invariants),
      cmocka_unit_test(threads_do_not_matter),
      cmocka_unit_test(missing_and_means),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
