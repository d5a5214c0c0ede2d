/* The CSV of one figure: its slice, row by row, with what the caption says. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "src/plot_figure.h"
#include "src/plot_labels.h"

/* One panel, while its rows are written. */
typedef struct panel {
  const bench_plot_axes *axes;
  const bench_plot_table *table;
  bench_plot_slice slice;
  bool has_ci; /* some point has a confidence interval: error bars are that, else p10 and p90 */
  bench_plot_label *labels;
  size_t label_count;
} panel;

/* The rows of one point: points[first] up to points[first + count]. */
typedef struct point_rows {
  size_t first;
  size_t count;
} point_rows;

static double bar(const panel *p, size_t row, bool upper) {
  const char *column = p->has_ci ? (upper ? "time_ns_ci_hi" : "time_ns_ci_lo")
                                 : (upper ? "time_ns_p90" : "time_ns_p10");
  return bench_plot_table_number(p->table, row, column);
}

/* A rate goes as 1 / time, so its bar is that of the time turned over. */
static double rate_bar(const panel *p, size_t row, const char *column, bool upper) {
  return bench_plot_table_number(p->table, row, column) *
         bench_plot_table_number(p->table, row, "time_ns_median") / bar(p, row, !upper);
}

static double over_rows(const panel *p, const point_rows *point, const char *column,
                        bench_plot_value value) {
  double sum = 0;
  double least = NAN;
  double greatest = NAN;
  size_t count = 0;
  for (size_t i = point->first; i < point->first + point->count; i++) {
    double number = bench_plot_table_number(p->table, p->slice.points[i].row, column);
    if (!isnan(number)) {
      sum += number;
      least = fmin(least, number);
      greatest = fmax(greatest, number);
      count++;
    }
  }
  return value == BENCH_PLOT_MEAN    ? sum / (double)count /* none: NaN */
         : value == BENCH_PLOT_LEAST ? least
                                     : greatest;
}

static double number_of(const panel *p, const point_rows *point, const bench_plot_column *column) {
  size_t row = p->slice.points[point->first].row;
  switch (column->value) {
    case BENCH_PLOT_TIME_LO:
      return bar(p, row, false);
    case BENCH_PLOT_TIME_HI:
      return bar(p, row, true);
    case BENCH_PLOT_RATE_LO:
      return rate_bar(p, row, column->column, false);
    case BENCH_PLOT_RATE_HI:
      return rate_bar(p, row, column->column, true);
    case BENCH_PLOT_ROOF:
      return bench_plot_table_number(p->table, row, column->column) * 100.0 /
             bench_plot_table_number(p->table, row, "pct_of_roof");
    case BENCH_PLOT_MEAN:
    case BENCH_PLOT_LEAST:
    case BENCH_PLOT_GREATEST:
      return over_rows(p, point, column->column, column->value);
    case BENCH_PLOT_LABEL_AT:
      for (size_t i = 0; i < p->label_count; i++) {
        if (p->labels[i].row == row) {
          return p->labels[i].at;
        }
      }
      return NAN;
    default:
      return bench_plot_table_number(p->table, row, column->column);
  }
}

/* Texts lose the few characters that gnuplot cannot read in a CSV file. */
static void put_text(FILE *to, const char *text) {
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;
    putc(c == ',' ? ';' : c == '"' ? '\'' : c < ' ' ? ' ' : c, to);
  }
}

static void put_field(FILE *to, const panel *p, const point_rows *point,
                      const bench_plot_column *column) {
  size_t row = p->slice.points[point->first].row;
  char text[BENCH_PLOT_TEXT_MAX];
  char mask[BENCH_PLOT_MASK_MAX] = "";
  const char *source = bench_plot_table_text(p->table, row, column->column, text);
  double number;
  switch (column->value) {
    case BENCH_PLOT_TEXT:
      put_text(to, source);
      break;
    case BENCH_PLOT_KIND:
      bench_plot_mask_kind(source, mask);
      put_text(to, mask);
      break;
    case BENCH_PLOT_LABEL:
      for (size_t i = 0; i < p->label_count; i++) {
        if (p->labels[i].row == row) {
          bench_plot_mask_label(source, mask);
        }
      }
      put_text(to, mask);
      break;
    default:
      number = number_of(p, point, column);
      if (isfinite(number)) {
        fprintf(to, "%.15g", number);
      }
  }
}

/* What the error bars are; "" where the figure has none. */
static const char *bars_of(const panel *p, const bench_plot_figure *figure) {
  bool of_time = false;
  bool of_heads = false;
  for (size_t i = 0; i < BENCH_PLOT_COLUMNS_MAX && figure->columns[i].name != NULL; i++) {
    bench_plot_value value = figure->columns[i].value;
    of_time = of_time || value == BENCH_PLOT_TIME_LO || value == BENCH_PLOT_RATE_LO;
    of_heads = of_heads || value == BENCH_PLOT_LEAST;
  }
  if (of_heads) {
    return "points: mean over heads; error bars: least to greatest head";
  }
  bool lacks_one = false;
  for (size_t i = 0; i < p->slice.count; i++) {
    lacks_one = lacks_one || isnan(bar(p, p->slice.points[i].row, false));
  }
  return !of_time     ? ""
         : !p->has_ci ? "error bars: 10th to 90th percentile of the samples"
         : lacks_one
             ? "error bars: 95 % confidence interval of the median (no bar: too few samples)"
             : "error bars: 95 % confidence interval of the median";
}

/* Device and commit of the panel; heads.csv has them by its problem_id in sweep.csv. */
static void put_origin(FILE *to, const panel *p, const bench_plot_source *source,
                       const bench_plot_style *style) {
  char text[BENCH_PLOT_TEXT_MAX];
  char problem[BENCH_PLOT_TEXT_MAX];
  const bench_plot_table *sweep = &source->sweep;
  size_t row = p->slice.points[0].row;
  if (p->table != sweep) {
    const char *wanted = bench_plot_table_text(p->table, row, "problem_id", problem);
    row = 0;
    while (row < sweep->rows &&
           strcmp(bench_plot_table_text(sweep, row, "problem_id", text), wanted) != 0) {
      row++;
    }
  }
  if (row >= sweep->rows) {
    return;
  }
  const char *device = bench_plot_table_text(sweep, row, "device", text);
  const char *commit = bench_plot_table_text(sweep, row, "git_commit", text);
  put_text(to, device);
  fputs(device[0] == '\0' || commit[0] == '\0' ? "" : style->ascii ? "; " : " · ", to);
  fputs(commit[0] == '\0' ? "" : "commit ", to);
  put_text(to, commit);
}

static void write_panel(FILE *to, const panel *p, size_t index, size_t panels,
                        const bench_plot_figure *figure, const bench_plot_source *source,
                        const bench_plot_style *style) {
  char caption[BENCH_PLOT_CAPTION_MAX];
  bench_plot_caption(p->table, p->axes, p->slice.by_tokens, p->slice.points[0].row, style,
                     style->columns / panels, caption);
  point_rows point = {0};
  for (; point.first < p->slice.count; point.first += point.count) {
    const bench_plot_point *first = &p->slice.points[point.first];
    point.count = 0;
    while (point.first + point.count < p->slice.count && first[point.count].x == first->x &&
           first[point.count].series == first->series) {
      point.count++;
    }
    fprintf(to, "%zu", index);
    for (size_t i = 0; i < BENCH_PLOT_COLUMNS_MAX && figure->columns[i].name != NULL; i++) {
      putc(',', to);
      put_field(to, p, &point, &figure->columns[i]);
    }
    putc(',', to);
    put_text(to, caption);
    fprintf(to, ",%s,", bars_of(p, figure));
    put_origin(to, p, source, style);
    putc('\n', to);
  }
}

static bool has_column(const bench_plot_table *table, const char *name,
                       char why[BENCH_PLOT_WHY_MAX]) {
  if (bench_plot_table_column(table, name) == BENCH_PLOT_NO_COLUMN) {
    snprintf(why, BENCH_PLOT_WHY_MAX, "%.128s has no column %s", table->path, name);
    return false;
  }
  return true;
}

/* Whether a panel can be drawn from this file at all. */
static bool has_columns(const bench_plot_table *table, const bench_plot_axes *axes, bool is_sweep,
                        char why[BENCH_PLOT_WHY_MAX]) {
  bool has = (!is_sweep || has_column(table, "status", why)) && has_column(table, axes->x, why) &&
             has_column(table, axes->needs, why);
  for (size_t i = 0; has && i < BENCH_PLOT_LIST_MAX && axes->series[i] != NULL; i++) {
    has = has_column(table, axes->series[i], why);
  }
  return has;
}

static bench_code open_panel(panel *p, const bench_plot_figure *figure, bench_error *error) {
  bench_code code = bench_plot_slice_choose(p->table, p->axes, &p->slice, error);
  if (code == BENCH_OK && p->slice.xs < figure->least_xs) {
    p->slice.count = 0;
  }
  for (size_t i = 0; i < p->slice.count && !p->has_ci; i++) {
    size_t row = p->slice.points[i].row;
    p->has_ci = !isnan(bench_plot_table_number(p->table, row, "time_ns_ci_lo"));
  }
  for (size_t i = 0; code == BENCH_OK && i < BENCH_PLOT_COLUMNS_MAX; i++) {
    if (figure->columns[i].value == BENCH_PLOT_LABEL) {
      code = bench_plot_labels_make(p->table, &p->slice, &p->labels, &p->label_count, error);
    }
  }
  return code;
}

static bench_code check_numbers(const bench_plot_table *table, const bench_plot_figure *figure,
                                bench_error *error) {
  bench_code code = BENCH_OK;
  for (size_t i = 0; code == BENCH_OK && i < BENCH_PLOT_COLUMNS_MAX; i++) {
    const bench_plot_column *column = &figure->columns[i];
    if (column->name != NULL && column->value == BENCH_PLOT_NUMBER) {
      code = bench_plot_table_check_number(table, column->column, error);
    }
  }
  return code;
}

static void write_figure(const bench_plot_figure *figure, const panel *panels,
                         const bench_plot_source *source, const bench_plot_style *style, FILE *to) {
  size_t drawn = 0;
  fputs("panel", to);
  for (size_t i = 0; i < BENCH_PLOT_COLUMNS_MAX && figure->columns[i].name != NULL; i++) {
    fprintf(to, ",%s", figure->columns[i].name);
  }
  fputs(",slice,bars,origin\n", to);
  for (size_t i = 0; i < BENCH_PLOT_PANELS_MAX; i++) {
    drawn += panels[i].slice.count > 0;
  }
  for (size_t i = 0; i < BENCH_PLOT_PANELS_MAX; i++) {
    if (panels[i].slice.count > 0) {
      write_panel(to, &panels[i], i, drawn, figure, source, style);
    }
  }
}

bench_code bench_plot_figure_write(const bench_plot_figure *figure, const bench_plot_source *source,
                                   const bench_plot_style *style, FILE *to,
                                   char why[BENCH_PLOT_WHY_MAX], bench_error *error) {
  bool is_sweep = strcmp(figure->source, "sweep.csv") == 0;
  const bench_plot_table *table = is_sweep ? &source->sweep : &source->heads;
  panel panels[BENCH_PLOT_PANELS_MAX] = {0};
  why[0] = '\0';
  if (table->columns == 0) {
    snprintf(why, BENCH_PLOT_WHY_MAX, "there is no %s", figure->source);
    return BENCH_OK;
  }
  bench_code code = check_numbers(table, figure, error);
  bool drawn = false;
  for (size_t i = 0; code == BENCH_OK && i < BENCH_PLOT_PANELS_MAX; i++) {
    if (figure->panels[i].x != NULL && has_columns(table, &figure->panels[i], is_sweep, why)) {
      panels[i].axes = &figure->panels[i];
      panels[i].table = table;
      code = open_panel(&panels[i], figure, error);
      drawn = drawn || panels[i].slice.count > 0;
    }
  }
  if (code == BENCH_OK && drawn) {
    why[0] = '\0';
    write_figure(figure, panels, source, style, to);
  } else if (why[0] == '\0') {
    snprintf(why, BENCH_PLOT_WHY_MAX, "%s", figure->nothing);
  }
  for (size_t i = 0; i < BENCH_PLOT_PANELS_MAX; i++) {
    bench_plot_slice_free(&panels[i].slice);
    free(panels[i].labels);
  }
  return code;
}
