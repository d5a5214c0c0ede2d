/* The output folder of one sweep. */
#include "sinks/folder.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/proc.h"
#include "sinks/csv.h"
#include "src/hash.h"

struct bench_folder {
  char path[4096];
  bench_csv *sweep;
  bench_csv *heads;
  bench_csv *samples;
  bench_committed committed;
  bench_idset problems; /* problems whose heads are in heads.csv */
};

uint64_t bench_folder_row_id(const char *case_id, const char *mode) {
  return bench_hash_text(bench_hash_text(BENCH_HASH_START, case_id), mode);
}

static uint64_t problem_hash(const char *problem_id) {
  return bench_hash_text(BENCH_HASH_START, problem_id);
}

static bool is_empty(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) {
    return true; /* what is wrong with it shows when a file is made in it */
  }
  bool empty = true;
  for (struct dirent *entry; empty && (entry = readdir(folder)) != NULL;) {
    empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
  }
  closedir(folder);
  return empty;
}

static size_t column_index(const bench_table *table, const char *name) {
  return (size_t)(bench_table_find(table, name) - table->columns);
}

static void remember_row(void *context, char *const *fields) {
  bench_folder *folder = context;
  const bench_table *table = &bench_sweep_table;
  bool is_new;
  bench_idset_add(&folder->committed.rows,
                  bench_folder_row_id(fields[column_index(table, "case_id")],
                                      fields[column_index(table, "mode")]),
                  &is_new);
  const char *backend = fields[column_index(table, "backend")];
  bench_committed *committed = &folder->committed;
  if (committed->backend[0] == '\0') {
    bench_text_copy(committed->backend, sizeof committed->backend, backend);
  } else if (strcmp(committed->backend, backend) != 0) {
    bench_text_copy(committed->backend, sizeof committed->backend, "?");
  }
  int status = bench_status_index(fields[column_index(table, "status")]);
  if (status >= 0) {
    committed->by_status[status]++;
  }
  if (fields[column_index(table, "entropy_nats")][0] != '\0' ||
      strcmp(fields[column_index(table, "status")], "ok") == 0) {
    bench_idset_add(&folder->problems, problem_hash(fields[column_index(table, "problem_id")]),
                    &is_new);
  }
}

static bool keep_head(void *context, char *const *fields) {
  const bench_folder *folder = context;
  return bench_folder_has_heads(folder, fields[column_index(&bench_head_table, "problem_id")]);
}

static bool keep_sample(void *context, char *const *fields) {
  const bench_folder *folder = context;
  return bench_folder_has_row(folder, fields[column_index(&bench_sample_table, "case_id")],
                              fields[column_index(&bench_sample_table, "mode")]);
}

/* A folder holds one config's rows: going on with another would mix two sweeps. */
static bench_code same_config(const bench_folder *folder, const bench_config *config,
                              bench_error *error) {
  char path[4200];
  snprintf(path, sizeof path, "%s/config.toml", folder->path);
  FILE *file = fopen(path, "r");
  if (file == NULL) {
    return BENCH_OK; /* interrupted before it was written */
  }
  char *text = malloc(config->text_bytes + 1);
  size_t bytes = text == NULL ? 0 : fread(text, 1, config->text_bytes + 1, file);
  bool same = text != NULL && bytes == config->text_bytes &&
              memcmp(text, config->text, config->text_bytes) == 0;
  free(text);
  fclose(file);
  return same ? BENCH_OK
              : bench_fail(error, BENCH_ERR_USAGE, "%s is another config; --resume needs the same",
                           path);
}

/* What an interrupted run left: committed rows stay, the rest goes. */
static bench_code read_back(bench_folder *folder, const bench_config *config, bench_error *error) {
  bench_code code = same_config(folder, config, error);
  if (code != BENCH_OK) {
    return code;
  }
  code = bench_csv_read(folder->path, "sweep.csv", &bench_sweep_table, remember_row, folder, error);
  if (code == BENCH_OK) {
    code = bench_csv_filter(folder->path, "heads.csv", &bench_head_table, keep_head, folder, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_filter(folder->path, "samples.csv", &bench_sample_table, keep_sample, folder,
                            error);
  }
  return code;
}

static bench_code write_file(const char *folder, const char *name, const char *text, size_t bytes,
                             bench_error *error) {
  char temporary[4200];
  char path[4200];
  snprintf(temporary, sizeof temporary, "%s/.%s.new", folder, name);
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(temporary, "w");
  bool failed = file == NULL;
  if (!failed) {
    failed = fwrite(text, 1, bytes, file) != bytes;
    failed = fclose(file) != 0 || failed;
  }
  if (failed || rename(temporary, path) != 0) {
    bench_fail(error, BENCH_ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
    unlink(temporary);
    return BENCH_ERR_ENV;
  }
  return BENCH_OK;
}

bench_code bench_folder_open(const char *path, const bench_config *config, bool resume,
                             bench_folder **out, bench_error *error) {
  if (!resume && !is_empty(path)) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: the folder is not empty; give --resume to go on with it", path);
  }
  bench_folder *folder = calloc(1, sizeof *folder);
  if (folder == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for the output folder");
  }
  snprintf(folder->path, sizeof folder->path, "%s", path);
  bench_code code = bench_proc_mkdirs(path, error);
  if (code == BENCH_OK) { /* first, for its lock: two runs must not mend the others */
    code = bench_csv_open(path, "sweep.csv", &bench_sweep_table, resume, &folder->sweep, error);
  }
  if (code == BENCH_OK && resume) {
    code = read_back(folder, config, error);
  }
  if (code == BENCH_OK) {
    code = write_file(path, "config.toml", config->text, config->text_bytes, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_open(path, "heads.csv", &bench_head_table, resume, &folder->heads, error);
  }
  if (code == BENCH_OK) {
    code =
        bench_csv_open(path, "samples.csv", &bench_sample_table, resume, &folder->samples, error);
  }
  if (code != BENCH_OK) {
    bench_folder_close(folder, NULL);
    return code;
  }
  *out = folder;
  return BENCH_OK;
}

bench_code bench_folder_close(bench_folder *folder, bench_error *error) {
  if (folder == NULL) {
    return BENCH_OK;
  }
  bench_code heads = bench_csv_close(folder->heads, error);
  bench_code samples = bench_csv_close(folder->samples, error);
  bench_code sweep = bench_csv_close(folder->sweep, error);
  bench_idset_free(&folder->committed.rows);
  bench_idset_free(&folder->problems);
  free(folder);
  return heads != BENCH_OK ? heads : samples != BENCH_OK ? samples : sweep;
}

const bench_committed *bench_folder_committed(const bench_folder *folder) {
  return &folder->committed;
}

const char *bench_folder_path(const bench_folder *folder) {
  return folder->path;
}

bool bench_folder_has_row(const bench_folder *folder, const char *case_id, const char *mode) {
  return bench_idset_has(&folder->committed.rows, bench_folder_row_id(case_id, mode));
}

bool bench_folder_has_heads(const bench_folder *folder, const char *problem_id) {
  return bench_idset_has(&folder->problems, problem_hash(problem_id));
}

bench_code bench_folder_write(bench_folder *folder, const bench_row *row,
                              const bench_head_row *heads, size_t head_count, const double *samples,
                              const double *clock_mhz, size_t sample_count, bench_error *error) {
  bench_code code = BENCH_OK;
  bool is_new = false;
  if (head_count > 0) {
    bench_idset_add(&folder->problems, problem_hash(row->problem_id), &is_new);
  }
  for (size_t i = 0; is_new && code == BENCH_OK && i < head_count; i++) {
    code = bench_csv_append(folder->heads, &heads[i], error);
  }
  for (size_t i = 0; code == BENCH_OK && i < sample_count; i++) {
    bench_sample_row sample;
    bench_table_clear(&bench_sample_table, &sample);
    bench_text_copy(sample.case_id, sizeof sample.case_id, row->case_id);
    bench_text_copy(sample.mode, sizeof sample.mode, row->mode);
    sample.index = (int64_t)i;
    sample.time_ns = samples[i];
    sample.sm_mhz = clock_mhz != NULL ? clock_mhz[i] : NAN;
    code = bench_csv_append(folder->samples, &sample, error);
  }
  /* The row is the commit mark: what it stands for is on the disk before it is. A row without
   * samples costs nothing to make again. */
  bool durable = sample_count > 0;
  if (code == BENCH_OK && durable && is_new) {
    code = bench_csv_sync(folder->heads, error);
  }
  if (code == BENCH_OK && durable) {
    code = bench_csv_sync(folder->samples, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_append(folder->sweep, row, error);
  }
  return code == BENCH_OK && durable ? bench_csv_sync(folder->sweep, error) : code;
}

bench_code bench_folder_manifest(bench_folder *folder, json_t *manifest, bench_error *error) {
  char *text = json_dumps(manifest, JSON_INDENT(2));
  if (text == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for manifest.json");
  }
  bench_code code = write_file(folder->path, "manifest.json", text, strlen(text), error);
  free(text);
  return code;
}
