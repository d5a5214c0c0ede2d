/* The columns that say where and when: filled last, once per row. */
#include <time.h>

#include "bench/row.h"
#include "platform/proc.h"
#include "version.h"

void bench_row_finish(bench_row *row) {
  char host[BENCH_HOST_MAX];
  char now[BENCH_TIME_MAX];
  bench_proc_host(host);
  bench_proc_time_iso(time(NULL), now);
  bench_text_copy(row->host, sizeof row->host, host);
  bench_text_copy(row->git_commit, sizeof row->git_commit, BENCH_GIT_COMMIT);
  bench_text_copy(row->timestamp_utc, sizeof row->timestamp_utc, now);
}
