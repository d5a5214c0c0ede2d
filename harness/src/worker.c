/* The worker process: one device, one problem at a time, one answer per request. */
#include "src/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "platform/nvtx.h"
#include "platform/proc.h"
#include "platform/threads.h"
#include "src/fault.h"
#include "src/protocol.h"
#include "src/worker_case.h"
#include "src/worker_probe.h"

void bench_worker_send(bench_worker *s, json_t *event) {
  json_dumpf(event, s->out, JSON_COMPACT);
  fputc('\n', s->out);
  fflush(s->out);
  json_decref(event);
}

static void answer_error(bench_worker *s, const char *reason) {
  bench_worker_send(s, json_pack("{s:s s:s}", "ev", "error", "reason", reason));
}

static void handle_hello(bench_worker *s, const json_t *request) {
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
    bench_worker_send(s, json_pack("{s:s s:o s:b}", "ev", "error", "reason",
                                   json_sprintf("there is no device %d of backend %s (%d found)",
                                                index, name, count),
                                   "usage", 1));
    return;
  }
  if (count == 0 || s->backend->open(index, threads, &s->context, &error) != BENCH_OK) {
    answer_error(s, error.message);
    return;
  }
  bench_device device = *s->backend->device(s->context);
  bench_threads_bind(&device);
  if (!s->backend->host_memory) { /* its buffer is there before the memory of cases is counted */
    s->backend->flush_cache(s->context, &error);
  }
  s->backend->memory_free(s->context, &s->memory_free_at_start, &error);
  bench_monitor_open(&device, &s->monitor);
  bench_worker_send(s, json_pack("{s:s s:i s:o}", "ev", "hello", "protocol", BENCH_PROTOCOL,
                                 "device", bench_device_to_json(&device)));
}

/* A mode of timing, or one of the tasks that time nothing. */
static bool read_mode(const char *mode, bench_worker_request *out) {
  static const struct {
    const char *name;
    bench_worker_task task;
  } tasks[] = {{"check", BENCH_TASK_CHECK},
               {"memory", BENCH_TASK_MEMORY},
               {"fit", BENCH_TASK_FIT},
               {"export", BENCH_TASK_EXPORT},
               {"judge", BENCH_TASK_JUDGE}};
  for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
    if (strcmp(mode, tasks[i].name) == 0) {
      out->task = tasks[i].task;
      return true;
    }
  }
  out->task = BENCH_TASK_MEASURE;
  return bench_mode_parse(mode, &out->mode);
}

static bench_code read_request(const json_t *json, bench_worker_request *out, bench_error *error) {
  *out = (bench_worker_request){0};
  const char *id = json_string_value(json_object_get(json, "problem_id"));
  const char *mode = json_string_value(json_object_get(json, "mode"));
  const char *verify = json_string_value(json_object_get(json, "verify"));
  out->name = json_string_value(json_object_get(json, "kernel"));
  out->case_s = json_number_value(json_object_get(json, "case_s"));
  out->statistics = json_is_true(json_object_get(json, "stats"));
  out->check_lse = json_is_true(json_object_get(json, "check_lse"));
  out->whole = verify != NULL && strcmp(verify, "whole") == 0;
  if (id == NULL || out->name == NULL || mode == NULL || !read_mode(mode, out)) {
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
  out->folder = json_string_value(json_object_get(json, "folder"));
  if ((out->task == BENCH_TASK_EXPORT || out->task == BENCH_TASK_JUDGE) && out->folder == NULL) {
    return bench_fail(error, BENCH_ERR_USAGE, "modes export and judge need a folder");
  }
  out->work.unfilled = out->task == BENCH_TASK_FIT;
  if (out->task == BENCH_TASK_MEMORY || out->task == BENCH_TASK_FIT) {
    out->work.attn.input = BENCH_INPUT_NORMAL; /* a model's forward pass takes memory of its own */
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

/* Tells the kernel `null` what to do wrong in this case, where a test has planted a fault. */
static const char *plant_fault(const json_t *request, const char *name) {
  const int64_t number = json_integer_value(json_object_get(request, "number"));
  const char *planted = getenv(BENCH_FAULT_VARIABLE);
  const char *fault = bench_name_is_of(name, "null") ? bench_fault_at(planted, number) : NULL;
  if (fault != NULL) {
    setenv(BENCH_FAULT_NOW_VARIABLE, fault, 1);
  } else if (planted != NULL) {
    unsetenv(BENCH_FAULT_NOW_VARIABLE);
  }
  return fault;
}

/* The planted fault of a worker that dies while it answers. */
static void send_half(bench_worker *s, const json_t *event) {
  char *text = json_dumps(event, JSON_COMPACT);
  if (text != NULL) {
    fwrite(text, 1, strlen(text) / 2, s->out);
  }
  fflush(s->out);
  _exit(5);
}

static void handle_case(bench_worker *s, const json_t *json) {
  bench_worker_request asked;
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
  const char *fault = plant_fault(json, asked.name);
  bench_nvtx_push(asked.name);
  bench_code code = bench_worker_case(s, &asked, &row, &samples, &status, &error);
  bench_nvtx_pop();
  if (code != BENCH_OK) {
    status = status_of(code);
    bench_text_copy(row.reason, sizeof row.reason, error.message);
  }
  json_t *result =
      json_pack("{s:s s:s s:s s:o s:o* s:o*}", "ev", "result", "status", status, "reason",
                row.reason, "columns", bench_fields_to_json(&bench_sweep_table, &row), "samples",
                samples, "sm_mhz", s->clock_mhz);
  s->clock_mhz = NULL;
  if (fault != NULL && strcmp(fault, "short") == 0) {
    send_half(s, result);
  }
  bench_worker_send(s, result);
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
  bench_worker s = {0};
  bench_proc_oom_first();           /* if one must go, it is the one that can be replaced */
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
    } else if (op == NULL || !bench_worker_probe(&s, op)) {
      answer_error(&s,
                   "a request is {\"op\":\"hello\"|\"case\"|\"selftest\"|\"calibrate\"|\"quit\"}");
    }
    json_decref(json);
  }
  free(line);
  bench_work_close(&s.work);
  bench_monitor_close(&s.monitor);
  if (s.context != NULL) {
    s.backend->close(s.context);
  }
  fclose(s.out);
  return 0;
}
