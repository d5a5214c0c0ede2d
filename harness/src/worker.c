/* The worker process: one device, one problem at a time, one answer per request. */
#include "src/worker.h"

#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "platform/nvtx.h"
#include "platform/proc.h"
#include "platform/threads.h"
#include "src/head_row.h"
#include "src/protocol.h"
#include "src/work.h"
#include "stats/lse_check.h"

/* Scores a statistics pass is presumed to do per second and thread: decides when rows are
 * sampled, so low by intent. */
#define STATISTICS_SCORES_PER_S 1e8

typedef struct worker_state {
  FILE *out; /* the protocol's own stream; stdout is stderr by now */
  const bench_backend *backend;
  bench_context *context;
  int64_t memory_free_at_start;
  bench_work work;            /* of the last problem; backend NULL: none */
  const bench_kernel *judged; /* what `verdict` is about, for this problem; NULL: nothing */
  bench_verdict verdict;
} worker_state;

static void send(worker_state *s, json_t *event) {
  json_dumpf(event, s->out, JSON_COMPACT);
  fputc('\n', s->out);
  fflush(s->out);
  json_decref(event);
}

/* Tells the parent where we are and opens the NVTX range of the phase, to be closed by pop. */
static void enter_phase(worker_state *s, const char *name) {
  send(s, json_pack("{s:s s:s}", "ev", "phase", "name", name));
  bench_nvtx_push(name);
}

static void answer_error(worker_state *s, const char *reason) {
  send(s, json_pack("{s:s s:s}", "ev", "error", "reason", reason));
}

static void handle_hello(worker_state *s, const json_t *request) {
  const char *name = json_string_value(json_object_get(request, "backend"));
  int index = (int)json_integer_value(json_object_get(request, "device"));
  int threads = (int)json_integer_value(json_object_get(request, "threads"));
  bench_error error = {0};
  s->backend = bench_backend_find(name == NULL ? "" : name, &error);
  if (s->backend == NULL) {
    answer_error(s, error.message);
    return;
  }
  int count = s->backend->device_count(&error);
  if (count > 0 && (index < 0 || index >= count)) {
    send(s, json_pack(
                "{s:s s:o s:b}", "ev", "error", "reason",
                json_sprintf("there is no device %d of backend %s (%d found)", index, name, count),
                "usage", 1));
    return;
  }
  if (count == 0 || s->backend->open(index, threads, &s->context, &error) != BENCH_OK) {
    answer_error(s, error.message);
    return;
  }
  bench_device device = *s->backend->device(s->context);
  bench_threads_bind(&device);
  s->backend->memory_free(s->context, &s->memory_free_at_start, &error);
  send(s, json_pack("{s:s s:i s:o}", "ev", "hello", "protocol", BENCH_PROTOCOL, "device",
                    bench_device_to_json(&device)));
}

/* Everything one case has in hand. */
typedef struct request {
  bench_work_request work;
  const char *family;
  bench_mode mode;
  double case_s;
  bool whole;
  bool check_only; /* mode "check": verify and do not time */
  bool statistics;
  bool
      check_lse; /* the statistics once more by LSE identities; a difference makes the case wrong */
} request;

static bench_code read_request(const json_t *json, request *out, bench_error *error) {
  *out = (request){0};
  const char *id = json_string_value(json_object_get(json, "problem_id"));
  const char *mode = json_string_value(json_object_get(json, "mode"));
  const char *verify = json_string_value(json_object_get(json, "verify"));
  out->family = json_string_value(json_object_get(json, "kernel"));
  out->case_s = json_number_value(json_object_get(json, "case_s"));
  out->statistics = json_is_true(json_object_get(json, "stats"));
  out->check_lse = json_is_true(json_object_get(json, "check_lse"));
  out->whole = verify != NULL && strcmp(verify, "whole") == 0;
  out->check_only = mode != NULL && strcmp(mode, "check") == 0;
  if (id == NULL || out->family == NULL || mode == NULL ||
      (!out->check_only && !bench_mode_parse(mode, &out->mode))) {
    return bench_fail(error, BENCH_ERR_USAGE, "a case needs problem_id, kernel and a known mode");
  }
  out->work.id = strtoull(id, NULL, 16);
  out->work.layers_distinct = json_integer_value(json_object_get(json, "layers_distinct"));
  out->work.model_path = json_string_value(json_object_get(json, "model_path"));
  out->work.text_path = json_string_value(json_object_get(json, "text_path"));
  bench_code code = bench_attn_from_json(json_object_get(json, "attn"), &out->work.attn, error);
  if (code != BENCH_OK) {
    return code;
  }
  if (out->work.layers_distinct < 1 || out->work.layers_distinct > out->work.attn.layers) {
    return bench_fail(error, BENCH_ERR_USAGE, "layers_distinct is outside 1 .. layers");
  }
  if (out->work.attn.input == BENCH_INPUT_MODEL && out->work.model_path == NULL) {
    return bench_fail(error, BENCH_ERR_USAGE, "a model input needs model_path");
  }
  return BENCH_OK;
}

static const char *status_of(bench_code code) {
  switch (code) {
    case BENCH_OK:
      return "ok";
    case BENCH_ERR_NOMEM:
      return "oom";
    case BENCH_ERR_UNSUPPORTED:
      return "skipped";
    default:
      return "failed";
  }
}

static bench_code prepare(worker_state *s, const request *asked, bench_error *error) {
  if (s->work.backend != NULL && s->work.id == asked->work.id) {
    return BENCH_OK;
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
  bench_error ignored;
  int64_t pairs = 0;
  bench_mask_pairs(&work->attn, &pairs, &ignored);
  double scores = (double)pairs * (double)(work->attn.batch * work->attn.heads_q) *
                  (double)work->layers_distinct;
  double seconds = scores / (STATISTICS_SCORES_PER_S * threads);
  double stride = ceil(seconds / fmax(case_s, 1.0));
  return stride < 1 ? 1 : (int64_t)stride;
}

static bench_code statistics(worker_state *s, const request *asked, bool *agree, char reason[256],
                             bench_error *error) {
  *agree = true;
  if (!asked->statistics) {
    return BENCH_OK;
  }
  enter_phase(s, "statistics");
  const bench_work *work = &s->work;
  const bench_attn *attn = &work->attn;
  const bench_blocklist *list = work->mask_list.row_begin != NULL ? &work->mask_list : NULL;
  int64_t stride = statistics_stride(work, s->backend->device(s->context)->threads, asked->case_s);
  json_t *events = json_array(); /* all heads are told, agreed on, or none */
  bench_stat_core *heads = malloc((size_t)attn->heads_q * sizeof *heads);
  bench_code code =
      heads != NULL ? BENCH_OK : bench_fail(error, BENCH_ERR_NOMEM, "no memory for statistics");
  for (int64_t l = 0; code == BENCH_OK && l < work->layers_distinct; l++) {
    code = bench_stat_core_layer(attn, list, work->layers[l].host_q, work->layers[l].host_k, stride,
                                 heads, error);
    if (code == BENCH_OK && asked->check_lse && *agree) {
      code = bench_stat_lse_check(attn, list, work->layers[l].host_q, work->layers[l].host_k,
                                  stride, heads, agree, reason, error);
    }
    for (int64_t h = 0; code == BENCH_OK && h < attn->heads_q; h++) {
      bench_head_row row;
      bench_head_row_fill(attn, work->id, l, h, &heads[h], &row);
      json_array_append_new(events, json_pack("{s:s s:o}", "ev", "head", "values",
                                              bench_fields_to_json(&bench_head_table, &row)));
    }
  }
  for (size_t i = 0; code == BENCH_OK && *agree && i < json_array_size(events); i++) {
    send(s, json_incref(json_array_get(events, i)));
  }
  json_decref(events);
  free(heads);
  bench_nvtx_pop();
  return code;
}

static json_t *samples_json(const bench_measurement *taken) {
  json_t *samples = json_array();
  for (int64_t i = 0; i < taken->count; i++) {
    json_array_append_new(samples, json_real(taken->time_ns[i]));
  }
  return samples;
}

/* Once per problem and kernel: the modes of a case share the verdict. */
static bench_code verify(worker_state *s, const request *asked, const bench_kernel *kernel,
                         const bench_blocklist *list, void *workspace, size_t workspace_bytes,
                         bench_error *error) {
  if (s->judged == kernel) {
    return BENCH_OK;
  }
  enter_phase(s, "verify");
  bench_code code = bench_verify(&s->work, kernel, list, workspace, workspace_bytes, asked->whole,
                                 &s->verdict, error);
  bench_nvtx_pop();
  s->judged = code == BENCH_OK ? kernel : NULL;
  return code;
}

/* What the driver has given since this worker started. */
static int64_t device_bytes_held(const worker_state *s) {
  int64_t free_now;
  bench_error ignored;
  bench_code code = s->backend->memory_free(s->context, &free_now, &ignored);
  return code == BENCH_OK && free_now <= s->memory_free_at_start
             ? s->memory_free_at_start - free_now
             : BENCH_MISSING_INT;
}

/* The kernel is verified, then, if right, timed. Fills the row's columns and the samples. */
static bench_code verify_and_measure(worker_state *s, const request *asked,
                                     const bench_kernel_entry *entry, bench_row *row,
                                     json_t **samples, const char **status, bench_error *error) {
  bench_work *work = &s->work;
  const bench_kernel *kernel = entry->kernel;
  const bench_blocklist *list = NULL;
  void *workspace = NULL;
  size_t bytes = kernel->workspace_bytes == NULL
                     ? 0
                     : kernel->workspace_bytes(&work->attn, s->backend->device(s->context));
  row->workspace_bytes = (int64_t)bytes;
  bench_code code = bench_work_blocks(work, kernel, &list, error);
  if (code == BENCH_OK && bytes > 0) {
    code = bench_guarded_alloc(s->backend, s->context, bytes, &workspace, error);
  }
  if (code != BENCH_OK) {
    return code;
  }
  code = verify(s, asked, kernel, list, workspace, bytes, error);
  if (code == BENCH_OK) {
    row->err_max_abs = s->verdict.err_max_abs;
    row->err_rel_l2 = s->verdict.err_rel_l2;
    row->err_tolerance = s->verdict.err_tolerance;
    row->rows_checked = s->verdict.rows_checked;
  }
  if (code == BENCH_OK && !s->verdict.right) {
    *status = "wrong";
    bench_text_copy(row->reason, sizeof row->reason, s->verdict.reason);
  } else if (code == BENCH_OK && !asked->check_only) {
    bench_measurement taken;
    enter_phase(s, "measure");
    code = bench_measure(work, kernel, list, workspace, asked->mode, asked->case_s, &taken, error);
    bench_nvtx_pop();
    if (code == BENCH_OK) {
      *samples = samples_json(&taken);
      bench_text_copy(row->stop_reason, sizeof row->stop_reason, taken.stop_reason);
      free(taken.time_ns);
    }
  }
  if (!s->backend->host_memory) { /* a device's peak is what it holds now, workspace and all */
    row->mem_peak_bytes = device_bytes_held(s);
  }
  bench_guarded_free(s->backend, s->context, workspace);
  return code;
}

static bench_code run_case(worker_state *s, const request *asked, bench_row *row, json_t **samples,
                           const char **status, bench_error *error) {
  const char *why_not = NULL;
  const bench_device *device = s->backend->device(s->context);
  const bench_kernel_entry *entry =
      bench_backend_kernel(s->backend, asked->family, &asked->work.attn, device, &why_not);
  if (entry == NULL) {
    return bench_fail(error, BENCH_ERR_UNSUPPORTED, "%s", why_not);
  }
  bench_text_copy(row->variant, sizeof row->variant, entry->kernel->variant);
  bench_text_copy(row->kernel_hash, sizeof row->kernel_hash, entry->source_hash);
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
    code = verify_and_measure(s, asked, entry, row, samples, status, error);
  }
  return code;
}

static void handle_case(worker_state *s, const json_t *json) {
  request asked;
  bench_row row;
  bench_error error = {0};
  json_t *samples = NULL;
  const char *status = "ok";
  if (s->context == NULL) {
    answer_error(s, "no device is open: say hello first");
    return;
  }
  if (read_request(json, &asked, &error) != BENCH_OK) {
    answer_error(s, error.message);
    return;
  }
  bench_table_clear(&bench_sweep_table, &row);
  bool reset_worked = bench_proc_mem_peak_reset();
  bench_nvtx_push(asked.family);
  bench_code code = run_case(s, &asked, &row, &samples, &status, &error);
  bench_nvtx_pop();
  if (code != BENCH_OK) {
    status = status_of(code);
    bench_text_copy(row.reason, sizeof row.reason, error.message);
  }
  if (s->backend->host_memory && reset_worked) {
    row.mem_peak_bytes = bench_proc_mem_peak_bytes();
  }
  send(s,
       json_pack("{s:s s:s s:s s:o s:o*}", "ev", "result", "status", status, "reason", row.reason,
                 "columns", bench_fields_to_json(&bench_sweep_table, &row), "samples", samples));
}

/* Anything that a library prints must not come between the protocol's lines. */
static FILE *take_over_stdout(void) {
  int fd = dup(STDOUT_FILENO);
  if (fd < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    return NULL;
  }
  return fdopen(fd, "w");
}

int bench_worker_main(void) {
  worker_state s = {0};
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* never outlive the parent, */
  signal(SIGINT, SIG_IGN);          /* which decides what becomes of the case in hand */
  signal(SIGTERM, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  s.out = take_over_stdout();
  if (s.out == NULL) {
    return 4;
  }
  char *line = NULL;
  size_t capacity = 0;
  while (getline(&line, &capacity, stdin) > 0) {
    json_t *json = json_loads(line, 0, NULL);
    const char *op = json_string_value(json_object_get(json, "op"));
    if (op != NULL && strcmp(op, "quit") == 0) {
      json_decref(json);
      break;
    }
    if (op != NULL && strcmp(op, "hello") == 0 && s.context == NULL) {
      handle_hello(&s, json);
    } else if (op != NULL && strcmp(op, "case") == 0) {
      handle_case(&s, json);
    } else {
      answer_error(&s, "a request is {\"op\":\"hello\"|\"case\"|\"quit\"}");
    }
    json_decref(json);
  }
  free(line);
  bench_work_close(&s.work);
  if (s.context != NULL) {
    s.backend->close(s.context);
  }
  fclose(s.out);
  return 0;
}
