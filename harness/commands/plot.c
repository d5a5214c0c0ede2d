/* bench plot DIR: the figures of one result. The program decides what each figure shows and writes
 * it to a small CSV; the scripts of plots/ draw that. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands/commands.h"
#include "platform/proc.h"
#include "src/plot_figure.h"
#include "src/plot_gnuplot.h"

static const char help[] =
    "usage: bench plot DIR [--term png|svg|ascii]\n\n"
    "Draws the figures of a result with gnuplot: DIR/plots/NAME.png or .svg, with the points "
    "drawn\n"
    "in NAME.csv beside it; ascii goes to standard output and leaves no file. A figure for which\n"
    "DIR has no data is left out, and its reason told.\n\n"
    "Where a run varies more than a figure can show, the other columns are fixed to the "
    "combination\n"
    "with the most points on the x axis (then over all lines, then the first in the file); it\n"
    "stands below the title.\n\n"
    "  --term TERM   png (default), svg, or ascii, as wide as the terminal\n\n";

/* A picture's size in characters: what fits in a line of text. */
enum { PICTURE_COLUMNS = 126, ASCII_COLUMNS = 79, ASCII_ROWS = 24, ASCII_COLUMNS_LEAST = 60 };

static const char *const terms[] = {"png", "svg", "ascii"};

typedef struct plot {
  const char *folder; /* as it was given */
  const char *term;
  char scripts[PATH_MAX];
  char out[PATH_MAX]; /* absolute path of DIR/plots */
  bench_plot_style style;
  size_t rows; /* of an ascii picture */
  bench_plot_source source;
  bench_error error;
} plot;

static void print_help(void) {
  fputs(help, stdout);
  for (size_t i = 0; i < bench_plot_figure_count; i++) {
    printf("  %-12s  %s\n", bench_plot_figures[i].name, bench_plot_figures[i].shows);
  }
  fputs("\nexample: bench plot results/20261122_amd-epyc-2cores_scale_e5ac212 --term svg\n",
        stdout);
}

/* Returns -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, plot *p) {
  static const struct option options[] = {
      {"term", required_argument, NULL, 't'}, {"help", no_argument, NULL, 'h'}, {0}};
  int letter;
  optind = 0;
  while ((letter = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
    if (letter == 'h') {
      print_help();
      return 0;
    }
    if (letter != 't') {
      return bench_bad_option("plot", letter, argv);
    }
    const char *term = NULL;
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
      term = strcmp(optarg, terms[i]) == 0 ? terms[i] : term;
    }
    p->term = term == NULL ? p->term : term;
    if (term == NULL) {
      return bench_usage_error("plot", "--term %s: expected png, svg or ascii", optarg);
    }
  }
  if (optind != argc - 1) {
    return bench_usage_error(
        "plot", argc == optind ? "a result folder is needed" : "one result folder is expected");
  }
  p->folder = argv[optind];
  return -1;
}

static void set_style(plot *p) {
  struct winsize size = {0};
  p->style = (bench_plot_style){.columns = PICTURE_COLUMNS};
  if (strcmp(p->term, "ascii") != 0) {
    return;
  }
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= ASCII_COLUMNS_LEAST &&
               size.ws_row >= ASCII_ROWS;
  p->style.ascii = true;
  p->style.columns = known ? size.ws_col : ASCII_COLUMNS;
  p->rows = known ? size.ws_row : ASCII_ROWS;
}

/* A missing file leaves the table empty. */
static bench_code read_table(plot *p, const char *name, bench_plot_table *out) {
  char path[PATH_MAX + 16];
  snprintf(path, sizeof path, "%s/%s", p->folder, name);
  if (access(path, F_OK) != 0 && errno == ENOENT) {
    return BENCH_OK;
  }
  bench_code code = bench_plot_table_read(path, out, &p->error);
  if (code == BENCH_OK && out->reader.torn) {
    fprintf(stderr, "bench plot: %s: its last line does not end; it is left out\n", path);
  }
  return code;
}

static bench_code read_source(plot *p) {
  struct stat found;
  if (stat(p->folder, &found) != 0 || !S_ISDIR(found.st_mode)) {
    return bench_fail(&p->error, BENCH_ERR_USAGE, "%s: there is no such folder", p->folder);
  }
  bench_code code = read_table(p, "sweep.csv", &p->source.sweep);
  if (code == BENCH_OK) {
    code = read_table(p, "heads.csv", &p->source.heads);
  }
  if (code == BENCH_OK && p->source.sweep.columns == 0 && p->source.heads.columns == 0) {
    code = bench_fail(&p->error, BENCH_ERR_USAGE, "%s: there is no sweep.csv in this folder",
                      p->folder);
  }
  return code;
}

/* Makes DIR/plots, of which gnuplot is told the absolute path: at the beginning of a relative one,
 * some characters mean something to it. */
static bench_code make_folder(plot *p) {
  char path[PATH_MAX + 8];
  snprintf(path, sizeof path, "%s/plots", p->folder);
  bench_code code = bench_proc_mkdirs(path, &p->error);
  if (code == BENCH_OK && realpath(path, p->out) == NULL) {
    code = bench_fail(&p->error, BENCH_ERR_ENV, "%s: %s", path, strerror(errno));
  }
  return code;
}

/* Draws `data` to `picture`. */
static bench_code draw(plot *p, const bench_plot_figure *figure, const char *data,
                       const char *picture) {
  char script[PATH_MAX + 64];
  char *variables = NULL;
  char *data_text = bench_plot_quote(data);
  char *out_text = bench_plot_quote(picture);
  snprintf(script, sizeof script, "%s/%s.gp", p->scripts, figure->name);
  bench_code code = BENCH_OK;
  if (data_text == NULL || out_text == NULL ||
      asprintf(&variables, "term='%s';data=%s;out=%s;columns=%zu;rows=%zu", p->term, data_text,
               out_text, p->style.columns, p->rows) < 0) {
    code = bench_fail(&p->error, BENCH_ERR_NOMEM, "no memory for %s", figure->name);
  } else {
    code = bench_plot_gnuplot(script, variables, &p->error);
  }
  free(data_text);
  free(out_text);
  free(variables);
  return code;
}

/* Writes the points of a figure. */
static bench_code write_points(plot *p, const bench_plot_figure *figure, FILE *to, const char *path,
                               char why[BENCH_PLOT_WHY_MAX]) {
  bench_code code = bench_plot_figure_write(figure, &p->source, &p->style, to, why, &p->error);
  if ((fflush(to) != 0 || ferror(to)) && code == BENCH_OK) {
    code = bench_fail(&p->error, BENCH_ERR_ENV, "%s: cannot write: %s", path, strerror(errno));
  }
  return code;
}

/* A file in memory that gnuplot inherits, and the name it has there. */
#define MEMORY_PATH_MAX 32
static FILE *open_memory(plot *p, char path[MEMORY_PATH_MAX]) {
  int fd = memfd_create("bench plot", 0);
  FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");
  if (file == NULL) {
    bench_fail(&p->error, BENCH_ERR_ENV, "cannot make a file in memory: %s", strerror(errno));
  }
  snprintf(path, MEMORY_PATH_MAX, "/proc/self/fd/%d", fd);
  return file;
}

/* gnuplot begins its page with a form feed, fills its lines with blanks, and does not end the last
 * one. */
static void print_page(FILE *page) {
  size_t blanks = 0;
  rewind(page);
  for (int c; (c = getc(page)) != EOF;) {
    if (c == ' ') {
      blanks++;
    } else if (c != '\f') {
      printf("%*s%c", c == '\n' ? 0 : (int)blanks, "", c);
      blanks = 0;
    }
  }
  puts("\n");
}

/* On the terminal: points and picture are in memory, and no file is left. */
static bench_code print_figure(plot *p, const bench_plot_figure *figure,
                               char why[BENCH_PLOT_WHY_MAX]) {
  char data_path[MEMORY_PATH_MAX];
  char page_path[MEMORY_PATH_MAX];
  FILE *data = open_memory(p, data_path);
  FILE *page = open_memory(p, page_path);
  bench_code code = BENCH_ERR_ENV;
  if (data != NULL && page != NULL) {
    code = write_points(p, figure, data, data_path, why);
    if (code == BENCH_OK && why[0] == '\0') {
      code = draw(p, figure, data_path, page_path);
      if (code == BENCH_OK) {
        print_page(page);
      }
    }
  }
  if (data != NULL) {
    fclose(data);
  }
  if (page != NULL) {
    fclose(page);
  }
  return code;
}

/* A picture appears whole or not at all, and none is left of an earlier run without data. */
static bench_code save_figure(plot *p, const bench_plot_figure *figure,
                              char why[BENCH_PLOT_WHY_MAX]) {
  char data[PATH_MAX + 64];
  char picture[PATH_MAX + 64];
  char part[PATH_MAX + 72];
  snprintf(data, sizeof data, "%s/%s.csv", p->out, figure->name);
  snprintf(picture, sizeof picture, "%s/%s.%s", p->out, figure->name, p->term);
  snprintf(part, sizeof part, "%s.part", picture);
  FILE *to = fopen(data, "we");
  if (to == NULL) {
    return bench_fail(&p->error, BENCH_ERR_ENV, "%s: cannot write: %s", data, strerror(errno));
  }
  bench_code code = write_points(p, figure, to, data, why);
  fclose(to);
  if (code == BENCH_OK && why[0] == '\0') {
    code = draw(p, figure, data, part);
    if (code == BENCH_OK && rename(part, picture) != 0) {
      code = bench_fail(&p->error, BENCH_ERR_ENV, "%s: cannot write: %s", picture, strerror(errno));
    }
    if (code == BENCH_OK) {
      printf("%s/plots/%s.%s\n", p->folder, figure->name, p->term);
    } else {
      unlink(part);
    }
  } else {
    unlink(data);
    unlink(picture);
  }
  return code;
}

static bench_code plot_all(plot *p) {
  bool to_files = !p->style.ascii;
  bench_code code = bench_plot_scripts(p->scripts, sizeof p->scripts, &p->error);
  if (code == BENCH_OK) {
    code = read_source(p);
  }
  if (code == BENCH_OK && to_files) {
    code = make_folder(p);
  }
  for (size_t i = 0; code == BENCH_OK && i < bench_plot_figure_count; i++) {
    const bench_plot_figure *figure = &bench_plot_figures[i];
    char why[BENCH_PLOT_WHY_MAX] = "";
    code = to_files ? save_figure(p, figure, why) : print_figure(p, figure, why);
    if (code == BENCH_OK && why[0] != '\0') {
      fprintf(stderr, "bench plot: %s is not drawn: %s\n", figure->name, why);
    }
  }
  return code;
}

int bench_command_plot(int argc, char **argv) {
  plot p = {.term = "png"};
  int status = parse_options(argc, argv, &p);
  if (status >= 0) {
    return status;
  }
  set_style(&p);
  bench_code code = plot_all(&p);
  if (code != BENCH_OK) {
    fprintf(stderr, "bench plot: %s\n", p.error.message);
  }
  bench_plot_table_free(&p.source.sweep);
  bench_plot_table_free(&p.source.heads);
  return bench_exit_status(code);
}
