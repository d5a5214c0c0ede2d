/* Pairs of ours and the best peer, and their means: see ratios.h. */
#include "src/ratios.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/backend.h"

const char *const bench_ratio_columns[] = {"device", "backend", "kernel",    "variant",  "dtype",
                                           "scope",  "mask",    "direction", "head_dim", "queries",
                                           "input",  "mode",    NULL};

/* What a row of ours and its peer agree in. */
static const char *const beside[] = {"problem_id", "mode", "device", NULL};

typedef enum side { OURS, PEER, NEITHER } side;

static side side_of(const char *kernel, const char *peer) {
  static const struct {
    const char *family;
    side side;
  } families[] = {{"flash", OURS},        {"sparse", OURS},    {"decode", OURS}, {"naive", NEITHER},
                  {"reference", NEITHER}, {"memory", NEITHER}, {"null", NEITHER}};
  if (peer != NULL && strcmp(kernel, peer) == 0) {
    return PEER;
  }
  for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
    if (bench_name_is_of(kernel, families[i].family)) {
      return families[i].side;
    }
  }
  return peer == NULL ? PEER : NEITHER;
}

/* A row with a time, where it can be compared. */
typedef struct timed_row {
  const bench_plot_table *table;
  size_t row;
  side side;
  bool steady; /* the row is ok, and not invalid */
  double time_ns;
} timed_row;

static int by_columns(const bench_plot_table *table, size_t a, size_t b,
                      const char *const *columns) {
  int order = 0;
  for (; order == 0 && *columns != NULL; columns++) {
    char of_a[BENCH_PLOT_TEXT_MAX];
    char of_b[BENCH_PLOT_TEXT_MAX];
    order = strcmp(bench_plot_table_text(table, a, *columns, of_a),
                   bench_plot_table_text(table, b, *columns, of_b));
  }
  return order;
}

static int by_problem(const void *a, const void *b) {
  const timed_row *left = a;
  const timed_row *right = b;
  int order = by_columns(left->table, left->row, right->row, beside);
  return order != 0 ? order : (left->row > right->row) - (left->row < right->row);
}

static int by_row(const void *a, const void *b) {
  const bench_ratio_pair *left = a;
  const bench_ratio_pair *right = b;
  return (left->ours > right->ours) - (left->ours < right->ours);
}

static bench_code check_columns(const bench_plot_table *table, bench_error *error) {
  static const char *const numbers[] = {"time_ns_median", "time_ns_ci_lo", "time_ns_ci_hi", NULL};
  static const char *const texts[] = {"status", NULL};
  const char *const *const lists[] = {beside, numbers, texts, bench_ratio_columns};
  for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
    for (const char *const *name = lists[l]; *name != NULL; name++) {
      /* queries is derived, and there is a query count in every sweep.csv. */
      const char *needed = strcmp(*name, "queries") == 0 ? "seq_q" : *name;
      if (bench_plot_table_column(table, needed) == BENCH_PLOT_NO_COLUMN) {
        return bench_fail(error, BENCH_ERR_USAGE, "%s:1: there is no column %s", table->path,
                          needed);
      }
    }
  }
  bench_code code = BENCH_OK;
  for (const char *const *name = numbers; code == BENCH_OK && *name != NULL; name++) {
    code = bench_plot_table_check_number(table, *name, error);
  }
  return code;
}

/* The rows that count, problem by problem: of a peer also those that may be the fastest. */
static size_t gather(const bench_plot_table *table, const char *peer, timed_row *rows) {
  size_t count = 0;
  for (size_t row = 0; row < table->rows; row++) {
    char text[BENCH_PLOT_TEXT_MAX];
    timed_row each = {.table = table, .row = row};
    each.time_ns = bench_plot_table_number(table, row, "time_ns_median");
    each.side = side_of(bench_plot_table_text(table, row, "kernel", text), peer);
    const char *status = bench_plot_table_text(table, row, "status", text);
    each.steady = strcmp(status, "ok") == 0;
    const bool counts = each.steady || (each.side == PEER && strcmp(status, "invalid") == 0);
    if (each.side != NEITHER && each.time_ns > 0 && counts) {
      rows[count++] = each;
    }
  }
  qsort(rows, count, sizeof *rows, by_problem);
  return count;
}

/* log(end of the interval / median); NaN: there is none. */
static double reach(const timed_row *of, const char *end) {
  return log(bench_plot_table_number(of->table, of->row, end) / of->time_ns);
}

static bench_ratio ratio_of(const timed_row *ours, const timed_row *peer) {
  double middle = log(peer->time_ns / ours->time_ns);
  double below = hypot(reach(peer, "time_ns_ci_lo"), reach(ours, "time_ns_ci_hi"));
  double above = hypot(reach(peer, "time_ns_ci_hi"), reach(ours, "time_ns_ci_lo"));
  return (bench_ratio){exp(middle), exp(middle - below), exp(middle + above)};
}

/* One problem's rows: each of ours with the best peer. */
static void pair_up(const timed_row *rows, size_t count, bench_ratios *out) {
  const timed_row *best = NULL;
  for (size_t i = 0; i < count; i++) {
    if (rows[i].side == PEER && (best == NULL || rows[i].time_ns < best->time_ns)) {
      best = &rows[i];
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (rows[i].side != OURS) {
      continue;
    }
    if (best == NULL) {
      out->alone++;
    } else if (!best->steady) {
      out->unsteady++;
    } else {
      out->pairs[out->pair_count++] =
          (bench_ratio_pair){rows[i].row, best->row, ratio_of(&rows[i], best)};
    }
  }
}

/* A mean while it is summed up: logarithms, and squares of the reach of the interval. */
static void add(bench_ratio_mean *sum, const bench_plot_table *table,
                const bench_ratio_pair *pair) {
  const bench_ratio *ratio = &pair->ratio;
  sum->ratio.value += log(ratio->value);
  sum->ratio.lo += pow(log(ratio->value / ratio->lo), 2);
  sum->ratio.hi += pow(log(ratio->hi / ratio->value), 2);
  sum->least = sum->pairs == 0 ? ratio->value : fmin(sum->least, ratio->value);
  sum->greatest = sum->pairs == 0 ? ratio->value : fmax(sum->greatest, ratio->value);
  sum->ideal += log(bench_plot_table_number(table, pair->ours, "fraction_of_ideal"));
  sum->pairs++;
}

static void finish(bench_ratio_mean *sum) {
  double pairs = (double)sum->pairs;
  double middle = sum->ratio.value / pairs;
  sum->ratio = (bench_ratio){exp(middle), exp(middle - sqrt(sum->ratio.lo) / pairs),
                             exp(middle + sqrt(sum->ratio.hi) / pairs)};
  sum->ideal = exp(sum->ideal / pairs);
}

static void average(const bench_plot_table *table, bench_ratios *out) {
  for (size_t i = 0; i < out->pair_count; i++) {
    const bench_ratio_pair *pair = &out->pairs[i];
    size_t at = 0;
    while (at < out->mean_count &&
           by_columns(table, out->means[at].row, pair->ours, bench_ratio_columns) != 0) {
      at++;
    }
    if (at == out->mean_count) {
      out->means[out->mean_count++] = (bench_ratio_mean){.row = pair->ours};
    }
    add(&out->means[at], table, pair);
  }
  for (size_t i = 0; i < out->mean_count; i++) {
    finish(&out->means[i]);
  }
}

bench_code bench_ratios_make(const bench_plot_table *table, const char *peer, bench_ratios *out,
                             bench_error *error) {
  *out = (bench_ratios){0};
  bench_code code = check_columns(table, error);
  if (code != BENCH_OK) {
    return code;
  }
  timed_row *rows = calloc(table->rows + 1, sizeof *rows);
  out->pairs = calloc(table->rows + 1, sizeof *out->pairs);
  out->means = calloc(table->rows + 1, sizeof *out->means);
  if (rows == NULL || out->pairs == NULL || out->means == NULL) {
    code = bench_fail(error, BENCH_ERR_NOMEM, "no memory for the ratios of %zu rows", table->rows);
  } else {
    size_t count = gather(table, peer, rows);
    for (size_t first = 0, end; first < count; first = end) {
      end = first + 1;
      while (end < count && by_columns(table, rows[first].row, rows[end].row, beside) == 0) {
        end++;
      }
      pair_up(rows + first, end - first, out);
    }
    qsort(out->pairs, out->pair_count, sizeof *out->pairs, by_row);
    average(table, out);
  }
  free(rows);
  return code;
}

void bench_ratios_free(bench_ratios *ratios) {
  free(ratios->pairs);
  free(ratios->means);
  *ratios = (bench_ratios){0};
}
