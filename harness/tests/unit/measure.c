/* How samples are taken, by the device of measure_device.h. */
#include "measure_device.h"

static void measure(bench_mode mode, double budget_s, bench_measurement *out) {
  bench_error error = {.message = ""};
  bench_context *context;
  bench_work work;
  void *workspace;
  const char *why_not = NULL;
  const bench_attn attn = problem();
  assert_int_equal(bench_backend_cpu()->open(0, 1, &context, &error), BENCH_OK);
  device = *bench_backend_cpu()->device(context);
  device.llc_bytes = LLC_BYTES;
  const bench_work_request request = {
      .id = bench_attn_id(&attn), .attn = attn, .layers_distinct = 1};
  assert_int_equal(bench_work_open(&backend, context, &request, &work, &error), BENCH_OK);
  real = bench_backend_kernel(&backend, "naive", &attn, &device, &why_not)->kernel;
  const size_t bytes = bench_kernel_workspace_bytes(real, &attn, &device);
  assert_int_equal(bench_guarded_alloc(&backend, context, bytes, &workspace, &error), BENCH_OK);
  assert_int_equal(bench_work_blocks(&work, real, &error), BENCH_OK);
  bench_kernel kernel = *real;
  kernel.launch = launch;
  bench_monitor monitor = {.no_energy = "not here"};
  bench_verdict verdict = {.right = true};
  const bench_timing timing_of_case = {.kernel = &kernel,
                                       .workspace = workspace,
                                       .workspace_bytes = bytes,
                                       .mode = mode,
                                       .budget_s = budget_s,
                                       .monitor = &monitor};
  assert_int_equal(bench_measure(&work, &timing_of_case, out, &verdict, &error), BENCH_OK);
  assert_string_equal(verdict.reason, "");
  assert_true(verdict.right && out->count > 0);
  bench_guarded_free(&backend, context, workspace);
  bench_work_close(&work);
  backend.close(context);
}

/* The regions that became samples: the last ones with the samples' times, for new inputs are met in
 * a region that is none. The caller frees. */
static region *kept(const bench_measurement *taken) {
  region *found = malloc((size_t)taken->count * sizeof *found);
  int64_t missing = taken->count;
  assert_non_null(found);
  for (int64_t r = region_count - 1; r >= 0 && missing > 0; r--) {
    const double each_ns =
        (regions[r].end_ns - regions[r].begin_ns) * (double)layers / (double)regions[r].launches;
    if (fabs(taken->time_ns[missing - 1] - each_ns) < 1e-3) {
      found[--missing] = regions[r];
    }
  }
  assert_int_equal(missing, 0);
  return found;
}

/* Looks of the stop rule at less than so many samples. */
static int64_t looks_before(int64_t count) {
  int64_t looks = 0;
  for (int64_t look = 10; look < count; look += (look + 1) / 2) {
    looks++;
  }
  return looks;
}

static int64_t inputs_seen(const region *first, int64_t count) {
  int64_t seen = 1;
  for (int64_t i = 1; i < count; i++) {
    seen += are_others(first[i].v, first[i - 1].v);
  }
  return seen;
}

static void cold_flushes_once_a_sample(void **state) {
  (void)state;
  bench_measurement taken;
  noise = 0.5; /* so that the goal is not met at once */
  measure(BENCH_MODE_COLD, 0.4, &taken);
  assert_string_equal(taken.stop_reason, "budget");
  assert_int_equal(region_count, taken.count);
  region *samples = kept(&taken);
  for (int64_t i = 0; i < taken.count; i++) {
    assert_int_equal(samples[i].flushes, 1);
    assert_int_equal(samples[i].launches, 1);
  }
  assert_int_equal(inputs_seen(samples, taken.count), 2 + looks_before(taken.count));
  free(samples);
  bench_measurement_free(&taken);
}

/* New inputs take nothing of the budget. */
static void samples_take_the_whole_budget(void **state) {
  (void)state;
  bench_measurement taken;
  backend.host_memory = false;
  upload_ns = 20 * LAUNCH_NS; /* three tensors are then a sixth of the time */
  noise = 0.5;
  measure(BENCH_MODE_COLD, 0.4, &taken);
  double samples_ns = -3 * upload_ns; /* before the first they are free */
  for (int64_t i = 0; i < taken.count; i++) {
    samples_ns += taken.time_ns[i] + FLUSH_NS + 3 * upload_ns; /* a row of Q, K and V */
  }
  assert_true(tensors_ns >= 3 * upload_ns);
  assert_true(samples_ns >= 0.4e9 && samples_ns < 0.4e9 + 4 * upload_ns);
  bench_measurement_free(&taken);
}

static void warm_never_flushes(void **state) {
  (void)state;
  bench_measurement taken;
  noise = 0.5;
  measure(BENCH_MODE_WARM, 0.4, &taken);
  assert_string_equal(taken.stop_reason, "budget");
  for (int64_t i = 0; i < region_count; i++) {
    assert_int_equal(regions[i].flushes, 0);
  }
  /* New inputs are met in a region that is no sample, like the first. */
  const int64_t renewals = 1 + looks_before(taken.count);
  assert_int_equal(region_count, taken.count + 1 + renewals);
  assert_int_equal(inputs_seen(regions, region_count), 1 + renewals);
  bench_measurement_free(&taken);
}

static int64_t sets_wanted(void) {
  const bench_attn attn = problem();
  const int64_t one = bench_tensor_bytes(&attn, 1);
  return (5 * LLC_BYTES + one - 1) / one;
}

/* No tensors come again before all the others have been used, and together they fill the cache five
 * times. New inputs are those of every copy. */
static void graph_takes_copies_in_turn(void **state) {
  (void)state;
  bench_measurement taken;
  noise = 0.5;
  measure(BENCH_MODE_GRAPH, 0.4, &taken);
  const int64_t sets = sets_wanted();
  region *samples = kept(&taken);
  assert_true(taken.count > 2 * sets);
  for (int64_t i = 0; i < taken.count; i++) {
    for (int64_t j = i + 1; j < taken.count && j < i + sets; j++) {
      assert_ptr_not_equal(samples[i].q, samples[j].q);
    }
  }
  assert_int_equal(inputs_seen(samples, taken.count), 2 + looks_before(taken.count));
  const region *last = &samples[(taken.count / sets - 1) * sets];
  for (int64_t i = 0; i < sets; i++) {
    assert_ptr_equal(last[i].q, samples[i].q);
    assert_true(are_others(last[i].v, samples[i].v));
  }
  free(samples);
  bench_measurement_free(&taken);
}

/* Where the backend has graphs, one launch of a graph holds a region for every copy. */
static void graph_holds_all_copies(void **state) {
  (void)state;
  bench_measurement taken;
  backend.graph_begin = graph_begin;
  backend.graph_end = graph_end;
  backend.graph_launch = graph_launch;
  backend.graph_free = graph_free;
  noise = 0.5;
  measure(BENCH_MODE_GRAPH, 0.4, &taken);
  assert_int_equal(captured_count, sets_wanted());
  for (int64_t i = 0; i < captured_count; i++) {
    for (int64_t j = 0; j < i; j++) {
      assert_ptr_not_equal(captured[i].q, captured[j].q);
    }
  }
  region *samples = kept(&taken);
  assert_int_equal(samples->launches, captured_count);
  assert_int_equal(inputs_seen(samples, taken.count), 2 + looks_before(taken.count));
  free(samples);
  bench_measurement_free(&taken);
}

static void sustained_keeps_its_second_half(void **state) {
  (void)state;
  static const double budgets_s[] = {0.5, 4};
  for (int i = 0; i < 2; i++) {
    bench_measurement taken;
    reset(NULL);
    noise = 0.5;
    measure(BENCH_MODE_SUSTAINED, budgets_s[i], &taken);
    const double span_ns = 1e9 * fmax(budgets_s[i], 3);
    const double lasted_ns = regions[region_count - 1].end_ns - regions[0].end_ns;
    assert_true(lasted_ns >= span_ns && lasted_ns < 1.05 * span_ns);
    region *samples = kept(&taken);
    assert_true(samples[0].end_ns - regions[0].end_ns >= span_ns / 2);
    assert_true(samples[0].begin_ns - regions[0].end_ns < 0.55 * span_ns);
    free(samples);
    bench_measurement_free(&taken);
  }
}

/* It goes through its inputs again and again, and hardly rests for it. */
static void sustained_has_new_inputs(void **state) {
  (void)state;
  bench_measurement taken;
  backend.host_memory = false;
  upload_ns = 0.1 * LAUNCH_NS;
  measure(BENCH_MODE_SUSTAINED, 0.5, &taken);
  const double lasted_ns = regions[region_count - 1].end_ns - regions[0].end_ns;
  region *samples = kept(&taken);
  assert_true(inputs_seen(samples, taken.count) > 20);
  assert_in_range((int64_t)(1000 * tensors_ns / lasted_ns), 5, 10);
  free(samples);
  bench_measurement_free(&taken);
}

/* On a host too, whose first launch takes a hundred times as long as the others. */
static void short_regions_come_in_batches(void **state) {
  (void)state;
  bench_measurement taken;
  first_ns = 5e5;
  launch_ns = 5e3;
  measure(BENCH_MODE_SUSTAINED, 0.5, &taken);
  assert_in_range(taken.count, 100, 2000);
  region *samples = kept(&taken);
  assert_true(samples->end_ns - samples->begin_ns >= 1e6);
  free(samples);
  bench_measurement_free(&taken);
}

/* A device that is waited for and whose stream is held. */
static void hold_streams(void) {
  backend.host_memory = false;
  backend.hold = hold;
  backend.hold_expired = hold_expired;
}

static void a_batch_fits_under_a_hold(void **state) {
  (void)state;
  static const int64_t depths[] = {1, 3, 48, 140};
  hold_streams();
  launch_ns = 5000;
  for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
    bench_measurement taken;
    layers = depths[i];
    region_count = 0;
    measure(BENCH_MODE_SUSTAINED, 0.5, &taken);
    assert_string_equal(taken.state.fault, "");
    region *samples = kept(&taken);
    assert_true(samples->launches > 70); /* of 146 that the queue takes in */
    free(samples);
    bench_measurement_free(&taken);
  }
}

/* And says so: of the case that it ran out in, and of no other. */
static void an_expired_hold_is_told(void **state) {
  (void)state;
  bench_measurement taken;
  hold_streams();
  layers = QUEUE / KERNELS_OF_A_LAYER + 1;
  measure(BENCH_MODE_WARM, 0.4, &taken);
  assert_non_null(strstr(taken.state.fault, "enqueuing took the host too long"));
  bench_measurement_free(&taken);
  expired = true;
  layers = 1;
  measure(BENCH_MODE_WARM, 0.4, &taken);
  assert_string_equal(taken.state.fault, "");
  bench_measurement_free(&taken);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(cold_flushes_once_a_sample, reset),
      cmocka_unit_test_setup(samples_take_the_whole_budget, reset),
      cmocka_unit_test_setup(warm_never_flushes, reset),
      cmocka_unit_test_setup(graph_takes_copies_in_turn, reset),
      cmocka_unit_test_setup(graph_holds_all_copies, reset),
      cmocka_unit_test(sustained_keeps_its_second_half),
      cmocka_unit_test_setup(sustained_has_new_inputs, reset),
      cmocka_unit_test_setup(short_regions_come_in_batches, reset),
      cmocka_unit_test_setup(a_batch_fits_under_a_hold, reset),
      cmocka_unit_test_setup(an_expired_hold_is_told, reset),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
