/* One case in the worker: prepared, described by its statistics, verified and, if right, timed. */
#include "src/worker_case.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "bench/plan.h"
#include "platform/nvtx.h"
#include "platform/proc.h"
#include "src/head_row.h"
#include "src/protocol.h"
#include "src/row_samples.h"
#include "src/worker_peer.h"
#include "stats/lse_check.h"

/* Scores a statistics pass is presumed to do per second and thread: decides when rows are
 * sampled, so low by intent. */
#define STATISTICS_SCORES_PER_S 1e8

/* Tells the parent where we are and opens the NVTX range of the phase, to be closed by pop. */
static void enter_phase(bench_worker *s, const char *name) {
  bench_worker_send(s, json_pack("{s:s s:s}", "ev", "phase", "name", name));
  bench_nvtx_push(name);
}

static bench_code prepare(bench_worker *s, const bench_worker_request *asked, bench_error *error) {
  if (s->work.backend != NULL && s->work.id == asked->work.id) {
    return bench_work_fill(&s->work, s->work.attn.seed, error); /* timing has left others */
  }
  bench_work_close(&s->work);
  s->judged = NULL;
  enter_phase(s, "prepare");
  bench_code code = bench_work_open(s->backend, s->context, &asked->work, &s->work, error);
  bench_nvtx_pop();
  return code;
}

/* Rows are sampled only where all of them would take longer than the case may. */
static int64_t statistics_stride(const bench_work *work, int threads, double case_s) {
  const bench_attn *attn = &work->attn;
  bench_error ignored;
  bench_work_count count = {.density = 1};
  bench_count_work(attn, &count, &ignored);
  double scores = count.density * (double)attn->seq_q * (double)attn->seq_kv *
                  (double)(attn->batch * attn->heads_q) * (double)work->layers_distinct;
  double seconds = scores / (STATISTICS_SCORES_PER_S * threads);
  double stride = ceil(seconds / fmax(case_s, 1.0));
  return stride < 1 ? 1 : (int64_t)stride;
}

static bench_code statistics(bench_worker *s, const bench_worker_request *asked, bool *agree,
                             char reason[256], bench_error *error) {
  *agree = true;
  if (!asked->statistics) {
    return BENCH_OK;
  }
  enter_phase(s, "statistics");
  const bench_work *work = &s->work;
  const bench_attn *attn = &work->attn;
  int64_t stride = statistics_stride(work, omp_get_max_threads(), asked->case_s); /* the host's */
  json_t *events = json_array(); /* all heads are told, agreed on, or none */
  bench_stat_core *heads = malloc((size_t)attn->heads_q * sizeof *heads);
  bench_code code =
      heads != NULL ? BENCH_OK : bench_fail(error, BENCH_ERR_NOMEM, "no memory for statistics");
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    const bench_layer *layer = &work->layers[l];
    const bench_attn *own = &layer->segment->attn;
    const bench_blocklist *list = bench_segment_list(layer->segment);
    code = bench_stat_core_layer(own, list, layer->host_q, layer->host_k, stride, heads, error);
    if (code == BENCH_OK && asked->check_lse && *agree) {
      code = bench_stat_lse_check(own, list, layer->host_q, layer->host_k, stride, heads, agree,
                                  reason, error);
    }
    for (int64_t h = 0; code == BENCH_OK && h < attn->heads_q; h++) {
      bench_head_row row;
      bench_head_row_fill(attn, work->id, l, h, &heads[h], &row);
      json_array_append_new(events, json_pack("{s:s s:o}", "ev", "head", "values",
                                              bench_fields_to_json(&bench_head_table, &row)));
    }
  }
  for (size_t i = 0; code == BENCH_OK && *agree && i < json_array_size(events); i++) {
    bench_worker_send(s, json_incref(json_array_get(events, i)));
  }
  json_decref(events);
  free(heads);
  bench_nvtx_pop();
  return code;
}

/* To the thousandth, of a nanosecond or a megahertz: no clock is finer, and there can be a thousand
 * samples of a case to write down. JSON has no NaN: null. */
static json_t *numbers_json(const double *numbers, int64_t count) {
  json_t *list = json_array();
  for (int64_t i = 0; i < count; i++) {
    json_array_append_new(
        list, isfinite(numbers[i]) ? json_real(rint(1000 * numbers[i]) / 1000) : json_null());
  }
  return list;
}

/* Once per problem and kernel: the modes of a case share the verdict. */
static bench_code verify(bench_worker *s, const bench_worker_request *asked,
                         const bench_kernel *kernel, void *workspace, size_t workspace_bytes,
                         bench_error *error) {
  if (s->judged == kernel) {
    return BENCH_OK;
  }
  enter_phase(s, "verify");
  bench_code code =
      bench_verify(&s->work, kernel, workspace, workspace_bytes, asked->whole, &s->verdict, error);
  bench_nvtx_pop();
  s->judged = code == BENCH_OK ? kernel : NULL;
  return code;
}

/* What the driver has given since this worker started. */
static int64_t device_bytes_held(const bench_worker *s) {
  int64_t free_now;
  bench_error ignored;
  bench_code code = s->backend->memory_free(s->context, &free_now, &ignored);
  return code == BENCH_OK && free_now <= s->memory_free_at_start
             ? s->memory_free_at_start - free_now
             : BENCH_MISSING_INT;
}

/* The state of the device around the samples; a bad one makes the case invalid. */
static void take_state(const bench_monitor_report *state, bench_row *row, const char **status) {
  row->steal_pct = state->steal_pct;
  row->load_1min = state->load_1min;
  row->temp_c = state->temp_c;
  row->power_w = state->power_w;
  row->energy_j = state->energy_j;
  bench_text_copy(row->throttle, sizeof row->throttle, state->throttle);
  bench_text_copy(row->energy_valid, sizeof row->energy_valid, state->energy_valid);
  if (state->fault[0] != '\0' && !bench_unsteady_allowed()) {
    *status = "invalid";
    bench_text_copy(row->reason, sizeof row->reason, state->fault);
  }
}

/* Times and, of a block, its shares into the row; what the kernel does while it is timed may still
 * make the verdict wrong. */
static bench_code measure(bench_worker *s, const bench_timing *timing, bench_row *row,
                          json_t **samples, const char **status, bench_error *error) {
  bench_measurement taken;
  enter_phase(s, "measure");
  bench_code code = bench_measure(&s->work, timing, &taken, &s->verdict, error);
  if (code == BENCH_OK && s->verdict.right) {
    *samples = numbers_json(taken.time_ns, taken.count);
    s->clock_mhz = numbers_json(taken.clock_mhz, taken.count);
    row->list_build_ns = bench_work_list_ns(&s->work);
    bench_text_copy(row->stop_reason, sizeof row->stop_reason, taken.stop_reason);
    take_state(&taken.state, row, status);
    if (s->work.attn.scope == BENCH_SCOPE_BLOCK) {
      code = bench_measure_shares(&s->work, timing, &row->projection_share, &row->attention_share,
                                  error);
    }
  }
  bench_measurement_free(&taken);
  bench_nvtx_pop();
  return code;
}

/* Everything that a measured case holds is touched once: all tensors, and one layer's workspace,
 * which the other layers use again. */
static bench_code touch_memory(bench_worker *s, const bench_kernel *kernel, void *workspace,
                               bench_error *error) {
  bench_work one_layer = s->work;
  one_layer.attn.layers = 1;
  bench_code code = bench_work_poison(&s->work, error);
  if (code == BENCH_OK) {
    code = bench_work_launch(&one_layer, kernel, workspace, BENCH_STAGE_ALL, error);
  }
  return code == BENCH_OK ? s->backend->sync(s->context, error) : code;
}

static void take_errors(const bench_verdict *verdict, bench_row *row) {
  row->err_max_abs = verdict->err_max_abs;
  row->err_rel_l2 = verdict->err_rel_l2;
  row->err_tolerance = verdict->err_tolerance;
  row->rows_checked = verdict->rows_checked;
}

static void tell_wrong(const bench_verdict *verdict, bench_row *row, const char **status) {
  if (!verdict->right) {
    *status = "wrong";
    bench_text_copy(row->reason, sizeof row->reason, verdict->reason);
  }
}

/* The kernel is verified, then, if right, timed. Fills the row's columns and the samples. */
static bench_code verify_and_measure(bench_worker *s, const bench_worker_request *asked,
                                     const bench_kernel *kernel, void *workspace,
                                     size_t workspace_bytes, bench_row *row, json_t **samples,
                                     const char **status, bench_error *error) {
  bench_code code = verify(s, asked, kernel, workspace, workspace_bytes, error);
  if (code != BENCH_OK) {
    return code;
  }
  take_errors(&s->verdict, row);
  if (s->verdict.right && asked->task == BENCH_TASK_MEASURE && !s->backend->emulated) {
    const bench_timing timing = {.kernel = kernel,
                                 .workspace = workspace,
                                 .workspace_bytes = workspace_bytes,
                                 .mode = asked->mode,
                                 .budget_s = asked->case_s,
                                 .monitor = &s->monitor};
    code = measure(s, &timing, row, samples, status, error);
  }
  if (code == BENCH_OK) {
    tell_wrong(&s->verdict, row, status);
  }
  return code;
}

/* The kernel's lists and scratch around whatever is asked of it. */
static bench_code run_kernel(bench_worker *s, const bench_worker_request *asked,
                             const bench_kernel *kernel, bench_row *row, json_t **samples,
                             const char **status, bench_error *error) {
  void *workspace = NULL;
  size_t bytes =
      bench_kernel_workspace_bytes(kernel, &s->work.attn, s->backend->device(s->context));
  row->workspace_bytes = (int64_t)bytes;
  bench_code code = bench_work_blocks(&s->work, kernel, error);
  if (code == BENCH_OK && bytes > 0) {
    code = bench_guarded_alloc(s->backend, s->context, bytes, &workspace, error);
  }
  if (code == BENCH_OK && bytes > 0) {
    code = s->backend->fill(s->context, workspace, 0,
                            bytes < BENCH_WORKSPACE_ZEROED ? bytes : BENCH_WORKSPACE_ZEROED, error);
  }
  if (code == BENCH_OK && asked->task == BENCH_TASK_FIT) {
    code = bench_work_poison(&s->work, error);
  } else if (code == BENCH_OK && asked->task == BENCH_TASK_MEMORY) {
    code = touch_memory(s, kernel, workspace, error);
  } else if (code == BENCH_OK) {
    code = verify_and_measure(s, asked, kernel, workspace, bytes, row, samples, status, error);
  }
  if (!s->backend->host_memory) { /* a device's peak is what it holds now, workspace and all */
    row->mem_peak_bytes = device_bytes_held(s);
  } else if (asked->task == BENCH_TASK_MEMORY) {
    row->mem_peak_bytes = bench_proc_mem_peak_bytes();
  }
  bench_guarded_free(s->backend, s->context, workspace);
  return code;
}

/* What a peer needs of us: its inputs, and a verdict on its outputs. */
static bench_code serve_peer(bench_worker *s, const bench_worker_request *asked, bench_row *row,
                             const char **status, bench_error *error) {
  bench_code code = prepare(s, asked, error);
  if (code == BENCH_OK && asked->task == BENCH_TASK_EXPORT) {
    return bench_peer_export(&s->work, asked->folder, error);
  }
  bench_verdict verdict;
  if (code == BENCH_OK) {
    code = bench_peer_judge(&s->work, asked->folder, asked->whole, &verdict, error);
  }
  if (code == BENCH_OK) {
    take_errors(&verdict, row);
    tell_wrong(&verdict, row, status);
  }
  return code;
}

bench_code bench_worker_case(bench_worker *s, const bench_worker_request *asked, bench_row *row,
                             json_t **samples, const char **status, bench_error *error) {
  const char *why_not = NULL;
  const bench_device *device = s->backend->device(s->context);
  if (asked->task == BENCH_TASK_EXPORT || asked->task == BENCH_TASK_JUDGE) {
    return serve_peer(s, asked, row, status, error);
  }
  const bench_kernel_entry *entry =
      bench_backend_kernel(s->backend, asked->name, &asked->work.attn, device, &why_not);
  if (entry == NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s", why_not);
  }
  bench_text_copy(row->variant, sizeof row->variant, entry->kernel->variant);
  bench_text_copy(row->kernel_hash, sizeof row->kernel_hash, entry->code_hash);
  bench_code code = prepare(s, asked, error);
  bool agree = true;
  char reason[256] = "";
  if (code == BENCH_OK) {
    code = statistics(s, asked, &agree, reason, error);
  }
  if (code == BENCH_OK && !agree) {
    *status = "wrong";
    bench_text_copy(row->reason, sizeof row->reason, reason);
  } else if (code == BENCH_OK) {
    code = run_kernel(s, asked, entry->kernel, row, samples, status, error);
  }
  return code;
}
