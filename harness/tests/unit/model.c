/* The forward pass against an independent one in double, on tiny checkpoints of every dtype, and
 * what a checkpoint says of itself. */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/model.h"
#include "model/checkpoint.h"
#include "model_maker.h"
#include "model_reference.h"
#include "scratch.h"

static const char *folder; /* scratch_folder() */

/* What the callback compares, and the largest difference it saw. */
typedef struct comparison {
  const made_shape *shape;
  const reference_run *wanted;
  int64_t seq;
  int64_t next_layer;
  double worst;
} comparison;

static double difference(const float *have, const double *want, int64_t count) {
  double worst = 0.0;
  for (int64_t i = 0; i < count; i++) {
    worst = fmax(worst, fabs(have[i] - want[i]));
  }
  return worst;
}

static bench_code compare_layer(void *context, int64_t layer, const float *q, const float *k,
                                const float *v) {
  comparison *with = context;
  const int64_t query = with->shape->heads_q * with->seq * with->shape->head_dim;
  const int64_t key = with->shape->heads_kv * with->seq * with->shape->head_dim;
  assert_int_equal(layer, with->next_layer);
  with->next_layer++;
  with->worst = fmax(with->worst, difference(q, with->wanted->q + layer * query, query));
  with->worst = fmax(with->worst, difference(k, with->wanted->k + layer * key, key));
  with->worst = fmax(with->worst, difference(v, with->wanted->v + layer * key, key));
  return BENCH_OK;
}

static void compare_forward(const made_shape *shape, int64_t seq, int64_t float_bytes_max) {
  made_model made;
  reference_run wanted;
  bench_model *model;
  bench_error error = {0};
  int64_t *tokens = malloc((size_t)seq * sizeof *tokens);
  assert_non_null(tokens);
  for (int64_t i = 0; i < seq; i++) {
    tokens[i] = (i * i * 7 + i * 3) % shape->vocab;
  }
  made_model_init(shape, &made);
  made_model_write(&made, folder);
  reference_run_init(&made, tokens, seq, &wanted);
  if (bench_checkpoint_open(folder, float_bytes_max, &model, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  assert_int_equal(model->floats != NULL, float_bytes_max > 0);
  comparison with = {.shape = shape, .wanted = &wanted, .seq = seq};
  double loss;
  if (bench_model_forward(model, tokens, seq, compare_layer, &with, &loss, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  const double mean_error = seq > 1 ? fabs(loss - wanted.loss_sum) / (double)(seq - 1) : loss;
  assert_int_equal(with.next_layer, shape->layers);
  if (!(mean_error < 1e-6 && with.worst < 2e-5)) {
    fail_msg("seq %" PRId64 ": the loss is off by %.1e nats/token, q, k, v by %.1e", seq,
             mean_error, with.worst);
  }
  bench_model_close(model);
  reference_run_free(&wanted);
  made_model_free(&made);
  free(tokens);
}

#define KEEP INT64_MAX
static const made_shape grouped = {2, 48, 80, 4, 2, 16, 61, true, BENCH_FP32, false};

/* Lengths around the slice of 64 rows, and the shortest ones. */
static void forward_equals_reference(void **state) {
  (void)state;
  const int64_t lengths[] = {1, 2, 63, 64, 65, 300};
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
    compare_forward(&grouped, lengths[i], KEEP);
  }
}

static void forward_of_every_storage(void **state) {
  (void)state;
  for (int dtype = 0; dtype < BENCH_DTYPE_COUNT; dtype++) {
    for (int variant = 0; variant < 4; variant++) {
      made_shape shape = grouped;
      shape.dtype = (bench_dtype)dtype;
      shape.tied = variant % 2 == 0;
      shape.unaligned = variant / 2 == 1;
      compare_forward(&shape, 70, KEEP);
      compare_forward(&shape, 70, 0);
    }
  }
}

/* One head dimension too odd for tiles, all heads apart or all sharing one, and a vocabulary of
 * more than one slice. */
static void forward_of_other_shapes(void **state) {
  (void)state;
  const made_shape shapes[] = {
      {1, 20, 12, 3, 3, 6, 9, false, BENCH_FP32, false},
      {3, 32, 40, 8, 1, 22, 30, true, BENCH_BF16, false},
      {1, 16, 24, 2, 1, 160, 11, true, BENCH_FP16, false},
      {1, 16, 24, 2, 2, 8, 20000, false, BENCH_BF16, true},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    compare_forward(&shapes[i], 80, KEEP);
    compare_forward(&shapes[i], 80, 0);
  }
}

static void info_is_the_config(void **state) {
  (void)state;
  made_shape shape = grouped;
  shape.dtype = BENCH_BF16;
  made_model made;
  bench_model *model;
  bench_model_info probed;
  made_model_init(&shape, &made);
  made_model_write(&made, folder);
  assert_int_equal(bench_model_open(folder, &model, NULL), BENCH_OK);
  assert_int_equal(bench_model_probe(folder, &probed, NULL), BENCH_OK);
  const bench_model_info *info = bench_model_get_info(model);
  assert_memory_equal(&probed, info, sizeof probed);
  assert_string_equal(info->name, strrchr(folder, '/') + 1);
  const int64_t layer = 2 * 48 + 48 * (2 * 64 + 2 * 32) + 3 * 48 * 80;
  assert_int_equal(info->params, 61 * 48 + 2 * layer + 48);
  assert_int_equal(info->head_dim, 16);
  assert_int_equal(info->context, MADE_CONTEXT);
  assert_int_equal(info->dtype, BENCH_BF16);
  assert_true(info->rms_eps == MADE_EPS && info->rope_theta == MADE_THETA && info->tied);
  bench_model_close(model);

  /* Any byte of the two files is part of the hash. */
  made.data[made.data_bytes / 2] ^= 1;
  made_model_write(&made, folder);
  assert_int_equal(bench_model_probe(folder, &probed, NULL), BENCH_OK);
  const uint64_t changed_weight = probed.hash;
  json_object_set_new(made.config, "bos_token_id", json_integer(1));
  made_model_write(&made, folder);
  assert_int_equal(bench_model_probe(folder, &probed, NULL), BENCH_OK);
  assert_true(changed_weight != probed.hash);
  made_model_free(&made);
}

/* What the config may leave out, and the tensors that exporters add. */
static void defaults_and_extras(void **state) {
  (void)state;
  made_shape shape = grouped;
  shape.heads_kv = 4;
  shape.head_dim = 12;
  made_model made;
  bench_model_info info;
  bench_error error = {0};
  const char *const optional[] = {"num_key_value_heads", "head_dim",   "rms_norm_eps", "rope_theta",
                                  "hidden_act",          "model_type", "rope_scaling"};
  made_model_init(&shape, &made);
  for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
    json_object_del(made.config, optional[i]);
  }
  const json_int_t end = (json_int_t)made.data_bytes;
  made.data = realloc(made.data, made.data_bytes + 8);
  memset(made.data + made.data_bytes, 0, 8);
  made.data_bytes += 8;
  json_object_set_new(
      made.header, "model.layers.0.self_attn.rotary_emb.inv_freq",
      json_pack("{s:s,s:[i],s:[I,I]}", "dtype", "F32", "shape", 1, "data_offsets", end, end + 4));
  json_object_set_new(
      made.header, "lm_head.weight",
      json_pack("{s:s,s:[],s:[I,I]}", "dtype", "F32", "shape", "data_offsets", end + 4, end + 8));
  made_model_write(&made, folder);
  if (bench_model_probe(folder, &info, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  assert_int_equal(info.heads_kv, 4);
  assert_int_equal(info.head_dim, 12);
  assert_true(info.rms_eps == 1e-6 && info.rope_theta == 1e4);
  made_model_free(&made);
}

static bench_code stop_at_second(void *context, int64_t layer, const float *q, const float *k,
                                 const float *v) {
  (void)q;
  (void)k;
  (void)v;
  *(int64_t *)context = layer;
  return layer == 1 ? BENCH_ERR_ENV : BENCH_OK;
}

static void forward_refuses_and_stops(void **state) {
  (void)state;
  made_model made;
  bench_model *model;
  bench_error error = {0};
  int64_t seen = -1;
  double loss;
  made_model_init(&grouped, &made);
  made_model_write(&made, folder);
  assert_int_equal(bench_model_open(folder, &model, &error), BENCH_OK);
  const char *name = bench_model_get_info(model)->name;
  char expected[256];
  const int64_t tokens[] = {3, 61, 5};
  assert_int_equal(bench_model_forward(model, tokens, 3, NULL, NULL, &loss, &error),
                   BENCH_ERR_USAGE);
  snprintf(expected, sizeof expected, "%s: token 61 at position 1 is not in the vocabulary of 61",
           name);
  assert_string_equal(error.message, expected);
  assert_int_equal(bench_model_forward(model, tokens, 0, NULL, NULL, &loss, &error),
                   BENCH_ERR_USAGE);
  assert_int_equal(bench_model_forward(model, tokens, 1, stop_at_second, &seen, &loss, &error),
                   BENCH_ERR_ENV);
  assert_int_equal(seen, 1);
  bench_model_close(model);

  /* Finite weights whose product is not. */
  const json_t *down = json_object_get(made.header, "model.layers.1.mlp.down_proj.weight");
  const json_t *offsets = json_object_get(down, "data_offsets");
  for (json_int_t at = json_integer_value(json_array_get(offsets, 0));
       at < json_integer_value(json_array_get(offsets, 1)); at += 4) {
    const float huge = 3e38f;
    memcpy(made.data + at, &huge, sizeof huge);
  }
  made_model_write(&made, folder);
  assert_int_equal(bench_model_open(folder, &model, &error), BENCH_OK);
  assert_int_equal(bench_model_forward(model, tokens, 1, NULL, NULL, NULL, &error),
                   BENCH_ERR_USAGE);
  bench_model_close(model);
  made_model_free(&made);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forward_equals_reference), cmocka_unit_test(forward_of_every_storage),
      cmocka_unit_test(forward_of_other_shapes),  cmocka_unit_test(info_is_the_config),
      cmocka_unit_test(defaults_and_extras),      cmocka_unit_test(forward_refuses_and_stops),
  };
  folder = scratch_folder();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
