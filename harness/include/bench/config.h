/* bench_config: one TOML file, checked. The grammar is the config contract of the design.
 *
 * An error is one message "FILE:LINE:COLUMN: what is wrong", followed by the line and a caret. */
#ifndef BENCH_CONFIG_H
#define BENCH_CONFIG_H

#include "bench/mask.h"
#include "bench/model_shape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum bench_mode {
  BENCH_MODE_COLD,      /* last-level cache flushed before every sample */
  BENCH_MODE_WARM,      /* back to back, caches as they are */
  BENCH_MODE_GRAPH,     /* tensors in no cache: copies in turn; on cuda as one graph */
  BENCH_MODE_SUSTAINED, /* at least 3 s back to back, last half only */
  BENCH_MODE_COUNT
} bench_mode;
#define BENCH_SUSTAINED_MIN_S 3.0 /* whatever the budget: shorter is not sustained */
const char *bench_mode_name(bench_mode mode);
bool bench_mode_parse(const char *text, bench_mode *out);

typedef enum bench_stat_set { BENCH_STATS_NONE, BENCH_STATS_CORE, BENCH_STATS_FULL } bench_stat_set;
const char *bench_stat_set_name(bench_stat_set set);

/* Where input comes from; `path` (absolute or relative to the current directory, already resolved
 * against the config's folder) only for BENCH_INPUT_MODEL. */
typedef struct bench_source {
  bench_input input;
  char *path;
} bench_source;

typedef struct bench_axis {
  int64_t *values;
  size_t count; /* 0: the axis is not given */
} bench_axis;

/* The product of the lists of one [[grid]] table. Owned by the config. */
typedef struct bench_grid {
  int line; /* of the [[grid]] header, for messages */
  bench_model_shape *models;
  size_t model_count; /* 0: none named */
  bench_axis seq;     /* seq_q = seq_kv; excludes the next two */
  bench_axis seq_q;
  bench_axis seq_kv;
  bench_axis batch;
  bench_axis tokens; /* batch = tokens / seq_q; excludes batch */
  bench_axis heads;
  bench_axis kv_heads;
  bench_axis head_dim;
  bench_axis layers;
  bench_axis params;
  bench_dtype *dtypes;
  size_t dtype_count;
  bench_mask_choice *masks;
  size_t mask_count;
  bench_scope *scopes;
  size_t scope_count;
  bench_direction *directions;
  size_t direction_count;
  bench_source *inputs; /* key `input`; one entry, [input].source, where the grid has none */
  size_t input_count;
} bench_grid;

typedef struct bench_config {
  char name[BENCH_NAME_MAX];
  char *text; /* the file as read, for the copy in the output folder */
  size_t text_bytes;
  char **kernels; /* families of bench_families, or FAMILY/VARIANT, in the order given */
  size_t kernel_count;
  bench_mode *modes;
  size_t mode_count;
  double budget_case_s;    /* measuring time of a case; default 20 */
  double budget_timeout_s; /* a request unanswered for so long is a hang; 0: by the prediction */
  double budget_memory_fraction; /* of the device's memory; default 0.9 */
  bench_grid *grids;
  size_t grid_count;
  bench_stat_set stats;
  char *input_text; /* [input] text: the text a checkpoint reads, NULL: the folder's heldout.txt */
  uint64_t seed;    /* [input] seed, default 1 */
} bench_config;

/* Reads `path`, then applies each "KEY=VALUE" of `sets` (contract: --set) in order. Checks all
 * that needs no device: types, names, limits, unknown keys, products. The caller frees with
 * bench_config_free; after a failure there is nothing to free. */
bench_code bench_config_load(const char *path, const char *const *sets, size_t set_count,
                             bench_config *out, bench_error *error);
/* The same on memory; `label` stands for the file in messages and `folder` is what relative paths
 * are relative to. The fuzz target's entry. */
bench_code bench_config_parse(const char *label, const char *folder, const char *text, size_t bytes,
                              const char *const *sets, size_t set_count, bench_config *out,
                              bench_error *error);
void bench_config_free(bench_config *config);

/* The presets compiled in from configs/models.toml, in file order. The table belongs to the
 * library and lives until the process ends. A fault in the file is a BENCH_ERR_USAGE. */
bench_code bench_models(const bench_model_shape **models, size_t *count, bench_error *error);

#ifdef __cplusplus
}
#endif
#endif
