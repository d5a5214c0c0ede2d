/* What is counted from the shape of a model, against totals that others state, and preset files
 * that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/config.h"
#include "src/config_models.h"

static const bench_model_shape *models;
static size_t model_count;

static int load_presets(void **state) {
  (void)state;
  bench_error error;
  if (bench_models(&models, &model_count, &error) != BENCH_OK) {
    fail_msg("%s", error.message);
  }
  return 0;
}

static const bench_model_shape *preset(const char *name) {
  for (size_t i = 0; i < model_count; i++) {
    if (strcmp(models[i].name, name) == 0) {
      return &models[i];
    }
  }
  fail_msg("there is no preset %s", name);
  return NULL;
}

/* Totals that were not counted by these formulas, at least one for each of their terms: of the
 * published checkpoints, where nothing else is said. */
static void shapes_give_known_totals(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t params;
  } known[] = {
      {"gpt2", 124439808},          {"opt-125m", 125239296},
      {"opt-350m", 331196416}, /* projections, no last norm */
      {"bert-base", 109482240},     {"bert-large", 335141888},
      {"llama-1-7b", 6738415616},   {"llama-2-13b", 13015864320},
      {"llama-2-70b", 68976648192}, /* shared keys */
      {"llama-3-8b", 8030261248},   {"llama-3-70b", 70553706496},
      {"llama-3.2-1b", 1235814400},                           /* tied */
      {"qwen2.5-0.5b", 494032768},                            /* tied, with biases */
      {"qwen2.5-7b", 7615616512},                             /* untied, with biases */
      {"qwen2.5-72b", 72706203648}, {"qwen3-8b", 8190735360}, /* norms of queries and keys */
      {"gemma-2-2b", 2614636800},   /* from its report's table 2, like the next two */
      {"gemma-2-9b", 9242164736},   /* heads * head_dim is not d_model */
      {"gemma-2-27b", 27227718144}, /* likewise */
      {"stories-260k", 260032},     /* README of tinyllamas */
      {"stories-15m", 15191712},    /* from the size of the file */
      {"stories-110m", 109529856},  /* likewise */
      {"vit-b-16", 86567656},       /* torchvision's num_params, like the next */
      {"vit-l-16", 304326632},      {"vit-h-14", 632045800},
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (preset(known[i].name)->params != known[i].params) {
      fail_msg("%s: %lld, not %lld", known[i].name, (long long)preset(known[i].name)->params,
               (long long)known[i].params);
    }
  }
}

static size_t occurrences(const char *text, const char *what) {
  size_t count = 0;
  for (const char *at = text; (at = strstr(at, what)) != NULL; at++) {
    count++;
  }
  return count;
}

/* A stated total that the shape does not give is refused at loading, so it is enough to know which
 * presets state none: the eight of GPT-3. */
static void all_but_gpt3_state_a_total(void **state) {
  (void)state;
  static char text[1 << 16];
  FILE *file = fopen(BENCH_SOURCE_DIR "/configs/models.toml", "rb");
  assert_non_null(file);
  size_t bytes = fread(text, 1, sizeof text - 1, file);
  fclose(file);
  assert_true(bytes < sizeof text - 1);
  assert_true(model_count >= 77);
  assert_string_equal(models[0].name, "gpt2");
  assert_int_equal(occurrences(text, "\n[[model]]\n"), model_count);
  assert_int_equal(occurrences(text, "\nparams = "), model_count - 8);
  for (const char *at = text; (at = strstr(at, "\nname = \"")) != NULL; at++) {
    const char *end = strstr(at, "\n\n");
    const char *params = strstr(at, "\nparams = ");
    const bool states = params != NULL && (end == NULL || params < end);
    assert_int_equal(states, strncmp(at + strlen("\nname = \""), "gpt3-", 5) != 0);
  }
  for (size_t i = 0; i < model_count; i++) {
    assert_int_equal(models[i].params, bench_model_params(&models[i]));
    assert_non_null(models[i].source);
  }
}

/* The parts that model cards and reports state apart. */
static void embeddings_are_told_apart(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int64_t rest;
  } known[] = {
      {"pythia-70m", 18915328},   {"pythia-160m", 85056000},  {"pythia-410m", 302311424},
      {"gemma-2-2b", 2024517888}, {"gemma-2-9b", 8324201984}, {"gemma-2-27b", 26047480320},
      {"llama-3-8b", 6979588096}, /* 8,030,261,248 less two tables of 128,256 by 4096 */
  };
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    const bench_model_shape *m = preset(known[i].name);
    assert_int_equal(m->params - bench_model_params_embedding(m), known[i].rest);
  }
}

static void cache_of_a_token_is_counted(void **state) {
  (void)state;
  assert_int_equal(bench_model_kv_bytes_per_token(preset("llama-2-7b"), BENCH_BF16), 524288);
  assert_int_equal(bench_model_kv_bytes_per_token(preset("llama-2-7b"), BENCH_FP32), 1048576);
  assert_int_equal(bench_model_kv_bytes_per_token(preset("llama-3-8b"), BENCH_BF16), 131072);
  assert_int_equal(bench_model_kv_bytes_per_token(preset("gemma-2-2b"), BENCH_BF16), 106496);
  assert_int_equal(bench_model_kv_bytes_per_token(preset("gpt3-13b"), BENCH_FP16), 819200);
  assert_int_equal(bench_model_kv_bytes_per_token(preset("bert-base"), BENCH_BF16), 0);
  assert_int_equal(bench_model_kv_bytes_per_token(preset("vit-b-16"), BENCH_BF16), 0);
}

static void context_ends_with_the_positions(void **state) {
  (void)state;
  assert_int_equal(bench_model_context(preset("gpt2"), 2048), 1024);
  assert_int_equal(bench_model_context(preset("gpt2"), 7), 7);
  assert_int_equal(bench_model_context(preset("opt-13b"), 2048), 2048);
  assert_int_equal(bench_model_context(preset("bert-tiny"), 2048), 512);
  assert_int_equal(bench_model_context(preset("vit-b-16"), 2048), 197);
  assert_int_equal(bench_model_context(preset("vit-h-14"), 2048), 257);
  assert_int_equal(bench_model_context(preset("llama-3-8b"), 1 << 20), 1 << 20);
}

/* Worked out by hand from the conventions; gpt3-1.3b has 24 heads of 128 and d_model 2048. */
static void flops_follow_their_conventions(void **state) {
  (void)state;
  const bench_model_shape *gpt2 = preset("gpt2");
  const int64_t attention = INT64_C(12) * 1024 * 768;
  assert_int_equal(bench_model_flops_kaplan(gpt2, 1024), 2 * INT64_C(85056000) + 2 * attention);
  assert_int_equal(bench_model_flops_palm(gpt2, 1024), 2 * INT64_C(124439808) + 4 * attention);
  const bench_model_shape *wide = preset("gpt3-1.3b");
  const int64_t wide_attention = INT64_C(24) * 2048 * 24 * 128;
  assert_int_equal(bench_model_flops_palm(wide, 2048) - 2 * wide->params, 4 * wide_attention);
  assert_int_equal(bench_model_flops_kaplan(wide, 2048) - bench_model_flops_kaplan(wide, 0),
                   2 * wide_attention);
  const bench_model_shape *bert = preset("bert-base");
  assert_int_equal(bench_model_flops_kaplan(bert, 512), 0);
  assert_int_equal(bench_model_flops_palm(bert, 512),
                   2 * INT64_C(109482240) + 4 * INT64_C(12) * 512 * 768);
}

/* The same in floating point, which cannot wrap. */
static void counts_at_the_limits_do_not_overflow(void **state) {
  (void)state;
  bench_model_shape m = {.layers = BENCH_MODEL_LAYERS_MAX,
                         .d_model = BENCH_MODEL_WIDTH_MAX,
                         .heads = BENCH_MODEL_HEADS_MAX,
                         .kv_heads = BENCH_MODEL_HEADS_MAX,
                         .head_dim = BENCH_MODEL_HEAD_DIM_MAX,
                         .ffn = BENCH_MODEL_WIDTH_MAX,
                         .vocab = BENCH_MODEL_VOCAB_MAX,
                         .positions = BENCH_MODEL_WIDTH_MAX,
                         .embed = BENCH_MODEL_WIDTH_MAX,
                         .qkv_bias = true,
                         .qk_norm = true,
                         .image = BENCH_MODEL_WIDTH_MAX,
                         .patch = 1,
                         .classes = BENCH_MODEL_VOCAB_MAX};
  const double attention = 4.0 * 0x1p12 * 0x1p24 * 0x1p21;
  for (int family = 0; family < BENCH_MODEL_FAMILY_COUNT; family++) {
    m.family = (bench_model_family)family;
    const int64_t params = bench_model_params(&m);
    assert_true(params > INT64_C(1) << 54);
    const double flops = (double)bench_model_flops_palm(&m, 1 << 24);
    assert_true(flops / (2 * (double)params + attention) > 0.999999);
  }
  m.patch = BENCH_MODEL_WIDTH_MAX;
  assert_true(bench_model_params(&m) > INT64_C(3) << 57);
  assert_true(bench_model_flops_palm(&m, 1 << 24) > INT64_C(3) << 58);
}

static const char good[] =
    "[[model]]\nname = 'a'\nfamily = 'llama'\nparams = 136\nlayers = 1\nd_model = 4\nheads = 2\n"
    "kv_heads = 1\nhead_dim = 2\nffn = 3\nvocab = 5\nsource = 'x'\n";

/* `good` with one piece replaced. */
static bench_code parse_with(const char *from, const char *to, bench_error *error) {
  char text[1024];
  const char *at = strstr(good, from);
  assert_non_null(at);
  snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
  bench_model_shape *read;
  size_t count;
  bench_code code = config_models_parse("m.toml", text, strlen(text), &read, &count, error);
  if (code == BENCH_OK) {
    assert_int_equal(count, 1);
    assert_int_equal(read[0].params, 136);
    config_models_free(read, count);
  } else {
    assert_null(read);
    assert_int_equal(count, 0);
  }
  return code;
}

static void totals_are_taken_to_the_printed_digits(void **state) {
  (void)state;
  static const char *const same[] = {"136", "'0.136K'", "'0.14K'", "'0.1K'", "'0.000136M'"};
  static const char *const other[] = {"135", "137", "'0.135K'", "'0.13K'", "'0.2K'", "'1K'"};
  static const char *const malformed[] = {"0",        "-1",    "''",    "'K'",          "'136'",
                                          "'.136K'",  "'1.K'", "'1.5'", "'0.1360K'",    "'1.2.3K'",
                                          "'0.136k'", "'1 K'", "'1KB'", "'1234567890K'"};
  bench_error error;
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    assert_int_equal(parse_with("136", same[i], &error), BENCH_OK);
  }
  for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) {
    assert_int_equal(parse_with("136", other[i], &error), BENCH_ERR_USAGE);
    assert_non_null(strstr(error.message,
                           "m.toml:4:10: params is not what the shape gives by the formula of "
                           "llama, 136\n"));
  }
  for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
    assert_int_equal(parse_with("136", malformed[i], &error), BENCH_ERR_USAGE);
    assert_non_null(strstr(error.message,
                           "m.toml:4:10: params must be a whole number above 0 or a text like "
                           "\"6.738B\"\n"));
  }
}

static void bad_presets_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *from;
    const char *to;
    const char *message; /* its first line */
  } cases[] = {
      {good, "", "m.toml:1:1: the file must hold [[model]] tables and nothing else"},
      {"[[model]]", "[[modl]]", "m.toml:1:1: the file must hold [[model]] tables and nothing else"},
      {good, "model = [1]", "m.toml:1:10: a model must be a table"},
      {"name = 'a'\n", "", "m.toml:1:1: name is missing"},
      {"name = 'a'", "name = 'a/b'",
       "m.toml:2:8: name must be 1 to 63 letters, digits, '.', '_' or '-', and begin with a letter "
       "or digit"},
      {"family = 'llama'\n", "", "m.toml:1:1: family is missing"},
      {"'llama'", "'lama'",
       "m.toml:3:10: family: unknown name \"lama\"; known are gpt2, neox, opt, bert, llama, "
       "gemma2, "
       "vit"},
      {"'llama'", "'gpt2'", "m.toml:1:1: positions is missing"},
      {"'llama'", "'neox'", "m.toml:8:12: a model of family neox has as many kv_heads as heads"},
      {"'llama'", "'vit'", "m.toml:11:1: a model of family vit has no vocab"},
      {"vocab = 5", "vocab = 5\npatch = 2", "m.toml:12:1: a model of family llama has no patch"},
      {"vocab = 5", "vocab = 5\npach = 2",
       "m.toml:12:1: unknown key \"pach\" in [[model]]; did you mean \"patch\"?"},
      {"vocab = 5", "vocab = 5\ntied = 1",
       "m.toml:12:8: tied must be true or false, not an integer"},
      {"vocab = 5", "vocab = 5\ntied = true",
       "m.toml:4:10: params is not what the shape gives by the formula of llama, 116"},
      {"vocab = 5", "vocab = 5\nqkv_bias = true",
       "m.toml:4:10: params is not what the shape gives by the formula of llama, 144"},
      {"vocab = 5", "vocab = 5\nqk_norm = true",
       "m.toml:4:10: params is not what the shape gives by the formula of llama, 140"},
      {"layers = 1", "layers = 0", "m.toml:5:10: layers must be between 1 and 4096, not 0"},
      {"head_dim = 2", "head_dim = 513",
       "m.toml:9:12: head_dim must be between 1 and 512, not 513"},
      {"kv_heads = 1", "kv_heads = 3", "m.toml:1:1: heads is not a multiple of kv_heads"},
      {"source = 'x'\n", "", "m.toml:1:1: source is missing"},
      {good,
       "[[model]]\nname = 'a'\nfamily = 'vit'\nlayers = 1\nd_model = 4\nheads = 1\nkv_heads = 1\n"
       "head_dim = 4\nffn = 3\nimage = 5\npatch = 2\nclasses = 1\nsource = 'x'\n",
       "m.toml:10:9: image is not a multiple of patch"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bench_error error;
    assert_int_equal(parse_with(cases[i].from, cases[i].to, &error), BENCH_ERR_USAGE);
    char *end = strchr(error.message, '\n');
    assert_non_null(end);
    *end = '\0';
    assert_string_equal(error.message, cases[i].message);
  }
}

static void names_are_their_own(void **state) {
  (void)state;
  char text[2 * sizeof good];
  snprintf(text, sizeof text, "%s%s", good, good);
  bench_model_shape *read;
  size_t count;
  bench_error error;
  assert_int_equal(config_models_parse("m.toml", text, strlen(text), &read, &count, &error),
                   BENCH_ERR_USAGE);
  assert_string_equal(error.message, "m.toml:13:1: a second model of the name a\n[[model]]\n^");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(shapes_give_known_totals),
      cmocka_unit_test(all_but_gpt3_state_a_total),
      cmocka_unit_test(embeddings_are_told_apart),
      cmocka_unit_test(cache_of_a_token_is_counted),
      cmocka_unit_test(context_ends_with_the_positions),
      cmocka_unit_test(flops_follow_their_conventions),
      cmocka_unit_test(counts_at_the_limits_do_not_overflow),
      cmocka_unit_test(totals_are_taken_to_the_printed_digits),
      cmocka_unit_test(bad_presets_are_refused),
      cmocka_unit_test(names_are_their_own),
  };
  return cmocka_run_group_tests(tests, load_presets, NULL);
}
