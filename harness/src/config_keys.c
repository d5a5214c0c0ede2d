/* The keys of a config, one row each, and the types that are not plain numbers. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend.h"
#include "bench/mask.h"
#include "src/config_draft.h"

static const char *const mode_names[] = {"cold", "warm", "graph", "sustained"};
static const char *const stat_set_names[] = {"none", "core", "full"};

const char *bench_mode_name(bench_mode mode) {
  return mode_names[mode];
}

bool bench_mode_parse(const char *text, bench_mode *out) {
  for (int i = 0; i < BENCH_MODE_COUNT; i++) {
    if (strcmp(mode_names[i], text) == 0) {
      *out = (bench_mode)i;
      return true;
    }
  }
  return false;
}

const char *bench_stat_set_name(bench_stat_set set) {
  return stat_set_names[set];
}

/* Values of an enum are the indexes of their names; every enum here has the size of an int. */
static bench_code read_enum(config_reader *reader, const config_key *key, const bench_toml *node,
                            void *out) {
  size_t index = 0;
  bench_code code = config_find_name(reader, key, node, &index);
  int value = (int)index;
  memcpy(out, &value, sizeof value);
  return code;
}

static bool same_enum(const void *a, const void *b) {
  return memcmp(a, b, sizeof(int)) == 0;
}

/* A type whose values are the names that `name_of` gives for 0 .. count - 1. */
#define CONFIG_ENUM(type, count, name_of)                                         \
  _Static_assert(sizeof(bench_##type) == sizeof(int), "read_enum writes an int"); \
  static const char *type##_at(size_t index) {                                    \
    return index < (size_t)(count) ? name_of((bench_##type)index) : NULL;         \
  }                                                                               \
  static const config_type type##_type = {.kinds = CONFIG_KIND(STRING),           \
                                          .what = "a string",                     \
                                          .bytes = sizeof(int),                   \
                                          .read = read_enum,                      \
                                          .same = same_enum,                      \
                                          .name = type##_at}
CONFIG_ENUM(mode, BENCH_MODE_COUNT, bench_mode_name);
CONFIG_ENUM(stat_set, BENCH_STATS_FULL + 1, bench_stat_set_name);
CONFIG_ENUM(dtype, BENCH_DTYPE_COUNT, bench_dtype_name);
CONFIG_ENUM(scope, BENCH_SCOPE_COUNT, bench_scope_name);
CONFIG_ENUM(direction, BENCH_DIRECTION_COUNT, bench_direction_name);

static const char *family_at(size_t index) {
  return index < bench_family_count ? bench_families[index] : NULL;
}

/* FAMILY or FAMILY/VARIANT. Which variants there are is the backend's to know. */
static bench_code read_kernel(config_reader *reader, const config_key *key, const bench_toml *node,
                              void *out) {
  char *name = strdup(node->string);
  if (name == NULL) {
    return config_no_memory(reader);
  }
  bench_toml family = *node;
  family.string = name;
  char *slash = strchr(name, '/');
  if (slash != NULL) {
    *slash = '\0';
  }
  size_t ignored;
  bench_code code = config_find_name(reader, key, &family, &ignored);
  if (code == BENCH_OK && slash != NULL) {
    *slash = '/';
    const size_t letters = strspn(slash + 1, "abcdefghijklmnopqrstuvwxyz0123456789_");
    if (letters == 0 || slash[1 + letters] != '\0' || strlen(name) >= BENCH_NAME_MAX) {
      code = config_fault(reader, node,
                          "%s: a variant is named by a-z, 0-9 and _, with the family in at most %d "
                          "characters",
                          key->name, BENCH_NAME_MAX - 1);
    }
  }
  if (code != BENCH_OK) {
    free(name);
    name = NULL;
  }
  *(char **)out = name;
  return code;
}

static bool same_kernel(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b) == 0;
}

static const char *model_at(size_t index) {
  const bench_model_shape *models;
  size_t count;
  return bench_models(&models, &count, NULL) == BENCH_OK && index < count ? models[index].name
                                                                          : NULL;
}

static bench_code read_model(config_reader *reader, const config_key *key, const bench_toml *node,
                             void *out) {
  const bench_model_shape *models;
  size_t count;
  size_t index;
  bench_code code = bench_models(&models, &count, reader->error);
  if (code == BENCH_OK) {
    code = config_find_name(reader, key, node, &index);
  }
  if (code == BENCH_OK) {
    *(bench_model_shape *)out = models[index];
  }
  return code;
}

static bool same_model(const void *a, const void *b) {
  return strcmp(((const bench_model_shape *)a)->name, ((const bench_model_shape *)b)->name) == 0;
}

static const config_type model_type = {.kinds = CONFIG_KIND(STRING),
                                       .what = "a string",
                                       .bytes = sizeof(bench_model_shape),
                                       .read = read_model,
                                       .same = same_model,
                                       .name = model_at};

static bench_code read_mask(config_reader *reader, const config_key *key, const bench_toml *node,
                            void *out) {
  bench_error wrong;
  if (bench_mask_parse(node->string, out, &wrong) != BENCH_OK) {
    return config_fault(reader, node, "%s", wrong.message);
  }
  return BENCH_OK;
}

static bool same_mask(const void *a, const void *b) {
  return memcmp(a, b, sizeof(bench_mask_choice)) == 0; /* bench_mask_parse clears the padding */
}

static const config_type mask_type = {.kinds = CONFIG_KIND(STRING),
                                      .what = "a string",
                                      .bytes = sizeof(bench_mask_choice),
                                      .read = read_mask,
                                      .same = same_mask};

/* A generator's name, or "model:" and the path of a checkpoint. */
static const char *source_at(size_t index) {
  if (index == BENCH_INPUT_MODEL) {
    return "model:PATH";
  }
  return index < BENCH_INPUT_COUNT ? bench_input_name((bench_input)index) : NULL;
}

static bench_code read_source(config_reader *reader, const config_key *key, const bench_toml *node,
                              void *out) {
  static const char prefix[] = "model:";
  bench_source *source = out;
  if (strncmp(node->string, prefix, sizeof prefix - 1) != 0) {
    size_t index = 0;
    bench_code code = config_find_name(reader, key, node, &index);
    *source = (bench_source){.input = (bench_input)index};
    return code;
  }
  const char *path = node->string + sizeof prefix - 1;
  if (path[0] == '\0') {
    return config_fault(reader, node, "%s: after \"model:\" stands the path of a checkpoint",
                        key->name);
  }
  *source = (bench_source){BENCH_INPUT_MODEL, config_path(reader->folder, path)};
  return source->path == NULL ? config_no_memory(reader) : BENCH_OK;
}

static bool same_source(const void *a, const void *b) {
  const bench_source *x = a;
  const bench_source *y = b;
  return x->input == y->input && (x->path == NULL || strcmp(x->path, y->path) == 0);
}

static void drop_source(void *value) {
  bench_source *source = value;
  free(source->path);
  source->path = NULL;
}

static const config_type source_type = {.kinds = CONFIG_KIND(STRING),
                                        .what = "a string",
                                        .bytes = sizeof(bench_source),
                                        .read = read_source,
                                        .same = same_source,
                                        .drop = drop_source,
                                        .name = source_at};

static bench_code read_path(config_reader *reader, const config_key *key, const bench_toml *node,
                            void *out) {
  if (node->string_bytes == 0) {
    return config_fault(reader, node, "%s must not be empty", key->name);
  }
  *(char **)out = config_path(reader->folder, node->string);
  return *(char **)out == NULL ? config_no_memory(reader) : BENCH_OK;
}

static void drop_path(void *value) {
  free(*(char **)value);
  *(char **)value = NULL;
}

static const config_type path_type = {.kinds = CONFIG_KIND(STRING),
                                      .what = "a string",
                                      .bytes = sizeof(char *),
                                      .read = read_path,
                                      .drop = drop_path};

static const config_type kernel_type = {.kinds = CONFIG_KIND(STRING),
                                        .what = "a string",
                                        .bytes = sizeof(char *),
                                        .read = read_kernel,
                                        .same = same_kernel,
                                        .drop = drop_path,
                                        .name = family_at};

/* A grid of the file: the defaults, then the keys of its own table. */
static bench_code add_grid(config_reader *reader, config_draft *draft, const bench_toml *node) {
  if (node->kind != BENCH_TOML_TABLE) {
    return config_fault(reader, node, "a grid must be a table");
  }
  bench_config *config = &draft->config;
  config_grid_note *note = &draft->notes[config->grid_count];
  bench_grid *grid = &config->grids[config->grid_count++];
  grid->line = node->line;
  note->header = node;
  bench_code code = config_read_table(reader, &config_grid_table, draft->grid_defaults, grid, NULL);
  if (code == BENCH_OK) {
    code = config_read_table(reader, &config_grid_table, node, grid, note->given);
  }
  return code;
}

/* All grids of the file; they are one list, even where the [[grid]] stand apart. */
static bench_code add_grids(config_reader *reader, config_draft *draft, const bench_toml *node) {
  if (node->count > CONFIG_LIST_MAX) {
    return config_fault(reader, node, "there are %zu grids; a config may have %d", node->count,
                        CONFIG_LIST_MAX);
  }
  draft->config.grids = calloc(node->count + 1, sizeof *draft->config.grids);
  draft->notes = calloc(node->count + 1, sizeof *draft->notes);
  if (draft->config.grids == NULL || draft->notes == NULL) {
    return config_no_memory(reader);
  }
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && i < node->count; i++) {
    code = add_grid(reader, draft, &node->item[i]);
  }
  return code;
}

/* In the defaults a table; in the file [[grid]], a list of tables; from --set a table again, whose
 * keys go to every grid. */
static bench_code read_grids(config_reader *reader, const config_key *key, const bench_toml *node,
                             void *out) {
  config_draft *draft = out;
  bench_config *config = &draft->config;
  if (node->origin == CONFIG_DEFAULTS) {
    draft->grid_defaults = node;
    return BENCH_OK;
  }
  if ((node->origin == CONFIG_FILE) != (node->kind == BENCH_TOML_LIST)) {
    return config_fault(reader, node,
                        node->origin == CONFIG_FILE
                            ? "a grid is written [[grid]], in double brackets"
                            : "name one key of the grids, as in grid.seq=[64]");
  }
  if (node->kind == BENCH_TOML_LIST) {
    return add_grids(reader, draft, node);
  }
  if (config->grid_count == 0) {
    return config_fault_key(reader, node, "there is no [[grid]] that this could apply to");
  }
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && i < config->grid_count; i++) {
    code = config_read_table(reader, &config_grid_table, node, &config->grids[i],
                             draft->notes[i].given);
  }
  return code;
}

static const config_type grids_type = {.kinds = CONFIG_KIND(LIST) | CONFIG_KIND(TABLE),
                                       .what = "a list of tables, written [[grid]]",
                                       .read = read_grids};

/* What stands in a row after name and type: where the value lies in the struct. */
#define LIST(field, counter) \
  .list = true, .at = offsetof(bench_grid, field), .count_at = offsetof(bench_grid, counter)
#define AXIS(field) LIST(field.values, field.count), .min = 1
#define SIZE_LIMIT (INT64_C(1) << 24)

static const config_key grid_keys[] = {
    [GRID_MODEL] = {"model", &model_type, LIST(models, model_count)},
    [GRID_SEQ] = {"seq", &config_integer, AXIS(seq), .max = SIZE_LIMIT},
    [GRID_SEQ_Q] = {"seq_q", &config_integer, AXIS(seq_q), .max = SIZE_LIMIT},
    [GRID_SEQ_KV] = {"seq_kv", &config_integer, AXIS(seq_kv), .max = SIZE_LIMIT},
    [GRID_BATCH] = {"batch", &config_integer, AXIS(batch), .max = SIZE_LIMIT},
    [GRID_TOKENS] = {"tokens", &config_integer, AXIS(tokens), .max = SIZE_LIMIT * SIZE_LIMIT},
    [GRID_HEADS] = {"heads", &config_integer, AXIS(heads), .max = SIZE_LIMIT},
    [GRID_KV_HEADS] = {"kv_heads", &config_integer, AXIS(kv_heads), .max = SIZE_LIMIT},
    [GRID_HEAD_DIM] = {"head_dim", &config_integer, AXIS(head_dim), .max = 512},
    [GRID_LAYERS] = {"layers", &config_integer, AXIS(layers), .max = SIZE_LIMIT},
    [GRID_PARAMS] = {"params", &config_integer, AXIS(params), .max = INT64_MAX},
    [GRID_DTYPE] = {"dtype", &dtype_type, LIST(dtypes, dtype_count)},
    [GRID_MASK] = {"mask", &mask_type, LIST(masks, mask_count)},
    [GRID_SCOPE] = {"scope", &scope_type, LIST(scopes, scope_count)},
    [GRID_DIRECTION] = {"direction", &direction_type, LIST(directions, direction_count)},
    [GRID_INPUT] = {"input", &source_type, LIST(inputs, input_count)},
};
const config_table config_grid_table = CONFIG_TABLE("in [[grid]]", grid_keys);

#undef LIST
#define AT(field) .at = offsetof(config_draft, field)
#define LIST(field, counter) .list = true, AT(field), .count_at = offsetof(config_draft, counter)

static const config_key budget_keys[] = {
    {"case_s", &config_number, AT(config.budget_case_s), .most = 1e6},
    {"timeout_s", &config_number, AT(config.budget_timeout_s), .most = 1e8},
    {"memory_fraction", &config_number, AT(config.budget_memory_fraction), .most = 1},
};
static const config_table budget_table = CONFIG_TABLE("in budget", budget_keys);

static const config_key sweep_keys[] = {
    {"name", &config_name, AT(config.name)},
    {"kernels", &kernel_type, LIST(config.kernels, config.kernel_count)},
    {"modes", &mode_type, LIST(config.modes, config.mode_count)},
    {"budget", &config_group, .table = &budget_table},
};
static const config_table sweep_table = CONFIG_TABLE("in [sweep]", sweep_keys);

static const config_key stats_keys[] = {
    {"set", &stat_set_type, AT(config.stats)},
};
static const config_table stats_table = CONFIG_TABLE("in [stats]", stats_keys);

static const config_key input_keys[] = {
    {"source", &source_type, AT(source)},
    {"seed", &config_integer, AT(config.seed), .min = 0, .max = INT64_MAX},
    {"text", &path_type, AT(config.input_text)},
};
static const config_table input_table = CONFIG_TABLE("in [input]", input_keys);

static const config_key root_keys[] = {
    {"sweep", &config_group, .table = &sweep_table},
    {"grid", .type = &grids_type},
    {"stats", &config_group, .table = &stats_table},
    {"input", &config_group, .table = &input_table},
};
const config_table config_root_table = CONFIG_TABLE("at the top level", root_keys);
