/* The trained checkpoints of configs/checkpoints against what PyTorch measured on them
 * (reference.json, written by train.py): the loss in windows of two lengths, and for the first
 * bytes the most likely next byte and the entropy of every attention head. */
#include <glob.h>
#include <jansson.h>
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
#include "model/forward.h"
#include "model/layers.h"

#define LOSS_TOLERANCE 1e-5
#define ENTROPY_TOLERANCE 1e-4

typedef struct trained {
  bench_model *model;
  bench_tokens text;
  json_t *reference;
} trained;

static void open_trained(const char *reference_path, trained *out) {
  char folder[PATH_MAX];
  char text[PATH_MAX];
  bench_error error = {0};
  snprintf(folder, sizeof folder, "%s", reference_path);
  *strrchr(folder, '/') = '\0';
  bench_model_text_path(folder, NULL, text);
  out->reference = json_load_file(reference_path, 0, NULL);
  assert_non_null(out->reference);
  if (bench_model_open(folder, &out->model, &error) != BENCH_OK ||
      bench_tokens_load(text, false, out->model->info.vocab, &out->text, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
}

static void close_trained(trained *with) {
  bench_model_close(with->model);
  bench_tokens_free(&with->text);
  json_decref(with->reference);
}

static void compare_loss(const trained *with, int64_t window) {
  char key[32];
  snprintf(key, sizeof key, "window_%d", (int)window);
  const json_t *losses = json_object_get(json_object_get(with->reference, "losses"), key);
  const double wanted = json_number_value(json_object_get(losses, "mean_nats_per_byte"));
  const int64_t windows = json_integer_value(json_object_get(losses, "windows"));
  double total = 0.0;
  assert_int_equal(windows, with->text.count / window);
  for (int64_t i = 0; i < windows; i++) {
    double loss;
    bench_error error = {0};
    if (bench_model_forward(with->model, with->text.ids + i * window, window, NULL, NULL, &loss,
                            &error) != BENCH_OK) {
      fail_msg("%s", error.message);
    }
    total += loss;
  }
  const double mean = total / (double)(windows * (window - 1));
  print_message("%s: windows of %d: loss %.8f, PyTorch %.8f\n", with->model->info.name, (int)window,
                mean, wanted);
  assert_true(fabs(mean - wanted) < LOSS_TOLERANCE);
}

/* Mean entropy of rows 1 .. seq-1 of one head, in double. */
static double entropy_of(const float *q, const float *k, int64_t seq, int64_t dim) {
  double total = 0.0;
  double *s = malloc((size_t)seq * sizeof *s);
  assert_non_null(s);
  for (int64_t i = 1; i < seq; i++) {
    double max = -INFINITY;
    double sum = 0.0;
    double weighted = 0.0;
    for (int64_t j = 0; j <= i; j++) {
      s[j] = 0.0;
      for (int64_t d = 0; d < dim; d++) {
        s[j] += (double)q[i * dim + d] * k[j * dim + d] / sqrt((double)dim);
      }
      max = fmax(max, s[j]);
    }
    for (int64_t j = 0; j <= i; j++) {
      sum += exp(s[j] - max);
      weighted += exp(s[j] - max) * (s[j] - max);
    }
    total += log(sum) - weighted / sum;
  }
  free(s);
  return total / (double)(seq - 1);
}

typedef struct entropies {
  const bench_model_info *info;
  const json_t *wanted; /* [layer][head] */
  int64_t seq;
  double worst;
} entropies;

static bench_code compare_entropies(void *context, int64_t layer, const float *q, const float *k,
                                    const float *v) {
  (void)v;
  entropies *with = context;
  const int64_t head_elements = with->seq * with->info->head_dim;
  for (int64_t h = 0; h < with->info->heads_q; h++) {
    const int64_t kv = h / (with->info->heads_q / with->info->heads_kv);
    const double have =
        entropy_of(q + h * head_elements, k + kv * head_elements, with->seq, with->info->head_dim);
    const json_t *row = json_array_get(with->wanted, (size_t)layer);
    const json_t *want = json_array_get(row, (size_t)h);
    assert_true(json_is_number(want));
    with->worst = fmax(with->worst, fabs(have - json_number_value(want)));
  }
  return BENCH_OK;
}

/* Bytes that two implementations may rank differently are those of nearly equal logits; there are
 * none in the reference, so every argmax must agree. */
static void compare_facts(const trained *with, const char *key) {
  const json_t *facts = json_object_get(with->reference, key);
  const json_t *argmax = json_object_get(facts, "argmax");
  const int64_t seq = json_integer_value(json_object_get(facts, "bytes"));
  const int64_t vocab = with->model->info.vocab;
  entropies compared = {&with->model->info, json_object_get(facts, "attention_entropy"), seq, 0.0};
  float *hidden;
  bench_error error = {0};
  if (bench_model_hidden(with->model, with->text.ids, seq, compare_entropies, &compared, &hidden,
                         &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  float *logits = malloc((size_t)(seq * vocab) * sizeof *logits);
  assert_non_null(logits);
  bench_linear(hidden, bench_model_head(with->model)->values, seq, vocab, with->model->info.hidden,
               0.0f, logits);
  int different = 0;
  for (int64_t i = 0; i < seq; i++) {
    int64_t best = 0;
    for (int64_t t = 1; t < vocab; t++) {
      best = logits[i * vocab + t] > logits[i * vocab + best] ? t : best;
    }
    different += best != json_integer_value(json_array_get(argmax, (size_t)i));
  }
  print_message("%s: first %d bytes: %d argmax differ, entropies off by %.1e\n",
                with->model->info.name, (int)seq, different, compared.worst);
  free(logits);
  free(hidden);
  assert_int_equal(different, 0);
  assert_true(compared.worst < ENTROPY_TOLERANCE);
}

static void equals_pytorch(void **state) {
  (void)state;
  glob_t found;
  if (glob(BENCH_SOURCE_DIR "/configs/checkpoints/*/reference.json", 0, NULL, &found) != 0) {
    skip();
  }
  for (size_t i = 0; i < found.gl_pathc; i++) {
    trained with;
    open_trained(found.gl_pathv[i], &with);
    compare_loss(&with, 1024);
    compare_loss(&with, 256);
    compare_facts(&with, "first_64_bytes");
    compare_facts(&with, "first_1024_bytes");
    close_trained(&with);
  }
  globfree(&found);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(equals_pytorch)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
