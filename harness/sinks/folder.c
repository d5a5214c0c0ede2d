/* The output folder of one sweep. */
#include "sinks/folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/proc.h"
#include "sinks/csv.h"
#include "sinks/csv_table.h"
#include "sinks/file.h"
#include "src/hash.h"

/* Whoever waits for a worker looks five times a second whether a sync is due: what was written is
 * on its way to the disk within one second. */
#define SYNC_EVERY_S 0.75

struct bench_folder {
  char path[4096];
  bench_csv *sweep;
  bench_csv *heads;
  bench_csv *samples;
  const bench_folder_resume *resume;
  int64_t kept[BENCH_STATUS_COUNT];
  bench_idset rows;         /* that stayed */
  bench_idset problems;     /* whose heads are in heads.csv and stand behind a row */
  bench_idset sample_count; /* of each row, as found in samples.csv */
  bench_idset head_count;   /* of each problem, as found in heads.csv */
  int64_t taken_out;
  double unsynced_since_s; /* 0: all is on the disk */
};

uint64_t bench_folder_row_id(const char *case_id, const char *mode) {
  return bench_hash_text(bench_hash_text(BENCH_HASH_START, case_id), mode);
}

static uint64_t problem_hash(const char *problem_id) {
  return bench_hash_text(BENCH_HASH_START, problem_id);
}

static bench_code no_memory(const bench_folder *folder, bench_error *error) {
  return bench_fail(error, BENCH_ERR_NOMEM, "no memory to read %s", folder->path);
}

static uint64_t sample_row_id(char *const *fields) {
  return bench_folder_row_id(fields[bench_csv_column(&bench_sample_table, "case_id")],
                             fields[bench_csv_column(&bench_sample_table, "mode")]);
}

static uint64_t head_problem(char *const *fields) {
  return problem_hash(fields[bench_csv_column(&bench_head_table, "problem_id")]);
}

static bench_code count_sample(void *context, char *const *fields, bench_error *error) {
  bench_folder *folder = context;
  return bench_idset_add(&folder->sample_count, sample_row_id(fields), NULL)
             ? BENCH_OK
             : no_memory(folder, error);
}

static bench_code count_head(void *context, char *const *fields, bench_error *error) {
  bench_folder *folder = context;
  return bench_idset_add(&folder->head_count, head_problem(fields), NULL)
             ? BENCH_OK
             : no_memory(folder, error);
}

static bool has_statistics(const bench_row *row) {
  const bench_column *entropy = bench_table_find(&bench_sweep_table, "entropy_nats");
  char text[BENCH_FIELD_TEXT_MAX];
  return bench_field_format(entropy, row, text)[0] != '\0';
}

/* After a power cut the row may be there and what it stands for not. */
static bool is_backed(const bench_folder *folder, uint64_t id, const bench_row *row) {
  const int64_t samples = row->samples == BENCH_MISSING_INT ? 0 : row->samples;
  const int64_t heads = has_statistics(row) ? row->layers_distinct * row->heads_q : 0;
  return bench_idset_added(&folder->sample_count, id) >= samples &&
         bench_idset_added(&folder->head_count, problem_hash(row->problem_id)) >= heads;
}

static bench_code judge_row(void *context, char *const *fields, bench_error *error) {
  bench_folder *folder = context;
  const bench_folder_resume *resume = folder->resume;
  bench_row row;
  bench_row_parse(&bench_sweep_table, fields, &row);
  const uint64_t id = bench_folder_row_id(row.case_id, row.mode);
  const int status = bench_status_index(row.status);
  bool stays = false;
  bench_code code = resume->judge(resume->context, &row, &stays, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (!stays || status < 0 || bench_idset_has(&folder->rows, id) || !is_backed(folder, id, &row)) {
    folder->taken_out++;
    return BENCH_OK;
  }
  folder->kept[status]++;
  bool room = bench_idset_add(&folder->rows, id, NULL);
  const uint64_t problem = problem_hash(row.problem_id);
  if (room && bench_idset_has(&folder->head_count, problem) &&
      (has_statistics(&row) || strcmp(row.status, "ok") == 0)) {
    room = bench_idset_add(&folder->problems, problem, NULL);
  }
  return room ? BENCH_OK : no_memory(folder, error);
}

static bool keep_row(void *context, char *const *fields) {
  const bench_folder *folder = context;
  return bench_folder_has_row(folder, fields[bench_csv_column(&bench_sweep_table, "case_id")],
                              fields[bench_csv_column(&bench_sweep_table, "mode")]);
}

static bool keep_head(void *context, char *const *fields) {
  const bench_folder *folder = context;
  return bench_idset_has(&folder->problems, head_problem(fields));
}

static bool keep_sample(void *context, char *const *fields) {
  const bench_folder *folder = context;
  return bench_idset_has(&folder->rows, sample_row_id(fields));
}

/* What an earlier run left: the rows that stay, with their heads and samples; the rest goes. */
static bench_code read_back(bench_folder *folder, bench_error *error) {
  const char *path = folder->path;
  const bench_csv_header header = folder->resume->any_header ? BENCH_CSV_BY_NAME : BENCH_CSV_SAME;
  bench_code code =
      bench_csv_read(path, "samples.csv", &bench_sample_table, header, count_sample, folder, error);
  if (code == BENCH_OK) {
    code = bench_csv_read(path, "heads.csv", &bench_head_table, header, count_head, folder, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_read(path, "sweep.csv", &bench_sweep_table, header, judge_row, folder, error);
  }
  if (code == BENCH_OK && (folder->taken_out > 0 || header == BENCH_CSV_BY_NAME)) {
    code = bench_csv_filter(path, "sweep.csv", &bench_sweep_table, header, keep_row, folder, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_filter(path, "heads.csv", &bench_head_table, header, keep_head, folder, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_filter(path, "samples.csv", &bench_sample_table, header, keep_sample, folder,
                            error);
  }
  return code;
}

/* sweep.csv first, for its lock: two runs must not mend the others. */
static bench_code open_files(bench_folder *folder, const bench_config *config, bench_error *error) {
  const char *path = folder->path;
  const bench_table *sweep = &bench_sweep_table;
  const bool resumes = folder->resume != NULL;
  const bench_csv_start start = resumes ? BENCH_CSV_RESUME : BENCH_CSV_FRESH;
  const bool any_header = resumes && folder->resume->any_header;
  bench_code code = bench_csv_open(
      path, "sweep.csv", sweep, any_header ? BENCH_CSV_ANY_HEADER : start, &folder->sweep, error);
  if (code == BENCH_OK && resumes) {
    code = read_back(folder, error);
  }
  if (code == BENCH_OK && resumes) { /* it may have been replaced */
    bench_csv_close(folder->sweep, NULL);
    folder->sweep = NULL;
    code = bench_csv_open(path, "sweep.csv", sweep, BENCH_CSV_RESUME, &folder->sweep, error);
  }
  if (code == BENCH_OK) {
    code = bench_file_replace(path, "config.toml", config->text, config->text_bytes, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_open(path, "heads.csv", &bench_head_table, start, &folder->heads, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_open(path, "samples.csv", &bench_sample_table, start, &folder->samples, error);
  }
  return code;
}

bench_code bench_folder_open(const char *path, const bench_config *config,
                             const bench_folder_resume *resume, bench_folder **out,
                             bench_error *error) {
  if (resume == NULL && !bench_file_folder_is_empty(path)) {
    return bench_fail(error, BENCH_ERR_USAGE,
                      "%s: the folder is not empty; give --resume to go on with it", path);
  }
  bench_folder *folder = calloc(1, sizeof *folder);
  if (folder == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for the output folder");
  }
  snprintf(folder->path, sizeof folder->path, "%s", path);
  folder->resume = resume;
  bench_code code = bench_proc_mkdirs(path, error);
  if (code == BENCH_OK) {
    code = open_files(folder, config, error);
  }
  if (code != BENCH_OK) {
    bench_folder_close(folder, NULL);
    return code;
  }
  *out = folder;
  return BENCH_OK;
}

/* In the order of the commit. */
static bench_code sync_all(bench_folder *folder, bench_error *error) {
  bench_code code = bench_csv_sync(folder->heads, error);
  if (code == BENCH_OK) {
    code = bench_csv_sync(folder->samples, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_sync(folder->sweep, error);
  }
  folder->unsynced_since_s = 0;
  return code;
}

bench_code bench_folder_sync_due(bench_folder *folder, bench_error *error) {
  const bool due = folder->unsynced_since_s > 0 &&
                   bench_proc_monotonic_s() - folder->unsynced_since_s >= SYNC_EVERY_S;
  return due ? sync_all(folder, error) : BENCH_OK;
}

bench_code bench_folder_close(bench_folder *folder, bench_error *error) {
  if (folder == NULL) {
    return BENCH_OK;
  }
  bench_code synced = folder->unsynced_since_s > 0 ? sync_all(folder, error) : BENCH_OK;
  bench_code heads = bench_csv_close(folder->heads, error);
  bench_code samples = bench_csv_close(folder->samples, error);
  bench_code sweep = bench_csv_close(folder->sweep, error);
  bench_idset_free(&folder->rows);
  bench_idset_free(&folder->problems);
  bench_idset_free(&folder->sample_count);
  bench_idset_free(&folder->head_count);
  free(folder);
  return synced != BENCH_OK  ? synced
         : heads != BENCH_OK ? heads
                             : (samples != BENCH_OK ? samples : sweep);
}

const char *bench_folder_path(const bench_folder *folder) {
  return folder->path;
}

const int64_t *bench_folder_kept(const bench_folder *folder) {
  return folder->kept;
}

bool bench_folder_has_row(const bench_folder *folder, const char *case_id, const char *mode) {
  return bench_idset_has(&folder->rows, bench_folder_row_id(case_id, mode));
}

/* What is written where nobody finds it is lost. */
static bench_code check_place(const bench_folder *folder, bench_error *error) {
  bench_code code = bench_csv_check_place(folder->heads, error);
  if (code == BENCH_OK) {
    code = bench_csv_check_place(folder->samples, error);
  }
  return code == BENCH_OK ? bench_csv_check_place(folder->sweep, error) : code;
}

static bench_code write_heads(bench_folder *folder, const bench_row *row,
                              const bench_head_row *heads, size_t count, bench_error *error) {
  bool is_new = false;
  if (count > 0) {
    bench_idset_add(&folder->problems, problem_hash(row->problem_id), &is_new);
  }
  for (size_t i = 0; is_new && i < count; i++) {
    bench_csv_add(folder->heads, &heads[i]);
  }
  return is_new ? bench_csv_flush(folder->heads, error) : BENCH_OK;
}

static bench_code write_samples(bench_folder *folder, const bench_row *row, const double *samples,
                                const double *clock_mhz, size_t count, bench_error *error) {
  bench_sample_row sample;
  bench_table_clear(&bench_sample_table, &sample);
  bench_text_copy(sample.case_id, sizeof sample.case_id, row->case_id);
  bench_text_copy(sample.mode, sizeof sample.mode, row->mode);
  for (size_t i = 0; i < count; i++) {
    sample.index = (int64_t)i;
    sample.time_ns = samples[i];
    sample.sm_mhz = clock_mhz != NULL ? clock_mhz[i] : NAN;
    bench_csv_add(folder->samples, &sample);
  }
  return count > 0 ? bench_csv_flush(folder->samples, error) : BENCH_OK;
}

bench_code bench_folder_write(bench_folder *folder, const bench_row *row,
                              const bench_head_row *heads, size_t head_count, const double *samples,
                              const double *clock_mhz, size_t sample_count, bench_error *error) {
  bench_code code = check_place(folder, error);
  if (code == BENCH_OK) {
    code = write_heads(folder, row, heads, head_count, error);
  }
  if (code == BENCH_OK) {
    code = write_samples(folder, row, samples, clock_mhz, sample_count, error);
  }
  if (code == BENCH_OK) {
    code = bench_csv_append(folder->sweep, row, error);
  }
  if (code == BENCH_OK && folder->unsynced_since_s == 0) {
    folder->unsynced_since_s = bench_proc_monotonic_s();
  }
  return code == BENCH_OK ? bench_folder_sync_due(folder, error) : code;
}

bench_code bench_folder_manifest(bench_folder *folder, json_t *manifest, bench_error *error) {
  char *text = json_dumps(manifest, JSON_INDENT(2));
  if (text == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for manifest.json");
  }
  bench_code code = bench_file_replace(folder->path, "manifest.json", text, strlen(text), error);
  free(text);
  return code;
}
