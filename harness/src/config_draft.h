/* A config on its way from TOML to bench_config: what config.h shows, and what only the checks
 * between keys need. The tables of keys refer to these structs. */
#ifndef BENCH_CONFIG_DRAFT_H
#define BENCH_CONFIG_DRAFT_H

#include "src/config_read.h"

/* Origins of nodes, the order in which texts are read: a later one overrides. */
enum {
  CONFIG_DEFAULTS, /* what a config that says nothing gets, in the config's own language */
  CONFIG_FILE,
  CONFIG_SETS /* the first --set */
};

/* Rows of config_grid_table. */
enum {
  GRID_MODEL,
  GRID_SEQ,
  GRID_SEQ_Q,
  GRID_SEQ_KV,
  GRID_BATCH,
  GRID_TOKENS,
  GRID_HEADS,
  GRID_KV_HEADS,
  GRID_HEAD_DIM,
  GRID_LAYERS,
  GRID_PARAMS,
  GRID_DTYPE,
  GRID_MASK,
  GRID_SCOPE,
  GRID_DIRECTION,
  GRID_INPUT,
  GRID_KEY_COUNT
};

/* Where the keys of one grid were given, for messages. NULL: not given. */
typedef struct config_grid_note {
  const bench_toml *header;
  const bench_toml *given[GRID_KEY_COUNT];
} config_grid_note;

typedef struct config_draft {
  bench_config config;
  bench_source source;             /* [input] source: of the grids that have none */
  config_grid_note *notes;         /* one for each of config.grids */
  const bench_toml *grid_defaults; /* what every grid starts from */
} config_draft;

extern const config_table config_root_table; /* base: config_draft */
extern const config_table config_grid_table; /* base: bench_grid */

/* `text` if it is absolute or folder is empty, else folder/text; NULL when memory is out. */
char *config_path(const char *folder, const char *text);

/* Checks between the keys of one grid; after the whole config has been read. */
bench_code config_check_grid(config_reader *reader, const bench_grid *grid,
                             const config_grid_note *note);

#endif
