/* Opening a checkpoint folder: config.json says which tensors there must be and of which shape,
 * model.safetensors must hold exactly these, and every weight must be finite. */
#include "model/checkpoint.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/config_json.h"

#define FLOAT_BYTES_MAX (INT64_C(2) << 30)
#define PATH_BYTES_MAX 4096

const bench_model_info *bench_model_get_info(const bench_model *model) {
  return &model->info;
}

/* The last component of the folder's path, fit for a CSV field. */
static void name_of(const char *folder, char name[BENCH_NAME_MAX]) {
  char resolved[PATH_MAX];
  size_t length = strlen(folder);
  while (length > 1 && folder[length - 1] == '/') {
    length--;
  }
  size_t start = length;
  while (start > 0 && folder[start - 1] != '/') {
    start--;
  }
  const char *last = folder + start;
  length -= start;
  bool relative = (length == 1 && last[0] == '.') || (length == 2 && memcmp(last, "..", 2) == 0);
  if (relative && realpath(folder, resolved) != NULL) {
    last = strrchr(resolved, '/') + 1;
    length = strlen(last);
  }
  snprintf(name, BENCH_NAME_MAX, "%.*s", (int)(length < 255 ? length : 255), last);
  for (char *at = name; *at != '\0'; at++) {
    if ((unsigned char)*at < ' ' || *at == 0x7f) {
      *at = '?';
    }
  }
}

static bench_code join(const char *folder, const char *file, char path[PATH_BYTES_MAX],
                       bench_error *error) {
  if (snprintf(path, PATH_BYTES_MAX, "%s/%s", folder, file) >= PATH_BYTES_MAX) {
    return bench_fail(error, BENCH_ERR_USAGE, "%.64s...: the path is too long", folder);
  }
  return BENCH_OK;
}

static bench_code read_config(const char *folder, bench_model_info *info, bench_error *error) {
  char path[PATH_BYTES_MAX];
  bench_file_map file;
  bench_code code = join(folder, "config.json", path, error);
  if (code == BENCH_OK) {
    code = bench_file_map_open(path, &file, error);
  }
  if (code != BENCH_OK) {
    return code;
  }
  name_of(folder, info->name);
  info->hash = bench_content_hash(BENCH_CONTENT_HASH_START, file.bytes, file.size);
  code = bench_config_json_parse(path, file.bytes, file.size, info, error);
  bench_file_map_close(&file);
  return code;
}

/* Leaves the path of model.safetensors in `path`, for later messages. */
static bench_code read_header(const char *folder, bench_model *model, char path[PATH_BYTES_MAX],
                              bench_error *error) {
  bench_code code = join(folder, "model.safetensors.index.json", path, error);
  if (code != BENCH_OK) {
    return code;
  }
  bool sharded = access(path, F_OK) == 0;
  join(folder, "model.safetensors", path, NULL); /* shorter than what fitted above */
  if (sharded && access(path, F_OK) != 0) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: a sharded checkpoint (model.safetensors.index.json) is not supported: "
                      "merge it into one model.safetensors",
                      folder);
  }
  code = bench_file_map_open(path, &model->file, error);
  if (code == BENCH_OK) {
    code =
        bench_safetensors_parse(path, model->file.bytes, model->file.size, &model->tensors, error);
  }
  return code;
}

/* Fills `model` up to the bound weights; what it holds after a failure is closed by the caller. */
static bench_code open_into(const char *folder, bench_model *model, char path[PATH_BYTES_MAX],
                            bench_error *error) {
  bench_code code = read_config(folder, &model->info, error);
  if (code == BENCH_OK) {
    code = read_header(folder, model, path, error);
  }
  if (code == BENCH_OK) {
    code = bench_weights_bind(path, model, error);
  }
  if (code == BENCH_OK) {
    model->info.hash = bench_content_hash(model->info.hash, model->file.bytes, model->file.size);
  }
  return code;
}

bench_code bench_checkpoint_open(const char *folder, int64_t float_bytes_max, bench_model **out,
                                 bench_error *error) {
  char path[PATH_BYTES_MAX];
  bench_model *model = calloc(1, sizeof *model);
  if (model == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "%s: no memory for the model", folder);
  }
  bench_code code = open_into(folder, model, path, error);
  if (code == BENCH_OK) {
    code = bench_weights_load(path, model, float_bytes_max, error);
  }
  if (code != BENCH_OK) {
    bench_model_close(model);
    return code;
  }
  *out = model;
  return BENCH_OK;
}

bench_code bench_model_open(const char *folder, bench_model **out, bench_error *error) {
  return bench_checkpoint_open(folder, FLOAT_BYTES_MAX, out, error);
}

void bench_model_close(bench_model *model) {
  if (model != NULL) {
    bench_safetensors_free(&model->tensors);
    bench_file_map_close(&model->file);
    free(model->weights);
    free(model->floats);
    free(model);
  }
}

bench_code bench_model_probe(const char *folder, bench_model_info *out, bench_error *error) {
  bench_model *model = NULL;
  bench_code code = bench_checkpoint_open(folder, 0, &model, error); /* 0: no floats are kept */
  if (code == BENCH_OK) {
    *out = model->info;
    bench_model_close(model);
  }
  return code;
}
