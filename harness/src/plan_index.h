/* The rows of a plan by their ids: what case and mode a row of sweep.csv is of. */
#ifndef BENCH_PLAN_INDEX_H
#define BENCH_PLAN_INDEX_H

#include "bench/plan.h"

typedef struct bench_plan_place {
  uint64_t id;       /* bench_folder_row_id */
  size_t case_index; /* in the plan's cases */
  bench_mode mode;
  const bench_kernel_entry *kernel; /* as in bench_case */
  size_t rank;                      /* of the row, in the order of the plan */
} bench_plan_place;

typedef struct bench_plan_index {
  bench_plan_place *places; /* sorted by id */
  size_t count;
} bench_plan_index;

/* The wanted modes of all cases. The caller frees. */
bench_code bench_plan_index_build(const bench_plan *plan, bench_plan_index *out,
                                  bench_error *error);
void bench_plan_index_free(bench_plan_index *index);
/* NULL: the plan has no such row. */
const bench_plan_place *bench_plan_index_find(const bench_plan_index *index, uint64_t id);

#endif
