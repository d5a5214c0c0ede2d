/* Configs that must be taken: every one of golden/config/good gives the values beside it, --set
 * overrides in order, and all that is shipped in configs/ loads. */
#include <inttypes.h>
#include <math.h>
#include <time.h>

#include "bench/mask.h"
#include "config_golden.h"

typedef struct dump {
  char text[1 << 14];
  size_t length;
} dump;

static void put(dump *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(dump *d, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(d->text + d->length, sizeof d->text - d->length, format, arguments);
  va_end(arguments);
  d->length += (size_t)length;
  assert_true(d->length < sizeof d->text);
}

static void put_axis(dump *d, const char *name, const bench_axis *axis) {
  for (size_t i = 0; i < axis->count; i++) {
    put(d, "%s%s%" PRId64, i == 0 ? name : "", i == 0 ? " = " : " ", axis->values[i]);
  }
  put(d, "%s", axis->count > 0 ? "\n" : "");
}

static void put_grid(dump *d, const bench_grid *grid) {
  put(d, "grid of line %d\n", grid->line);
  for (size_t i = 0; i < grid->model_count; i++) {
    const bench_model_shape *m = &grid->models[i];
    put(d,
        "model %s params %" PRId64 " layers %" PRId64 " d_model %" PRId64 " heads %" PRId64
        "/%" PRId64 " of %" PRId64 "\n",
        m->name, m->params, m->layers, m->d_model, m->heads, m->kv_heads, m->head_dim);
  }
  put_axis(d, "seq", &grid->seq);
  put_axis(d, "seq_q", &grid->seq_q);
  put_axis(d, "seq_kv", &grid->seq_kv);
  put_axis(d, "batch", &grid->batch);
  put_axis(d, "tokens", &grid->tokens);
  put_axis(d, "heads", &grid->heads);
  put_axis(d, "kv_heads", &grid->kv_heads);
  put_axis(d, "head_dim", &grid->head_dim);
  put_axis(d, "layers", &grid->layers);
  put_axis(d, "params", &grid->params);
  for (size_t i = 0; i < grid->dtype_count; i++) {
    put(d, "dtype %s\n", bench_dtype_name(grid->dtypes[i]));
  }
  for (size_t i = 0; i < grid->mask_count; i++) {
    char text[BENCH_MASK_TEXT_MAX];
    bench_mask_format(&grid->masks[i].mask, grid->masks[i].part, text);
    put(d, "mask %s\n", text);
  }
  for (size_t i = 0; i < grid->scope_count; i++) {
    put(d, "scope %s\n", bench_scope_name(grid->scopes[i]));
  }
  for (size_t i = 0; i < grid->direction_count; i++) {
    put(d, "direction %s\n", bench_direction_name(grid->directions[i]));
  }
  for (size_t i = 0; i < grid->input_count; i++) {
    const char *path = grid->inputs[i].path;
    put(d, "input %s %s\n", bench_input_name(grid->inputs[i].input), path == NULL ? "-" : path);
  }
}

static const char *dump_config(const bench_config *config) {
  static dump d;
  d.length = 0;
  put(&d, "name %s\nkernels", config->name);
  for (size_t i = 0; i < config->kernel_count; i++) {
    put(&d, " %s", config->kernels[i]);
  }
  put(&d, "\nmodes");
  for (size_t i = 0; i < config->mode_count; i++) {
    put(&d, " %s", bench_mode_name(config->modes[i]));
  }
  put(&d, "\ncase_s %g timeout_s %g memory_fraction %g\nstats %s\nseed %" PRIu64 " text %s\n",
      config->budget_case_s, config->budget_timeout_s, config->budget_memory_fraction,
      bench_stat_set_name(config->stats), config->seed,
      config->input_text == NULL ? "-" : config->input_text);
  for (size_t i = 0; i < config->grid_count; i++) {
    put_grid(&d, &config->grids[i]);
  }
  return d.text;
}

static void check_values(const char *name) {
  char path[600];
  snprintf(path, sizeof path, "../good/%s", name); /* a folder, so that paths show it */
  bench_config config;
  bench_error error;
  if (bench_config_load(path, NULL, 0, &config, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  assert_string_equal(dump_config(&config), expected_of(name));
  assert_string_equal(config.text, read_text(name));
  assert_int_equal(config.text_bytes, strlen(config.text));
  bench_config_free(&config);
}

static void good_configs_give_their_values(void **state) {
  (void)state;
  assert_true(for_each_config(GOLDEN "good", check_values) >= 5);
}

static void sets_override_in_order(void **state) {
  (void)state;
  static const char *const sets[] = {
      "sweep.name=x",
      "grid.seq=[64]",
      "grid.mask=sink:4+window:8",
      "sweep.name=y-1",
      "sweep.budget.case_s=0.5",
      "grid.dtype=['fp16', 'bf16']",
      "sweep.kernels=flash",
      "input.seed=7",
      "stats={set='none'}",
      "input.source=uniform",
      "grid.batch=4",
  };
  bench_config config;
  bench_error error;
  if (parse_two_grids(sets, sizeof sets / sizeof sets[0], &config, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  assert_string_equal(config.name, "y-1");
  assert_int_equal(config.kernel_count, 1);
  assert_string_equal(config.kernels[0], "flash");
  assert_int_equal(config.seed, 7);
  assert_int_equal(config.stats, BENCH_STATS_NONE);
  assert_true(config.budget_case_s == 0.5);
  assert_true(config.budget_timeout_s == 0); /* by the prediction */
  assert_true(config.budget_memory_fraction == 0.9);
  assert_int_equal(config.grid_count, 2);
  for (size_t i = 0; i < config.grid_count; i++) {
    const bench_grid *grid = &config.grids[i];
    assert_int_equal(grid->seq.count, 1);
    assert_int_equal(grid->seq.values[0], 64);
    assert_int_equal(grid->batch.values[0], 4);
    assert_int_equal(grid->mask_count, 1);
    assert_int_equal(grid->masks[0].mask.kind, BENCH_MASK_SINK_WINDOW);
    assert_int_equal(grid->dtype_count, 2);
    assert_int_equal(grid->dtypes[1], BENCH_BF16);
    assert_int_equal(grid->inputs[0].input, BENCH_INPUT_UNIFORM);
  }
  assert_string_equal(config.text, two_grids);
  bench_config_free(&config);
}

static void check_loads(const char *name) {
  bench_config config;
  bench_error error;
  if (strcmp(name, "models.toml") == 0) {
    return;
  }
  if (bench_config_load(name, NULL, 0, &config, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  bench_config_free(&config);
}

static void shipped_configs_load(void **state) {
  (void)state;
  assert_true(for_each_config(BENCH_SOURCE_DIR "/configs", check_loads) >= 2);
}

/* The best of several runs, so that a busy machine does not fail it. */
static void ten_grids_take_less_than_ten_ms(void **state) {
  (void)state;
  char text[4096] = "";
  for (int i = 0; i < 10; i++) {
    snprintf(text + strlen(text), sizeof text - strlen(text),
             "[[grid]]\nmodel = ['gpt2', 'llama-3-8b']\nseq = [512, 1024, 2048, 4096, %d]\n"
             "mask = ['full', 'causal', 'window:64', 'block:density=0.5:size=64']\n",
             8192 + i);
  }
  double best_ms = INFINITY;
  for (int i = 0; i < 20; i++) {
    struct timespec begin;
    struct timespec end;
    bench_config config;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    assert_int_equal(bench_config_parse("x", "", text, strlen(text), NULL, 0, &config, NULL), 0);
    clock_gettime(CLOCK_MONOTONIC, &end);
    bench_config_free(&config);
    double ms =
        (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
    best_ms = ms < best_ms ? ms : best_ms;
  }
  print_message("10 grids: %.3f ms\n", best_ms);
  assert_true(best_ms < 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(good_configs_give_their_values),
      cmocka_unit_test(sets_override_in_order),
      cmocka_unit_test(shipped_configs_load),
      cmocka_unit_test(ten_grids_take_less_than_ten_ms),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
