/* The slice of a result that a figure shows: group the rows by the columns that are fixed, and take
 * the best group. */
#include "src/plot_slice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What makes two rows of a result different measurements. */
static const char *const identity[] = {"backend", "device",    "host",     "git_commit", "dtype",
                                       "scope",   "direction", "model",    "layers",     "batch",
                                       "heads_q", "mask",      "heads_kv", "head_dim",   "queries",
                                       "seq_kv",  "input",     "seed",     "mode",       "kernel"};

enum { IDENTITY_COUNT = sizeof identity / sizeof identity[0] };

typedef struct entry {
  char *key;    /* the values of the fixed columns */
  char *series; /* those of the series */
  bench_plot_point point;
} entry;

typedef struct entries {
  entry *items;
  size_t count;
} entries;

static bool is_in(const char *const *list, const char *name) {
  for (size_t i = 0; i < BENCH_PLOT_LIST_MAX && list[i] != NULL; i++) {
    if (strcmp(list[i], name) == 0) {
      return true;
    }
  }
  return false;
}

bool bench_plot_axes_fix(const bench_plot_axes *axes, const char *column) {
  return strcmp(axes->x, column) != 0 && !is_in(axes->series, column) && !is_in(axes->free, column);
}

/* The values of some columns as one text, which the caller frees, or NULL. */
static char *join(const bench_plot_table *table, size_t row, const char *const *columns,
                  size_t count) {
  char buffers[IDENTITY_COUNT][BENCH_PLOT_TEXT_MAX];
  const char *values[IDENTITY_COUNT];
  size_t bytes = 1;
  for (size_t i = 0; i < count; i++) {
    values[i] = bench_plot_table_text(table, row, columns[i], buffers[i]);
    bytes += strlen(values[i]) + 1;
  }
  char *text = malloc(bytes);
  char *end = text;
  for (size_t i = 0; text != NULL && i < count; i++) {
    end = stpcpy(end, values[i]);
    *end++ = '\x1f'; /* in no field: it separates values */
  }
  if (text != NULL) {
    *end = '\0';
  }
  return text;
}

static size_t list_count(const char *const *list) {
  size_t count = 0;
  while (count < BENCH_PLOT_LIST_MAX && list[count] != NULL) {
    count++;
  }
  return count;
}

static void entries_free(entries *list) {
  for (size_t i = 0; i < list->count; i++) {
    free(list->items[i].key);
    free(list->items[i].series);
  }
  free(list->items);
  *list = (entries){0};
}

static bool is_point(const bench_plot_table *table, const bench_plot_axes *axes, size_t row) {
  char text[BENCH_PLOT_TEXT_MAX];
  bool has_status = bench_plot_table_column(table, "status") != BENCH_PLOT_NO_COLUMN;
  return (!has_status || strcmp(bench_plot_table_text(table, row, "status", text), "ok") == 0) &&
         !isnan(bench_plot_table_number(table, row, axes->x)) &&
         !isnan(bench_plot_table_number(table, row, axes->needs)) &&
         (axes->wanted == NULL || axes->wanted(table, row));
}

/* Every row that can be a point, in the file's order. */
static bench_code collect(const bench_plot_table *table, const bench_plot_axes *axes,
                          bool by_tokens, entries *out, bench_error *error) {
  const char *fixed[IDENTITY_COUNT];
  size_t fixed_count = 0;
  for (size_t i = 0; i < IDENTITY_COUNT; i++) {
    if (bench_plot_axes_fix(axes, identity[i])) {
      bool swap = by_tokens && strcmp(identity[i], "batch") == 0;
      fixed[fixed_count++] = swap ? "tokens" : identity[i];
    }
  }
  *out = (entries){.items = calloc(table->rows + 1, sizeof *out->items)};
  bool failed = out->items == NULL;
  for (size_t row = 0; !failed && row < table->rows; row++) {
    if (is_point(table, axes, row)) {
      entry *item = &out->items[out->count++];
      item->key = join(table, row, fixed, fixed_count);
      item->series = join(table, row, axes->series, list_count(axes->series));
      item->point.x = bench_plot_table_number(table, row, axes->x);
      item->point.row = row;
      failed = item->key == NULL || item->series == NULL;
    }
  }
  return failed ? bench_fail(error, BENCH_ERR_NOMEM, "no memory for the rows of %s", table->path)
                : BENCH_OK;
}

static int by_key(const void *a, const void *b) {
  const entry *left = a;
  const entry *right = b;
  int order = strcmp(left->key, right->key);
  if (order == 0) {
    order = (left->point.x > right->point.x) - (left->point.x < right->point.x);
  }
  if (order == 0) {
    order = strcmp(left->series, right->series);
  }
  return order != 0 ? order
                    : (left->point.row > right->point.row) - (left->point.row < right->point.row);
}

static int by_row(const void *a, const void *b) {
  const entry *left = a;
  const entry *right = b;
  return (left->point.row > right->point.row) - (left->point.row < right->point.row);
}

static int by_point(const void *a, const void *b) {
  const bench_plot_point *left = a;
  const bench_plot_point *right = b;
  if (left->series != right->series) {
    return left->series < right->series ? -1 : 1;
  }
  if (left->x != right->x) {
    return left->x < right->x ? -1 : 1;
  }
  return (left->row > right->row) - (left->row < right->row);
}

/* How good a group is: a run of entries with one key. */
typedef struct group {
  size_t from;
  size_t count;
  int rank;
  size_t xs;     /* different points on the x axis */
  size_t points; /* over all series */
  size_t first_row;
} group;

static bool is_better(const group *a, const group *b) {
  if (a->rank != b->rank) {
    return a->rank < b->rank;
  }
  if (a->xs != b->xs) {
    return a->xs > b->xs;
  }
  return a->points != b->points ? a->points > b->points : a->first_row < b->first_row;
}

static group group_at(const bench_plot_table *table, const bench_plot_axes *axes,
                      const entries *sorted, size_t from) {
  const entry *first = &sorted->items[from];
  group found = {.from = from, .first_row = first->point.row};
  found.rank = axes->rank == NULL ? 0 : axes->rank(table, first->point.row);
  const entry *last = NULL;
  for (size_t i = from; i < sorted->count; i++, found.count++) {
    const entry *item = &sorted->items[i];
    if (strcmp(item->key, first->key) != 0) {
      break;
    }
    bool new_x = last == NULL || last->point.x != item->point.x;
    found.xs += new_x;
    found.points += new_x || strcmp(last->series, item->series) != 0;
    found.first_row = item->point.row < found.first_row ? item->point.row : found.first_row;
    last = item;
  }
  return found;
}

/* Sorts the entries and finds the best group; count 0 if there are none. */
static group best_group(const bench_plot_table *table, const bench_plot_axes *axes, entries *list) {
  group best = {0};
  if (list->count > 0) {
    qsort(list->items, list->count, sizeof *list->items, by_key);
  }
  for (size_t from = 0; from < list->count;) {
    group found = group_at(table, axes, list, from);
    if (best.count == 0 || is_better(&found, &best)) {
      best = found;
    }
    from += found.count;
  }
  return best;
}

/* Keeps only the entries of the group. */
static void keep_group(entries *list, const group *kept) {
  for (size_t i = 0; i < list->count; i++) {
    if (i < kept->from || i >= kept->from + kept->count) {
      free(list->items[i].key);
      free(list->items[i].series);
    }
  }
  memmove(list->items, list->items + kept->from, kept->count * sizeof *list->items);
  list->count = kept->count;
}

/* Copies the entries of one series as points, of the best value of `within` alone. */
static bench_code add_series(const bench_plot_table *table, const bench_plot_axes *axes,
                             const entries *all, const char *series, bench_plot_slice *out,
                             bench_error *error) {
  entries own = {.items = calloc(all->count, sizeof *own.items)};
  bool failed = own.items == NULL;
  for (size_t i = 0; !failed && i < all->count; i++) {
    if (strcmp(all->items[i].series, series) == 0) {
      entry *item = &own.items[own.count++];
      item->point = all->items[i].point;
      item->key = join(table, item->point.row, &axes->within, axes->within == NULL ? 0 : 1);
      item->series = strdup("");
      failed = item->key == NULL || item->series == NULL;
    }
  }
  if (!failed) {
    group best = best_group(table, axes, &own);
    for (size_t i = best.from; i < best.from + best.count; i++) {
      out->points[out->count] = own.items[i].point;
      out->points[out->count++].series = out->series_count;
    }
    out->series_count++;
  }
  entries_free(&own);
  return failed ? bench_fail(error, BENCH_ERR_NOMEM, "no memory for the rows of %s", table->path)
                : BENCH_OK;
}

/* The entries, in the file's order, as points. */
static bench_code add_points(const bench_plot_table *table, const bench_plot_axes *axes,
                             const entries *list, bench_plot_slice *out, bench_error *error) {
  out->points = calloc(list->count, sizeof *out->points);
  size_t *begins = calloc(list->count, sizeof *begins); /* the first entry of each series */
  bench_code code = BENCH_OK;
  if (out->points == NULL || begins == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory for the rows of %s", table->path);
  }
  for (size_t i = 0; code == BENCH_OK && i < list->count; i++) {
    const char *series = list->items[i].series;
    size_t known = 0;
    while (known < out->series_count && strcmp(list->items[begins[known]].series, series) != 0) {
      known++;
    }
    if (known == out->series_count) {
      begins[known] = i;
      code = add_series(table, axes, list, series, out, error);
    }
  }
  if (code == BENCH_OK) {
    qsort(out->points, out->count, sizeof *out->points, by_point);
  }
  free(begins);
  return code;
}

bench_code bench_plot_slice_choose(const bench_plot_table *table, const bench_plot_axes *axes,
                                   bench_plot_slice *out, bench_error *error) {
  *out = (bench_plot_slice){0};
  entries lists[2] = {0}; /* with batch fixed, and with tokens fixed */
  group best[2] = {0};
  bench_code code = BENCH_OK;
  for (int i = 0; code == BENCH_OK && i < 2; i++) {
    code = collect(table, axes, i == 1, &lists[i], error);
    if (code == BENCH_OK) {
      best[i] = best_group(table, axes, &lists[i]);
    }
  }
  if (code == BENCH_OK && best[0].count > 0) {
    out->by_tokens = best[1].rank == best[0].rank && best[1].xs > best[0].xs;
    out->xs = best[out->by_tokens].xs;
    entries *chosen = &lists[out->by_tokens];
    keep_group(chosen, &best[out->by_tokens]);
    qsort(chosen->items, chosen->count, sizeof *chosen->items, by_row);
    code = add_points(table, axes, chosen, out, error);
  }
  entries_free(&lists[0]);
  entries_free(&lists[1]);
  return code;
}

void bench_plot_slice_free(bench_plot_slice *slice) {
  free(slice->points);
  *slice = (bench_plot_slice){0};
}
