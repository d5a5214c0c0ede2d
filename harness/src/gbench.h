/* Google Benchmark as registry, driver and exporter, seen from C.
 *
 * Each case and mode is one benchmark of one iteration with manual time: the driver calls back
 * once, and the callback asks a worker for samples. The sampling rule and the statistics of the
 * samples are ours; the library keeps only a mean per repetition. Its registry is global: one
 * sweep at a time. */
#ifndef BENCH_GBENCH_H
#define BENCH_GBENCH_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What one benchmark has to report. A `skipped` text makes it an error entry without a time, and
 * BENCH_GBENCH_NOT_REACHED leaves it out. */
#define BENCH_GBENCH_NOT_REACHED "not reached"
typedef struct bench_gbench_result {
  double time_s;
  double flops;      /* per iteration */
  double bytes;      /* likewise */
  char skipped[256]; /* "": measured */
} bench_gbench_result;

typedef void bench_gbench_run_fn(void *context, size_t index, bench_gbench_result *result);

/* Registers one benchmark; nothing is measured until bench_gbench_run_all. */
void bench_gbench_register(const char *name, bench_gbench_run_fn *run, void *context, size_t index);

/* Drives every registered benchmark whose name matches the regular expression ("" : all), in
 * order, and returns how many ran. `console` prints the table on stdout; `json_path` (NULL: none)
 * gets the library's JSON. */
size_t bench_gbench_run_all(const char *name_regex, bool console, bool color,
                            const char *json_path);

/* Forgets every registered benchmark. */
void bench_gbench_clear(void);

#ifdef __cplusplus
}
#endif
#endif
