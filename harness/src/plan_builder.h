/* What the two halves of planning share: plan.c walks the config's axes to problems, plan_problem.c
 * makes a problem's cases, with their predictions and reasons. */
#ifndef BENCH_PLAN_BUILDER_H
#define BENCH_PLAN_BUILDER_H

#include "bench/model.h"
#include "bench/plan.h"
#include "src/idset.h"

typedef struct bench_plan_builder {
  const bench_config *config;
  const bench_target *target;
  bench_plan *plan;
  size_t problem_capacity;
  size_t case_capacity;
  bench_idset seen;       /* problem ids: the same problem in two grids is one */
  const char *checkpoint; /* path of the checkpoint below, NULL: none read yet */
  bench_model_info checkpoint_info;
  int64_t text_tokens;
  uint64_t text_hash;
  bench_error *error;
} bench_plan_builder;

bench_code bench_plan_no_memory(const bench_plan_builder *b);

/* A reason that lives as long as the plan; NULL when memory is out. */
const char *bench_plan_keep_text(bench_plan *plan, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds the problem, unless the plan has it, and its cases. `source` gives the paths of a model
 * input; `why_not`, if not NULL, is why no kernel can run it. */
bench_code bench_plan_add_problem(bench_plan_builder *b, const bench_attn *attn,
                                  const bench_source *source, const char *why_not);

#endif
