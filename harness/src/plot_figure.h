/* The figures of `bench plot`: one table. A figure is one script, plots/NAME.gp, and the rows that
 * the script reads: a CSV of its own, whose columns the script knows by name. */
#ifndef BENCH_PLOT_FIGURE_H
#define BENCH_PLOT_FIGURE_H

#include <stdio.h>

#include "src/plot_slice.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a column of a figure's CSV says of a point. LO and HI are error bars: the 95 % confidence
 * interval of the median time, or, where no point of the panel has one, p10 and p90. */
typedef enum bench_plot_value {
  BENCH_PLOT_TEXT,     /* the column's text */
  BENCH_PLOT_NUMBER,   /* its number */
  BENCH_PLOT_TIME_LO,  /* the time's error bar */
  BENCH_PLOT_TIME_HI,  /**/
  BENCH_PLOT_RATE_LO,  /* the bar of a column that goes as 1 / time */
  BENCH_PLOT_RATE_HI,  /**/
  BENCH_PLOT_ROOF,     /* column * 100 / pct_of_roof */
  BENCH_PLOT_MEAN,     /* over the point's rows: the heads of a layer */
  BENCH_PLOT_LEAST,    /**/
  BENCH_PLOT_GREATEST, /**/
  BENCH_PLOT_KIND,     /* a mask without its numbers: points of one kind make a line */
  BENCH_PLOT_LABEL,    /* a mask, on its first point in the panel alone */
  BENCH_PLOT_LABEL_AT, /* where on the axis of densities its label has room, 0 to 1 */
} bench_plot_value;

typedef struct bench_plot_column {
  const char *name;
  bench_plot_value value;
  const char *column; /* of the source, that it is made of */
} bench_plot_column;

#define BENCH_PLOT_PANELS_MAX 2
#define BENCH_PLOT_COLUMNS_MAX 12

typedef struct bench_plot_figure {
  const char *name;
  const char *shows;   /* for people */
  const char *source;  /* sweep.csv or heads.csv */
  const char *nothing; /* why it is not drawn, where the source has no row for it */
  bench_plot_axes panels[BENCH_PLOT_PANELS_MAX]; /* the second may lack its x */
  size_t least_xs; /* a panel with fewer points on its x axis says nothing; 0: one is enough */
  bench_plot_column columns[BENCH_PLOT_COLUMNS_MAX];
} bench_plot_figure;

extern const bench_plot_figure bench_plot_figures[];
extern const size_t bench_plot_figure_count;

/* A result's files; `heads` or `sweep` without rows and columns if it has none. */
typedef struct bench_plot_source {
  bench_plot_table sweep;
  bench_plot_table heads;
} bench_plot_source;

/* How a picture is written. */
typedef struct bench_plot_style {
  bool ascii;     /* nothing but ASCII in its texts */
  size_t columns; /* characters that fit beside each other */
} bench_plot_style;

/* Writes the CSV of one figure. If there is nothing to draw, `why` says so in one sentence, and
 * nothing is written. Columns: panel (from 0), those of the figure, and the same on every line of a
 * panel: slice (what is fixed; | is a line break), bars (what the error bars are), origin (device
 * and commit). No field has a comma, a quote or a line end, which gnuplot would not read. */
#define BENCH_PLOT_WHY_MAX 256
bench_code bench_plot_figure_write(const bench_plot_figure *figure, const bench_plot_source *source,
                                   const bench_plot_style *style, FILE *to,
                                   char why[BENCH_PLOT_WHY_MAX], bench_error *error);

/* What the axes fix at this row, in words, with | where a line of `width` characters is full. */
#define BENCH_PLOT_CAPTION_MAX 1024
void bench_plot_caption(const bench_plot_table *table, const bench_plot_axes *axes, bool by_tokens,
                        size_t row, const bench_plot_style *style, size_t width,
                        char out[BENCH_PLOT_CAPTION_MAX]);

#ifdef __cplusplus
}
#endif
#endif
