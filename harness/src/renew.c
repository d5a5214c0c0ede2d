/* New inputs between samples: see renew.h. */
#include "src/renew.h"

#include "platform/proc.h"
#include "src/watch.h"

#define SHARE_APART 0.1 /* of the time */
#define SHARE_RESTLESS 0.01

void bench_renewal_begin(bench_work *work, bool computes, bench_renewal *out) {
  *out = (bench_renewal){.work = work,
                         .possible = computes && work->attn.input != BENCH_INPUT_MODEL,
                         .start_s = bench_proc_monotonic_s()};
}

/* Whether as much as was spent on the last inputs may be spent again. The first ones are free. */
static bool has_time(const bench_renewal *r, double share) {
  return r->possible && r->spent_s + r->last_s <= share * (bench_proc_monotonic_s() - r->start_s);
}

static void spend(bench_renewal *r, double since_s) {
  r->last_s = bench_proc_monotonic_s() - since_s;
  r->spent_s += r->last_s;
}

bench_code bench_renew_all(bench_renewal *r, bool *renewed, bench_error *error) {
  *renewed = has_time(r, SHARE_APART);
  if (!*renewed) {
    return BENCH_OK;
  }
  const double since_s = bench_proc_monotonic_s();
  bench_code code = bench_work_fill(r->work, bench_watch_secret(), error);
  if (code == BENCH_OK) {
    code = bench_work_fill_sets(r->work, error);
  }
  spend(r, since_s);
  return code;
}

bench_code bench_renew_parts(bench_renewal *r, bench_error *error) {
  const int64_t parts = bench_work_parts(r->work);
  bench_code code = BENCH_OK;
  for (int64_t n = 0; code == BENCH_OK && n < parts && has_time(r, SHARE_RESTLESS); n++) {
    const double since_s = bench_proc_monotonic_s();
    if (r->part == 0) {
      r->seed = bench_watch_secret();
    }
    code = bench_work_fill_part(r->work, r->seed, r->part, error);
    r->part = (r->part + 1) % parts;
    spend(r, since_s);
  }
  return code;
}
