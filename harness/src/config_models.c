/* The model presets: configs/models.toml, compiled in, read when first asked for. */
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "src/config_read.h"

/* Generated from configs/models.toml (harness/CMakeLists.txt). */
extern const char bench_models_toml[];
extern const size_t bench_models_toml_bytes;

typedef struct presets {
  bench_model_shape *models;
  size_t count;
  bench_code code; /* of the one reading */
  bench_error error;
} presets;

static bench_code read_text(config_reader *reader, const config_key *key, const bench_toml *node,
                            void *out) {
  char *copy = strdup(node->string);
  *(char **)out = copy;
  return copy == NULL ? config_no_memory(reader) : BENCH_OK;
}

static const config_type text_type = {
    .kinds = CONFIG_KIND(STRING), .what = "a string", .bytes = sizeof(char *), .read = read_text};

#define AT(field) .at = offsetof(bench_model_shape, field)
#define SIZE(field) AT(field), .min = 1, .max = INT64_C(1) << 24

static const config_key preset_keys[] = {
    {"name", &config_name, AT(name)},
    {"params", &config_integer, AT(params), .min = 1, .max = INT64_MAX},
    {"layers", &config_integer, SIZE(layers)},
    {"d_model", &config_integer, SIZE(d_model)},
    {"heads", &config_integer, SIZE(heads)},
    {"kv_heads", &config_integer, SIZE(kv_heads)},
    {"head_dim", &config_integer, AT(head_dim), .min = 1, .max = 512},
    {"ffn", &config_integer, SIZE(ffn)},
    {"vocab", &config_integer, SIZE(vocab)},
    {"source", &text_type, AT(source)},
};
enum { PRESET_KEY_COUNT = sizeof preset_keys / sizeof preset_keys[0] };
static const config_table preset_table = CONFIG_TABLE("in [[model]]", preset_keys);

/* Every key of a preset is required, and its name is its own. */
static bench_code read_preset(config_reader *reader, presets *all, const bench_toml *node) {
  const bench_toml *given[PRESET_KEY_COUNT] = {NULL};
  bench_model_shape *model = &all->models[all->count++];
  bench_code code = config_read_table(reader, &preset_table, node, model, given);
  for (size_t i = 0; code == BENCH_OK && i < PRESET_KEY_COUNT; i++) {
    if (given[i] == NULL) {
      code = config_fault(reader, node, "%s is missing", preset_keys[i].name);
    }
  }
  if (code == BENCH_OK && model->heads % model->kv_heads != 0) {
    code = config_fault(reader, node, "heads is not a multiple of kv_heads");
  }
  for (size_t i = 0; code == BENCH_OK && i + 1 < all->count; i++) {
    if (strcmp(all->models[i].name, model->name) == 0) {
      code = config_fault(reader, node, "a second model of the name %s", model->name);
    }
  }
  return code;
}

static bench_code read_all(config_reader *reader, presets *all) {
  bench_toml root;
  bench_code code = config_read_text(reader, 0, &root);
  if (code != BENCH_OK) {
    return code;
  }
  const bench_toml *list = root.count == 1 ? &root.item[0] : &root;
  if (list->kind != BENCH_TOML_LIST) {
    code = config_fault(reader, list, "the file must hold [[model]] tables and nothing else");
  } else {
    all->models = calloc(list->count + 1, sizeof *all->models);
    code = all->models == NULL ? config_no_memory(reader) : BENCH_OK;
  }
  for (size_t i = 0; code == BENCH_OK && i < list->count; i++) {
    code = read_preset(reader, all, &list->item[i]);
  }
  bench_toml_free(&root);
  return code;
}

static presets the_presets;
static pthread_once_t presets_once = PTHREAD_ONCE_INIT;

static void read_once(void) {
  const config_source source = {"configs/models.toml", bench_models_toml, bench_models_toml_bytes};
  config_reader reader = {.sources = &source, .folder = "", .error = &the_presets.error};
  the_presets.code = read_all(&reader, &the_presets);
}

bench_code bench_models(const bench_model_shape **models, size_t *count, bench_error *error) {
  pthread_once(&presets_once, read_once);
  if (the_presets.code != BENCH_OK) {
    return bench_fail(error, the_presets.code, "%s", the_presets.error.message);
  }
  *models = the_presets.models;
  *count = the_presets.count;
  return BENCH_OK;
}
