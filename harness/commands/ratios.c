/* bench ratios DIR: our kernels against the best peer of the same run. */
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/commands.h"
#include "src/ratios.h"

static const char help[] =
    "usage: bench ratios DIR [--peer KERNEL] [--csv]\n\n"
    "Sets each time of our kernels (flash, sparse, decode) against the smallest one that a peer\n"
    "(blas, vendor, or a kernel of bench sweep --peer) took for the same problem in the same "
    "mode,\n"
    "and prints the ratios, then their geometric means over shapes. A ratio is the peer's median\n"
    "time over ours: above 1, ours is faster. Intervals are of 95 %; ideal is "
    "fraction_of_ideal.\n\n"
    "  --peer KERNEL   against this kernel instead of the best peer\n"
    "  --csv           print the ratios as CSV, and nothing else\n\n"
    "Last come the cases timed with modes sustained and warm: what is left of a burst's speed.\n\n"
    "Exit status 3 if no peer is there to compare with.\n\n"
    "example: bench sweep configs/peers.toml --peer 'python3 kernels/peers/torch_worker.py' -o p\n"
    "         bench ratios p\n";

/* The columns of a pair that say what was compared; behind them stand those that say how. */
static const char *const asked[] = {
    "backend", "device",   "kernel",   "variant", "dtype",  "scope", "direction", "layers", "batch",
    "heads_q", "heads_kv", "head_dim", "seq_q",   "seq_kv", "mask",  "input",     "mode",   NULL};

/* A table under way to being printed. The header is its first line. */
#define CELL_MAX 128
#define COLUMNS_MAX 32
typedef struct listing {
  char (*cells)[CELL_MAX];
  size_t columns;
  size_t asked; /* the first so many columns say what was compared */
  size_t used;  /* cells */
} listing;

static void put(listing *l, const char *text) {
  snprintf(l->cells[l->used++], CELL_MAX, "%s", text);
}

/* A missing number is an empty cell. */
static void put_number(listing *l, int decimals, double value) {
  char text[CELL_MAX] = "";
  if (isfinite(value)) {
    snprintf(text, sizeof text, "%.*f", decimals, value);
  }
  put(l, text);
}

static void put_columns(listing *l, const bench_plot_table *table, size_t row,
                        const char *const *columns) {
  for (; *columns != NULL; columns++) {
    char text[BENCH_PLOT_TEXT_MAX];
    put(l, bench_plot_table_text(table, row, *columns, text));
  }
}

static void put_all(listing *l, const char *const *texts) {
  for (; *texts != NULL; texts++) {
    put(l, *texts);
  }
}

static void put_ratio(listing *l, const bench_ratio *ratio) {
  put_number(l, 3, ratio->value);
  put_number(l, 3, ratio->lo);
  put_number(l, 3, ratio->hi);
}

/* The median, and half of its interval in percent. */
static void put_time(listing *l, const bench_plot_table *table, size_t row) {
  double median = bench_plot_table_number(table, row, "time_ns_median");
  double width = bench_plot_table_number(table, row, "time_ns_ci_hi") -
                 bench_plot_table_number(table, row, "time_ns_ci_lo");
  put_number(l, 4, median / 1e6);
  put_number(l, 1, 50.0 * width / median);
}

/* BENCH_ERR_NOMEM; else the caller frees the cells. */
static bench_code begin(listing *l, size_t lines, const char *const *what, const char *const *how,
                        bench_error *error) {
  *l = (listing){.cells = calloc((lines + 1) * COLUMNS_MAX, CELL_MAX)};
  if (l->cells == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for a table of %zu lines", lines);
  }
  put_all(l, what);
  l->asked = l->used;
  put_all(l, how);
  l->columns = l->used;
  return BENCH_OK;
}

static bench_code list_pairs(const bench_plot_table *table, const bench_ratios *ratios, listing *l,
                             bench_error *error) {
  static const char *const how[] = {"ms",    "ci_pct",       "tflops",   "ideal",
                                    "peer",  "peer_variant", "peer_ms",  "peer_ci_pct",
                                    "ratio", "ratio_lo",     "ratio_hi", NULL};
  static const char *const names[] = {"kernel", "variant", NULL};
  bench_code code = begin(l, ratios->pair_count, asked, how, error);
  for (size_t i = 0; code == BENCH_OK && i < ratios->pair_count; i++) {
    const bench_ratio_pair *pair = &ratios->pairs[i];
    put_columns(l, table, pair->ours, asked);
    put_time(l, table, pair->ours);
    put_number(l, 3, bench_plot_table_number(table, pair->ours, "tflops"));
    put_number(l, 2, bench_plot_table_number(table, pair->ours, "fraction_of_ideal"));
    put_columns(l, table, pair->peer, names);
    put_time(l, table, pair->peer);
    put_ratio(l, &pair->ratio);
  }
  return code;
}

static bench_code list_means(const bench_plot_table *table, const bench_ratios *ratios, listing *l,
                             bench_error *error) {
  static const char *const how[] = {"shapes", "ratio",    "ratio_lo", "ratio_hi",
                                    "least",  "greatest", "ideal",    NULL};
  bench_code code = begin(l, ratios->mean_count, bench_ratio_columns, how, error);
  for (size_t i = 0; code == BENCH_OK && i < ratios->mean_count; i++) {
    const bench_ratio_mean *mean = &ratios->means[i];
    put_columns(l, table, mean->row, bench_ratio_columns);
    put_number(l, 0, (double)mean->pairs);
    put_ratio(l, &mean->ratio);
    put_number(l, 3, mean->least);
    put_number(l, 3, mean->greatest);
    put_number(l, 2, mean->ideal);
  }
  return code;
}

static bool is_sustained(const bench_plot_table *table, size_t row) {
  char text[BENCH_PLOT_TEXT_MAX];
  return isfinite(bench_plot_table_number(table, row, "sustained_of_burst")) &&
         strcmp(bench_plot_table_text(table, row, "status", text), "ok") == 0;
}

static bench_code list_sustained(const bench_plot_table *table, size_t count, listing *l,
                                 bench_error *error) {
  static const char *const how[] = {"ms", "ci_pct", "of_burst", NULL};
  bench_code code = begin(l, count, asked, how, error);
  for (size_t row = 0; code == BENCH_OK && row < table->rows; row++) {
    if (is_sustained(table, row)) {
      put_columns(l, table, row, asked);
      put_time(l, table, row);
      put_number(l, 3, bench_plot_table_number(table, row, "sustained_of_burst"));
    }
  }
  return code;
}

static const char *cell(const listing *l, size_t line, size_t column) {
  return l->cells[line * l->columns + column];
}

static void print_csv(const listing *l) {
  for (size_t i = 0; i < l->used; i++) {
    const char *text = l->cells[i];
    const bool quoted = strpbrk(text, ",\"") != NULL;
    fputs(quoted ? "\"" : "", stdout);
    for (; *text != '\0'; text++) {
      fputs(*text == '"' ? "\"" : "", stdout);
      putchar(*text);
    }
    fputs(quoted ? "\"" : "", stdout);
    putchar((i + 1) % l->columns == 0 ? '\n' : ',');
  }
}

/* What all lines agree in is told once, above the table. */
static void print_text(const listing *l) {
  const size_t lines = l->used / l->columns;
  size_t widths[COLUMNS_MAX] = {0};
  bool told = false;
  for (size_t c = 0; c < l->columns; c++) {
    bool alike = c < l->asked;
    for (size_t i = 1; i < lines; i++) {
      alike = alike && strcmp(cell(l, i, c), cell(l, 1, c)) == 0;
    }
    for (size_t i = 0; !alike && i < lines; i++) {
      const size_t width = strlen(cell(l, i, c));
      widths[c] = width > widths[c] ? width : widths[c];
    }
    if (alike && cell(l, 1, c)[0] != '\0') {
      printf("%s%s %s", told ? ", " : "all: ", cell(l, 0, c), cell(l, 1, c));
      told = true;
    }
  }
  fputs(told ? "\n" : "", stdout);
  for (size_t i = 0; i < lines; i++) {
    bool first = true;
    for (size_t c = 0; c < l->columns; c++) {
      if (widths[c] > 0) {
        const char *text = cell(l, i, c)[0] == '\0' ? "-" : cell(l, i, c);
        printf("%s%*s", first ? "" : "  ", c < l->asked ? -(int)widths[c] : (int)widths[c], text);
        first = false;
      }
    }
    putchar('\n');
  }
}

static bench_code print_ratios(const bench_plot_table *table, const bench_ratios *ratios,
                               bool as_csv, bench_error *error) {
  listing pairs;
  listing means = {0};
  bench_code code = list_pairs(table, ratios, &pairs, error);
  if (code == BENCH_OK && as_csv) {
    print_csv(&pairs);
  } else if (code == BENCH_OK) {
    code = list_means(table, ratios, &means, error);
  }
  if (code == BENCH_OK && !as_csv) {
    printf("ratio: time of the peer / time of ours\n\n");
    print_text(&pairs);
    printf("\ngeometric means over shapes\n\n");
    print_text(&means);
  }
  free(pairs.cells);
  free(means.cells);
  return code;
}

/* Nothing, where the result has no such rows. */
static bench_code print_sustained(const bench_plot_table *table, bench_error *error) {
  listing sustained;
  size_t count = 0;
  for (size_t row = 0; row < table->rows; row++) {
    count += is_sustained(table, row);
  }
  if (count == 0) {
    return BENCH_OK;
  }
  bench_code code = list_sustained(table, count, &sustained, error);
  if (code == BENCH_OK) {
    printf("\nof_burst: time with mode warm / time with mode sustained\n\n");
    print_text(&sustained);
  }
  free(sustained.cells);
  return code;
}

static int compare(const char *folder, const char *peer, bool as_csv) {
  char path[PATH_MAX + 16];
  bench_plot_table table = {0};
  bench_ratios ratios = {0};
  bench_error error;
  int status = 0;
  snprintf(path, sizeof path, "%.*s/sweep.csv", PATH_MAX, folder);
  bench_code code = bench_plot_table_read(path, &table, &error);
  if (code == BENCH_OK && table.reader.torn) {
    fprintf(stderr, "bench ratios: %s: its last line does not end; it is left out\n", path);
  }
  if (code == BENCH_OK) {
    code = bench_ratios_make(&table, peer, &ratios, &error);
  }
  if (code == BENCH_OK && ratios.pair_count == 0) {
    fprintf(stderr, "bench ratios: %s: no time of ours stands beside one of %s\n", path,
            peer == NULL ? "a peer" : peer);
    status = 3;
  } else if (code == BENCH_OK) {
    code = print_ratios(&table, &ratios, as_csv, &error);
  }
  if (code == BENCH_OK && !as_csv) {
    code = print_sustained(&table, &error);
  }
  if (code == BENCH_OK && status == 0 && ratios.alone > 0) {
    fprintf(stderr, "bench ratios: times of ours with no peer's beside them: %zu\n", ratios.alone);
  }
  if (code == BENCH_OK && ratios.unsteady > 0) {
    fprintf(stderr, "bench ratios: times of ours whose fastest peer's row is invalid: %zu\n",
            ratios.unsteady);
  }
  if (code != BENCH_OK) {
    fprintf(stderr, "bench ratios: %s\n", error.message);
    status = bench_exit_status(code);
  }
  bench_ratios_free(&ratios);
  bench_plot_table_free(&table);
  return status;
}

int bench_command_ratios(int argc, char **argv) {
  enum { OPTION_PEER = 256, OPTION_CSV };
  static const struct option options[] = {{"peer", required_argument, NULL, OPTION_PEER},
                                          {"csv", no_argument, NULL, OPTION_CSV},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
  const char *peer = NULL;
  bool as_csv = false;
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
    switch (letter) {
      case OPTION_PEER:
        peer = optarg;
        break;
      case OPTION_CSV:
        as_csv = true;
        break;
      case 'h':
        fputs(help, stdout);
        return 0;
      default:
        return bench_bad_option("ratios", letter, argv);
    }
  }
  if (optind != argc - 1) {
    return bench_usage_error(
        "ratios", argc == optind ? "a result folder is needed" : "one result folder is expected");
  }
  return compare(argv[optind], peer, as_csv);
}
