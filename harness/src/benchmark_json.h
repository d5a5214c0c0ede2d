/* benchmark.json: the rows of a folder in the form that Google Benchmark writes, for its compare.py
 * and for dashboards. The library writes what one run measured; a folder can be the work of several
 * runs, some of which were killed, or of shards. Hence the file is made of all rows of sweep.csv:
 * an entry is what the library wrote of it, or, where that was lost, what the row says. */
#ifndef BENCH_BENCHMARK_JSON_H
#define BENCH_BENCHMARK_JSON_H

#include <jansson.h>

#include "bench/row.h"
#include "bench/status.h"

enum { BENCH_BENCHMARK_NAME_MAX = 640 };

/* kernel/model/mask/dims/mode: readable, and unique by its case id at the end. */
void bench_benchmark_name(const bench_row *row, char name[BENCH_BENCHMARK_NAME_MAX]);

/* What the library wrote, of one or several runs. Zero it before use. */
typedef struct bench_benchmark_known {
  json_t *context;
  json_t *entries; /* by name */
} bench_benchmark_known;

/* Adds a file of the library's form; a missing or torn one adds nothing. What was added before
 * stays: the newest run comes first. */
void bench_benchmark_known_add(bench_benchmark_known *known, const char *path);
void bench_benchmark_known_free(bench_benchmark_known *known);

/* Writes `folder`/benchmark.json of the rows of `folder`/sweep.csv, in one rename. */
bench_code bench_benchmark_json_write(const bench_benchmark_known *known, const char *folder,
                                      bench_error *error);

#endif
