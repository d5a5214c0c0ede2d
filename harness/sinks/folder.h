/* The output folder of one sweep: sweep.csv (the record; a row in it is the commit mark of its
 * case and mode), heads.csv, samples.csv, manifest.json, config.toml, benchmark.json.
 *
 * Heads and samples are written first, the row last, each handed to the operating system at once:
 * a killed run loses the case in hand and nothing else. What a power cut loses is at most the last
 * second; a row whose samples did not reach the disk is no row. */
#ifndef BENCH_SINK_FOLDER_H
#define BENCH_SINK_FOLDER_H

#include <jansson.h>

#include "bench/config.h"
#include "bench/row.h"
#include "src/idset.h"

typedef struct bench_folder bench_folder; /* opaque */

/* Says of a row that is in the folder whether it stays or is taken out, to be made again; an error
 * refuses the folder. Called once for each row, in order, before anything is changed. */
typedef bench_code bench_folder_judge_fn(void *context, const bench_row *row, bool *stays,
                                         bench_error *error);

/* How to go on with a folder. */
typedef struct bench_folder_resume {
  bench_folder_judge_fn *judge;
  void *context;
  bool any_header; /* files of another version are read by the names of their columns */
} bench_folder_resume;

/* Makes the folder and its files. One that is not empty needs `resume` (else NULL): then the rows
 * that do not stay are taken out, and heads and samples of rows that are not there. Errors:
 * BENCH_ERR_USAGE (not empty, malformed), BENCH_ERR_UNSUPPORTED (refused), BENCH_ERR_ENV (cannot be
 * written). The caller closes. */
bench_code bench_folder_open(const char *path, const bench_config *config,
                             const bench_folder_resume *resume, bench_folder **out,
                             bench_error *error);
bench_code bench_folder_close(bench_folder *folder, bench_error *error);

const char *bench_folder_path(const bench_folder *folder);

/* Rows that stayed, by status. */
const int64_t *bench_folder_kept(const bench_folder *folder);
uint64_t bench_folder_row_id(const char *case_id, const char *mode);
bool bench_folder_has_row(const bench_folder *folder, const char *case_id, const char *mode);

/* Appends, in the order that makes the sweep row the commit mark: heads, samples, row. clock_mhz:
 * the device's clock during each sample, NaN where it is not known, or NULL. */
bench_code bench_folder_write(bench_folder *folder, const bench_row *row,
                              const bench_head_row *heads, size_t head_count, const double *samples,
                              const double *clock_mhz, size_t sample_count, bench_error *error);

/* Hands to the disk what has waited for nearly a second. To be called five times a second. */
bench_code bench_folder_sync_due(bench_folder *folder, bench_error *error);

/* Replaces manifest.json in one rename. */
bench_code bench_folder_manifest(bench_folder *folder, json_t *manifest, bench_error *error);

#endif
