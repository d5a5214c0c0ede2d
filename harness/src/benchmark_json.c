/* benchmark.json of all rows: see benchmark_json.h. */
#include "src/benchmark_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sinks/csv_table.h"
#include "sinks/file.h"

/* What the library appends to a name for how we have it measure: once, with our own time. */
#define NAME_END "/iterations:1/manual_time"

void bench_benchmark_name(const bench_row *row, char name[BENCH_BENCHMARK_NAME_MAX]) {
  snprintf(name, BENCH_BENCHMARK_NAME_MAX,
           "%s/%s/%s/%s/L%" PRId64 "xB%" PRId64 "xH%" PRId64 ":%" PRId64 "xD%" PRId64 "/S%" PRId64
           ":%" PRId64 "/%s/%s/%.8s",
           row->kernel, row->mode, row->dtype, row->mask, row->layers, row->batch, row->heads_q,
           row->heads_kv, row->head_dim, row->seq_q, row->seq_kv, row->input,
           row->model[0] != '\0' ? row->model : "-", row->case_id);
}

void bench_benchmark_known_add(bench_benchmark_known *known, const char *path) {
  json_t *file = json_load_file(path, 0, NULL);
  json_t *context = json_object_get(file, "context");
  size_t i;
  json_t *entry;
  if (known->entries == NULL) {
    known->entries = json_object();
  }
  if (known->context == NULL && json_is_object(context)) {
    known->context = json_incref(context);
  }
  json_array_foreach(json_object_get(file, "benchmarks"), i, entry) {
    const char *name = json_string_value(json_object_get(entry, "name"));
    if (name != NULL && json_object_get(known->entries, name) == NULL) {
      json_object_set(known->entries, name, entry);
    }
  }
  json_decref(file);
}

void bench_benchmark_known_free(bench_benchmark_known *known) {
  json_decref(known->context);
  json_decref(known->entries);
  *known = (bench_benchmark_known){0};
}

static double known_or_0(double value) {
  return isfinite(value) ? value : 0; /* JSON has no NaN */
}

/* The time of the processor is not in a row: the library's field must be there, and has the same
 * time. */
static json_t *entry_of_row(const bench_row *row, const char *name) {
  json_t *entry =
      json_pack("{s:s s:i s:i s:s s:s s:i s:i s:i s:i}", "name", name, "family_index", 0,
                "per_family_instance_index", 0, "run_name", name, "run_type", "iteration",
                "repetitions", 1, "repetition_index", 0, "threads", 1, "iterations", 1);
  if (strcmp(row->status, "ok") == 0) {
    json_t *measured =
        json_pack("{s:f s:f s:s s:f s:f}", "real_time", 1e-6 * row->time_ns_median, "cpu_time",
                  1e-6 * row->time_ns_median, "time_unit", "ms", "B/s",
                  1e9 * known_or_0(row->gb_per_s), "FLOP/s", 1e12 * known_or_0(row->tflops));
    json_object_update(entry, measured);
    json_decref(measured);
  } else {
    char message[sizeof row->status + sizeof row->reason + 4];
    snprintf(message, sizeof message, "%s: %s", row->status, row->reason);
    json_object_set_new(entry, "error_occurred", json_true());
    json_object_set_new(entry, "error_message", json_string(message));
  }
  return entry;
}

/* The rows being turned into entries. */
typedef struct making {
  const bench_benchmark_known *known;
  json_t *entries;
} making;

static bench_code add_row(void *context, char *const *fields, bench_error *error) {
  making *m = context;
  bench_row row;
  char given[BENCH_BENCHMARK_NAME_MAX];
  char name[BENCH_BENCHMARK_NAME_MAX + sizeof NAME_END];
  bench_row_parse(&bench_sweep_table, fields, &row);
  bench_benchmark_name(&row, given);
  snprintf(name, sizeof name, "%s%s", given, NAME_END);
  json_t *known = json_object_get(m->known->entries, name);
  json_t *entry = known != NULL ? json_copy(known) : entry_of_row(&row, name);
  json_object_set_new(entry, "family_index", json_integer((json_int_t)json_array_size(m->entries)));
  return json_array_append_new(m->entries, entry) == 0
             ? BENCH_OK
             : bench_fail(error, BENCH_ERR_NOMEM, "no memory for benchmark.json");
}

bench_code bench_benchmark_json_write(const bench_benchmark_known *known, const char *folder,
                                      bench_error *error) {
  making m = {.known = known, .entries = json_array()};
  bench_code code = bench_csv_read(folder, "sweep.csv", &bench_sweep_table, BENCH_CSV_BY_NAME,
                                   add_row, &m, error);
  json_t *file = json_pack("{s:O? s:o}", "context", known->context, "benchmarks", m.entries);
  char *text = code == BENCH_OK ? json_dumps(file, JSON_INDENT(2)) : NULL;
  if (code == BENCH_OK) {
    code = text == NULL ? bench_fail(error, BENCH_ERR_NOMEM, "no memory for benchmark.json")
                        : bench_file_replace(folder, "benchmark.json", text, strlen(text), error);
  }
  free(text);
  json_decref(file);
  return code;
}
