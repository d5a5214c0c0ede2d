/* Runs the real program as a user would, and reads what it left. For end-to-end tests. */
#ifndef BENCH_TESTS_RUN_BENCH_H
#define BENCH_TESTS_RUN_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bench/row.h"
#include "scratch.h"

typedef struct bench_outcome {
  int exit_status; /* 128 + signal if it was killed */
  char *out;       /* what it printed; freed by outcome_free */
  char *err;
} bench_outcome;

/* The program that run_bench runs, of those beside `bench`. */
extern const char *bench_program; /* "bench" */

/* `bench ARGUMENTS` by the shell, so quoting is the shell's; environment assignments may stand in
 * `environment` ("" for none). */
bench_outcome run_bench(const char *environment, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void outcome_free(bench_outcome *outcome);
/* Asserts that each is bad usage: exit status 2, a word about it, and no output. */
void refuses_usage(const char *const *arguments, size_t count);

/* Is there no such process, after ten seconds at most? */
bool process_ends(pid_t pid);

/* A whole file, "" if there is none; the caller frees. */
char *file_text(const char *path);

/* The table of a result as text fields: table.field[row * columns + column]. */
typedef struct result_table {
  const bench_table *table;
  char **fields;
  size_t rows;
} result_table;
result_table read_table(const char *folder, const char *name, const bench_table *table);
const char *table_field(const result_table *table, size_t row, const char *column);
void table_free(result_table *table);
/* Rows whose `column` is `value`. */
size_t table_count(const result_table *table, const char *column, const char *value);

/* Asserts that benchmark.json has the rows of sweep.csv, each once, with their times. */
void check_export(const char *folder);

#endif
