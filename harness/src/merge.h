/* The folders of several runs of one config, as shards are, joined into one. */
#ifndef BENCH_MERGE_H
#define BENCH_MERGE_H

#include <jansson.h>

#include "bench/row.h"
#include "bench/status.h"

typedef struct bench_merge_result {
  int64_t rows;
  int64_t rows_planned; /* of the whole plan; -1: the folders do not say */
  int64_t by_status[BENCH_STATUS_COUNT];
} bench_merge_result;

/* Writes what the folders hold together into `out`, which must not be there or be empty. Rows stand
 * in the order of the plan; where it cannot be made here (a checkpoint that is not on this
 * machine), in that of the folders. `command` is for the manifest.
 *
 * BENCH_ERR_UNSUPPORTED where they do not belong together: another config, --set, schema, commit,
 * backend, device or code of a kernel, or one case and mode with two different rows. */
bench_code bench_merge(const char *const *folders, size_t count, const char *out, json_t *command,
                       bench_merge_result *result, bench_error *error);

#endif
