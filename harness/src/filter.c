/* --filter KEY=GLOB: a column of the planned row against a shell pattern, as bash has them with
 * extglob: kernel=@(flash|vendor), kernel=!(torch/math). */
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "src/sweep.h"

static const struct {
  const char *alias;
  const char *column;
} aliases[] = {{"seq", "seq_q"}, {"heads", "heads_q"}, {"kv_heads", "heads_kv"}};

/* The column that a filter names, or NULL; *glob is its pattern. */
static const bench_column *filter_column(const char *filter, const char **glob) {
  const char *equals = strchr(filter, '=');
  char key[64];
  if (equals == NULL || (size_t)(equals - filter) >= sizeof key) {
    return NULL;
  }
  memcpy(key, filter, (size_t)(equals - filter));
  key[equals - filter] = '\0';
  *glob = equals + 1;
  for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
    if (strcmp(key, aliases[i].alias) == 0) {
      return bench_table_find(&bench_sweep_table, aliases[i].column);
    }
  }
  return bench_table_find(&bench_sweep_table, key);
}

bench_code bench_filter_check(const char *const *filters, size_t count, bench_error *error) {
  const char *glob;
  for (size_t i = 0; i < count; i++) {
    if (strchr(filters[i], '=') == NULL) {
      return bench_fail(error, BENCH_ERR_USAGE, "--filter %s: expected KEY=GLOB", filters[i]);
    }
    if (filter_column(filters[i], &glob) == NULL) {
      return bench_fail(error, BENCH_ERR_USAGE,
                        "--filter %s: no such key; a key is a column of `bench list columns`",
                        filters[i]);
    }
  }
  return BENCH_OK;
}

bool bench_filter_match(const char *const *filters, size_t count, const bench_row *row) {
  for (size_t i = 0; i < count; i++) {
    const char *glob;
    char text[BENCH_FIELD_TEXT_MAX];
    const bench_column *column = filter_column(filters[i], &glob);
    if (column == NULL || fnmatch(glob, bench_field_format(column, row, text), FNM_EXTMATCH) != 0) {
      return false;
    }
  }
  return true;
}
