/* What the folders to be merged say of themselves: config, manifest, and the order of their plan.
 */
#ifndef BENCH_MERGE_SOURCE_H
#define BENCH_MERGE_SOURCE_H

#include <jansson.h>

#include "src/merge.h"
#include "src/plan_index.h"

typedef struct bench_merge_source {
  char *config; /* the text that all have */
  size_t config_bytes;
  json_t *manifests;      /* array, one a folder */
  bench_plan_index order; /* of the plan; empty where it could not be made */
} bench_merge_source;

/* Refuses folders of another config or --set than the first (BENCH_ERR_UNSUPPORTED), and what is no
 * result (BENCH_ERR_USAGE). The caller closes, also after a failure. */
bench_code bench_merge_source_open(const char *const *folders, size_t count,
                                   bench_merge_source *out, bench_error *error);
void bench_merge_source_close(bench_merge_source *source);

/* The place of a row in the order of the plan; `fallback` behind all of them where it has none. */
size_t bench_merge_source_rank(const bench_merge_source *source, uint64_t row_id, size_t fallback);
int64_t bench_merge_source_rows_planned(const bench_merge_source *source);
/* The manifest of the joined result, with those of its parts. New reference. */
json_t *bench_merge_source_manifest(const bench_merge_source *source, json_t *command,
                                    const bench_merge_result *result);

#endif
