/* The model presets: configs/models.toml, compiled in, read when first asked for. */
#include "src/config_models.h"

#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "src/config_read.h"

/* Generated from configs/models.toml (harness/CMakeLists.txt). */
extern const char bench_models_toml[];
extern const size_t bench_models_toml_bytes;

/* A total as it is printed: `unit` is what one in its last digit is worth. */
typedef struct stated_total {
  int64_t value;
  int64_t unit; /* 0: no total is stated */
} stated_total;

/* A preset while it is read. */
typedef struct draft {
  bench_model_shape model;
  stated_total stated;
} draft;

static bench_code read_text(config_reader *reader, const config_key *key, const bench_toml *node,
                            void *out) {
  char *copy = strdup(node->string);
  *(char **)out = copy;
  return copy == NULL ? config_no_memory(reader) : BENCH_OK;
}

static void drop_text(void *value) {
  free(*(char **)value);
  *(char **)value = NULL;
}

static const config_type text_type = {.kinds = CONFIG_KIND(STRING),
                                      .what = "a string",
                                      .bytes = sizeof(char *),
                                      .read = read_text,
                                      .drop = drop_text};

static const char *family_at(size_t index) {
  return index < BENCH_MODEL_FAMILY_COUNT ? bench_model_family_name((bench_model_family)index)
                                          : NULL;
}

static bench_code read_family(config_reader *reader, const config_key *key, const bench_toml *node,
                              void *out) {
  size_t index = 0;
  bench_code code = config_find_name(reader, key, node, &index);
  *(bench_model_family *)out = (bench_model_family)index;
  return code;
}

static const config_type family_type = {.kinds = CONFIG_KIND(STRING),
                                        .what = "a string",
                                        .bytes = sizeof(bench_model_family),
                                        .read = read_family,
                                        .name = family_at};

/* "6.738B": digits, perhaps a point and not more digits than the letter has zeros, and K, M or B.
 */
static bool parse_total(const char *text, stated_total *out) {
  enum { DIGITS_MAX = 9 }; /* with B: below 2^63 */
  static const char digits[] = "0123456789";
  static const char letters[] = "KMB";
  const size_t whole = strspn(text, digits);
  const bool point = text[whole] == '.';
  const char *fraction = text + whole + (point ? 1 : 0);
  const size_t decimals = point ? strspn(fraction, digits) : 0;
  const char *last = fraction + decimals;
  const char *letter = *last == '\0' ? NULL : strchr(letters, *last);
  if (whole == 0 || point != (decimals > 0) || whole + decimals > DIGITS_MAX || letter == NULL ||
      last[1] != '\0') {
    return false;
  }
  const size_t zeros = 3 * (size_t)(letter - letters + 1);
  if (decimals > zeros) {
    return false;
  }
  int64_t unit = 1;
  for (size_t i = decimals; i < zeros; i++) {
    unit *= 10;
  }
  int64_t value = 0;
  for (const char *c = text; c < last; c++) {
    value = *c == '.' ? value : 10 * value + (*c - '0');
  }
  *out = (stated_total){value * unit, unit};
  return true;
}

static bench_code read_total(config_reader *reader, const config_key *key, const bench_toml *node,
                             void *out) {
  stated_total *total = out;
  *total = (stated_total){node->integer, 1};
  const bool good =
      node->kind == BENCH_TOML_INTEGER ? node->integer > 0 : parse_total(node->string, total);
  return good ? BENCH_OK
              : config_fault(reader, node,
                             "%s must be a whole number above 0 or a text like \"6.738B\"",
                             key->name);
}

static const config_type total_type = {.kinds = CONFIG_KIND(INTEGER) | CONFIG_KIND(STRING),
                                       .what = "an integer or a string",
                                       .bytes = sizeof(stated_total),
                                       .read = read_total};

enum {
  NAME,
  FAMILY,
  PARAMS,
  LAYERS,
  D_MODEL,
  HEADS,
  KV_HEADS,
  HEAD_DIM,
  FFN,
  VOCAB,
  POSITIONS,
  EMBED,
  POST_NORM,
  TIED,
  QKV_BIAS,
  QK_NORM,
  IMAGE,
  PATCH,
  CLASSES,
  SOURCE,
  PRESET_KEY_COUNT
};

#define AT(field) .at = offsetof(draft, model.field)
#define SIZE(field, limit) AT(field), .min = 1, .max = BENCH_MODEL_##limit##_MAX

static const config_key preset_keys[] = {
    [NAME] = {"name", &config_name, AT(name)},
    [FAMILY] = {"family", &family_type, AT(family)},
    [PARAMS] = {"params", &total_type, .at = offsetof(draft, stated)},
    [LAYERS] = {"layers", &config_integer, SIZE(layers, LAYERS)},
    [D_MODEL] = {"d_model", &config_integer, SIZE(d_model, WIDTH)},
    [HEADS] = {"heads", &config_integer, SIZE(heads, HEADS)},
    [KV_HEADS] = {"kv_heads", &config_integer, SIZE(kv_heads, HEADS)},
    [HEAD_DIM] = {"head_dim", &config_integer, SIZE(head_dim, HEAD_DIM)},
    [FFN] = {"ffn", &config_integer, SIZE(ffn, WIDTH)},
    [VOCAB] = {"vocab", &config_integer, SIZE(vocab, VOCAB)},
    [POSITIONS] = {"positions", &config_integer, SIZE(positions, WIDTH)},
    [EMBED] = {"embed", &config_integer, SIZE(embed, WIDTH)},
    [POST_NORM] = {"post_norm", &config_boolean, AT(post_norm)},
    [TIED] = {"tied", &config_boolean, AT(tied)},
    [QKV_BIAS] = {"qkv_bias", &config_boolean, AT(qkv_bias)},
    [QK_NORM] = {"qk_norm", &config_boolean, AT(qk_norm)},
    [IMAGE] = {"image", &config_integer, SIZE(image, WIDTH)},
    [PATCH] = {"patch", &config_integer, SIZE(patch, WIDTH)},
    [CLASSES] = {"classes", &config_integer, SIZE(classes, VOCAB)},
    [SOURCE] = {"source", &text_type, AT(source)},
};
static const config_table preset_table = CONFIG_TABLE("in [[model]]", preset_keys);

#define KEY(name) (1u << (name))

/* What every family needs, and what it needs or may have besides. */
enum {
  NEEDED = KEY(NAME) | KEY(FAMILY) | KEY(LAYERS) | KEY(D_MODEL) | KEY(HEADS) | KEY(KV_HEADS) |
           KEY(HEAD_DIM) | KEY(FFN) | KEY(SOURCE),
  ALLOWED = KEY(PARAMS)
};

static const struct {
  unsigned needed;
  unsigned allowed;
  bool shared_keys; /* kv_heads may be fewer than heads: the formula reads them */
} family_keys[BENCH_MODEL_FAMILY_COUNT] = {
    [BENCH_MODEL_GPT2] = {.needed = KEY(VOCAB) | KEY(POSITIONS)},
    [BENCH_MODEL_NEOX] = {.needed = KEY(VOCAB)},
    [BENCH_MODEL_OPT] = {.needed = KEY(VOCAB) | KEY(POSITIONS),
                         .allowed = KEY(EMBED) | KEY(POST_NORM)},
    [BENCH_MODEL_BERT] = {.needed = KEY(VOCAB) | KEY(POSITIONS)},
    [BENCH_MODEL_LLAMA] = {.needed = KEY(VOCAB),
                           .allowed = KEY(TIED) | KEY(QKV_BIAS) | KEY(QK_NORM),
                           .shared_keys = true},
    [BENCH_MODEL_GEMMA2] = {.needed = KEY(VOCAB), .shared_keys = true},
    [BENCH_MODEL_VIT] = {.needed = KEY(IMAGE) | KEY(PATCH) | KEY(CLASSES)},
};

/* The keys that the family must and may have. */
static bench_code check_keys(config_reader *reader, const bench_model_shape *model,
                             const bench_toml *node, const bench_toml *const *given) {
  unsigned needed = NEEDED;
  unsigned allowed = ALLOWED;
  if (given[FAMILY] != NULL) {
    needed |= family_keys[model->family].needed;
    allowed |= family_keys[model->family].allowed;
  }
  for (size_t i = 0; i < PRESET_KEY_COUNT; i++) {
    if (given[i] == NULL && (needed & KEY(i)) != 0) {
      return config_fault(reader, node, "%s is missing", preset_keys[i].name);
    }
    if (given[i] != NULL && ((needed | allowed) & KEY(i)) == 0) {
      return config_fault_key(reader, given[i], "a model of family %s has no %s",
                              bench_model_family_name(model->family), preset_keys[i].name);
    }
  }
  return BENCH_OK;
}

/* What the keys must be to each other; then the total that the shape gives. */
static bench_code check_shape(config_reader *reader, draft *preset, const bench_toml *node,
                              const bench_toml *const *given) {
  bench_model_shape *model = &preset->model;
  const char *family = bench_model_family_name(model->family);
  if (model->heads % model->kv_heads != 0) {
    return config_fault(reader, node, "heads is not a multiple of kv_heads");
  }
  if (model->heads != model->kv_heads && !family_keys[model->family].shared_keys) {
    return config_fault(reader, given[KV_HEADS],
                        "a model of family %s has as many kv_heads as heads", family);
  }
  if (given[IMAGE] != NULL && model->image % model->patch != 0) {
    return config_fault(reader, given[IMAGE], "image is not a multiple of patch");
  }
  model->params = bench_model_params(model);
  const stated_total stated = preset->stated;
  if (stated.unit > 0 && llabs(model->params - stated.value) > stated.unit / 2) {
    return config_fault(reader, given[PARAMS],
                        "params is not what the shape gives by the formula of %s, %" PRId64, family,
                        model->params);
  }
  return BENCH_OK;
}

static bench_code check_name(config_reader *reader, const bench_toml *node,
                             const bench_model_shape *models, size_t before) {
  for (size_t i = 0; i < before; i++) {
    if (strcmp(models[i].name, models[before].name) == 0) {
      return config_fault(reader, node, "a second model of the name %s", models[before].name);
    }
  }
  return BENCH_OK;
}

/* Sets *out whether it succeeds or not; its source is there to free either way. */
static bench_code read_preset(config_reader *reader, const bench_toml *node,
                              bench_model_shape *out) {
  const bench_toml *given[PRESET_KEY_COUNT] = {NULL};
  draft preset = {.stated = {0}};
  bench_code code = config_read_table(reader, &preset_table, node, &preset, given);
  if (code == BENCH_OK) {
    code = check_keys(reader, &preset.model, node, given);
  }
  if (code == BENCH_OK) {
    code = check_shape(reader, &preset, node, given);
  }
  *out = preset.model;
  return code;
}

static bench_code read_all(config_reader *reader, const bench_toml *root,
                           bench_model_shape **models, size_t *count) {
  const bench_toml *list = root->count == 1 ? &root->item[0] : root;
  if (list->kind != BENCH_TOML_LIST || strcmp(list->key, "model") != 0) {
    return config_fault(reader, list, "the file must hold [[model]] tables and nothing else");
  }
  *models = calloc(list->count + 1, sizeof **models);
  if (*models == NULL) {
    return config_no_memory(reader);
  }
  bench_code code = BENCH_OK;
  for (; code == BENCH_OK && *count < list->count; (*count)++) {
    const bench_toml *node = &list->item[*count];
    if (node->kind != BENCH_TOML_TABLE) {
      return config_fault(reader, node, "a model must be a table");
    }
    code = read_preset(reader, node, &(*models)[*count]);
    if (code == BENCH_OK) {
      code = check_name(reader, node, *models, *count);
    }
  }
  return code;
}

bench_code config_models_parse(const char *label, const char *text, size_t bytes,
                               bench_model_shape **models, size_t *count, bench_error *error) {
  const config_source source = {label, text, bytes};
  config_reader reader = {.sources = &source, .folder = "", .error = error};
  bench_toml root;
  *models = NULL;
  *count = 0;
  bench_code code = config_read_text(&reader, 0, &root);
  if (code != BENCH_OK) {
    return code;
  }
  code = read_all(&reader, &root, models, count);
  bench_toml_free(&root);
  if (code != BENCH_OK) {
    config_models_free(*models, *count);
    *models = NULL;
    *count = 0;
  }
  return code;
}

void config_models_free(bench_model_shape *models, size_t count) {
  for (size_t i = 0; i < count; i++) {
    free((char *)models[i].source);
  }
  free(models);
}

static struct {
  bench_model_shape *models;
  size_t count;
  bench_code code; /* of the one reading */
  bench_error error;
} presets;
static pthread_once_t presets_once = PTHREAD_ONCE_INIT;

static void read_once(void) {
  presets.code =
      config_models_parse("configs/models.toml", bench_models_toml, bench_models_toml_bytes,
                          &presets.models, &presets.count, &presets.error);
}

bench_code bench_models(const bench_model_shape **models, size_t *count, bench_error *error) {
  pthread_once(&presets_once, read_once);
  if (presets.code != BENCH_OK) {
    return bench_fail(error, presets.code, "%s", presets.error.message);
  }
  *models = presets.models;
  *count = presets.count;
  return BENCH_OK;
}
