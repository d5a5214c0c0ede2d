/* What --resume does with the rows of an earlier run: which stay, which are made again, and when
 * the folder is refused. A pure function of the rows, the plan and this build. */
#ifndef BENCH_RESUME_H
#define BENCH_RESUME_H

#include "bench/plan.h"
#include "src/base_times.h"
#include "src/oom_rule.h"
#include "src/plan_index.h"

typedef struct bench_resume {
  const bench_plan *plan; /* what this run may do: filtered, of one shard */
  const bench_target *target;
  const char *folder;        /* for messages */
  const char *commit;        /* of this build */
  bool force;                /* rows of another schema, commit, device, kernel or plan stay */
  bench_plan_index whole;    /* before filter and shard */
  bench_plan_index selected; /* of `plan` */
  /* What the rows that stay tell the run. */
  bench_oom_rule oom;
  bench_base_times base;
} bench_resume;

/* The ids of the whole plan; called before it is filtered. */
bench_code bench_resume_plan_whole(bench_resume *resume, const bench_plan *plan,
                                   bench_error *error);
/* The rest of it; called once the plan is what this run may do. */
bench_code bench_resume_plan_selected(bench_resume *resume, const bench_plan *plan,
                                      const bench_target *target, bench_error *error);
void bench_resume_free(bench_resume *resume);

/* A bench_folder_judge_fn.
 *
 * A row stays if it is ok, or skipped for the very reason for which it would be skipped now, or not
 * among those that this run may make. Any other is made again. Refused (BENCH_ERR_UNSUPPORTED), but
 * with `force`: a row that is not of the plan, and one that stays and has a measurement by another
 * schema, build, backend or device, or of a kernel whose code is not what the plan would run. */
bench_code bench_resume_judge(void *context, const bench_row *row, bool *stays, bench_error *error);

#endif
