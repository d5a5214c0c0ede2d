/* Mask labels: their texts, and room for each. */
#include "src/plot_labels.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char density[] = ":density=";

void bench_plot_mask_label(const char *mask, char out[BENCH_PLOT_MASK_MAX]) {
  const char *from = strstr(mask, density);
  size_t before = from == NULL ? strlen(mask) : (size_t)(from - mask);
  const char *rest = from == NULL ? "" : from + sizeof density - 1;
  rest += strcspn(rest, ":");
  snprintf(out, BENCH_PLOT_MASK_MAX, "%.*s%s", (int)before, mask, rest);
}

void bench_plot_mask_kind(const char *mask, char out[BENCH_PLOT_MASK_MAX]) {
  bench_plot_mask_label(mask, out);
  if (strstr(mask, density) != NULL) {
    return;
  }
  char *to = out;
  for (const char *from = out; *from != '\0'; from++) {
    if (!isdigit((unsigned char)*from)) {
      *to++ = *from;
    }
  }
  *to = '\0';
}

static int by_x(const void *a, const void *b) {
  const bench_plot_label *left = a;
  const bench_plot_label *right = b;
  if (left->x != right->x) {
    return left->x < right->x ? -1 : 1;
  }
  return (left->row > right->row) - (left->row < right->row);
}

/* Each label at its density, or as near as leaves a gap to the one before and behind. */
static void spread(bench_plot_label *labels, size_t count) {
  double gap = fmin(0.06, 1.0 / (double)count);
  double width = log(labels[count - 1].x / labels[0].x);
  for (size_t i = 0; i < count; i++) {
    double place = width > 0 ? log(labels[i].x / labels[0].x) / width : 0.5;
    labels[i].at = i == 0 ? place : fmax(place, labels[i - 1].at + gap);
  }
  double limit = 1.0;
  for (size_t i = count; i-- > 0; limit = labels[i].at - gap) {
    labels[i].at = fmin(labels[i].at, limit);
  }
}

bench_code bench_plot_labels_make(const bench_plot_table *table, const bench_plot_slice *slice,
                                  bench_plot_label **out, size_t *count, bench_error *error) {
  *count = 0;
  *out = calloc(slice->count + 1, sizeof **out);
  if (*out == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for the masks of %s", table->path);
  }
  for (size_t i = 0; i < slice->count; i++) {
    char text[BENCH_PLOT_TEXT_MAX];
    char own[BENCH_PLOT_MASK_MAX];
    char other[BENCH_PLOT_MASK_MAX];
    const bench_plot_point *point = &slice->points[i];
    bench_plot_mask_label(bench_plot_table_text(table, point->row, "mask", text), own);
    size_t known = 0;
    for (; known < *count; known++) {
      bench_plot_mask_label(bench_plot_table_text(table, (*out)[known].row, "mask", text), other);
      if (strcmp(own, other) == 0) {
        break;
      }
    }
    if (known == *count || point->x < (*out)[known].x) {
      (*out)[known] = (bench_plot_label){.row = point->row, .x = point->x};
      *count += known == *count;
    }
  }
  if (*count > 0) {
    qsort(*out, *count, sizeof **out, by_x);
    spread(*out, *count);
  }
  return BENCH_OK;
}
