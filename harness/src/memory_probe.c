/* Asks a fresh worker for the peak memory of a case. */
#include "src/memory_probe.h"

#include "bench/row.h"
#include "src/sweep.h"

static int64_t ask(bench_memory_probe *probe, const bench_problem *problem,
                   const bench_case *planned, double timeout_s) {
  bench_error ignored;
  if (probe->fresh == NULL &&
      bench_supervisor_open_like(probe->like, &probe->fresh, &ignored) != BENCH_OK) {
    return BENCH_MISSING_INT;
  }
  json_t *request = bench_case_request(problem, planned, "memory", 0, false);
  json_t *result = NULL;
  char reason[512];
  bench_supervisor_request(probe->fresh, request, timeout_s, NULL, NULL, &result, reason);
  bench_supervisor_restart(probe->fresh);
  const json_t *peak = json_object_get(json_object_get(result, "columns"), "mem_peak_bytes");
  const int64_t bytes = json_is_integer(peak) ? json_integer_value(peak) : BENCH_MISSING_INT;
  json_decref(request);
  json_decref(result);
  return bytes;
}

int64_t bench_memory_probe_peak(bench_memory_probe *probe, const bench_problem *problem,
                                const bench_case *planned, double timeout_s) {
  if (probe->case_id != planned->id) {
    probe->peak_bytes = ask(probe, problem, planned, timeout_s);
    probe->case_id = planned->id;
  }
  return probe->peak_bytes;
}

void bench_memory_probe_close(bench_memory_probe *probe) {
  bench_supervisor_close(probe->fresh);
  probe->fresh = NULL;
}
