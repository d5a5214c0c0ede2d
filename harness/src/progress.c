/* The progress line, on stderr. The time left is the mean time of a case so far times the cases
 * left: cases differ, so it says "about". */
#include "src/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "platform/proc.h"

void bench_progress_init(bench_progress_line *line, bench_progress wish) {
  bool terminal = isatty(STDERR_FILENO);
  *line = (bench_progress_line){
      .shown = wish == BENCH_PROGRESS_ALWAYS || (wish == BENCH_PROGRESS_AUTO && terminal),
      .start_s = bench_proc_monotonic_s()};
}

void bench_progress_show(const bench_progress_line *line, const bench_row *row) {
  if (!line->shown) {
    return;
  }
  char left[48] = "";
  if (line->done > 0) {
    double spent_s = bench_proc_monotonic_s() - line->start_s;
    double left_s = spent_s / (double)line->done * (double)(line->total - line->done);
    int64_t seconds = (int64_t)(left_s + 0.5);
    snprintf(left, sizeof left, ", about %" PRId64 ":%02" PRId64 " left", seconds / 60,
             seconds % 60);
  }
  fprintf(stderr, "[%" PRId64 "/%" PRId64 "%s] %s %s %s S=%" PRId64 " %s\r", line->done + 1,
          line->total, left, row->kernel, row->mask, row->dtype, row->seq_kv, row->mode);
  fflush(stderr);
}

void bench_progress_hide(const bench_progress_line *line) {
  if (line->shown) {
    fprintf(stderr, "\033[K");
    fflush(stderr);
  }
}
