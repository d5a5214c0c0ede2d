/* One line on the terminal: which case, how many, how long still. Silent on a pipe. */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include "src/sweep.h"

typedef struct bench_progress_line {
  bool shown;
  int64_t done;
  int64_t total;
  double start_s;
} bench_progress_line;

void bench_progress_init(bench_progress_line *line, bench_progress wish);
void bench_progress_show(const bench_progress_line *line, const bench_row *row);
void bench_progress_hide(const bench_progress_line *line);

#endif
