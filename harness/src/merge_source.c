/* The parts of a merge. The order of rows is that of the plan, which is made once more from the
 * config: no device is needed for that, but a checkpoint that the config names. */
#include "src/merge_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/proc.h"

static bench_code read_text(const char *folder, const char *name, char **text, size_t *bytes,
                            bench_error *error) {
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "re");
  size_t capacity = 0;
  ssize_t length = file == NULL ? -1 : getdelim(text, &capacity, '\0', file);
  const bool failed = file == NULL || (length < 0 && !feof(file));
  if (file != NULL) {
    fclose(file);
  }
  *bytes = length > 0 ? (size_t)length : 0;
  return failed
             ? bench_fail(error, BENCH_ERR_USAGE, "%s: cannot be read: not a result of bench", path)
             : BENCH_OK;
}

static bench_code read_folder(bench_merge_source *source, const char *const *folders, size_t f,
                              bench_error *error) {
  char *text = NULL;
  size_t bytes = 0;
  bench_code code = read_text(folders[f], "config.toml", &text, &bytes, error);
  if (code == BENCH_OK && f == 0) {
    source->config = text;
    source->config_bytes = bytes;
    text = NULL;
  } else if (code == BENCH_OK &&
             (bytes != source->config_bytes || memcmp(text, source->config, bytes) != 0)) {
    code = bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s: is of another config than %s", folders[f],
                      folders[0]);
  }
  free(text);
  text = NULL;
  if (code == BENCH_OK) {
    code = read_text(folders[f], "manifest.json", &text, &bytes, error);
  }
  json_t *manifest = code == BENCH_OK ? json_loadb(text, bytes, 0, NULL) : NULL;
  free(text);
  if (code == BENCH_OK && !json_is_object(manifest)) {
    code = bench_fail(error, BENCH_ERR_USAGE, "%s/manifest.json: is not JSON", folders[f]);
  }
  const json_t *first = f == 0 ? manifest : json_array_get(source->manifests, 0);
  if (code == BENCH_OK &&
      !json_equal(json_object_get(manifest, "set"), json_object_get(first, "set"))) {
    code = bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s: has another --set or --seed than %s",
                      folders[f], folders[0]);
  }
  json_array_append(source->manifests, manifest);
  json_decref(manifest);
  return code;
}

/* The folder of the config as the run had it: what paths in it are relative to. */
static void config_folder(const json_t *manifest, char folder[4096]) {
  const char *path = json_string_value(json_object_get(manifest, "config"));
  bench_text_copy(folder, 4096, path == NULL ? "" : path);
  char *slash = strrchr(folder, '/');
  bench_text_copy(slash == NULL ? folder : slash, 2, slash == NULL ? "." : "");
}

static void make_order(bench_merge_source *source) {
  const json_t *manifest = json_array_get(source->manifests, 0);
  const json_t *list = json_object_get(manifest, "set");
  const size_t count = json_array_size(list);
  const char **sets = calloc(count + 1, sizeof *sets);
  char folder[4096];
  bench_config config;
  bench_plan plan;
  bench_error ignored;
  config_folder(manifest, folder);
  for (size_t i = 0; sets != NULL && i < count; i++) {
    const char *set = json_string_value(json_array_get(list, i));
    sets[i] = set == NULL ? "" : set;
  }
  const bench_target nowhere = {.device = {.backend = "cpu"}, .absent = "merged"};
  if (sets != NULL &&
      bench_config_parse("config.toml", folder, source->config, source->config_bytes, sets, count,
                         &config, &ignored) == BENCH_OK) {
    if (bench_plan_build(&config, &nowhere, &plan, &ignored) == BENCH_OK) {
      bench_plan_index_build(&plan, &source->order, &ignored);
      bench_plan_free(&plan);
    }
    bench_config_free(&config);
  }
  free(sets);
}

bench_code bench_merge_source_open(const char *const *folders, size_t count,
                                   bench_merge_source *out, bench_error *error) {
  *out = (bench_merge_source){.manifests = json_array()};
  bench_code code = BENCH_OK;
  for (size_t f = 0; code == BENCH_OK && f < count; f++) {
    code = read_folder(out, folders, f, error);
  }
  if (code == BENCH_OK) {
    make_order(out);
  }
  return code;
}

void bench_merge_source_close(bench_merge_source *source) {
  free(source->config);
  json_decref(source->manifests);
  bench_plan_index_free(&source->order);
}

size_t bench_merge_source_rank(const bench_merge_source *source, uint64_t row_id, size_t fallback) {
  const bench_plan_place *place = bench_plan_index_find(&source->order, row_id);
  return place != NULL ? place->rank : source->order.count + fallback;
}

int64_t bench_merge_source_rows_planned(const bench_merge_source *source) {
  const json_t *manifest = json_array_get(source->manifests, 0);
  const json_t *planned = json_object_get(manifest, "rows_planned");
  return json_is_integer(planned) ? json_integer_value(planned) : -1;
}

json_t *bench_merge_source_manifest(const bench_merge_source *source, json_t *command,
                                    const bench_merge_result *result) {
  json_t *manifest = json_copy(json_array_get(source->manifests, 0));
  json_t *tally = json_object();
  char now[BENCH_TIME_MAX];
  for (int i = 0; i < BENCH_STATUS_COUNT; i++) {
    json_object_set_new(tally, bench_status_names[i], json_integer(result->by_status[i]));
  }
  bench_proc_time_iso(time(NULL), now);
  json_object_set_new(manifest, "state", json_string("merged"));
  json_object_set_new(manifest, "written_utc", json_string(now));
  json_object_set(manifest, "command", command);
  json_object_set_new(manifest, "rows_selected", json_integer(result->rows));
  json_object_set_new(manifest, "rows_by_status", tally);
  json_object_set(manifest, "merged_from", source->manifests);
  return manifest;
}
