/* The run of a plan: Google Benchmark drives, the worker measures, each answer becomes a row.
 *
 * Whatever happens to a case, it leaves exactly one row per mode. Only the user's stop and a fault
 * of the output folder end a run early. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/samples.h"
#include "platform/proc.h"
#include "src/base_times.h"
#include "src/benchmark_json.h"
#include "src/gbench.h"
#include "src/head_means.h"
#include "src/memory_probe.h"
#include "src/progress.h"
#include "src/protocol.h"
#include "src/row_samples.h"
#include "src/sweep.h"
#include "src/watchdog.h"

typedef struct run_state {
  const bench_config *config;
  const bench_plan *plan;
  const bench_target *target;
  bench_supervisor *supervisor;
  bench_peers *peers;
  bench_folder *folder;
  const bench_sweep_options *options;
  const char *run_id;
  bench_oom_rule *oom;
  bench_base_times *base;
  bench_tally *tally;
  bench_error *error;
  bench_code code; /* the first fault of the folder; ends the run */
  bench_progress_line progress;
  bool told_to_wait; /* the user knows that the case in hand is finished first */

  size_t problem; /* index of the current one; SIZE_MAX: none */
  bench_head_means statistics;
  bench_memory_probe memory;
  double *clock_mhz; /* the device's, during each sample in hand, or NULL */
} run_state;

static const bench_problem *problem_of(const run_state *run, const bench_case *planned) {
  return &run->plan->problems[planned->problem];
}

/* Samples and all that follows from them. */
static bool fill_times(run_state *run, const bench_problem *problem, const double *samples,
                       size_t count, bench_row *row) {
  double *sorted = malloc(count * sizeof *sorted);
  if (sorted == NULL) {
    return false;
  }
  bench_summary summary;
  bench_summarize(samples, (int64_t)count, sorted, &summary);
  free(sorted);
  row->samples = summary.count;
  row->time_ns_median = summary.median;
  row->time_ns_min = summary.min;
  row->time_ns_p10 = summary.p10;
  row->time_ns_p90 = summary.p90;
  row->time_ns_mean = summary.mean;
  row->time_ns_sd = summary.sd;
  row->time_ns_ci_lo = summary.ci_lo;
  row->time_ns_ci_hi = summary.ci_hi;
  const bool computes = bench_family_computes(row->kernel);
  if ((computes || bench_name_is_of(row->kernel, "memory")) && summary.median > 0) {
    row->gb_per_s = (double)row->bytes_min / summary.median;
  }
  if (computes && summary.median > 0) {
    const bench_attn *attn = &problem->attn;
    row->tflops = (double)row->flops / summary.median / 1e3;
    row->tokens_per_s = (double)(attn->batch * attn->seq_q) / summary.median * 1e9;
    if (run->options->roofs_path != NULL) {
      row->pct_of_roof = bench_roofs_pct(run->options->roofs, attn, &run->target->device, row);
    }
  }
  return true;
}

static void set_status(bench_row *row, const char *status, const char *reason) {
  bench_text_copy(row->status, sizeof row->status, status);
  bench_text_copy(row->reason, sizeof row->reason, reason);
}

static double *samples_of(const json_t *result, size_t *count) {
  const json_t *list = json_object_get(result, "samples");
  *count = json_array_size(list);
  double *samples = *count > 0 ? malloc(*count * sizeof *samples) : NULL;
  for (size_t i = 0; samples != NULL && i < *count; i++) {
    samples[i] = json_number_value(json_array_get(list, i));
    if (!json_is_number(json_array_get(list, i)) || samples[i] < 0) {
      free(samples);
      samples = NULL;
    }
  }
  return samples;
}

/* What a worker may say of its case; all else is the plan's, or follows from the samples. */
static void take_columns(json_t *columns, bench_row *row) {
  static const char *const told[] = {
      "variant",      "kernel_hash",      "workspace_bytes", "mem_peak_bytes", "stop_reason",
      "err_max_abs",  "err_rel_l2",       "err_tolerance",   "rows_checked",   "throttle",
      "steal_pct",    "load_1min",        "temp_c",          "power_w",        "energy_j",
      "energy_valid", "projection_share", "attention_share", "list_build_ns"};
  json_t *kept = json_object();
  for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
    json_object_set(kept, told[i], json_object_get(columns, told[i]));
  }
  bench_fields_from_json(&bench_sweep_table, kept, row);
  json_decref(kept);
}

/* A worker's result into the row. Returns the samples (may be NULL); the caller frees. */
static double *take_result(run_state *run, const bench_problem *problem, const json_t *result,
                           bench_row *row, size_t *sample_count) {
  const char *status = json_string_value(json_object_get(result, "status"));
  const char *reason = json_string_value(json_object_get(result, "reason"));
  *sample_count = 0;
  if (status == NULL) {
    set_status(row, "failed", reason == NULL ? "the worker's answer has no status" : reason);
    return NULL;
  }
  if (bench_status_index(status) < 0) {
    set_status(row, "failed", "the worker's status is none of the protocol's");
    return NULL;
  }
  take_columns(json_object_get(result, "columns"), row);
  set_status(row, status, reason == NULL ? "" : reason);
  if (strcmp(status, "ok") != 0 && strcmp(status, "invalid") != 0) {
    return NULL;
  }
  if (run->target->backend->emulated) {
    return NULL; /* what ran is no measure of anything */
  }
  double *samples = samples_of(result, sample_count);
  if (samples == NULL || !fill_times(run, problem, samples, *sample_count, row)) {
    set_status(row, "failed", "the worker sent no samples");
    *sample_count = 0;
  }
  bench_row_judge_samples(row, samples, *sample_count);
  run->clock_mhz = bench_row_take_clock(row, result, *sample_count);
  bench_base_times_note(run->base, row); /* only now is it known whether the row is ok */
  bench_base_times_compare(run->base, row);
  return samples;
}

/* All heads of the problem, or none: a part would be taken for the whole. */
static void end_statistics(run_state *run, const bench_problem *problem) {
  const int64_t expected = problem->layers_distinct * problem->attn.heads_q;
  if (run->statistics.count > 0 && (int64_t)run->statistics.count != expected) {
    bench_head_means_begin(&run->statistics);
    return;
  }
  bench_head_means_end(&run->statistics);
}

/* Asks the worker for one mode of one case. */
static double *ask(run_state *run, const bench_case *planned, bench_mode mode, bench_row *row,
                   size_t *sample_count) {
  const bench_config *config = run->config;
  const bench_problem *problem = problem_of(run, planned);
  const double limit_s = bench_watchdog_limit_s(config, problem, planned, mode);
  const bool statistics =
      config->stats != BENCH_STATS_NONE && !run->statistics.known && planned->peer == 0;
  json_t *request =
      bench_case_request(problem, planned, bench_mode_name(mode), config->budget_case_s, false);
  json_object_set_new(request, "stats", json_boolean(statistics));
  json_object_set_new(request, "check_lse", json_boolean(run->options->check_lse));
  json_t *result = NULL;
  char reason[512];
  double *samples = NULL;
  *sample_count = 0;
  bench_supervisor *asked = run->supervisor;
  bench_answer answer;
  if (planned->peer > 0) {
    asked = bench_peers_supervisor(run->peers, planned->peer);
    answer =
        bench_peers_case(run->peers, planned->peer, problem, request, limit_s, &result, reason);
  } else {
    answer = bench_supervisor_request(asked, request, limit_s, bench_head_means_take,
                                      &run->statistics, &result, reason);
  }
  switch (answer) {
    case BENCH_ANSWERED:
      end_statistics(run, problem);
      samples = take_result(run, problem, result, row, sample_count);
      if (bench_status_needs_restart(row->status)) {
        bench_supervisor_restart(asked);
      }
      break;
    case BENCH_CRASHED:
      set_status(row, "crashed", reason);
      break;
    case BENCH_TIMED_OUT:
      set_status(row, "timeout", reason);
      break;
    case BENCH_OOM_KILLED:
      set_status(row, "oom", reason);
      break;
    case BENCH_STOPPED:
      break; /* no row: the case is as if it had not begun */
  }
  if (result == NULL) {
    bench_head_means_begin(&run->statistics); /* not all may have come; the next case asks again */
  }
  json_decref(request);
  json_decref(result);
  return samples;
}

static void count_status(bench_tally *tally, const char *status) {
  tally->rows++;
  tally->by_status[bench_status_index(status)]++;
}

/* One benchmark of Google Benchmark: one mode of one case. */
static void run_one(void *context, size_t index, bench_gbench_result *result) {
  run_state *run = context;
  if (bench_stop || run->code != BENCH_OK) {
    bench_text_copy(result->skipped, sizeof result->skipped, BENCH_GBENCH_NOT_REACHED);
    return;
  }
  const bench_case *planned = &run->plan->cases[index / run->plan->mode_count];
  bench_mode mode = run->plan->modes[index % run->plan->mode_count];
  if (run->problem != planned->problem) {
    run->problem = planned->problem;
    run->statistics.known = false;
  }
  bench_row row;
  bench_plan_row(run->plan, planned, mode, run->target, &row);
  bench_text_copy(row.run_id, sizeof row.run_id, run->run_id);
  size_t sample_count = 0;
  double *samples = NULL;
  bench_head_means_begin(&run->statistics);
  char forbidden[512];
  const char *why_not = bench_plan_why_not(planned, mode, run->target);
  if (why_not == NULL && bench_oom_rule_forbids(run->oom, &row, forbidden)) {
    why_not = forbidden;
  }
  if (why_not != NULL) {
    set_status(&row, "skipped", why_not);
  } else {
    bench_progress_show(&run->progress, &row);
    samples = ask(run, planned, mode, &row, &sample_count);
    bench_progress_hide(&run->progress);
  }
  run->progress.done++;
  if (row.status[0] == '\0') {
    bench_text_copy(result->skipped, sizeof result->skipped, BENCH_GBENCH_NOT_REACHED);
    free(samples);
    return;
  }
  bench_head_means_copy(&run->statistics, &row);
  if (strcmp(row.status, "ok") == 0 && row.mem_peak_bytes == BENCH_MISSING_INT &&
      planned->peer == 0) {
    const bench_problem *problem = problem_of(run, planned);
    const double limit_s = bench_watchdog_limit_s(run->config, problem, planned, mode);
    row.mem_peak_bytes = bench_memory_probe_peak(&run->memory, problem, planned, limit_s);
  }
  if (strcmp(row.status, "oom") == 0) {
    bench_oom_rule_note(run->oom, &row);
  }
  bench_row_finish(&row);
  if (run->code == BENCH_OK) { /* else a fault of the folder was found while we waited */
    run->code = bench_folder_write(run->folder, &row, run->statistics.heads, run->statistics.count,
                                   samples, run->clock_mhz, sample_count, run->error);
  }
  free(samples);
  free(run->clock_mhz);
  run->clock_mhz = NULL;
  if (run->code != BENCH_OK) {
    bench_text_copy(result->skipped, sizeof result->skipped, BENCH_GBENCH_NOT_REACHED);
    return;
  }
  count_status(run->tally, row.status);
  if (isfinite(row.time_ns_median)) {
    result->time_s = row.time_ns_median * 1e-9;
    result->flops = isfinite(row.tflops) ? (double)row.flops : 0;
    result->bytes = isfinite(row.tflops) ? (double)row.bytes_min : 0;
  } else {
    snprintf(result->skipped, sizeof result->skipped, "%s: %.200s", row.status, row.reason);
  }
}

static void register_all(run_state *run) {
  const bench_plan *plan = run->plan;
  for (size_t c = 0; c < plan->case_count; c++) {
    for (size_t m = 0; m < plan->mode_count; m++) {
      bench_row row;
      char name[BENCH_BENCHMARK_NAME_MAX];
      if ((plan->cases[c].modes >> m & 1u) == 0) {
        continue;
      }
      bench_plan_row(plan, &plan->cases[c], plan->modes[m], run->target, &row);
      if (bench_folder_has_row(run->folder, row.case_id, row.mode)) {
        continue;
      }
      bench_benchmark_name(&row, name);
      bench_gbench_register(name, run_one, run, c * plan->mode_count + m);
      run->progress.total++;
    }
  }
}

/* While the worker works: what was written reaches the disk in time, and a wish to stop is heard.
 */
static void while_waiting(void *context) {
  run_state *run = context;
  if (run->code == BENCH_OK) {
    run->code = bench_folder_sync_due(run->folder, run->error);
  }
  if (bench_stop && !run->told_to_wait) {
    run->told_to_wait = true;
    fprintf(stderr, "bench: stopping after the case in hand; once more to stop at once\n");
  }
}

/* What is done while any worker is waited for; NULL: nothing, for the run is over. */
static void wait_with(run_state *run, bench_idle_fn *idle) {
  if (run->supervisor != NULL) {
    bench_supervisor_on_idle(run->supervisor, idle, run);
  }
  if (run->peers != NULL) {
    bench_peers_wait_like_own(run->peers);
  }
}

/* benchmark.json of all rows, with what the library wrote of this run and of those before it. */
static bench_code export_rows(const char *folder, const char *written, bench_error *error) {
  char path[4200];
  bench_benchmark_known known = {0};
  snprintf(path, sizeof path, "%s/benchmark.json", folder);
  bench_benchmark_known_add(&known, written);
  bench_benchmark_known_add(&known, path);
  const bench_code code = bench_benchmark_json_write(&known, folder, error);
  bench_benchmark_known_free(&known);
  return code;
}

/* Drives the registered cases and leaves their export. */
static bench_code drive(run_state *run) {
  const char *folder = bench_folder_path(run->folder);
  char written[4200];
  snprintf(written, sizeof written, "%s/.benchmark.json.new", folder);
  bool color = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
  bench_gbench_clear();
  register_all(run);
  if (run->progress.total > 0) {
    bench_gbench_run_all("", !run->options->json, color, written);
    if (run->code == BENCH_OK) {
      run->code = export_rows(folder, written, run->error);
    }
    remove(written);
  }
  bench_gbench_clear();
  return run->code;
}

bench_code bench_run_plan(const bench_run *given, bench_error *error) {
  run_state run = {.config = given->config,
                   .plan = given->plan,
                   .target = given->target,
                   .supervisor = given->supervisor,
                   .peers = given->peers,
                   .folder = given->folder,
                   .options = given->options,
                   .run_id = given->run_id,
                   .oom = given->oom,
                   .base = given->base,
                   .tally = given->tally,
                   .error = error,
                   .problem = SIZE_MAX,
                   .memory = {.like = given->supervisor}};
  bench_progress_init(&run.progress, given->options->progress);
  if (run.supervisor != NULL) { /* NULL: no device answers, every case is skipped */
    bench_supervisor_finish_requests(run.supervisor);
  }
  wait_with(&run, while_waiting);
  drive(&run);
  wait_with(&run, NULL);
  bench_head_means_free(&run.statistics);
  bench_memory_probe_close(&run.memory);
  return run.code;
}
