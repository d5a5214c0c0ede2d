/* The search of bench capacity, with a worker that answers at once: the limit follows the problem
 * that is asked, and a time-out is no memory limit. With --wrap=bench_supervisor_request. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "src/capacity.h"
#include "src/watchdog.h"

#define FITS_MAX 100000 /* keys */

static const volatile int stop;
static bench_answer beyond; /* what it answers to longer ones */
static double limit_s;      /* of the last request that it said yes to */
static int requests;

static const bench_config config = {.budget_case_s = 1};
static const bench_problem problem = {.attn = {.layers = 1,
                                               .batch = 1,
                                               .heads_q = 4,
                                               .heads_kv = 4,
                                               .head_dim = 64,
                                               .seq_q = 64,
                                               .seq_kv = 64,
                                               .mask = {.kind = BENCH_MASK_CAUSAL}}};

bench_answer __wrap_bench_supervisor_request(bench_supervisor *supervisor, const json_t *request,
                                             double timeout_s, bench_event_fn *on_event,
                                             void *context, json_t **result, char reason[512]);

bench_answer __wrap_bench_supervisor_request(bench_supervisor *supervisor, const json_t *request,
                                             double timeout_s, bench_event_fn *on_event,
                                             void *context, json_t **result, char reason[512]) {
  (void)supervisor;
  (void)on_event;
  (void)context;
  const json_t *attn = json_object_get(request, "attn");
  requests++;
  snprintf(reason, 512, "no answer");
  if (json_integer_value(json_object_get(attn, "seq_kv")) <= FITS_MAX) {
    limit_s = timeout_s;
    *result = json_pack("{s:s}", "status", "ok");
    return BENCH_ANSWERED;
  }
  if (beyond == BENCH_ANSWERED) {
    *result = json_pack("{s:s s:s}", "status", "oom", "reason", "no memory");
  }
  return beyond;
}

static bench_capacity find(void) {
  const bench_target target = {.backend = bench_backend_find("cpu", NULL),
                               .device = {.backend = "cpu", .name = "test", .threads = 1}};
  bench_supervisor *like;
  bench_capacity found;
  assert_int_equal(bench_supervisor_open("none", "cpu", 0, 1, &stop, &like, NULL), BENCH_OK);
  requests = 0;
  assert_true(
      bench_capacity_find(like, &target, &config, &problem, "flash", INT64_C(16) << 30, &found));
  bench_supervisor_close(like);
  return found;
}

static void the_limit_follows_what_is_asked(void **state) {
  (void)state;
  beyond = BENCH_ANSWERED;
  const bench_capacity found = find();
  assert_int_equal(found.seq, FITS_MAX / BENCH_CAPACITY_STEP * BENCH_CAPACITY_STEP);
  assert_false(found.timed_out);
  assert_non_null(strstr(found.beyond, "no memory"));
  const bench_case planned = {.mem_predicted_bytes = found.bytes};
  bench_problem longest = problem;
  longest.attn.seq_q = found.seq;
  longest.attn.seq_kv = found.seq;
  assert_true(found.bytes > found.seq * 4112); /* Q, K, V, O of 4 heads of 64 floats, an LSE */
  assert_true(limit_s == bench_watchdog_limit_s(&config, &longest, &planned, BENCH_MODE_WARM));
}

static void a_time_out_ends_the_search(void **state) {
  (void)state;
  beyond = BENCH_TIMED_OUT;
  const bench_capacity found = find();
  assert_int_equal(requests, 1);
  assert_true(found.timed_out);
  assert_int_equal(found.seq, 0);
  assert_non_null(strstr(found.beyond, "not known: "));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_limit_follows_what_is_asked),
      cmocka_unit_test(a_time_out_ends_the_search),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
