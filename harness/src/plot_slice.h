/* Which rows of a result one figure shows.
 *
 * A picture has one x axis and a line per series; a sweep varies more than that. So every other
 * column that says what was asked, or where it ran, is fixed to one value. The combination taken
 *   1. is the first by `rank`, where the figure ranks its rows,
 *   2. has the most points on the x axis,
 *   3. then the most points over all its series,
 *   4. then stands first in the file.
 * Of rows that agree in all of that, the first is drawn: a run repeats none. */
#ifndef BENCH_PLOT_SLICE_H
#define BENCH_PLOT_SLICE_H

#include <stdbool.h>

#include "src/plot_table.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_PLOT_LIST_MAX 6

typedef struct bench_plot_axes {
  const char *x;
  const char *series[BENCH_PLOT_LIST_MAX]; /* columns that together name a line */
  const char *free[BENCH_PLOT_LIST_MAX];   /* follow from x or the series; neither is fixed */
  const char *needs;                       /* a row without this number is no point */
  bool (*wanted)(const bench_plot_table *table, size_t row); /* NULL: every row */
  int (*rank)(const bench_plot_table *table, size_t row);    /* least first; NULL: all alike */
  const char
      *within; /* a series is of one value of this column, chosen by the same rule, or NULL */
} bench_plot_axes;

typedef struct bench_plot_point {
  size_t series; /* in the order in which they begin in the file */
  double x;
  size_t row;
} bench_plot_point;

typedef struct bench_plot_slice {
  bench_plot_point *points; /* by series, x, row */
  size_t count;             /* 0: the file has no row for these axes */
  size_t series_count;
  size_t xs;      /* different points on the x axis */
  bool by_tokens; /* batch * seq_q is fixed and not batch, for that gives more points */
} bench_plot_slice;

/* Chooses the slice. Rows whose status is not ok, or whose x is missing, are never points (a file
 * without the column status has ok rows only). Fails with BENCH_ERR_NOMEM alone. The caller
 * frees. */
bench_code bench_plot_slice_choose(const bench_plot_table *table, const bench_plot_axes *axes,
                                   bench_plot_slice *out, bench_error *error);
void bench_plot_slice_free(bench_plot_slice *slice);

/* Whether the axes fix this column. */
bool bench_plot_axes_fix(const bench_plot_axes *axes, const char *column);

#ifdef __cplusplus
}
#endif
#endif
