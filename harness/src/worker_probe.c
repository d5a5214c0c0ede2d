/* Self-test and calibration in the worker: see worker_probe.h. */
#include "src/worker_probe.h"

#include <string.h>

#include "src/roofs.h"
#include "src/selftest.h"

static json_t *answer_selftest(bench_worker *s, bench_error *error) {
  static const char *const outcomes[] = {"passed", "failed", "skipped"};
  bench_selftest_check checks[BENCH_SELFTEST_CHECKS];
  size_t count;
  if (bench_selftest_run(s->backend, s->context, checks, &count, error) != BENCH_OK) {
    return NULL;
  }
  json_t *list = json_array();
  for (size_t i = 0; i < count; i++) {
    json_array_append_new(list, json_pack("{s:s s:s s:s}", "name", checks[i].name, "outcome",
                                          outcomes[checks[i].outcome], "text", checks[i].text));
  }
  return json_pack("{s:s s:o}", "ev", "result", "checks", list);
}

static json_t *answer_calibrate(bench_worker *s, bench_error *error) {
  bench_roofs roofs;
  return bench_roofs_measure(s->backend, s->context, &roofs, error) == BENCH_OK
             ? json_pack("{s:s s:o}", "ev", "result", "roofs", bench_roofs_to_json(&roofs))
             : NULL;
}

bool bench_worker_probe(bench_worker *s, const char *op) {
  static const struct {
    const char *op;
    json_t *(*answer)(bench_worker *s, bench_error *error);
  } table[] = {{"selftest", answer_selftest}, {"calibrate", answer_calibrate}};
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (strcmp(op, table[i].op) == 0) {
      bench_error error = {.message = "no device is open: say hello first"};
      json_t *answer = s->context != NULL ? table[i].answer(s, &error) : NULL;
      bench_worker_send(s, answer != NULL
                               ? answer
                               : json_pack("{s:s s:s}", "ev", "error", "reason", error.message));
      return true;
    }
  }
  return false;
}
