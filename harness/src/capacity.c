/* Bisection over worker processes: see capacity.h. */
#include "src/capacity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "src/sweep.h"
#include "src/watchdog.h"

#define SEQ_MAX (INT64_C(1) << 24) /* of the config */

typedef struct search {
  const bench_supervisor *like;
  const bench_target *target;
  const bench_config *config;
  const bench_problem *problem;
  const char *name;
  int64_t limit_bytes;
  bool stopped;
  bench_capacity *found;
} search;

static bench_problem stretched(const search *s, int64_t seq) {
  bench_problem problem = *s->problem;
  if (problem.attn.seq_q == problem.attn.seq_kv) {
    problem.attn.seq_q = seq;
  }
  problem.attn.seq_kv = seq;
  problem.id = bench_attn_id(&problem.attn);
  problem.flops = 0; /* nothing is computed */
  problem.layers_distinct = bench_layers_distinct(&problem.attn, s->target->device.llc_bytes);
  return problem;
}

/* By the plan's own prediction; the reason why not is kept. */
static bool predicted_to_fit(const search *s, const bench_problem *problem, int64_t *bytes,
                             const char **variant) {
  bench_error error;
  const char *why_not = NULL;
  const bench_device *device = &s->target->device;
  if (bench_attn_check(&problem->attn, &error) != BENCH_OK) {
    bench_text_copy(s->found->beyond, sizeof s->found->beyond, error.message);
    return false;
  }
  const bench_kernel_entry *entry =
      bench_backend_kernel(s->target->backend, s->name, &problem->attn, device, &why_not);
  if (entry == NULL) {
    bench_text_copy(s->found->beyond, sizeof s->found->beyond, why_not);
    return false;
  }
  *variant = entry->kernel->variant;
  *bytes = bench_tensor_bytes(&problem->attn, problem->layers_distinct) +
           (int64_t)bench_kernel_workspace_bytes(entry->kernel, &problem->attn, device) +
           (s->target->backend->host_memory ? BENCH_PROCESS_BYTES : 0);
  if (*bytes > s->limit_bytes) {
    snprintf(s->found->beyond, sizeof s->found->beyond,
             "%" PRId64 " keys need %.3f GB, more than the budget's %.3f GB", problem->attn.seq_kv,
             (double)*bytes / 1e9, (double)s->limit_bytes / 1e9);
    return false;
  }
  return true;
}

/* By a worker that has nothing else in its memory. */
static bool worker_fits(search *s, const bench_problem *problem, int64_t bytes) {
  bench_supervisor *fresh = NULL;
  bench_error error;
  json_t *result = NULL;
  char reason[512] = "";
  if (bench_supervisor_open_like(s->like, &fresh, &error) != BENCH_OK) {
    bench_text_copy(s->found->beyond, sizeof s->found->beyond, error.message);
    return false;
  }
  const bench_case planned = {.name = s->name, .mem_predicted_bytes = bytes};
  const double limit_s = bench_watchdog_limit_s(s->config, problem, &planned, BENCH_MODE_WARM);
  json_t *request = bench_case_request(problem, &planned, "fit", 0, false);
  const bench_answer answer =
      bench_supervisor_request(fresh, request, limit_s, NULL, NULL, &result, reason);
  bench_supervisor_close(fresh);
  s->found->processes++;
  s->stopped = answer == BENCH_STOPPED;
  s->found->timed_out = answer == BENCH_TIMED_OUT;
  const char *status = json_string_value(json_object_get(result, "status"));
  const char *told = json_string_value(json_object_get(result, "reason"));
  const bool fits = status != NULL && strcmp(status, "ok") == 0;
  if (!fits) {
    snprintf(s->found->beyond, sizeof s->found->beyond, "%s%" PRId64 " keys: %.400s",
             s->found->timed_out ? "not known: " : "", problem->attn.seq_kv,
             told != NULL ? told : reason);
  }
  json_decref(request);
  json_decref(result);
  return fits;
}

static bool fits(search *s, int64_t seq, bool ask) {
  const bench_problem problem = stretched(s, seq);
  const char *variant = "";
  int64_t bytes = 0;
  if (!predicted_to_fit(s, &problem, &bytes, &variant) ||
      (ask && !worker_fits(s, &problem, bytes))) {
    return false;
  }
  s->found->seq = seq;
  s->found->bytes = bytes;
  bench_text_copy(s->found->variant, sizeof s->found->variant, variant);
  return true;
}

/* The largest multiple of the step up to `most` steps that fits, 0 if none does. The reason that is
 * left is that of the shortest length that does not. A time-out says nothing of the memory, and the
 * next one would be waited for in vain as long: it ends the search. */
static int64_t bisect(search *s, int64_t most, bool ask) {
  int64_t low = 0;
  int64_t high = most + 1;
  while (high - low > 1 && !s->stopped && !s->found->timed_out) {
    /* The prediction is nearly always right, so its own answer is tried first. */
    const int64_t middle = ask && high == most + 1 ? most : low + (high - low) / 2;
    if (fits(s, middle * BENCH_CAPACITY_STEP, ask)) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

bool bench_capacity_find(const bench_supervisor *like, const bench_target *target,
                         const bench_config *config, const bench_problem *problem, const char *name,
                         int64_t limit_bytes, bench_capacity *out) {
  *out = (bench_capacity){0};
  search s = {.like = like,
              .target = target,
              .config = config,
              .problem = problem,
              .name = name,
              .limit_bytes = limit_bytes,
              .found = out};
  const int64_t predicted = bisect(&s, SEQ_MAX / BENCH_CAPACITY_STEP, false);
  out->seq = 0;
  out->bytes = 0;
  if (predicted > 0) {
    bisect(&s, predicted, true);
  }
  return !s.stopped;
}
