/* A slice in words: the line below a picture's title. What is as it always is (one sequence, one
 * layer of attention, forward, drawn inputs) is not said. */
#include <stdio.h>
#include <string.h>

#include "src/plot_figure.h"

typedef struct caption {
  const bench_plot_table *table;
  size_t row;
  const bench_plot_style *style;
  size_t width;
  size_t used; /* of the line at hand */
  char *text;
} caption;

static const char *get(const caption *c, const char *column, char text[BENCH_PLOT_TEXT_MAX]) {
  return bench_plot_table_text(c->table, c->row, column, text);
}

/* Characters, not bytes. */
static size_t length_of(const char *text) {
  size_t length = 0;
  for (; *text != '\0'; text++) {
    length += ((unsigned char)*text & 0xc0u) != 0x80u;
  }
  return length;
}

static void add(caption *c, const char *part) {
  const char *between = c->style->ascii ? ", " : " · ";
  size_t at = strlen(c->text);
  size_t length = length_of(part);
  bool first = at == 0;
  bool breaks = !first && c->used + length_of(between) + length > c->width;
  snprintf(c->text + at, BENCH_PLOT_CAPTION_MAX - at, "%s%s",
           first    ? ""
           : breaks ? "|"
                    : between,
           part);
  c->used = first || breaks ? length : c->used + length_of(between) + length;
}

/* "8 heads × 64", "8 heads (2 kv) × 64" */
static void add_heads(caption *c) {
  char text[BENCH_PLOT_TEXT_MAX];
  char grouped[64] = "";
  char part[160];
  const char *heads = get(c, "heads_q", text);
  if (strcmp(heads, get(c, "heads_kv", text)) != 0) {
    snprintf(grouped, sizeof grouped, " (%.32s kv)", get(c, "heads_kv", text));
  }
  snprintf(part, sizeof part, "%.32s %s%s %s %.32s", heads,
           strcmp(heads, "1") == 0 ? "head" : "heads", grouped, c->style->ascii ? "x" : "×",
           get(c, "head_dim", text));
  add(c, part);
}

/* A column in words: its value between two texts. Nothing where it is missing, or as usual. */
static const struct {
  const char *column;
  const char *before;
  const char *behind;
  const char *usual;
  void (*add)(caption *c); /* or its own way to say it */
} words[] = {
    {"dtype", "dtype ", "", "", NULL},
    {"mask", "mask ", "", "", NULL},
    {"model", "model ", "", "", NULL},
    {"input", "input ", "", "normal", NULL},
    {"scope", "scope ", "", "attention", NULL},
    {"direction", "", "", "fwd", NULL},
    {"seq_kv", "", " tokens", "", NULL},
    {"queries", "seq_q ", "", "all", NULL},
    {"heads_q", "", "", "", add_heads},
    {"layers", "", " layers", "1", NULL},
    {"batch", "batch ", "", "1", NULL},
    {"tokens", "batch x length = ", " tokens", "", NULL},
    {"mode", "", "", "", NULL},
};

/* Either the batch is fixed, or batch * seq_q. */
static bool is_fixed(const bench_plot_axes *axes, bool by_tokens, const char *column) {
  bool other = strcmp(column, by_tokens ? "batch" : "tokens") == 0;
  return !other && bench_plot_axes_fix(axes, column);
}

void bench_plot_caption(const bench_plot_table *table, const bench_plot_axes *axes, bool by_tokens,
                        size_t row, const bench_plot_style *style, size_t width,
                        char out[BENCH_PLOT_CAPTION_MAX]) {
  caption c = {.table = table, .row = row, .style = style, .width = width, .text = out};
  out[0] = '\0';
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    char text[BENCH_PLOT_TEXT_MAX];
    char part[192];
    const char *value = get(&c, words[i].column, text);
    if (!is_fixed(axes, by_tokens, words[i].column) || value[0] == '\0' ||
        strcmp(value, words[i].usual) == 0) {
      continue;
    }
    if (words[i].add != NULL) {
      words[i].add(&c);
    } else {
      snprintf(part, sizeof part, "%s%.128s%s", words[i].before, value, words[i].behind);
      add(&c, part);
    }
  }
}
