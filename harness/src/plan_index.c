/* A sorted array: a plan is indexed once and asked often. */
#include "src/plan_index.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sinks/folder.h"

static int by_id(const void *a, const void *b) {
  const bench_plan_place *x = a;
  const bench_plan_place *y = b;
  return (x->id > y->id) - (x->id < y->id);
}

bench_code bench_plan_index_build(const bench_plan *plan, bench_plan_index *out,
                                  bench_error *error) {
  const size_t most = plan->case_count * plan->mode_count;
  *out = (bench_plan_index){.places = calloc(most > 0 ? most : 1, sizeof *out->places)};
  if (out->places == NULL) {
    return bench_fail(error, BENCH_ERR_NOMEM, "no memory for the ids of the plan");
  }
  for (size_t i = 0; i < most; i++) {
    const bench_case *planned = &plan->cases[i / plan->mode_count];
    const size_t m = i % plan->mode_count;
    if ((planned->modes >> m & 1u) != 0) {
      char id[20];
      snprintf(id, sizeof id, "%016" PRIx64, planned->id);
      out->places[out->count] =
          (bench_plan_place){.id = bench_folder_row_id(id, bench_mode_name(plan->modes[m])),
                             .case_index = i / plan->mode_count,
                             .mode = plan->modes[m],
                             .kernel = planned->kernel,
                             .rank = out->count};
      out->count++;
    }
  }
  qsort(out->places, out->count, sizeof *out->places, by_id);
  return BENCH_OK;
}

void bench_plan_index_free(bench_plan_index *index) {
  free(index->places);
  *index = (bench_plan_index){0};
}

const bench_plan_place *bench_plan_index_find(const bench_plan_index *index, uint64_t id) {
  const bench_plan_place key = {.id = id};
  return index->count == 0 ? NULL : bsearch(&key, index->places, index->count, sizeof key, by_id);
}
