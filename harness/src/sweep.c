/* One sweep, forward only: config, target, plan, folder, run, summary. */
#include "src/sweep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/input.h"
#include "platform/proc.h"
#include "platform/topology.h"
#include "src/fault.h"
#include "src/protocol.h"
#include "src/resume.h"
#include "src/watchdog.h"
#include "version.h"

/* What one sweep holds; everything is closed in one place. */
typedef struct sweep {
  const bench_sweep_options *options;
  bench_config config;
  bench_supervisor *supervisor;
  bench_target target;
  bench_peers *peers;
  bench_plan plan;
  int64_t rows_planned; /* of the whole plan */
  bench_resume resume;
  bench_folder *folder;
  char run_id[20];
  char started[BENCH_TIME_MAX];
  double started_s; /* the same by the monotonic clock */
  bench_tally tally;
  bench_error error;
} sweep;

static bool keep_filtered(void *context, const bench_row *row) {
  const bench_sweep_options *options = context;
  return bench_filter_match(options->filters, options->filter_count, row);
}

/* By the case's id, so that a case keeps its shard when the config grows. */
static void keep_shard(bench_plan *plan, int shard, int shards) {
  size_t kept = 0;
  for (size_t i = 0; i < plan->case_count; i++) {
    if (plan->cases[i].id % (uint64_t)shards == (uint64_t)(shard - 1)) {
      plan->cases[kept++] = plan->cases[i];
    }
  }
  plan->case_count = kept;
}

/* Each planted fault is of a case into which it can be planted. */
static bench_code check_faults(sweep *s) {
  const char *text = getenv(BENCH_FAULT_VARIABLE);
  bench_fault fault = {.kind = ""};
  bench_code code = BENCH_OK;
  while (code == BENCH_OK && text != NULL && fault.kind != NULL) {
    code = bench_fault_next(&text, &fault, &s->error);
    const bool there = fault.kind == NULL || (size_t)fault.number <= s->plan.case_count;
    if (code == BENCH_OK && fault.kind != NULL &&
        (!there || !bench_name_is_of(s->plan.cases[fault.number - 1].name, "null"))) {
      code =
          bench_fail(&s->error, BENCH_ERR_USAGE,
                     BENCH_FAULT_VARIABLE ": case %" PRId64 " %s; the plan has %zu", fault.number,
                     there ? "is not of the kernel null" : "is not there", s->plan.case_count);
    }
  }
  return code;
}

static bench_code make_plan(sweep *s) {
  const bench_sweep_options *options = s->options;
  bench_code code = bench_filter_check(options->filters, options->filter_count, &s->error);
  if (code == BENCH_OK) {
    code = bench_config_load(options->config_path, options->sets, options->set_count, &s->config,
                             &s->error);
  }
  if (code == BENCH_OK) {
    code =
        bench_target_open(options->backend, options->device, &s->supervisor, &s->target, &s->error);
    if (code == BENCH_ERR_UNSUPPORTED) { /* a row of each case still says why it is skipped */
      bench_text_copy(s->target.absent, sizeof s->target.absent, s->error.message);
      fprintf(stderr, "bench: every case is skipped: %s\n", s->error.message);
      code = BENCH_OK;
    }
  }
  if (code == BENCH_OK && options->roofs_path != NULL && s->target.absent[0] == '\0') {
    code = bench_roofs_load(options->roofs_path, &s->target.device, options->roofs, &s->error);
  }
  if (code == BENCH_OK && options->peer_count > 0 && s->supervisor != NULL) {
    code = bench_peers_open(options->peers, options->peer_count, s->supervisor, &s->target,
                            &s->peers, &s->error);
  }
  if (code == BENCH_OK) {
    code = bench_plan_build(&s->config, &s->target, &s->plan, &s->error);
  }
  s->rows_planned = code == BENCH_OK ? bench_plan_rows(&s->plan) : 0;
  if (code == BENCH_OK) {
    code = check_faults(s);
  }
  if (code == BENCH_OK && options->resume) {
    code = bench_resume_plan_whole(&s->resume, &s->plan, &s->error);
  }
  if (code == BENCH_OK && options->filter_count > 0) {
    bench_plan_filter(&s->plan, &s->target, keep_filtered, (void *)options);
  }
  if (code == BENCH_OK && options->shards > 0) {
    keep_shard(&s->plan, options->shard, options->shards);
  }
  if (code == BENCH_OK && options->resume) {
    code = bench_resume_plan_selected(&s->resume, &s->plan, &s->target, &s->error);
  }
  return code;
}

/* An upper bound of the time a run takes, from the budgets and the rate table. */
static double predicted_s(const sweep *s) {
  double total = 0;
  for (size_t i = 0; i < s->plan.case_count; i++) {
    const bench_case *planned = &s->plan.cases[i];
    for (size_t m = 0; m < s->plan.mode_count; m++) {
      bool wanted = (planned->modes >> m & 1u) != 0;
      if (wanted && bench_plan_why_not(planned, s->plan.modes[m], &s->target) == NULL) {
        total += bench_sampling_s(&s->config, s->plan.modes[m]) + 3 * planned->time_predicted_s;
      }
    }
  }
  return total;
}

static int dry_run(const sweep *s) {
  int64_t skipped = 0;
  int64_t memory = 0;
  double flops = 0;
  for (size_t i = 0; i < s->plan.case_count; i++) {
    const bench_case *planned = &s->plan.cases[i];
    skipped += planned->why_not != NULL;
    if (planned->why_not == NULL) {
      memory = planned->mem_predicted_bytes > memory ? planned->mem_predicted_bytes : memory;
      flops += (double)s->plan.problems[planned->problem].flops;
    }
  }
  int64_t rows = bench_plan_rows(&s->plan);
  if (s->options->json) {
    json_t *json =
        json_pack("{s:I s:I s:I s:I s:f s:I s:f}", "problems", (json_int_t)s->plan.problem_count,
                  "cases", (json_int_t)s->plan.case_count, "cases_skipped", (json_int_t)skipped,
                  "rows", (json_int_t)rows, "flops_one_pass", flops, "mem_predicted_bytes_max",
                  (json_int_t)memory, "time_s_at_most", predicted_s(s));
    json_dumpf(json, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(json);
    return 0;
  }
  printf("device   %s: %s\n", s->target.device.backend, s->target.device.name);
  printf("problems %zu\n", s->plan.problem_count);
  printf("cases    %zu, of them %" PRId64 " skipped\n", s->plan.case_count, skipped);
  printf("rows     %" PRId64 " (cases x modes)\n", rows);
  printf("work     %.4g TFLOP in one pass over all cases\n", flops / 1e12);
  printf("memory   %.3f GB predicted for the largest case\n", (double)memory / 1e9);
  printf("time     %.0f s at most, by the budgets and the rate table\n", predicted_s(s));
  return 0;
}

static void default_folder(const sweep *s, char path[4096]) {
  char host[BENCH_HOST_MAX];
  char now[BENCH_TIME_MAX];
  bench_proc_host(host);
  bench_proc_time_compact(time(NULL), now);
  snprintf(path, 4096, "results/%s_%s_%s", now, host, s->config.name);
}

static json_t *manifest(const sweep *s, const char *state) {
  json_t *tally = json_object();
  for (int i = 0; i < BENCH_STATUS_COUNT; i++) {
    json_object_set_new(tally, bench_status_names[i], json_integer(s->tally.by_status[i]));
  }
  json_t *sets = json_array(); /* --set and --seed, without which config.toml is another plan */
  for (size_t i = 0; i < s->options->set_count; i++) {
    json_array_append_new(sets, json_string(s->options->sets[i]));
  }
  char now[BENCH_TIME_MAX];
  bench_proc_time_iso(time(NULL), now);
  char *config = realpath(s->options->config_path, NULL); /* what paths in it are relative to */
  json_t *json = json_pack(
      "{s:s s:s s:s s:s s:I s:s s:O s:s s:o s:o s:o s:f s:f s:I s:I s:o s:o s:s*}", "run_id",
      s->run_id, "state", state, "started_utc", s->started, "written_utc", now, "schema_version",
      (json_int_t)BENCH_SCHEMA_VERSION, "name", s->config.name, "command", s->options->command,
      "backend", s->target.device.backend, "device", bench_device_to_json(&s->target.device),
      "machine", bench_manifest_machine(), "build", bench_manifest_build(), "elapsed_s",
      bench_proc_monotonic_s() - s->started_s, "parent_cpu_s", bench_proc_cpu_s(), "rows_planned",
      (json_int_t)s->rows_planned, "rows_selected", (json_int_t)bench_plan_rows(&s->plan),
      "rows_by_status", tally, "set", sets, "config", config);
  free(config);
  return json;
}

static bench_code write_manifest(sweep *s, const char *state) {
  json_t *json = manifest(s, state);
  bench_code code = bench_folder_manifest(s->folder, json, &s->error);
  json_decref(json);
  return code;
}

static bool is_failure(const char *status) {
  return strcmp(status, "ok") != 0 && strcmp(status, "skipped") != 0;
}

static int summarize(const sweep *s) {
  bool failed = false;
  json_t *counts = json_object();
  for (int i = 0; i < BENCH_STATUS_COUNT; i++) {
    json_object_set_new(counts, bench_status_names[i], json_integer(s->tally.by_status[i]));
    failed = failed || (s->tally.by_status[i] > 0 && is_failure(bench_status_names[i]));
  }
  const char *path = bench_folder_path(s->folder);
  if (s->options->json) {
    json_t *json = json_pack("{s:s s:I s:O s:b}", "folder", path, "rows", (json_int_t)s->tally.rows,
                             "rows_by_status", counts, "stopped", bench_stop);
    json_dumpf(json, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(json);
  } else {
    fflush(stdout);
    fprintf(stderr, "bench: %" PRId64 " rows in %s/sweep.csv:", s->tally.rows, path);
    for (int i = 0; i < BENCH_STATUS_COUNT; i++) {
      if (s->tally.by_status[i] > 0) {
        fprintf(stderr, " %" PRId64 " %s", s->tally.by_status[i], bench_status_names[i]);
      }
    }
    fprintf(stderr, "%s\n", bench_stop ? " (stopped; go on with --resume)" : "");
  }
  json_decref(counts);
  return bench_stop ? 130 : failed ? 1 : 0;
}

static bench_code open_folder(sweep *s) {
  const bench_sweep_options *options = s->options;
  char path[4096];
  if (options->folder != NULL) {
    snprintf(path, sizeof path, "%s", options->folder);
  } else {
    default_folder(s, path);
  }
  s->resume.folder = path;
  s->resume.commit = BENCH_GIT_COMMIT;
  s->resume.force = options->force;
  const bench_folder_resume resume = {
      .judge = bench_resume_judge, .context = &s->resume, .any_header = options->force};
  bench_code code =
      bench_folder_open(path, &s->config, options->resume ? &resume : NULL, &s->folder, &s->error);
  s->resume.folder = NULL; /* the path goes with this function */
  for (int i = 0; code == BENCH_OK && i < BENCH_STATUS_COUNT; i++) {
    s->tally.by_status[i] = bench_folder_kept(s->folder)[i];
    s->tally.rows += s->tally.by_status[i];
  }
  return code;
}

static bench_code execute(sweep *s, int *exit_status) {
  bench_code code = open_folder(s);
  if (code == BENCH_OK) {
    code = write_manifest(s, "running");
  }
  if (code == BENCH_OK && s->peers != NULL) {
    code = bench_peers_at(s->peers, bench_folder_path(s->folder), &s->error);
  }
  if (code == BENCH_OK) {
    const bench_run run = {.config = &s->config,
                           .plan = &s->plan,
                           .target = &s->target,
                           .supervisor = s->supervisor,
                           .peers = s->peers,
                           .folder = s->folder,
                           .options = s->options,
                           .run_id = s->run_id,
                           .oom = &s->resume.oom,
                           .base = &s->resume.base,
                           .tally = &s->tally};
    code = bench_run_plan(&run, &s->error);
  }
  if (code == BENCH_OK) {
    code = write_manifest(s, bench_stop ? "stopped" : "done");
  }
  if (code == BENCH_OK) {
    *exit_status = summarize(s);
  }
  bench_code closed = bench_folder_close(s->folder, code == BENCH_OK ? &s->error : NULL);
  return code == BENCH_OK ? closed : code;
}

int bench_sweep(const bench_sweep_options *options) {
  sweep s = {.options = options};
  int exit_status = 0;
  bench_catch_signals();
  bench_topology_tell_children(); /* each case starts a process to learn its memory */
  bench_proc_time_iso(time(NULL), s.started);
  s.started_s = bench_proc_monotonic_s();
  snprintf(
      s.run_id, sizeof s.run_id, "%016" PRIx64,
      bench_hash64((uint64_t)time(NULL), (uint64_t)getpid(), (uint64_t)bench_proc_monotonic_ns()));
  bench_code code = make_plan(&s);
  if (code == BENCH_OK && s.plan.case_count == 0 && options->shards <= 1) {
    code =
        bench_fail(&s.error, BENCH_ERR_USAGE, "%s: no case is left to run", options->config_path);
  }
  if (code == BENCH_OK && options->dry_run) {
    exit_status = dry_run(&s);
  } else if (code == BENCH_OK) {
    code = execute(&s, &exit_status);
  }
  bench_resume_free(&s.resume);
  bench_plan_free(&s.plan);
  bench_peers_close(s.peers);
  bench_supervisor_close(s.supervisor);
  bench_config_free(&s.config);
  if (code != BENCH_OK) {
    fprintf(stderr, "bench: %s\n", s.error.message);
    return bench_stop && code == BENCH_ERR_DEVICE ? 130 : bench_exit_status(code);
  }
  return exit_status;
}
