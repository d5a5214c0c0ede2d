/* The core statistics against closed forms: inputs whose softmax is known, at lengths where a
 * reference would be slow. */
#include "stats_reference.h"

/* Q = 0: all visible keys weigh the same. */
static void uniform_rows(void **state) {
  (void)state;
  const bench_attn attn = shape_of(2000, 2000, BENCH_MASK_CAUSAL);
  reference_layer layer = reference_make(&attn);
  memset(layer.q, 0, 2000 * 16 * sizeof(float));
  const bench_stat_core core = measure_one(&layer);
  double entropy = 0.0;
  double p2 = 0.0;
  double distance = 0.0;
  double window = 0.0;
  for (int i = 1; i < 2000; i++) {
    entropy += log(i + 1.0) / 1999;
    p2 += 1.0 / (i + 1.0) / 1999;
    distance += i / 2.0 / 1999;
    window += fmin(256, i + 1.0) / (i + 1.0) / 1999;
  }
  assert_int_equal(core.rows, 1999);
  check_value("entropy", core.entropy_nats, entropy, 1.0);
  check_value("entropy_norm", core.entropy_norm, 1.0, 1.0);
  check_value("sum_p2", core.sum_p2, p2, 0.0);
  check_value("p_max", core.p_max, p2, 0.0);
  check_value("sink", core.sink_mass, p2, 0.0);
  check_value("distance", core.distance_tokens, distance, 0.0);
  check_value("window256", core.window256_mass, window, 0.0);
  assert_true(fabs(core.max_logit) < 1e-12);
  reference_free(&layer);
}

/* s = m j, which is ALiBi's -m (i - j) moved by a constant of the row; i large. */
static void alibi_rows(void **state) {
  (void)state;
  static const double distances[] = {1.541, 3.521, 7.510, 15.505, 31.503, 63.501, 127.5, 255.5};
  bench_attn attn = shape_of(2, 131072, BENCH_MASK_CAUSAL);
  reference_layer layer = reference_make(&attn);
  memset(layer.q_float, 0, 2 * 16 * sizeof(float));
  for (int64_t j = 0; j < attn.seq_kv; j++) {
    layer.k_float[16 * j] = (float)j;
  }
  for (int n = 0; n < 8; n++) {
    const double m = ldexp(0.5, -n);
    const double r = exp(-m);
    layer.q_float[0] = layer.q_float[16] = (float)(4.0 * m);
    reference_store(&layer);
    const bench_stat_core core = measure_one(&layer);
    check_value("distance", core.distance_tokens, 1.0 / expm1(m), 0.0);
    assert_true(fabs(core.distance_tokens - distances[n]) < 0.05);
    check_value("rms", core.distance_rms_tokens, sqrt(r * (1.0 + r)) / (1.0 - r), 0.0);
    check_value("entropy", core.entropy_nats, -log1p(-r) + m / expm1(m), 1.0);
    check_value("sum_p2", core.sum_p2, tanh(m / 2.0), 0.0);
    check_value("p_max", core.p_max, 1.0 - r, 0.0);
    check_value("window16", core.window16_mass, -expm1(-16.0 * m), 0.0);
    check_value("window1024", core.window1024_mass, -expm1(-1024.0 * m), 0.0);
    check_value("lse", core.lse, m * (attn.seq_kv - 1.5) - log1p(-r), 0.0);
    assert_true(core.sink_mass < 1e-30);
  }
  reference_free(&layer);
}

static void needle_rows(void **state) {
  (void)state;
  const bench_attn attn = shape_of(400, 400, BENCH_MASK_FULL);
  reference_layer layer = reference_make(&attn);
  memset(layer.k_float, 0, 400 * 16 * sizeof(float));
  for (int64_t r = 0; r < 400; r++) {
    layer.q_float[16 * r] = 100.0f;
  }
  layer.k_float[16 * 123] = 100.0f;
  reference_store(&layer);
  const bench_stat_core core = measure_one(&layer);
  assert_int_equal(core.rows, 400);
  assert_true(core.entropy_nats >= 0.0 && core.entropy_nats < 1e-12);
  check_value("sum_p2", core.sum_p2, 1.0, 0.0);
  check_value("p_max", core.p_max, 1.0, 0.0);
  check_value("distance", core.distance_tokens, (123.0 * 124 / 2 + 276.0 * 277 / 2) / 400, 0.0);
  check_value("window16", core.window16_mass, 31.0 / 400.0, 0.0);
  check_value("max_logit", core.max_logit, 2500.0, 0.0);
  reference_free(&layer);
}

/* Key 0 stands c above the others; also where it leaves them next to nothing. */
static void sink_rows(void **state) {
  (void)state;
  static const double offsets[] = {-3.0, 2.0, 9.0, 100.0, 600.0};
  const bench_attn attn = shape_of(600, 600, BENCH_MASK_CAUSAL);
  reference_layer layer = reference_make(&attn);
  memset(layer.k_float, 0, 600 * 16 * sizeof(float));
  for (int64_t r = 0; r < 600; r++) {
    layer.q_float[16 * r] = 1.0f;
  }
  for (size_t n = 0; n < sizeof offsets / sizeof offsets[0]; n++) {
    layer.k_float[0] = (float)(4.0 * offsets[n]);
    reference_store(&layer);
    const bench_stat_core core = measure_one(&layer);
    double sink = 0.0;
    double sink4 = 0.0;
    double nosink = 0.0;
    for (int i = 1; i < 600; i++) {
      const double others = exp(-offsets[n]);
      sink += 1.0 / (1.0 + i * others) / 599;
      sink4 += (1.0 + fmin(i, 3) * others) / (1.0 + i * others) / 599;
      nosink += (i - 1) / 2.0 / 599;
    }
    check_value("sink", core.sink_mass, sink, 0.0);
    check_value("sink4", core.sink4_mass, sink4, 0.0);
    check_value("nosink", core.distance_nosink_tokens, nosink, 0.0);
  }
  reference_free(&layer);
}

/* Two keys x apart, key 0 dropped: the distance is e^-x / (1 + e^-x), one exponential at a time. */
static void every_exponent(void **state) {
  (void)state;
  enum { STEPS = 8000 };
  bench_attn attn = shape_of(1, 3, BENCH_MASK_CAUSAL);
  attn.heads_q = attn.heads_kv = STEPS;
  attn.head_dim = 1;
  reference_layer layer = reference_make(&attn);
  memset(layer.k_float, 0, 3 * STEPS * sizeof(float));
  for (int n = 0; n < STEPS; n++) {
    layer.q_float[n] = 1.0f;
    layer.k_float[3 * n + 1] = -0.01f * (float)n;
  }
  reference_store(&layer);
  bench_stat_core *out = measure(&layer, 1);
  for (int n = 0; n < STEPS; n++) {
    const double x = -(double)layer.k_float[3 * n + 1];
    const double wanted = exp(-x) / (1.0 + exp(-x));
    assert_true(fabs(out[n].distance_nosink_tokens / wanted - 1.0) < 5e-7 + 1e-7 * x);
  }
  free(out);
  reference_free(&layer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(uniform_rows),   cmocka_unit_test(alibi_rows),
      cmocka_unit_test(needle_rows),    cmocka_unit_test(sink_rows),
      cmocka_unit_test(every_exponent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
