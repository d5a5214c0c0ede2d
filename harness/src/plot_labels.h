/* Names for the masks of a figure whose x axis is their density. */
#ifndef BENCH_PLOT_LABELS_H
#define BENCH_PLOT_LABELS_H

#include "src/plot_slice.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BENCH_PLOT_MASK_MAX 128

/* A mask without what its place on the axis says already: "block:size=64:layout=random". */
void bench_plot_mask_label(const char *mask, char out[BENCH_PLOT_MASK_MAX]);
/* Masks of one kind are points of one line: as the label if the density is a number of the mask,
 * else without its numbers ("window:256" and "window:64" are "window:"). */
void bench_plot_mask_kind(const char *mask, char out[BENCH_PLOT_MASK_MAX]);

typedef struct bench_plot_label {
  size_t row; /* the point that carries it: the least dense of those with this label */
  double x;
  double at; /* 0 to 1 along a logarithmic axis, apart from its neighbours */
} bench_plot_label;

/* The labels of a slice, by density. The caller frees the array. */
bench_code bench_plot_labels_make(const bench_plot_table *table, const bench_plot_slice *slice,
                                  bench_plot_label **out, size_t *count, bench_error *error);

#ifdef __cplusplus
}
#endif
#endif
