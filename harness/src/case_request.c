/* The request for one case, as bench sweep and every other command that asks a worker makes it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/protocol.h"
#include "src/sweep.h"

json_t *bench_case_request(const bench_problem *problem, const bench_case *planned,
                           const char *mode, double case_s, bool whole) {
  char id[20];
  snprintf(id, sizeof id, "%016" PRIx64, problem->id);
  json_t *request =
      json_pack("{s:s s:s s:s s:I s:s s:f s:s s:I s:o}", "op", "case", "problem_id", id, "kernel",
                planned->name, "number", (json_int_t)planned->number, "mode", mode, "case_s",
                case_s, "verify", whole ? "whole" : "auto", "layers_distinct",
                (json_int_t)problem->layers_distinct, "attn", bench_attn_to_json(&problem->attn));
  if (problem->model_path != NULL) {
    json_object_set_new(request, "model_path", json_string(problem->model_path));
    if (problem->text_path != NULL) {
      json_object_set_new(request, "text_path", json_string(problem->text_path));
    }
  }
  return request;
}

bool bench_status_needs_restart(const char *status) {
  return strcmp(status, "failed") == 0 || strcmp(status, "wrong") == 0 ||
         strcmp(status, "oom") == 0;
}
