/* What a plan says of one case: its row before anything ran, the reason of a skip, the filter. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench/plan.h"

const char *bench_plan_why_not(const bench_case *planned, bench_mode mode,
                               const bench_target *target) {
  const bench_device *device = &target->device;
  if (planned->why_not == NULL && mode == BENCH_MODE_GRAPH && device->mem_bytes > 0 &&
      planned->mem_predicted_bytes >
          device->mem_bytes - BENCH_GRAPH_CACHES * bench_llc_bytes(device)) {
    return "mode graph: copies that fill the last-level cache five times do not fit in memory";
  }
  return planned->why_not;
}

void bench_plan_row(const bench_plan *plan, const bench_case *planned, bench_mode mode,
                    const bench_target *target, bench_row *row) {
  const bench_problem *problem = &plan->problems[planned->problem];
  const bench_attn *attn = &problem->attn;
  bench_table_clear(&bench_sweep_table, row);
  row->schema_version = BENCH_SCHEMA_VERSION;
  snprintf(row->problem_id, sizeof row->problem_id, "%016" PRIx64, problem->id);
  snprintf(row->case_id, sizeof row->case_id, "%016" PRIx64, planned->id);
  bench_text_copy(row->kernel, sizeof row->kernel, planned->name);
  if (planned->kernel != NULL) {
    bench_text_copy(row->variant, sizeof row->variant, planned->kernel->kernel->variant);
    bench_text_copy(row->kernel_hash, sizeof row->kernel_hash, planned->kernel->code_hash);
    row->workspace_bytes = planned->workspace_bytes;
  }
  bench_text_copy(row->backend, sizeof row->backend, target->device.backend);
  bench_text_copy(row->device, sizeof row->device, target->device.name);
  bench_text_copy(row->gpu_uuid, sizeof row->gpu_uuid, target->device.uuid);
  bench_text_copy(row->driver, sizeof row->driver, target->device.driver);
  bench_text_copy(row->cuda, sizeof row->cuda, target->device.toolkit);
  bench_text_copy(row->dtype, sizeof row->dtype, bench_dtype_name(attn->dtype));
  bench_text_copy(row->scope, sizeof row->scope, bench_scope_name(attn->scope));
  bench_text_copy(row->direction, sizeof row->direction, bench_direction_name(attn->direction));
  bench_text_copy(row->model, sizeof row->model, attn->model);
  row->params = attn->params > 0 ? attn->params : BENCH_MISSING_INT;
  row->layers = attn->layers;
  row->layers_distinct = problem->layers_distinct;
  row->batch = attn->batch;
  row->heads_q = attn->heads_q;
  row->heads_kv = attn->heads_kv;
  row->head_dim = attn->head_dim;
  row->seq_q = attn->seq_q;
  row->seq_kv = attn->seq_kv;
  char mask[BENCH_MASK_TEXT_MAX];
  bench_mask_format(&attn->mask, attn->part, mask);
  bench_text_copy(row->mask, sizeof row->mask, mask);
  row->density = problem->density;
  bench_attn_input_text(attn, row->input, sizeof row->input);
  row->seed = (int64_t)attn->seed;
  bench_text_copy(row->mode, sizeof row->mode, bench_mode_name(mode));
  row->flops = problem->flops;
  bench_text_copy(row->flops_convention, sizeof row->flops_convention, BENCH_FLOPS_CONVENTION);
  row->bytes_min = problem->bytes_min;
  row->mem_predicted_bytes = planned->mem_predicted_bytes;
}

void bench_plan_filter(bench_plan *plan, const bench_target *target, bench_plan_keep_fn *keep,
                       void *context) {
  size_t kept = 0;
  for (size_t i = 0; i < plan->case_count; i++) {
    bench_case *planned = &plan->cases[i];
    for (size_t m = 0; m < plan->mode_count; m++) {
      bench_row row;
      bench_plan_row(plan, planned, plan->modes[m], target, &row);
      if (!keep(context, &row)) {
        planned->modes &= ~(1u << m);
      }
    }
    if (planned->modes != 0) {
      plan->cases[kept++] = *planned;
    }
  }
  plan->case_count = kept;
}

int64_t bench_plan_rows(const bench_plan *plan) {
  int64_t rows = 0;
  for (size_t i = 0; i < plan->case_count; i++) {
    rows += __builtin_popcount(plan->cases[i].modes);
  }
  return rows;
}
