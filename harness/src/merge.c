/* Joining results: what does not belong together is refused before anything is written. */
#include "src/merge.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform/proc.h"
#include "sinks/csv_table.h"
#include "sinks/file.h"
#include "sinks/folder.h"
#include "src/base_times.h"
#include "src/benchmark_json.h"
#include "src/hash.h"
#include "src/merge_rows.h"
#include "src/merge_source.h"

/* Statistics may differ in the last digits between machines (README). */
#define HEADS_AGREE 1e-6

typedef struct rank_of {
  uint64_t key;
  size_t rank;
  size_t folder;
} rank_of;

typedef struct merge {
  const char *const *folders;
  size_t count;
  size_t folder; /* the one that is read */
  bench_merge_source source;
  bench_merge_rows rows;
  bench_merge_rows heads;
  bench_merge_rows samples;
  rank_of *row_ranks;     /* sorted by key: bench_folder_row_id */
  rank_of *problem_ranks; /* sorted by key: hash of problem_id */
  size_t rank_count;
  char origin[512]; /* schema, commit, backend and device of the rows; "": of none yet */
} merge;

static uint64_t row_key(const bench_table *table, char *const *fields) {
  return bench_folder_row_id(fields[bench_csv_column(table, "case_id")],
                             fields[bench_csv_column(table, "mode")]);
}

static uint64_t problem_key(const bench_table *table, char *const *fields) {
  return bench_hash_text(BENCH_HASH_START, fields[bench_csv_column(table, "problem_id")]);
}

/* A skipped row measured nothing: whose it is does not matter. */
static bench_code check_origin(merge *m, char *const *fields, bench_error *error) {
  static const char *const columns[] = {"schema_version", "git_commit", "backend", "device"};
  char origin[sizeof m->origin] = "";
  if (strcmp(fields[bench_csv_column(&bench_sweep_table, "status")], "skipped") == 0) {
    return BENCH_OK;
  }
  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
    const size_t used = strlen(origin);
    snprintf(origin + used, sizeof origin - used, "%s%s %s", i == 0 ? "" : ", ", columns[i],
             fields[bench_csv_column(&bench_sweep_table, columns[i])]);
  }
  if (m->origin[0] == '\0') {
    bench_text_copy(m->origin, sizeof m->origin, origin);
  }
  if (strcmp(m->origin, origin) != 0) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s: has rows of %s, not %s as in %s",
                      m->folders[m->folder], origin, m->origin, m->folders[0]);
  }
  return BENCH_OK;
}

static bench_code add_row(void *context, char *const *fields, bench_error *error) {
  merge *m = context;
  const uint64_t key = row_key(&bench_sweep_table, fields);
  const size_t rank = bench_merge_source_rank(&m->source, key, m->rows.count);
  bench_code code = check_origin(m, fields, error);
  return code != BENCH_OK ? code
                          : bench_merge_rows_add(&m->rows, key, rank, m->folder, fields, error);
}

static bool same_text(const bench_table *table, char *const *a, char *const *b) {
  bool same = true;
  for (size_t i = 0; same && i < table->count; i++) {
    same = strcmp(a[i], b[i]) == 0;
  }
  return same;
}

static bool same_values(const bench_table *table, char *const *a, char *const *b) {
  bool same = true;
  for (size_t i = 0; same && i < table->count; i++) {
    same = strcmp(a[i], b[i]) == 0;
    if (!same && table->columns[i].type == BENCH_REAL && a[i][0] != '\0' && b[i][0] != '\0') {
      const double x = strtod(a[i], NULL);
      same = fabs(x - strtod(b[i], NULL)) <= HEADS_AGREE * (1 + fabs(x));
    }
  }
  return same;
}

static int by_key(const void *a, const void *b) {
  const rank_of *x = a;
  const rank_of *y = b;
  return x->key != y->key ? (x->key > y->key) - (x->key < y->key)
                          : (x->rank > y->rank) - (x->rank < y->rank);
}

/* Two builds of changes that were never committed have one commit, but not one code. */
static bench_code check_codes(const merge *m, bench_error *error) {
  rank_of *kernels = calloc(m->rows.count + 1, sizeof *kernels);
  if (kernels == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for %zu rows", m->rows.count);
  }
  size_t count = 0;
  for (size_t i = 0; i < m->rows.count; i++) {
    const char *kernel = bench_merge_rows_field(&m->rows, i, "kernel");
    const char *variant = bench_merge_rows_field(&m->rows, i, "variant");
    if (bench_merge_rows_field(&m->rows, i, "kernel_hash")[0] != '\0') { /* not so of a peer */
      const uint64_t key = bench_hash_text(bench_hash_text(BENCH_HASH_START, kernel), "/");
      kernels[count++] = (rank_of){bench_hash_text(key, variant), i, m->rows.rows[i].folder};
    }
  }
  qsort(kernels, count, sizeof *kernels, by_key);
  bench_code code = BENCH_OK;
  for (size_t i = 1; code == BENCH_OK && i < count; i++) {
    const char *one = bench_merge_rows_field(&m->rows, kernels[i - 1].rank, "kernel_hash");
    const char *other = bench_merge_rows_field(&m->rows, kernels[i].rank, "kernel_hash");
    if (kernels[i].key == kernels[i - 1].key && strcmp(one, other) != 0) {
      code = bench_fail(error, BENCH_ERR_UNSUPPORTED,
                        "%s: has rows of kernel %s with code \"%s %s\", not \"%s\" as in %s",
                        m->folders[kernels[i].folder],
                        bench_merge_rows_field(&m->rows, kernels[i].rank, "kernel"),
                        bench_merge_rows_field(&m->rows, kernels[i].rank, "variant"), other, one,
                        m->folders[kernels[i - 1].folder]);
    }
  }
  free(kernels);
  return code;
}

/* Writes a field of `row` that the merged row lacks. */
static bench_code fill_field(bench_merge_rows *rows, size_t i, const char *name,
                             const bench_row *row, bench_error *error) {
  char text[BENCH_FIELD_TEXT_MAX];
  const char *value = bench_field_format(bench_table_find(&bench_sweep_table, name), row, text);
  const bool known = value[0] == '\0' || bench_merge_rows_field(rows, i, name)[0] != '\0';
  return known ? BENCH_OK : bench_merge_rows_set(rows, i, name, value, error);
}

/* The row that another is set against may be another shard's, or may have come after it. */
static bench_code fill_comparisons(bench_merge_rows *rows, bench_error *error) {
  bench_base_times base = {0};
  bench_row row;
  for (size_t i = 0; i < rows->count; i++) {
    bench_row_parse(&bench_sweep_table, rows->rows[i].fields, &row);
    bench_base_times_note(&base, &row);
  }
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && i < rows->count; i++) {
    bench_row_parse(&bench_sweep_table, rows->rows[i].fields, &row);
    bench_base_times_compare(&base, &row);
    code = fill_field(rows, i, "fraction_of_ideal", &row, error);
    if (code == BENCH_OK) {
      code = fill_field(rows, i, "sustained_of_burst", &row, error);
    }
  }
  bench_base_times_free(&base);
  return code;
}

/* Where the rows and the problems stand in what is written. */
static bench_code note_ranks(merge *m, bench_error *error) {
  m->rank_count = m->rows.count;
  m->row_ranks = calloc(m->rank_count + 1, sizeof *m->row_ranks);
  m->problem_ranks = calloc(m->rank_count + 1, sizeof *m->problem_ranks);
  if (m->row_ranks == NULL || m->problem_ranks == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for %zu rows", m->rank_count);
  }
  for (size_t i = 0; i < m->rank_count; i++) {
    const bench_merge_row *row = &m->rows.rows[i];
    m->row_ranks[i] = (rank_of){row->key, i, row->folder};
    m->problem_ranks[i] = (rank_of){problem_key(&bench_sweep_table, row->fields), i, row->folder};
  }
  qsort(m->row_ranks, m->rank_count, sizeof *m->row_ranks, by_key);
  qsort(m->problem_ranks, m->rank_count, sizeof *m->problem_ranks, by_key);
  return BENCH_OK;
}

/* The first of this key, or NULL. */
static const rank_of *find(const rank_of *ranks, size_t count, uint64_t key) {
  size_t low = 0;
  size_t high = count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (ranks[middle].key < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count && ranks[low].key == key ? &ranks[low] : NULL;
}

/* Of each problem that has a row. */
static bench_code add_head(void *context, char *const *fields, bench_error *error) {
  merge *m = context;
  const bench_table *table = &bench_head_table;
  uint64_t key = problem_key(table, fields);
  const rank_of *problem = find(m->problem_ranks, m->rank_count, key);
  if (problem == NULL) {
    return BENCH_OK;
  }
  key = bench_hash_text(bench_hash_text(key, fields[bench_csv_column(table, "layer")]), "/");
  key = bench_hash_text(key, fields[bench_csv_column(table, "head")]);
  return bench_merge_rows_add(&m->heads, key, problem->rank, m->folder, fields, error);
}

/* Of each row, from the folder that the row is of. */
static bench_code add_sample(void *context, char *const *fields, bench_error *error) {
  merge *m = context;
  const uint64_t key = row_key(&bench_sample_table, fields);
  const rank_of *row = find(m->row_ranks, m->rank_count, key);
  if (row == NULL || row->folder != m->folder) {
    return BENCH_OK;
  }
  return bench_merge_rows_add(&m->samples, key, row->rank, m->folder, fields, error);
}

static bench_code read_all(merge *m, const char *name, const bench_table *table,
                           bench_csv_visit_fn *visit, bench_error *error) {
  bench_code code = BENCH_OK;
  for (m->folder = 0; code == BENCH_OK && m->folder < m->count; m->folder++) {
    code = bench_csv_read(m->folders[m->folder], name, table, BENCH_CSV_SAME, visit, m, error);
  }
  return code;
}

static bench_code conflict(const merge *m, const char *what, const char *id, const char *place,
                           const bench_merge_row *a, const bench_merge_row *b, bench_error *error) {
  return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s and %s differ in %s %s, %s",
                    m->folders[a->folder], m->folders[b->folder], what, id, place);
}

/* Everything into memory, and judged. */
static bench_code collect(merge *m, bench_error *error) {
  const bench_merge_row *a;
  const bench_merge_row *b;
  const bench_table *sweep = &bench_sweep_table;
  bench_code code = read_all(m, "sweep.csv", sweep, add_row, error);
  if (code == BENCH_OK && !bench_merge_rows_unite(&m->rows, same_text, &a, &b)) {
    return conflict(m, "case", a->fields[bench_csv_column(sweep, "case_id")],
                    a->fields[bench_csv_column(sweep, "mode")], a, b, error);
  }
  if (code == BENCH_OK) {
    bench_merge_rows_sort(&m->rows);
    code = check_codes(m, error);
  }
  if (code == BENCH_OK) {
    code = fill_comparisons(&m->rows, error);
  }
  if (code == BENCH_OK) {
    code = note_ranks(m, error);
  }
  if (code == BENCH_OK) {
    code = read_all(m, "heads.csv", &bench_head_table, add_head, error);
  }
  if (code == BENCH_OK && !bench_merge_rows_unite(&m->heads, same_values, &a, &b)) {
    return conflict(m, "the statistics of problem",
                    a->fields[bench_csv_column(&bench_head_table, "problem_id")],
                    a->fields[bench_csv_column(&bench_head_table, "mask")], a, b, error);
  }
  if (code == BENCH_OK) {
    bench_merge_rows_sort(&m->heads);
    code = read_all(m, "samples.csv", &bench_sample_table, add_sample, error);
  }
  bench_merge_rows_sort(&m->samples);
  return code;
}

/* Of the parts' own, those that are there. */
static bench_code export_rows(const merge *m, const char *out, bench_error *error) {
  bench_benchmark_known known = {0};
  for (size_t i = 0; i < m->count; i++) {
    char path[4200];
    snprintf(path, sizeof path, "%s/benchmark.json", m->folders[i]);
    bench_benchmark_known_add(&known, path);
  }
  const bench_code code = bench_benchmark_json_write(&known, out, error);
  bench_benchmark_known_free(&known);
  return code;
}

/* The rows last, as in a sweep: without them the folder is no result. */
static bench_code write_all(const merge *m, const char *out, const json_t *manifest,
                            bench_error *error) {
  const bench_merge_source *source = &m->source;
  bench_code code = bench_proc_mkdirs(out, error);
  if (code == BENCH_OK) {
    code = bench_file_replace(out, "config.toml", source->config, source->config_bytes, error);
  }
  if (code == BENCH_OK) {
    code = bench_merge_rows_write(&m->heads, out, "heads.csv", error);
  }
  if (code == BENCH_OK) {
    code = bench_merge_rows_write(&m->samples, out, "samples.csv", error);
  }
  if (code == BENCH_OK) {
    code = bench_merge_rows_write(&m->rows, out, "sweep.csv", error);
  }
  if (code == BENCH_OK) {
    char *text = json_dumps(manifest, JSON_INDENT(2));
    code = text == NULL ? bench_fail(error, BENCH_ERR_NOMEM, "no memory for manifest.json")
                        : bench_file_replace(out, "manifest.json", text, strlen(text), error);
    free(text);
  }
  return code == BENCH_OK ? export_rows(m, out, error) : code;
}

static void count_rows(const merge *m, bench_merge_result *result) {
  *result = (bench_merge_result){.rows = (int64_t)m->rows.count,
                                 .rows_planned = bench_merge_source_rows_planned(&m->source)};
  for (size_t i = 0; i < m->rows.count; i++) {
    const int status = bench_status_index(bench_merge_rows_field(&m->rows, i, "status"));
    if (status >= 0) {
      result->by_status[status]++;
    }
  }
}

bench_code bench_merge(const char *const *folders, size_t count, const char *out, json_t *command,
                       bench_merge_result *result, bench_error *error) {
  merge m = {.folders = folders,
             .count = count,
             .rows = {.table = &bench_sweep_table},
             .heads = {.table = &bench_head_table},
             .samples = {.table = &bench_sample_table}};
  if (!bench_file_folder_is_empty(out)) {
    return bench_fail(error, BENCH_ERR_USAGE, "%s: the folder is not empty", out);
  }
  bench_code code = bench_merge_source_open(folders, count, &m.source, error);
  if (code == BENCH_OK) {
    code = collect(&m, error);
  }
  if (code == BENCH_OK) {
    count_rows(&m, result);
    json_t *manifest = bench_merge_source_manifest(&m.source, command, result);
    code = write_all(&m, out, manifest, error);
    json_decref(manifest);
  }
  bench_merge_rows_free(&m.rows);
  bench_merge_rows_free(&m.heads);
  bench_merge_rows_free(&m.samples);
  free(m.row_ranks);
  free(m.problem_ranks);
  bench_merge_source_close(&m.source);
  return code;
}
