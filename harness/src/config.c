/* bench_config: reads the defaults, the file and each --set in turn, as trees of TOML, into one
 * draft by the same tables of keys; then checks what only the whole can show. */
#include "bench/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend.h"
#include "src/config_draft.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static const char defaults[] =
    "sweep = { modes = ['cold'], budget = { case_s = 20.0, memory_fraction = 0.9 } }\n"
    "stats = { set = 'core' }\n"
    "input = { source = 'normal', seed = 1 }\n"
    "[grid]\n"
    "batch = 1\n"
    "dtype = 'fp32'\n"
    "mask = 'causal'\n"
    "scope = 'attention'\n"
    "direction = 'fwd'\n";

char *config_path(const char *folder, const char *text) {
  if (text[0] == '/' || folder[0] == '\0') {
    return strdup(text);
  }
  size_t bytes = strlen(folder) + strlen(text) + 2;
  char *path = malloc(bytes);
  if (path != NULL) {
    snprintf(path, bytes, "%s/%s", folder, text);
  }
  return path;
}

void bench_config_free(bench_config *config) {
  for (size_t i = 0; i < config->grid_count; i++) {
    config_drop(&config_grid_table, &config->grids[i]);
  }
  free(config->grids);
  free(config->text);
  for (size_t i = 0; i < config->kernel_count; i++) {
    free(config->kernels[i]);
  }
  free(config->kernels);
  free(config->modes);
  free(config->input_text);
  *config = (bench_config){0};
}

/* All families, where the config names none. */
static bench_code default_kernels(config_reader *reader, bench_config *config) {
  if (config->kernel_count > 0) {
    return BENCH_OK;
  }
  config->kernels = malloc(bench_family_count * sizeof *config->kernels);
  if (config->kernels == NULL) {
    return config_no_memory(reader);
  }
  for (; config->kernel_count < bench_family_count; config->kernel_count++) {
    char *name = strdup(bench_families[config->kernel_count]);
    if (name == NULL) {
      return config_no_memory(reader);
    }
    config->kernels[config->kernel_count] = name;
  }
  return BENCH_OK;
}

/* The file's name without folder and ".toml", where that can be a name. */
static void default_name(const char *label, char name[BENCH_NAME_MAX]) {
  if (name[0] != '\0') {
    return;
  }
  const char *slash = strrchr(label, '/');
  const char *file = slash == NULL ? label : slash + 1;
  size_t length = strlen(file);
  if (length > 5 && strcmp(file + length - 5, ".toml") == 0) {
    length -= 5;
  }
  snprintf(name, BENCH_NAME_MAX, "%.*s", (int)length, file);
  if (length >= BENCH_NAME_MAX || !config_is_name(name)) {
    snprintf(name, BENCH_NAME_MAX, "sweep");
  }
}

/* [input] source for a grid that names no input; and batch = 1 gives way to tokens. */
static bench_code default_grid(config_reader *reader, const config_draft *draft,
                               const config_grid_note *note, bench_grid *grid) {
  if (note->given[GRID_TOKENS] != NULL && note->given[GRID_BATCH] == NULL) {
    free(grid->batch.values);
    grid->batch = (bench_axis){NULL, 0};
  }
  if (grid->input_count > 0) {
    return BENCH_OK;
  }
  grid->inputs = calloc(1, sizeof *grid->inputs);
  if (grid->inputs == NULL) {
    return config_no_memory(reader);
  }
  grid->input_count = 1;
  grid->inputs[0].input = draft->source.input;
  if (draft->source.path != NULL) {
    grid->inputs[0].path = strdup(draft->source.path);
    return grid->inputs[0].path == NULL ? config_no_memory(reader) : BENCH_OK;
  }
  return BENCH_OK;
}

/* What a config says nothing of, and the checks that need all of it. */
static bench_code complete(config_reader *reader, config_draft *draft) {
  bench_config *config = &draft->config;
  const char *label = reader->sources[CONFIG_FILE].label;
  if (config->grid_count == 0) {
    return bench_fail(reader->error, BENCH_ERR_USAGE,
                      "%s: there is no [[grid]], so nothing to measure", label);
  }
  default_name(label, config->name);
  bench_code code = default_kernels(reader, config);
  for (size_t i = 0; code == BENCH_OK && i < config->grid_count; i++) {
    code = default_grid(reader, draft, &draft->notes[i], &config->grids[i]);
    if (code == BENCH_OK) {
      code = config_check_grid(reader, &config->grids[i], &draft->notes[i]);
    }
  }
  return code;
}

/* Reads the texts in order. The trees live until all is checked: messages refer to them. */
static bench_code read_texts(config_reader *reader, size_t count, bench_toml *trees,
                             config_draft *draft) {
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && i < count; i++) {
    int origin = (int)i;
    code = origin < CONFIG_SETS ? config_read_text(reader, origin, &trees[i])
                                : config_read_set(reader, origin, &trees[i]);
    if (code == BENCH_OK) {
      code = config_read_table(reader, &config_root_table, &trees[i], draft, NULL);
    }
  }
  return code == BENCH_OK ? complete(reader, draft) : code;
}

/* Labels "--set KEY=VALUE", with what could disturb a terminal as '?'. Freed by the caller. */
static char *set_label(const char *set) {
  size_t bytes = strlen(set) + sizeof "--set ";
  char *label = malloc(bytes);
  if (label != NULL) {
    snprintf(label, bytes, "--set %s", set);
    for (char *c = label; *c != '\0'; c++) {
      *c = *c >= 0x20 && *c < 0x7f ? *c : '?';
    }
  }
  return label;
}

static bench_code parse_sources(config_reader *reader, config_source *sources, size_t count,
                                const char *const *sets, config_draft *draft) {
  bench_toml *trees = calloc(count, sizeof *trees);
  bench_code code = trees == NULL ? config_no_memory(reader) : BENCH_OK;
  for (size_t i = CONFIG_SETS; code == BENCH_OK && i < count; i++) {
    const char *set = sets[i - CONFIG_SETS];
    sources[i] = (config_source){set_label(set), set, strlen(set)};
    code = sources[i].label == NULL ? config_no_memory(reader) : BENCH_OK;
  }
  if (code == BENCH_OK) {
    code = read_texts(reader, count, trees, draft);
  }
  for (size_t i = 0; trees != NULL && i < count; i++) {
    bench_toml_free(&trees[i]);
  }
  for (size_t i = CONFIG_SETS; i < count; i++) {
    free((char *)sources[i].label);
  }
  free(trees);
  return code;
}

/* A copy of the text with a terminating zero, which is not counted. */
static bench_code keep_text(const char *text, size_t bytes, bench_config *config,
                            bench_error *error) {
  config->text = malloc(bytes + 1);
  if (config->text == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory to read the config");
  }
  memcpy(config->text, text, bytes);
  config->text[bytes] = '\0';
  config->text_bytes = bytes;
  return BENCH_OK;
}

bench_code bench_config_parse(const char *label, const char *folder, const char *text, size_t bytes,
                              const char *const *sets, size_t set_count, bench_config *out,
                              bench_error *error) {
  if (bytes > FILE_BYTES_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: a config may have %d bytes, this one has more",
                      label, FILE_BYTES_MAX);
  }
  size_t count = CONFIG_SETS + set_count;
  config_source *sources = calloc(count, sizeof *sources);
  config_draft draft = {0};
  bench_code code = sources == NULL ? bench_fail(error, BENCH_ERR_NOMEM, "no memory for the config")
                                    : keep_text(text, bytes, &draft.config, error);
  if (code == BENCH_OK) {
    sources[CONFIG_DEFAULTS] = (config_source){"defaults", defaults, sizeof defaults - 1};
    sources[CONFIG_FILE] = (config_source){label, text, bytes};
    config_reader reader = {
        .sources = sources, .folder = folder == NULL ? "" : folder, .error = error};
    code = parse_sources(&reader, sources, count, sets, &draft);
  }
  free(draft.source.path);
  free(draft.notes);
  free(sources);
  if (code != BENCH_OK) {
    bench_config_free(&draft.config);
    return code;
  }
  *out = draft.config;
  return BENCH_OK;
}

/* Reads at most FILE_BYTES_MAX + 1 bytes, one more than bench_config_parse takes. */
static bench_code read_file(const char *path, char **text, size_t *bytes, bench_error *error) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  *text = malloc(FILE_BYTES_MAX + 1);
  bench_code code = BENCH_OK;
  if (*text == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory to read the config");
  } else {
    errno = 0;
    *bytes = fread(*text, 1, FILE_BYTES_MAX + 1, file);
    if (ferror(file)) {
      free(*text);
      code = bench_fail(error, BENCH_ERR_USAGE, "%s: cannot be read: %s", path, strerror(errno));
    }
  }
  fclose(file);
  return code;
}

bench_code bench_config_load(const char *path, const char *const *sets, size_t set_count,
                             bench_config *out, bench_error *error) {
  char *text = NULL;
  size_t bytes = 0;
  bench_code code = read_file(path, &text, &bytes, error);
  if (code != BENCH_OK) {
    return code;
  }
  const char *slash = strrchr(path, '/');
  char *folder =
      slash == NULL ? strdup("") : strndup(path, slash == path ? 1 : (size_t)(slash - path));
  code = folder == NULL
             ? bench_fail(error, BENCH_ERR_NOMEM, "no memory to read the config")
             : bench_config_parse(path, folder, text, bytes, sets, set_count, out, error);
  free(folder);
  free(text);
  return code;
}
