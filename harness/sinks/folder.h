/* The output folder of one sweep: sweep.csv (the record; a row in it is the commit mark of its
 * case and mode), heads.csv, samples.csv, manifest.json, config.toml, benchmark.json. */
#ifndef BENCH_SINK_FOLDER_H
#define BENCH_SINK_FOLDER_H

#include <jansson.h>

#include "bench/config.h"
#include "bench/row.h"
#include "src/idset.h"

typedef struct bench_folder bench_folder; /* opaque */

/* Makes the folder and its files. One that is not empty needs `resume`, which then drops the heads
 * and samples of rows that were never committed. Errors: BENCH_ERR_USAGE (not empty, not a result
 * of this version), BENCH_ERR_ENV (cannot be written). The caller closes. */
bench_code bench_folder_open(const char *path, const bench_config *config, bool resume,
                             bench_folder **out, bench_error *error);
bench_code bench_folder_close(bench_folder *folder, bench_error *error);

const char *bench_folder_path(const bench_folder *folder);

/* What was committed before this run. */
typedef struct bench_committed {
  bench_idset rows; /* bench_folder_row_id of each */
  int64_t by_status[BENCH_STATUS_COUNT];
  char backend[16]; /* of the rows; "": there are none, "?": of several */
} bench_committed;
const bench_committed *bench_folder_committed(const bench_folder *folder);
uint64_t bench_folder_row_id(const char *case_id, const char *mode);
bool bench_folder_has_row(const bench_folder *folder, const char *case_id, const char *mode);
/* Whether heads.csv has the statistics of this problem. */
bool bench_folder_has_heads(const bench_folder *folder, const char *problem_id);

/* Appends, in the order that makes the sweep row the commit mark: heads, samples, row. clock_mhz:
 * the device's clock during each sample, NaN where it is not known, or NULL. */
bench_code bench_folder_write(bench_folder *folder, const bench_row *row,
                              const bench_head_row *heads, size_t head_count, const double *samples,
                              const double *clock_mhz, size_t sample_count, bench_error *error);

/* Replaces manifest.json in one rename. */
bench_code bench_folder_manifest(bench_folder *folder, json_t *manifest, bench_error *error);

#endif
